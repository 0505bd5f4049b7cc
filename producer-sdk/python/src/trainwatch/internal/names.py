"""Tells from the flat names that trainers log metrics under what they mean."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, NamedTuple

_LOSSES = frozenset({"loss", "train_loss", "training_loss", "train/loss", "train_loss_step", "loss_step", "batch_loss"})
_GRAD_NORMS = frozenset({"grad_norm", "train/grad_norm", "gradient_norm", "grad_norm_total", "total_grad_norm"})
_RATES = frozenset({"lr", "learning_rate", "train/lr", "train/learning_rate"})
_HELD_OUT = re.compile(r"(eval|evaluation|val|valid|validation|test)[/_.-](.+)")
_TRAIN = re.compile(r"(?:train|training)[/_.](.+)")


class Meaning(NamedTuple):
    """What one call of a log method says: arguments of step(), and metrics per held-out split."""

    step: Dict[str, Any]
    held_out: Dict[str, Dict[str, Any]]


def meaning_of(values: Mapping[str, Any]) -> Meaning:
    """Sorts what a trainer logs; what is no single number is left out."""
    step: Dict[str, Any] = {}
    metrics: Dict[str, Any] = {}
    held_out: Dict[str, Dict[str, Any]] = {}
    for name, value in values.items():
        name = str(name)
        if not is_number(value):
            continue
        if name in _LOSSES:
            step.setdefault("loss", value)
        elif name in _GRAD_NORMS:
            step.setdefault("grad_norm", value)
        elif name in _RATES or name.startswith("lr-"):
            step.setdefault("learning_rate", value)
        elif name == "epoch":
            step["epoch"] = value
        elif _HELD_OUT.fullmatch(name):
            split, metric = _HELD_OUT.fullmatch(name).groups()  # type: ignore[union-attr]
            held_out.setdefault("test" if split == "test" else "val", {})[metric] = value
        else:
            match = _TRAIN.fullmatch(name)
            metrics[match.group(1) if match else name] = value
    if metrics:
        step["metrics"] = metrics
    return Meaning(step, held_out)


def is_number(value: Any) -> bool:
    """Whether the value is one number, or a tensor or array of one."""
    if isinstance(value, (int, float)):
        return not isinstance(value, bool)
    if isinstance(value, (str, bytes, dict, list, tuple)) or value is None:
        return False
    numel = getattr(value, "numel", None)
    size = numel() if callable(numel) else getattr(value, "size", None)
    return size == 1 or (size == () or hasattr(value, "__float__") and size is None)
