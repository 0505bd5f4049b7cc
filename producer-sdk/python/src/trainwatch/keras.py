"""Watches ``fit`` of Keras 3, whatever its backend::

    model.fit(x, y, callbacks=[TrainwatchCallback()])

Keras tells a callback the mean of the loss since the epoch began; each batch's own loss is taken out of it. Validation metrics
come at the end of each epoch, with the statistics of all weights. Gradients are not shown to callbacks: what rests on them is
not checked. When the monitor asks for it, ``fit`` ends after the batch.
"""

from __future__ import annotations

import time
from typing import Any, Dict, Optional

import keras
import numpy

import trainwatch
from trainwatch.internal.ending import close_at_exit
from trainwatch.internal.guard import harmless
from trainwatch.run import TrainingRun

__all__ = ["TrainwatchCallback"]

#: Batches between two looks at the learning rate, which lies on the device.
_RATE_EVERY = 20


class TrainwatchCallback(keras.callbacks.Callback):
    """One run per call of ``fit``.

    :param run: where to record; default a new run of ``trainwatch.start(**start)``
    :param first_step: steps that were made before, as with ``initial_epoch``
    """

    def __init__(self, run: Optional[TrainingRun] = None, *, first_step: int = 0, **start: Any) -> None:
        super().__init__()
        self._given = run
        self._start = start
        self._run: Optional[TrainingRun] = None
        self._step = first_step
        self._epoch = 0
        self._means: Dict[str, float] = {}
        self._batches = 0
        self._rate: Optional[float] = None
        self._last: Optional[float] = None

    @harmless
    def on_train_begin(self, logs: Optional[Dict[str, Any]] = None) -> None:
        """Starts the run."""
        self._run = self._given or trainwatch.start(**{**self._details(), **self._start})
        if self._given is None:
            close_at_exit(self._run)

    @harmless
    def on_epoch_begin(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """Begins new means."""
        self._epoch = epoch
        self._means = {}
        self._batches = 0
        self._last = None

    @harmless
    def on_train_batch_end(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """Records a step."""
        if self._run is None:
            return
        before, self._batches = self._batches, batch + 1
        self._step += max(1, self._batches - before)
        own = {name: self._own(name, float(mean), before) for name, mean in (logs or {}).items()}
        loss = own.pop("loss", None)
        now = time.perf_counter()
        seconds = None if self._last is None else max(now - self._last, 1e-9) / max(1, self._batches - before)
        self._last = now
        if self._rate is None or self._step % _RATE_EVERY == 0:
            self._rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._run.step(
            self._step,
            loss,
            learning_rate=self._rate,
            metrics=own or None,
            step_time_seconds=seconds,
            window_steps=self._batches - before if self._batches - before > 1 else None,
        )
        if self._run.should_stop():
            self.model.stop_training = True

    @harmless
    def on_test_begin(self, logs: Optional[Dict[str, Any]] = None) -> None:
        """Says that Keras evaluates."""
        if self._run is not None:
            self._run.activity("evaluation")

    @harmless
    def on_epoch_end(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        """Records the validation and the weights."""
        if self._run is None:
            return
        metrics = {name[4:]: float(value) for name, value in (logs or {}).items() if name.startswith("val_")}
        if metrics:
            self._run.evaluation(self._step, metrics, epoch=epoch + 1.0)
        self._run.tensor_stats(self._step, _weights(self.model))

    @harmless
    def on_train_end(self, logs: Optional[Dict[str, Any]] = None) -> None:
        """Ends the run."""
        if self._run is not None and self._given is None:
            self._run.close()

    def _own(self, name: str, mean: float, before: int) -> float:
        """Takes what the latest batches add out of the mean of all so far."""
        known = self._means.get(name)
        self._means[name] = mean
        if known is None or before == 0:
            return mean
        return (mean * self._batches - known * before) / max(1, self._batches - before)

    def _details(self) -> Dict[str, Any]:
        epochs, steps = self.params.get("epochs"), self.params.get("steps")
        optimizer = self.model.optimizer
        loss = self.model.loss
        return {
            "model_name": self.model.name,
            "framework": "keras %s (%s)" % (keras.__version__, keras.backend.backend()),
            "optimizer": type(optimizer).__name__.lower() if optimizer is not None else None,
            "loss_function": loss if isinstance(loss, str) else getattr(loss, "name", None),
            "num_parameters": int(self.model.count_params()) if self.model.built else None,
            "max_epochs": float(epochs) if epochs else None,
            "steps_per_epoch": steps,
            "max_steps": epochs * steps if epochs and steps else None,
            "logging_steps": 1,
        }


def _weights(model: Any) -> Any:
    rows = []
    for variable in model.trainable_variables:
        values = numpy.asarray(keras.ops.convert_to_numpy(variable), dtype=numpy.float64).ravel()
        if values.size == 0:
            continue
        finite = values[numpy.isfinite(values)]
        row: Dict[str, Any] = {
            "name": getattr(variable, "path", variable.name),
            "kind": "weight",
            "count": values.size,
            "nonfinite_count": values.size - finite.size,
        }
        if finite.size:
            row.update(
                mean=float(finite.mean()),
                std=float(finite.std()),
                abs_mean=float(numpy.abs(finite).mean()),
                abs_max=float(numpy.abs(finite).max()),
                l2_norm=float(numpy.linalg.norm(finite)),
                zero_fraction=float((finite == 0).mean()),
            )
        rows.append(row)
    return rows
