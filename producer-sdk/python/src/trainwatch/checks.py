"""Checks of data and model that need raw samples or an extra fit, made before training. Needs numpy; for a model, PyTorch."""

from __future__ import annotations

import copy
import hashlib
import math
from typing import Any, Callable, List, Optional, Tuple

import numpy

from trainwatch.internal.guard import harmless
from trainwatch.internal.log import log
from trainwatch.run import TrainingRun

__all__ = ["preflight"]

#: Samples and features that are looked at; of more, evenly spread ones.
MAX_SAMPLES = 100_000
MAX_FEATURES = 10_000

_SINGLE_SPLIT_AUC = 0.90
_IMBALANCE = 10.0
_DUMMY_ACCURACY = 0.90
_CONSTANT_STD = 1e-10
_LEAST_SAMPLES = 500
_OVERFIT_SAMPLES = 16
_OVERFIT_STEPS = 100
_OVERFIT_RATE = 0.01
_OVERFIT_LOSS = 0.01
_INITIAL_LOSS_RATIO = 1.5

Check = Any


def preflight(
    x: Any,
    y: Any = None,
    *,
    x_val: Any = None,
    y_val: Any = None,
    model: Any = None,
    loss: Optional[Callable[[Any, Any], Any]] = None,
    optimizer: Any = None,
    num_classes: Optional[int] = None,
    run: Optional[TrainingRun] = None,
) -> List[Check]:
    """Checks data and model before training, and returns what it found: one dict per check with name, passed, value,
    threshold and detail. Nothing is changed: the model is tried on a copy. What cannot be checked is left out.

    On the data: NaN and infinite values, features that are constant (standard deviation below 1e-10) or not normalised
    (mean beyond 1, standard deviation outside 0.1 to 10, a value beyond 10), rows that do not match the labels, duplicate
    samples, samples of the training set that are in the validation set. On the labels of a classification: at least 2
    classes, none out of range, the largest class at most 10 times the smallest, the accuracy of always saying the most
    frequent class, and the best AUC of one split on one feature: beyond 0.90 the feature may give the label away. On the
    model: a forward pass on one sample, the first loss against that of guessing, 16 samples learned by heart in 100 steps of
    Adam at 0.01 (final loss below 0.01), and parameters that the optimizer does not know.

    :param x: samples of the training set, the first dimension counts them; anything that numpy takes
    :param y: their labels; whole numbers are taken for classes, others for a regression
    :param x_val: samples of the validation set
    :param y_val: their labels
    :param model: a torch.nn.Module that takes a batch of x
    :param loss: takes (output, labels), e.g. torch.nn.functional.cross_entropy
    :param optimizer: the one that will train the model
    :param num_classes: classes of the task; default those that y has
    :param run: where to record
    """
    checks: List[Check] = []
    _check_data(checks, x, y, x_val, y_val, num_classes)
    if model is not None:
        _check_model(checks, x, y, model, loss, optimizer, num_classes)
    for check in checks:
        if check["passed"] is False:
            log.warning("preflight: %s is %g: %s", check["name"], check["value"], check["detail"])
    if run is not None:
        run.preflight(checks)
    return checks


def _say(checks: List[Check], name: str, passed: bool, value: float, threshold: Optional[float], detail: str) -> None:
    checks.append(
        {"name": name, "passed": bool(passed), "value": float(value), "threshold": threshold, "detail": detail}
    )


@harmless
def _check_data(checks: List[Check], x: Any, y: Any, x_val: Any, y_val: Any, num_classes: Optional[int]) -> None:
    rows, labels = _array(x), None if y is None else _array(y).reshape(-1) if _array(y).ndim <= 2 else _array(y)
    count = len(rows)
    _say(checks, "train_num_samples", count >= _LEAST_SAMPLES, count, _LEAST_SAMPLES, "samples in the training set")
    if labels is not None:
        _say(
            checks,
            "label_mismatch_count",
            count == len(labels),
            abs(count - len(labels)),
            0.0,
            "%d samples, %d labels" % (count, len(labels)),
        )
    features = _features(rows)
    _check_features(checks, features)
    _check_duplicates(checks, rows, x_val)
    if x_val is not None:
        other = _array(x_val)
        same = rows.shape[1:] == other.shape[1:]
        _say(
            checks,
            "sample_shape_mismatch_count",
            same,
            0 if same else 1,
            0.0,
            "training %s, validation %s" % (rows.shape[1:], other.shape[1:]),
        )
    if labels is not None and len(labels) == count and _are_classes(labels):
        _check_classes(checks, labels, None if y_val is None else _array(y_val).reshape(-1), num_classes)
        _check_single_split(checks, features, labels[_spread(count, MAX_SAMPLES)])


