"""Watches a Lightning Trainer::

    trainer = Trainer(..., callbacks=[TrainwatchCallback()])

or without a line: where the package is installed and TRAINWATCH_LOCATION is set, every Trainer has the callback.

It watches each optimizer step as :mod:`trainwatch.torch` does. Validation metrics are those that the module logs in its
validation steps; checkpoints, errors and the end come from the Trainer. When the monitor asks for it, the Trainer ends, or
saves beside its other checkpoints.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional

import trainwatch
from trainwatch.command import Command
from trainwatch.internal.guard import harmless
from trainwatch.internal.names import is_number
from trainwatch.run import TrainingRun
from trainwatch.torch import Watch, describe

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    from pytorch_lightning.callbacks import Callback

__all__ = ["TrainwatchCallback", "callbacks_from_environment"]


class TrainwatchCallback(Callback):
    """One run per call of ``fit``.

    :param run: where to record; default a new run of ``trainwatch.start(**start)``
    :param every: steps between two statistics of all tensors; default 100
    """

    def __init__(self, run: Optional[TrainingRun] = None, *, every: int = 100, **start: Any) -> None:
        self._given = run
        self._every = every
        self._start = start
        self._run: Optional[TrainingRun] = None
        self._watch: Optional[Watch] = None
        self._save = False
        self._is_from_environment = False

    @harmless
    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Starts the run, unless another of these callbacks was given by hand."""
        if self._is_from_environment and any(
            isinstance(other, TrainwatchCallback) and not other._is_from_environment for other in trainer.callbacks
        ):
            return
        optimizers = [getattr(optimizer, "optimizer", optimizer) for optimizer in trainer.optimizers]
        details = {**describe(module, optimizers[0] if optimizers else None), **_details(trainer, module)}
        self._run = self._given or trainwatch.start(**{**details, **self._start})
        self._run.on_command(self._on_command)
        if optimizers:
            self._watch = Watch(module, optimizers[0], self._run, self._every, first_step=trainer.global_step)

    @harmless
    def on_train_batch_end(self, trainer: Any, module: Any, *unused: Any) -> None:
        """Does what the monitor has asked for."""
        if self._save:
            self._save = False
            path = os.path.join(trainer.default_root_dir, "trainwatch-step-%d.ckpt" % trainer.global_step)
            trainer.save_checkpoint(path)
        if self._run is not None and self._run.should_stop():
            trainer.should_stop = True

    @harmless
    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """Says that the Trainer evaluates."""
        if self._run is not None:
            self._run.activity("evaluation")

    @harmless
    def on_validation_end(self, trainer: Any, module: Any) -> None:
        """Records an evaluation."""
        if self._run is None or trainer.sanity_checking:
            return
        metrics = {
            name: value
            for name, value in {**trainer.logged_metrics, **trainer.callback_metrics}.items()
            if name.startswith(("val", "eval")) and is_number(value)
        }
        if metrics:
            self._run.evaluation(
                trainer.global_step,
                {_metric(name): value for name, value in metrics.items()},
                epoch=float(trainer.current_epoch),
            )
        self._run.activity("train")

    @harmless
    def on_save_checkpoint(self, trainer: Any, module: Any, checkpoint: Dict[str, Any]) -> None:
        """Records a checkpoint."""
        if self._run is not None:
            self._run.checkpoint_saved(
                trainer.global_step, optimizer_state_included=bool(checkpoint.get("optimizer_states"))
            )

    @harmless
    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        """Marks the run as failed and ends it."""
        if self._run is not None:
            self._run.failed(exception)
        self._end()

    @harmless
    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Ends the run."""
        self._end()

    def _end(self) -> None:
        if self._watch is not None:
            self._watch.detach()
        if self._run is not None and self._given is None:
            self._run.close()

    def _on_command(self, command: Command) -> None:
        if command.action.startswith("checkpoint"):
            self._save = True


def callbacks_from_environment() -> List[Callback]:
    """Returns the callback where TRAINWATCH_LOCATION is set: the entry point that Lightning asks."""
    if not os.environ.get(trainwatch.LOCATION_VARIABLE, "").strip():
        return []
    callback = TrainwatchCallback()
    callback._is_from_environment = True
    return [callback]


def _details(trainer: Any, module: Any) -> Dict[str, Any]:
    steps = trainer.estimated_stepping_batches
    return {
        "max_steps": int(steps) if steps not in (float("inf"), -1) else None,
        "max_epochs": float(trainer.max_epochs) if (trainer.max_epochs or -1) > 0 else None,
        "max_grad_norm": trainer.gradient_clip_val or None,
        "gradient_accumulation_steps": trainer.accumulate_grad_batches,
        "precision": {"16": "fp16", "bf16": "bf16", "32": "fp32"}.get(str(trainer.precision).split("-")[0]),
        "logging_steps": 1,
        "resumed_from_step": trainer.global_step or None,
    }


def _metric(name: str) -> str:
    for prefix in ("validation", "val", "eval"):
        if name.startswith(prefix) and name[len(prefix) : len(prefix) + 1] in ("_", "/", "."):
            return name[len(prefix) + 1 :]
    return name
