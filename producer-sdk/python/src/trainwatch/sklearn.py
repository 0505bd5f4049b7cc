"""Watches an estimator of scikit-learn that learns in batches::

    watch = trainwatch.sklearn.watch(SGDClassifier(loss="log_loss"), validation=(x_val, y_val))
    for x, y in batches:
        watch.partial_fit(x, y, classes=classes)

The loss of a step is that of the estimator on the batch before it learns from it, so it is one of unseen data: log loss where
there are probabilities, else the share of wrong predictions, and for a regression the mean squared error.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import numpy
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error

import trainwatch
from trainwatch.internal.ending import close_at_exit
from trainwatch.internal.guard import harmless
from trainwatch.run import TrainingRun

__all__ = ["Watch", "watch"]


def watch(
    estimator: Any,
    validation: Optional[Tuple[Any, Any]] = None,
    *,
    run: Optional[TrainingRun] = None,
    every: int = 10,
    **start: Any,
) -> "Watch":
    """Watches an estimator until the process ends or close() is called.

    :param estimator: has ``partial_fit``
    :param validation: data and targets that it does not learn from
    :param run: where to record; default a new run of ``trainwatch.start(**start)``
    :param every: batches between two evaluations, at least 1; default 10
    """
    if every < 1:
        raise ValueError("every must be at least 1 batch, was %r" % (every,))
    if run is None:
        details = {
            "model_name": type(estimator).__name__,
            "framework": "scikit-learn",
            "task": "classification" if is_classifier(estimator) else "regression",
        }
        run = trainwatch.start(**{**details, **start})
        close_at_exit(run)
    return Watch(estimator, validation, run, every)


class Watch:
    """An estimator that is watched."""

    def __init__(self, estimator: Any, validation: Optional[Tuple[Any, Any]], run: TrainingRun, every: int) -> None:
        self.estimator = estimator
        self.run = run
        self._validation = validation
        self._every = every
        self._classes: Any = None
        self._step = 0

    def partial_fit(self, x: Any, y: Any, **kwargs: Any) -> "Watch":
        """Has the estimator learn from a batch; its errors are its caller's, as without a watch."""
        if kwargs.get("classes") is not None:
            self._classes = kwargs["classes"]
        before = self._judged(x, y) if self._step else None
        self.estimator.partial_fit(x, y, **kwargs)
        self._step += 1
        self._record(before)
        return self

    def close(self) -> None:
        """Ends the run."""
        self.run.close()

    @harmless
    def _record(self, before: Optional[Dict[str, float]]) -> None:
        metrics = dict(before or {})
        loss = metrics.pop("loss", None)
        if loss is not None:
            self.run.step(self._step, loss, metrics=metrics or None)
        if self._validation is not None and self._step % self._every == 0:
            self.run.evaluation(self._step, self._judged(*self._validation) or {})

    @harmless
    def _judged(self, x: Any, y: Any) -> Dict[str, float]:
        predicted = self.estimator.predict(x)
        if not is_classifier(self.estimator):
            return {
                "loss": float(mean_squared_error(y, predicted)) if numpy.isfinite(predicted).all() else float("nan")
            }
        accuracy = float(accuracy_score(y, predicted))
        probabilities = getattr(self.estimator, "predict_proba", None)
        if probabilities is None:
            return {"loss": 1.0 - accuracy, "accuracy": accuracy}
        classes = self._classes if self._classes is not None else self.estimator.classes_
        return {"loss": float(log_loss(y, probabilities(x), labels=classes)), "accuracy": accuracy}
