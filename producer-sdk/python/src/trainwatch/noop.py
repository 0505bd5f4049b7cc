"""A run that nobody watches."""

from __future__ import annotations

import inspect
from typing import Any, List

from trainwatch.command import Command
from trainwatch.delivery import Delivery
from trainwatch.run import TrainingRun


class NoopRun(TrainingRun):
    """Takes every call of a TrainingRun and does nothing."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id

    @property
    def run_id(self) -> str:
        """Identifies the run."""
        return self._run_id

    @property
    def rank(self) -> int:
        """Said to be the first, as nobody asks."""
        return 0

    def should_stop(self) -> bool:
        """Never."""
        return False

    def commands(self) -> List[Command]:
        """None."""
        return []

    def delivery(self) -> Delivery:
        """Nothing recorded."""
        return Delivery()


def _nothing(self: NoopRun, *args: Any, **kwargs: Any) -> None:
    """Does nothing."""


for _name, _method in inspect.getmembers(TrainingRun, inspect.isfunction):
    if not _name.startswith("_") and _name not in vars(NoopRun):
        setattr(NoopRun, _name, _nothing)
