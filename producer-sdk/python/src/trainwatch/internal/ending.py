"""Says how a run ended where no line of the training does: at the end of the process."""

from __future__ import annotations

import atexit
import sys
import weakref
from types import TracebackType
from typing import Optional, Type

from trainwatch.run import TrainingRun

_runs: "weakref.WeakSet[TrainingRun]" = weakref.WeakSet()
_before = None


def close_at_exit(run: TrainingRun) -> None:
    """Closes a run when the process ends: as failed if an exception ended it, else as completed."""
    global _before
    if _before is None:
        _before = sys.excepthook
        sys.excepthook = _on_uncaught
    _runs.add(run)
    atexit.register(run.close)


def _on_uncaught(kind: Type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> None:
    for run in list(_runs):
        run.failed(error)
    assert _before is not None
    _before(kind, error, trace)