def _check_features(checks: List[Check], features: Any) -> None:
    bad = ~numpy.isfinite(features)
    nan = int(numpy.isnan(features).sum())
    infinite = int(bad.sum()) - nan
    _say(checks, "feature_nan_count", nan == 0, nan, 0.0, _where(numpy.isnan(features).any(axis=0), "NaN in"))
    _say(
        checks,
        "feature_inf_count",
        infinite == 0,
        infinite,
        0.0,
        _where(numpy.isinf(features).any(axis=0), "infinite in"),
    )
    finite = numpy.where(bad, 0.0, features)
    mean, std = finite.mean(axis=0), finite.std(axis=0)
    constant = std < _CONSTANT_STD
    _say(checks, "constant_feature_count", not constant.any(), int(constant.sum()), 0.0, _where(constant, "constant:"))
    odd = ~constant & (
        (numpy.abs(mean) > 1) | (std < 0.1) | (std > 10) | (numpy.abs(finite).max(axis=0, initial=0.0) > 10)
    )
    _say(checks, "unnormalised_feature_count", not odd.any(), int(odd.sum()), 0.0, _where(odd, "not normalised:"))


def _check_duplicates(checks: List[Check], rows: Any, x_val: Any) -> None:
    own = _hashes(rows)
    twice = len(own) - len(set(own))
    _say(checks, "duplicate_sample_count", twice == 0, twice, 0.0, "samples that are there before")
    if x_val is not None:
        known = set(own)
        shared = sum(1 for one in _hashes(_array(x_val)) if one in known)
        _say(
            checks,
            "train_eval_overlap_count",
            shared == 0,
            shared,
            0.0,
            "samples of the validation set that are in the training set",
        )


def _check_classes(checks: List[Check], labels: Any, others: Any, num_classes: Optional[int]) -> None:
    classes, counts = numpy.unique(labels, return_counts=True)
    _say(checks, "num_label_classes", len(classes) >= 2, len(classes), 2.0, "classes in the labels")
    expected = num_classes or (int(classes.max()) + 1 if len(classes) else 0)
    every = labels if others is None else numpy.concatenate([labels, others])
    outside = int(((every < 0) | (every >= expected)).sum())
    _say(checks, "out_of_range_label_count", outside == 0, outside, 0.0, "labels outside 0 to %d" % (expected - 1))
    ratio = counts.max() / max(1, counts.min())
    _say(
        checks,
        "class_imbalance_ratio",
        ratio <= _IMBALANCE,
        ratio,
        _IMBALANCE,
        "most frequent class %s, rarest %s" % (classes[counts.argmax()], classes[counts.argmin()]),
    )
    share = counts.max() / counts.sum()
    _say(
        checks,
        "dummy_baseline_metric",
        share <= _DUMMY_ACCURACY,
        share,
        _DUMMY_ACCURACY,
        "accuracy of always saying %s" % classes[counts.argmax()],
    )


def _check_single_split(checks: List[Check], features: Any, labels: Any) -> None:
    """The AUC of one split is half the true positive rate plus half the true negative rate."""
    classes, counts = numpy.unique(labels, return_counts=True)
    if len(classes) < 2:
        return
    best, at, perfect = 0.5, 0, 0
    for feature in range(features.shape[1]):
        column = features[:, feature]
        finite = numpy.isfinite(column)
        if finite.sum() < 2:
            continue
        order = numpy.argsort(column[finite], kind="stable")
        values, sorted_labels = column[finite][order], labels[finite][order]
        ends = numpy.flatnonzero(values[1:] != values[:-1])
        if not len(ends):
            continue
        auc = 0.5
        for one in classes if len(classes) > 2 else classes[:1]:
            is_one = sorted_labels == one
            positives, negatives = is_one.sum(), (~is_one).sum()
            if positives < 5 or negatives < 5:
                continue
            below = numpy.cumsum(is_one)[ends] / positives - numpy.cumsum(~is_one)[ends] / negatives
            auc = max(auc, 0.5 + float(numpy.abs(below).max()) / 2)
        perfect += auc == 1.0
        if auc > best:
            best, at = auc, feature
    _say(checks, "single_split_auc", best <= _SINGLE_SPLIT_AUC, best, _SINGLE_SPLIT_AUC, "one split on feature %d" % at)
    _say(
        checks,
        "target_leakage_count",
        perfect == 0,
        perfect,
        0.0,
        "features of which one split tells the classes apart",
    )


