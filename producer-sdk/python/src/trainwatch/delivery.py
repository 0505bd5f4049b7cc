"""What has become of events."""

from __future__ import annotations

from typing import NamedTuple


class Delivery(NamedTuple):
    """What has become of the events of one run so far.

    ``recorded = delivered + dropped`` plus what still waits in memory or on disk.
    """

    #: Events numbered so far, heartbeats and dropped ones included.
    recorded: int = 0
    #: Events that the receiver has acknowledged.
    delivered: int = 0
    #: Events that wait on disk.
    spooled: int = 0
    #: Events given up: queue or spool full, too large, not encodable, refused by the receiver.
    dropped: int = 0
    #: Calls made after close().
    ignored: int = 0
