"""Keeps events in this process under a name, for tests."""

from __future__ import annotations

import json
import threading
from typing import Any, Dict, List, Sequence

#: Events under one name; beyond it they are refused for good.
MAX_EVENTS = 1_000_000

_lock = threading.Lock()
_named: Dict[str, List[bytes]] = {}


class MemoryTransport:
    """Appends to the list of its name."""

    takes_json = True

    def __init__(self, name: str) -> None:
        with _lock:
            self._events = _named.setdefault(name, [])
        self.settled = 0
        self.rejected = 0

    def is_ready(self) -> bool:
        """Whether it pays to offer something."""
        return True

    def offer(self, events: Sequence[bytes]) -> int:
        """Takes everything."""
        room = max(0, MAX_EVENTS - len(self._events))
        self._events.extend(events[:room])
        self.rejected += max(0, len(events) - room)
        self.settled += len(events)
        return len(events)

    def close(self) -> None:
        """Keeps what it has."""


def events(name: str) -> List[Dict[str, Any]]:
    """Returns the events that have arrived under a name, oldest first, in their JSON form."""
    with _lock:
        lines = list(_named.get(name, ()))
    return [json.loads(line) for line in lines]


def forget(name: str) -> None:
    """Forgets the events under a name."""
    with _lock:
        _named.pop(name, None)