@harmless
def _check_model(
    checks: List[Check],
    x: Any,
    y: Any,
    model: Any,
    loss: Optional[Callable[[Any, Any], Any]],
    optimizer: Any,
    num_classes: Optional[int],
) -> None:
    import torch

    if optimizer is not None:
        known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        forgotten = [
            name
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and id(parameter) not in known
        ]
        _say(
            checks,
            "trainable_parameters_without_optimizer_count",
            not forgotten,
            len(forgotten),
            0.0,
            ", ".join(forgotten[:5]) or "all are known",
        )
    first = next(model.parameters())
    with torch.random.fork_rng(devices=[first.device] if first.device.type == "cuda" else []):
        batch = _tensor(torch, x, first)
        trial = copy.deepcopy(model)
        error = ""
        try:
            trial.eval()
            with torch.no_grad():
                output = trial(batch[:1])
        except Exception as e:
            error = "%s: %s" % (type(e).__name__, str(e).splitlines()[0] if str(e) else "")
        _say(
            checks, "forward_one_sample_error_count", not error, 1 if error else 0, 0.0, error or "a forward pass works"
        )
        if error or loss is None or y is None:
            return
        labels = _labels(torch, y, first)
        if labels.dtype == torch.long and output.dim() == 2:
            _check_first_loss(checks, trial, batch, labels, loss, num_classes or output.shape[1])
        _check_overfit(checks, copy.deepcopy(model), batch, labels, loss)


def _check_first_loss(checks: List[Check], trial: Any, batch: Any, labels: Any, loss: Any, classes: int) -> None:
    import torch

    with torch.no_grad():
        ratio = float(loss(trial(batch), labels)) / math.log(max(2, classes))
    _say(
        checks,
        "initial_loss_ratio",
        ratio <= _INITIAL_LOSS_RATIO,
        ratio,
        _INITIAL_LOSS_RATIO,
        "first loss over that of guessing, ln %d" % classes,
    )


def _check_overfit(checks: List[Check], trial: Any, batch: Any, labels: Any, loss: Any) -> None:
    import torch

    trial.train()
    optimizer = torch.optim.Adam(trial.parameters(), lr=_OVERFIT_RATE)
    for _ in range(_OVERFIT_STEPS):
        optimizer.zero_grad()
        value = loss(trial(batch), labels)
        value.backward()
        optimizer.step()
    final = float(value.detach())
    _say(
        checks,
        "overfit_one_batch_final_loss",
        final < _OVERFIT_LOSS,
        final,
        _OVERFIT_LOSS,
        "%d samples, %d steps of Adam at %g" % (len(batch), _OVERFIT_STEPS, _OVERFIT_RATE),
    )


def _tensor(torch: Any, x: Any, like: Any) -> Any:
    rows = _array(x)[:_OVERFIT_SAMPLES]
    tensor = torch.as_tensor(rows)
    return tensor.to(like.device, like.dtype if tensor.is_floating_point() else tensor.dtype)


def _labels(torch: Any, y: Any, like: Any) -> Any:
    labels = torch.as_tensor(_array(y)[:_OVERFIT_SAMPLES])
    return labels.to(like.device, like.dtype if labels.is_floating_point() else torch.long)


def _array(values: Any) -> Any:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return numpy.asarray(values)


def _features(rows: Any) -> Any:
    flat = rows[_spread(len(rows), MAX_SAMPLES)].reshape(min(len(rows), MAX_SAMPLES), -1)
    return flat[:, _spread(flat.shape[1], MAX_FEATURES)].astype(numpy.float64)


def _spread(count: int, most: int) -> Any:
    return numpy.arange(count) if count <= most else numpy.linspace(0, count - 1, most).astype(int)


def _are_classes(labels: Any) -> bool:
    return labels.ndim == 1 and labels.dtype.kind in "iub" and len(numpy.unique(labels)) <= max(2, len(labels) // 2)


def _hashes(rows: Any) -> List[bytes]:
    rows = numpy.ascontiguousarray(rows)
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]


def _where(columns: Any, what: str) -> str:
    found: Tuple[int, ...] = tuple(int(column) for column in numpy.flatnonzero(columns)[:5])
    return "%s feature %s" % (what, ", ".join(map(str, found))) if found else "none"
