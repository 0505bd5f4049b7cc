"""The logger "trainwatch", whose calls never raise: a handler of the user's that fails must not end a training."""

from __future__ import annotations

import logging
from typing import Any


class _HarmlessLog(logging.LoggerAdapter):  # type: ignore[type-arg]  # it takes none before Python 3.11
    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs, or does not."""
        try:
            super().log(level, msg, *args, **kwargs)
        except Exception:
            pass


log = _HarmlessLog(logging.getLogger("trainwatch"), {})
