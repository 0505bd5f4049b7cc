"""Writes events as JSON Lines to a file or to standard output."""

from __future__ import annotations

import os
import sys
import time
from typing import IO, Any, Optional, Sequence

from trainwatch.internal.log import log

_TROUBLE_PAUSE = 1.0


class LinesTransport:
    """A line that cannot be written is refused and offered again a second later: what a full disk did not take is kept."""

    takes_json = True

    def __init__(self, path: Optional[str]) -> None:
        self._path = path
        self._out: Optional[IO[Any]] = None
        self._mid_line = False
        self._pause_until = 0.0
        self._trouble_logged = False
        self.settled = 0
        self.rejected = 0

    def is_ready(self) -> bool:
        """Whether it pays to offer something."""
        return time.monotonic() >= self._pause_until

    def offer(self, events: Sequence[bytes]) -> int:
        """Writes lines until one fails."""
        if not self.is_ready():
            return 0
        taken = 0
        try:
            out = self._out = self._out or self._open()
            for line in events:
                data = b"\n" + line if self._mid_line else line
                self._mid_line = True
                self._write(out, data)
                self._mid_line = False
                taken += 1
            out.flush()
        except (OSError, ValueError) as e:
            self._pause_until = time.monotonic() + _TROUBLE_PAUSE
            if not self._trouble_logged:
                self._trouble_logged = True
                log.warning("cannot write events to %s: %s; they wait in memory", self._path or "the console", e)
        self.settled += taken
        return taken

    def _open(self) -> IO[Any]:
        if self._path is None:
            return sys.stdout
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        return open(self._path, "ab", buffering=0)

    def _write(self, out: IO[Any], data: bytes) -> None:
        if self._path is None:
            out.write(data.decode("utf-8"))
            return
        while data:
            data = data[out.write(data) :]

    def close(self) -> None:
        """Closes the file."""
        if self._out is not None and self._path is not None:
            try:
                self._out.close()
            except OSError as e:
                log.debug("closing %s failed: %s", self._path, e)
