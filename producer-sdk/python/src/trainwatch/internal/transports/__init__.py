"""Ways for encoded events to travel."""

from __future__ import annotations

from typing import Callable, List, Protocol, Sequence

from trainwatch.command import Command
from trainwatch.internal import location as where

#: Takes the commands that the monitor has sent to this run.
OnCommands = Callable[[List[Command]], None]


class Transport(Protocol):
    """Carries encoded events to where they belong, in order.

    Belongs to the sender, which offers, polls and never waits: nothing here blocks, and what happens later shows in the
    counters.
    """

    #: Whether events are wanted as lines of JSON instead of Avro.
    takes_json: bool
    #: Events that were taken and have arrived or were refused for good, in the order in which they were taken.
    settled: int
    #: Events among the settled ones that the receiver refuses for good.
    rejected: int

    def is_ready(self) -> bool:
        """Whether it pays to offer something."""

    def offer(self, events: Sequence[bytes]) -> int:
        """Takes as many of the events as it can for now, from the first on, and returns how many."""

    def close(self) -> None:
        """Lets go of everything at once."""


def open_transport(location: where.Location, run_id: str, on_commands: OnCommands) -> Transport:
    """Returns a new transport to a location; imports what it needs only here."""
    if isinstance(location, where.Http):
        from trainwatch.internal.transports.http import HttpTransport

        return HttpTransport(location, run_id, on_commands)
    if isinstance(location, where.Kafka):
        from trainwatch.internal.transports.kafka import KafkaTransport

        return KafkaTransport(location, run_id, on_commands)
    if isinstance(location, where.Memory):
        from trainwatch.internal.transports.memory import MemoryTransport

        return MemoryTransport(location.name)
    from trainwatch.internal.transports.lines import LinesTransport

    return LinesTransport(location.path if isinstance(location, where.File) else None)
