"""What the monitor asks a trainer to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

#: Actions that end the training.
STOPPING = frozenset({"stop", "checkpoint_then_stop"})
ACTIONS = STOPPING | {"checkpoint"}


@dataclass(frozen=True)
class Command:
    """One request of a person or of a rule.

    ``action`` is "stop", "checkpoint" or "checkpoint_then_stop"; ``reason`` is one line for people; ``expires_at_ms``
    is epoch milliseconds, None for never.
    """

    command_id: str
    run_id: str
    action: str
    reason: str = ""
    expires_at_ms: Optional[int] = None

    @property
    def stops(self) -> bool:
        """Whether the training is to end."""
        return self.action in STOPPING


def read_command(fields: Mapping[str, Any]) -> Optional[Command]:
    """Returns the command that the fields tell; None if this version does not know it."""
    command_id, run_id, action = (fields.get(name) for name in ("command_id", "run_id", "action"))
    if not isinstance(command_id, str) or not isinstance(run_id, str) or action not in ACTIONS:
        return None
    expires = fields.get("expires_at_ms")
    reason = fields.get("reason")
    return Command(
        command_id[:256],
        run_id,
        action,
        reason[:4096] if isinstance(reason, str) else "",
        expires if isinstance(expires, int) else None,
    )
