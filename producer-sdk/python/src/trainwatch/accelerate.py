"""Tracks what Accelerate logs::

    accelerator = Accelerator(log_with=TrainwatchTracker())

``accelerator.init_trackers`` begins the run and ``accelerator.end_training`` ends it. ``accelerator.log({"loss": ..., "lr":
..., "eval/accuracy": ...}, step=...)`` is sorted by name: loss, gradient norm and learning rate, metrics of the training, and
what begins with eval, val or test as an evaluation. For every step, norms and statistics, :func:`trainwatch.torch.watch` the
prepared model and optimizer instead.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from accelerate.tracking import GeneralTracker

import trainwatch
from trainwatch.internal.ending import close_at_exit
from trainwatch.internal.guard import harmless
from trainwatch.internal.names import meaning_of
from trainwatch.run import TrainingRun

__all__ = ["TrainwatchTracker"]


class TrainwatchTracker(GeneralTracker):
    """A tracker of the main process; ``start`` are the arguments of :func:`trainwatch.start`."""

    name = "trainwatch"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, run_id: Optional[str] = None, *, run: Optional[TrainingRun] = None, **start: Any) -> None:
        super().__init__()
        self._run = run
        self._is_own = run is None
        self._start = {"run_id": run_id, **start}
        self._config: Dict[str, Any] = {}
        self._step = 0

    @property
    def tracker(self) -> Optional[TrainingRun]:
        """The run; None before it begins."""
        return self._run

    @harmless
    def store_init_configuration(self, values: Dict[str, Any]) -> None:
        """Takes of the configuration what a run may say at its start."""
        self._config = {
            field: values[name] for name, field in _CONFIGURATION.items() if isinstance(values.get(name), (int, float))
        }
        self._begin()

    @harmless
    def log(self, values: Dict[str, Any], step: Optional[int] = None, **kwargs: Any) -> None:
        """Records what is logged; without a step, calls are counted."""
        run = self._begin()
        meaning = meaning_of(values)
        if step is None and meaning.step:
            self._step += 1
        at = self._step = self._step if step is None else step
        if meaning.step:
            run.step(at, **meaning.step)
        for split, metrics in meaning.held_out.items():
            run.evaluation(at, metrics, split=split)

    @harmless
    def finish(self) -> None:
        """Ends the run."""
        if self._run is not None and self._is_own:
            self._run.close()

    def _begin(self) -> TrainingRun:
        if self._run is None:
            self._run = trainwatch.start(**{**self._config, **self._start})
            close_at_exit(self._run)
        return self._run


_CONFIGURATION = {
    "max_steps": "max_steps",
    "max_train_steps": "max_steps",
    "num_epochs": "max_epochs",
    "num_train_epochs": "max_epochs",
    "learning_rate": "learning_rate_peak",
    "lr": "learning_rate_peak",
    "num_warmup_steps": "warmup_steps",
    "weight_decay": "weight_decay",
    "seed": "seed",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
}
