"""Watches the Trainer of Hugging Face transformers::

    trainer = Trainer(..., callbacks=[TrainwatchCallback()])

It watches each optimizer step as :mod:`trainwatch.torch` does, not what the Trainer logs: the Trainer's default
``logging_nan_inf_filter`` replaces a loss that is NaN by the average so far, and a run whose every loss is NaN logs 0.0.
Evaluations, checkpoints and resumed steps come from the Trainer. When the monitor asks for it, the Trainer saves or ends.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from transformers import TrainerCallback

import trainwatch
from trainwatch.command import Command
from trainwatch.internal.ending import close_at_exit
from trainwatch.internal.guard import harmless
from trainwatch.run import TrainingRun
from trainwatch.torch import Watch, describe

__all__ = ["TrainwatchCallback"]


class TrainwatchCallback(TrainerCallback):
    """One run per call of ``Trainer.train()``.

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

    @harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts the run."""
        model = kwargs["model"]
        optimizer = kwargs.get("optimizer")
        optimizer = getattr(optimizer, "optimizer", optimizer)
        details = {**describe(model, optimizer), **_details(args, state, model)}
        self._run = self._given or trainwatch.start(**{**details, **self._start})
        if self._given is None:
            close_at_exit(self._run)
        self._run.on_command(self._on_command)
        self._watch = Watch(model, optimizer, self._run, self._every, first_step=state.global_step)

    @harmless
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Does what the monitor has asked for."""
        if self._save:
            self._save = False
            control.should_save = True
        if self._run is not None and self._run.should_stop():
            control.should_training_stop = True

    @harmless
    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Records an evaluation."""
        if self._run is None or not metrics:
            return
        known = {name[5:]: value for name, value in metrics.items() if name.startswith("eval_")}
        seconds = known.pop("runtime", None)
        for name in ("samples_per_second", "steps_per_second"):
            known.pop(name, None)
        self._run.evaluation(state.global_step, known, duration_seconds=seconds, epoch=state.epoch)
        self._run.activity("train")

    @harmless
    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Says that the Trainer evaluates."""
        if self._run is not None:
            self._run.activity("evaluation")

    @harmless
    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Records a checkpoint."""
        if self._run is not None:
            path = os.path.join(args.output_dir, "checkpoint-%d" % state.global_step)
            self._run.checkpoint_saved(
                state.global_step, path, optimizer_state_included=not getattr(args, "save_only_model", False)
            )

    @harmless
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ends the run."""
        if self._watch is not None:
            self._watch.detach()
        if self._run is not None and self._given is None:
            self._run.close()

    def _on_command(self, command: Command) -> None:
        if command.action.startswith("checkpoint"):
            self._save = True


def _details(args: Any, state: Any, model: Any) -> Dict[str, Any]:
    config = getattr(model, "config", None)
    warmup = args.get_warmup_steps(state.max_steps) if hasattr(args, "get_warmup_steps") else None
    details: Dict[str, Any] = {
        "max_steps": state.max_steps if state.max_steps > 0 else None,
        "max_epochs": float(args.num_train_epochs) if args.num_train_epochs > 0 else None,
        "learning_rate_peak": float(args.learning_rate),
        "lr_schedule": str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)),
        "warmup_steps": warmup,
        "weight_decay": float(args.weight_decay),
        "max_grad_norm": args.max_grad_norm or None,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "global_batch_size": args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
        "seed": args.seed,
        "logging_steps": 1,
        "vocab_size": getattr(config, "vocab_size", None),
        "resumed_from_step": state.global_step or None,
        "run_name": getattr(args, "run_name", None),
    }
    if getattr(args, "bf16", False) or getattr(args, "fp16", False):
        details["precision"] = "bf16" if args.bf16 else "fp16"
    if str(getattr(args.eval_strategy, "value", "")) == "steps":
        details["eval_steps"] = int(args.eval_steps)
    return details
