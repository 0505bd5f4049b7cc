"""Events of one run that wait on disk while nobody takes them, in order and within a bound of bytes.

``DIRECTORY/RUN/SESSION.events`` is an SQLite database of the rows (id, importance, event). A session holds its file
locked while it lives; files of the same run that nobody locks any more are of killed processes, and are read first. A
row is deleted when its event is acknowledged. A full spool gives up the oldest events of the lowest importance first.
Trouble with the disk never raises: writing is refused, and tried again after RETRY_SECONDS. Nothing is forced to the
device: events survive a killed process, not a power failure.

Not thread-safe: belongs to the sender.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

from trainwatch.internal.events import BOUNDARY
from trainwatch.internal.log import log

try:
    import sqlite3
except ImportError:  # a Python that was built without it
    sqlite3 = None  # type: ignore[assignment]

RETRY_SECONDS = 5.0
_SUFFIX = ".events"
#: Rows that one look for space gives up at most.
_GIVE_UP_ROWS = 256


class Outgoing:
    """An encoded event on its way."""

    __slots__ = ("data", "importance", "since", "store", "row")

    def __init__(
        self, data: bytes, importance: int, since: float, store: Optional[_Store] = None, row: int = 0
    ) -> None:
        self.data = data
        self.importance = importance
        self.since = since
        self.store = store
        self.row = row


@dataclass
class _Store:
    """One file: what of it is read. Rows up to ``read`` were handed out or need no reading."""

    path: Path
    database: "sqlite3.Connection"
    own: bool
    last: int = 0
    read: int = 0
    bytes: int = 0


class Spool:
    """The spool of one session; with no directory it keeps nothing."""

    def __init__(self, directory: Optional[Path], run_id: str, session: str, max_bytes: int) -> None:
        self._directory = directory / file_name(run_id) if directory and sqlite3 and max_bytes > 0 else None
        self._session = session
        self._max_bytes = max_bytes
        self._stores: List[_Store] = []
        self._own: Optional[_Store] = None
        self._files = 0
        self._retry_at = 0.0
        self._trouble_logged = False
        self.waiting = 0
        self.dropped = 0
        if self._directory is not None and self._directory.is_dir():
            self._adopt(self._directory)

    @property
    def location(self) -> str:
        """Where the events of the run lie, for messages."""
        return str(self._directory)

    def is_writable(self) -> bool:
        """Whether it pays to append: false where there is no spool, and for a while after trouble with the disk."""
        return self._directory is not None and time.monotonic() >= self._retry_at

    def has_unread(self) -> bool:
        """Whether peek() has something."""
        return any(store.read < store.last for store in self._stores)

    def append(self, events: Sequence[Outgoing], handed_out: bool = False) -> bool:
        """Keeps events behind all others; if they are handed out, they need no reading and nothing may be unread.

        Returns False if the disk does not take them.
        """
        if not events:
            return True
        try:
            store = self._own or self._open_own()
            kept = self._make_room(events, handed_out)
            rows = [(store.last + 1 + index, event.importance, event.data) for index, event in enumerate(kept)]
            with store.database:
                store.database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
            for event, row in zip(kept, rows):
                store.bytes += len(event.data)
                if handed_out:
                    event.store, event.row = store, row[0]
            store.last += len(rows)
            if handed_out:
                store.read = store.last
            self.waiting += len(rows)
            return True
        except (sqlite3.Error, OSError) as e:
            self._trouble(e)
            return False

    def peek(self, most: int) -> List[Outgoing]:
        """Returns the next events, which stay unread."""
        now = time.monotonic()
        for store in list(self._stores):
            if store.read >= store.last:
                continue
            try:
                rows = store.database.execute(
                    "SELECT id, importance, event FROM events WHERE id > ? ORDER BY id LIMIT ?", (store.read, most)
                ).fetchall()
            except (sqlite3.Error, OSError) as e:
                self._lose(store, e)
                continue
            if rows:
                return [Outgoing(data, importance, now, store, row) for row, importance, data in rows]
            store.read = store.last
        return []

    def hand_out(self, events: Sequence[Outgoing]) -> None:
        """Marks events of peek(), from the first on, as read; they are to be acknowledged later."""
        for event in events:
            assert event.store is not None
            event.store.read = event.row

    def acknowledge(self, events: Sequence[Outgoing]) -> None:
        """Forgets events that have arrived; they come in the order in which they were handed out."""
        for store in list(self._stores):
            rows = [event for event in events if event.store is store]
            if not rows:
                continue
            store.bytes -= sum(len(event.data) for event in rows)
            if store.own:
                self.waiting -= len(rows)
            try:
                with store.database:
                    store.database.execute("DELETE FROM events WHERE id <= ?", (rows[-1].row,))
                if not store.own and rows[-1].row >= store.last:
                    self._forget(store)
            except (sqlite3.Error, OSError) as e:
                self._lose(store, e)

    def close(self) -> None:
        """Lets go of the disk; what is not acknowledged stays there for the next start of the run."""
        for store in list(self._stores):
            try:
                empty = store.database.execute("SELECT 1 FROM events LIMIT 1").fetchone() is None
                if empty:
                    self._forget(store)
                else:
                    store.database.close()
            except (sqlite3.Error, OSError) as e:
                log.debug("closing %s failed: %s", store.path, e)
        if self._directory is not None and self._files:
            try:
                self._directory.rmdir()
            except OSError:
                pass  # it is not empty

    def _open_own(self) -> _Store:
        assert self._directory is not None
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files += 1
        name = self._session if self._files == 1 else "%s-%d" % (self._session, self._files)
        path = self._directory / (name + _SUFFIX)
        database = _connect(path)
        with database:
            database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, importance INTEGER, event BLOB)")
        store = _Store(path, database, own=True)
        self._stores.append(store)
        self._own = store
        return store

    def _adopt(self, directory: Path) -> None:
        for path in sorted(directory.glob("*" + _SUFFIX)):
            database = None
            try:
                database = _connect(path)
                database.execute("BEGIN EXCLUSIVE").execute("COMMIT")
                last, size = database.execute("SELECT max(id), sum(length(event)) FROM events").fetchone()
                store = _Store(path, database, own=False, last=last or 0, bytes=size or 0)
                self._files += 1
                if last:
                    self._stores.append(store)
                else:
                    self._forget(store)
            except sqlite3.OperationalError as e:
                if database is not None:
                    database.close()
                if "locked" not in str(e):
                    self._set_aside(path, e)
            except (sqlite3.Error, OSError) as e:
                if database is not None:
                    database.close()
                self._set_aside(path, e)

    def _set_aside(self, path: Path, error: Exception) -> None:
        log.warning("the spool %s of an earlier process cannot be read and is set aside: %s", path, error)
        try:
            path.rename(path.with_suffix(".damaged"))
        except OSError:
            pass

    def _make_room(self, events: Sequence[Outgoing], handed_out: bool) -> List[Outgoing]:
        """Returns those of the events that are kept, after room was made: the oldest of the lowest importance go."""
        kept = list(events)
        lacking = sum(store.bytes for store in self._stores) + sum(len(event.data) for event in kept) - self._max_bytes
        for importance in range(BOUNDARY + 1):
            if lacking > 0:
                lacking -= self._give_up(lacking, importance)
            for event in events:
                if lacking > 0 and event.importance == importance:
                    lacking -= len(event.data)
                    kept.remove(event)
                    self.dropped += 0 if handed_out else 1
        return kept

    def _give_up(self, lacking: int, importance: int) -> int:
        """Gives up unread events of an importance, oldest first, and returns how many bytes they had."""
        freed = 0
        for store in self._stores:
            while freed < lacking:
                rows = store.database.execute(
                    "SELECT id, length(event) FROM events WHERE id > ? AND importance = ? ORDER BY id LIMIT ?",
                    (store.read, importance, _GIVE_UP_ROWS),
                ).fetchall()
                if not rows:
                    break
                with store.database:
                    store.database.executemany("DELETE FROM events WHERE id = ?", [(row[0],) for row in rows])
                gone = sum(row[1] for row in rows)
                freed += gone
                store.bytes -= gone
                if store.own:
                    self.dropped += len(rows)
                    self.waiting -= len(rows)
        return freed

    def _forget(self, store: _Store) -> None:
        if store in self._stores:
            self._stores.remove(store)
        store.database.close()
        store.path.unlink()
        journal = store.path.with_name(store.path.name + "-journal")
        if journal.exists():
            journal.unlink()

    def _lose(self, store: _Store, error: Exception) -> None:
        log.warning("the spool %s cannot be read any more and is given up: %s", store.path, error)
        self._stores.remove(store)
        if store.own:
            self.dropped += self.waiting
            self.waiting = 0
            self._own = None
        store.database.close()

    def _trouble(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._trouble_logged:
            self._trouble_logged = True
            log.warning("events cannot be kept in %s: %s; they wait in memory", self._directory, error)


def _connect(path: Path) -> "sqlite3.Connection":
    # Not the thread's own: it is opened and used by the sender alone, and closed by whoever ends last.
    database = sqlite3.connect(str(path), timeout=0, check_same_thread=False, isolation_level="DEFERRED")
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA journal_mode=TRUNCATE")
    return database


def file_name(run_id: str) -> str:
    """Returns a directory name for a run: readable, and different for different runs."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", run_id)[:40].lstrip(".")
    return "%s-%s" % (readable, hashlib.sha256(run_id.encode("utf-8", "replace")).hexdigest()[:16])
