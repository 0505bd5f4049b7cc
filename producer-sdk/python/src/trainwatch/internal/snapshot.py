"""Copies what a trainer hands over, without waiting for a device.

A number on the CPU is read at once. A tensor on a device is copied there, which only queues work, and is read by the
sender; reading it here would hold up the training until the device has done everything before it.
"""

from __future__ import annotations

import itertools
from typing import Any

from trainwatch.internal.events import MAX_ITEMS, MAX_NAMES

_PLAIN = frozenset({float, int, str, bool, bytes, type(None)})


def kept(value: Any) -> Any:
    """Returns what stays the same whatever the trainer does with the value afterwards."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        # One more than allowed, so that the sender sees that there were too many.
        return {name: kept(item) for name, item in itertools.islice(value.items(), MAX_NAMES + 1)}
    if isinstance(value, (list, tuple)):
        return [kept(item) for item in value[: MAX_ITEMS + 1]]
    detach = getattr(value, "detach", None)
    if detach is not None:  # PyTorch
        return value.item() if value.is_cpu and value.numel() == 1 else detach().clone()
    if hasattr(value, "items"):
        return kept(dict(itertools.islice(value.items(), MAX_NAMES + 1)))
    if type(value).__module__ == "numpy" and getattr(value, "size", 0) == 1:
        return value.item()
    # Arrays of JAX and TensorFlow do not change: a reference is enough.
    return value
