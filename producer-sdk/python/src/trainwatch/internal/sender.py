"""The daemon thread of a run: numbers, encodes and sends what the queues hold, beats, and keeps the order.

There is one path, and every event takes it in order: queue, backlog in memory, spool on disk while the transport is
behind, transport, acknowledgement. Once the oldest event has waited SPILL_AFTER seconds, or the backlog is half full,
everything in memory is copied to the spool, the unacknowledged first; while anything there is unread, new events go
behind it. An event leaves memory and disk when it is acknowledged.

The thread never waits for anything but the clock, and gives way to the training between small batches.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

from trainwatch.delivery import Delivery
from trainwatch.internal.events import (
    MAX_EVENT_BYTES,
    MAX_NAME_LENGTH,
    ROUTINE,
    EventTypes,
    Trouble,
    envelope_step,
    importance_of,
)
from trainwatch.internal.log import log
from trainwatch.internal.settings import RunSettings
from trainwatch.internal.spool import Outgoing, Spool
from trainwatch.internal.transports import Transport

SPILL_AFTER = 1.0
_NAP = 0.05
_HASTY_NAP = 0.002
_ACTIVITY_BEAT_PAUSE = 1.0
#: Events between two moments in which the training may have the interpreter: 16 take a third of a millisecond.
_BATCH = 16
#: Events that one transaction puts on the disk.
_SPILLED_AT_ONCE = 256
_MAX_IN_FLIGHT = 10_000
_OFFER = 2_000
_MAX_BACKLOG_BYTES = 32 << 20
_COMPLAINTS = 20

#: Events that carry host and world size, where they say something.
_ABOUT = frozenset({"run_started", "heartbeat", "step_profile"})


class Recorded(NamedTuple):
    """What a call of the trainer left in a queue."""

    seq: int
    time: float
    step: Any
    event_type: str
    body: Dict[str, Any]


class Queues:
    """Where the trainer's threads leave events: one bounded queue per importance, the oldest drop out by themselves.

    Appending to a bounded deque and counting are atomic in CPython: no lock that a trainer could wait for. Events are
    numbered as they come, so that what dropped out leaves a gap that the monitor can see.
    """

    def __init__(self, capacity: int) -> None:
        self.of: Tuple[Deque[Recorded], ...] = tuple(deque(maxlen=capacity) for _ in range(4))
        self._tickets = itertools.count(1)
        self._next = 1
        self._held: List[Recorded] = []
        self._has_waited = False
        #: What the trainer says that it is busy with, and since when.
        self.activity = ("init", 0.0)

    def put(self, importance: int, step: Any, event_type: str, body: Dict[str, Any]) -> None:
        """Takes an event."""
        self.of[importance].append(Recorded(next(self._tickets), time.time(), step, event_type, body))

    def take(self) -> List[Recorded]:
        """Returns everything in order.

        A number that is missing although no queue has overflown belongs to a thread that has drawn it and not yet left
        its event: what comes behind it waits for the next call.
        """
        taken, self._held = self._held, []
        overflown = False
        for queue in self.of:
            overflown |= len(queue) == queue.maxlen
            for _ in range(len(queue)):
                try:
                    taken.append(queue.popleft())
                except IndexError:  # it dropped out meanwhile
                    break
        taken.sort(key=lambda recorded: recorded.seq)
        if taken and taken[-1].seq - self._next >= len(taken) and not overflown and not self._has_waited:
            self._has_waited = True
            whole = next(index for index, one in enumerate(taken) if one.seq != self._next + index)
            taken, self._held = taken[:whole], taken[whole:]
        else:
            self._has_waited = False
        if taken:
            self._next = max(self._next, taken[-1].seq + 1)
        return taken

    def is_empty(self) -> bool:
        """Whether take() would return nothing."""
        return not self._held and not any(self.of)


class Sender:
    """Works from start() until stop()."""

    def __init__(
        self,
        settings: RunSettings,
        session: str,
        queues: Queues,
        types: EventTypes,
        transports: Callable[[], Transport],
        spools: Callable[[], Spool],
    ) -> None:
        self._settings = settings
        self._queues = queues
        self._types = types
        self._transports = transports
        self._spools = spools
        self._envelope: Dict[str, Any] = {
            "run_id": settings.run_id,
            "attempt": settings.attempt,
            "rank": settings.rank,
            "session": session,
        }
        self._taken: Deque[Recorded] = deque()
        self._backlog: Deque[Outgoing] = deque()
        self._backlog_bytes = 0
        self._in_flight: Deque[Outgoing] = deque()
        self._spool = Spool(None, settings.run_id, session, 0)
        self._transport: Optional[Transport] = None
        self._settled = 0
        self._started = self._last_beat = time.monotonic()

        self._last_seq = 0
        self._seen = 0
        self._given_up = 0
        self._backlog_dropped = 0
        self._delivered = 0

        self._last_step: Optional[int] = None
        self._activity = "init"
        self._activity_since_ms = int(time.time() * 1000)
        self._activity_to_tell = False

        self._away = False
        self._drop_logged = False
        self._cut_logged = False
        self._complaints = 0
        self._error_logged = False
        self._stop_at: Optional[float] = None
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trainwatch-sender", daemon=True)
        self.delivery = Delivery()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def is_started(self) -> bool:
        """Whether start() was called."""
        return self._thread.ident is not None

    def is_alive(self) -> bool:
        """Whether the thread works."""
        return self._thread.is_alive()

    def stop(self, at: float, give_up_at: float) -> None:
        """Has the thread end when everything is acknowledged, or at the first of two time.monotonic() at the latest.

        Waits for it until the second.
        """
        self._stop_at = at
        self._wake.set()
        self._thread.join(max(0.0, give_up_at - time.monotonic()))

    def _run(self) -> None:
        """Turns until it is done; nothing that goes wrong here may end the thread, let alone the training."""
        self._guarded(self._open)
        while not self._is_done():
            self._guarded(self._turn)
            if self._stop_at is None:
                self._wake.wait(_NAP)
            else:
                time.sleep(_HASTY_NAP)
        self._guarded(self._finish)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            if not self._error_logged:
                self._error_logged = True
                log.exception("the sender of run %s carries on after an error of its own", self._settings.run_id)

    def _open(self) -> None:
        self._transport = self._transports()
        self._spool = self._spools()

    def _turn(self) -> None:
        self._drain()
        self._beat()
        self._settle()
        self._forward()
        self._tell()

    def _is_done(self) -> bool:
        if self._stop_at is None:
            return False
        nothing_left = (
            self._queues.is_empty()
            and not self._taken
            and not self._backlog
            and not self._in_flight
            and not self._spool.has_unread()
        )
        return nothing_left or time.monotonic() >= self._stop_at

    # --- queue to backlog

    def _drain(self) -> None:
        self._taken.extend(self._queues.take())
        count = 0
        while self._taken:
            recorded = self._taken.popleft()
            self._last_seq = max(self._last_seq, recorded.seq)
            self._seen += 1
            self._take(recorded)
            count += 1
            if count % _BATCH == 0:
                time.sleep(0)
        activity, at = self._queues.activity
        if at * 1000 > self._activity_since_ms:
            self._become(activity, at)

    def _take(self, recorded: Recorded) -> None:
        try:
            step = envelope_step(recorded.step)
        except ValueError as e:
            self._give_up(recorded.event_type, str(e))
            return
        if recorded.event_type == "step_completed":
            self._last_step = step
            self._become("train", recorded.time)
            self._activity_to_tell = False
        self._enqueue(recorded.seq, recorded.time, step, recorded.event_type, recorded.body)

    def _become(self, activity: str, at: float) -> None:
        if self._activity != activity:
            self._activity = activity
            self._activity_since_ms = int(at * 1000)
            self._activity_to_tell = True

    def _enqueue(self, seq: int, at: float, step: Optional[int], event_type: str, body: Dict[str, Any]) -> None:
        """Fits and encodes an event."""
        try:
            trouble = Trouble()
            envelope = dict(self._envelope, seq=seq, timestamp_ms=int(at * 1000), step=step)
            if event_type in _ABOUT:
                envelope.update(world_size=self._settings.world_size, host=self._settings.host)
            if "epoch" in body:
                body = dict(body)
                envelope["epoch"] = _epoch(body.pop("epoch"), trouble)
            if event_type == "phase_changed":
                body = dict(body)
                self._envelope["phase_id"] = envelope["phase_id"] = str(body.pop("phase_id"))[:MAX_NAME_LENGTH]
            if event_type == "heartbeat":
                body = self._heartbeat()
            if event_type == "run_finished":
                body = dict(body, dropped_events=self._dropped())
            fitted = self._types.fit(event_type, body, trouble)
            self._complain(step, trouble)
            if fitted is None:
                self._given_up += 1
                return
            importance = importance_of(event_type, fitted)
            as_json = self._transport is not None and self._transport.takes_json
            encode = self._types.json_line if as_json else self._types.encode
            data = encode(envelope, event_type, fitted)
        except Exception as e:
            self._give_up(event_type, "%s: %s" % (type(e).__name__, e))
            return
        if len(data) > MAX_EVENT_BYTES:
            self._give_up(event_type, "%d bytes are more than %d" % (len(data), MAX_EVENT_BYTES))
            return
        self._backlog.append(Outgoing(data, importance, time.monotonic()))
        self._backlog_bytes += len(data)
        if len(self._backlog) > self._settings.queue_capacity or self._backlog_bytes > _MAX_BACKLOG_BYTES:
            self._shorten()

    def _shorten(self) -> None:
        """Drops the oldest events of the lowest importance."""
        lowest = min(event.importance for event in self._backlog)
        # In blocks: looking through the backlog for every event would cost the training its interpreter.
        too_many = max(1, len(self._backlog) // 16)
        kept: Deque[Outgoing] = deque()
        for event in self._backlog:
            if too_many and event.importance == lowest:
                too_many -= 1
                self._backlog_dropped += 1
                self._backlog_bytes -= len(event.data)
            else:
                kept.append(event)
        self._backlog = kept

    def _give_up(self, event_type: str, why: str) -> None:
        self._given_up += 1
        self._warn("run %s drops an event that cannot be sent: %s: %s", self._settings.run_id, event_type, why)

    def _complain(self, step: Optional[int], trouble: Trouble) -> None:
        for text in trouble.texts:
            self._warn("run %s, step %s: %s; the rest is sent", self._settings.run_id, step, text)
        if trouble.cut and not self._cut_logged:
            self._cut_logged = True
            log.warning("run %s sends more than an event may carry: it is cut", self._settings.run_id)

    def _warn(self, text: str, *values: object) -> None:
        self._complaints += 1
        if self._complaints <= _COMPLAINTS:
            log.warning(text, *values)
            if self._complaints == _COMPLAINTS:
                log.warning("run %s: further complaints of this kind are left out", self._settings.run_id)

    def _beat(self) -> None:
        since = time.monotonic() - self._last_beat
        due = since >= self._settings.heartbeat_interval or (self._activity_to_tell and since >= _ACTIVITY_BEAT_PAUSE)
        if due and self._stop_at is None:
            self._last_beat = time.monotonic()
            self._activity_to_tell = False
            self._queues.put(ROUTINE, self._last_step, "heartbeat", {})

    def _heartbeat(self) -> Dict[str, Any]:
        return {
            "last_step": self._last_step,
            "phase": self._activity,
            "phase_started_ms": self._activity_since_ms,
            "uptime_seconds": time.monotonic() - self._started,
            "interval_seconds": float(self._settings.heartbeat_interval),
            "dropped_events": self._dropped(),
            "spooled_events": self._spool.waiting,
        }

    # --- backlog to transport

    def _forward(self) -> None:
        if self._must_spill():
            self._spill()
        transport = self._transport
        while transport is not None and transport.is_ready() and len(self._in_flight) < _MAX_IN_FLIGHT:
            spooled = self._spool.has_unread()
            events = self._spool.peek(_OFFER) if spooled else list(itertools.islice(self._backlog, _OFFER))
            taken = transport.offer([event.data for event in events]) if events else 0
            if taken == 0:
                return
            self._in_flight.extend(events[:taken])
            if spooled:
                self._spool.hand_out(events[:taken])
            else:
                for _ in range(taken):
                    self._backlog_bytes -= len(self._backlog.popleft().data)

    def _must_spill(self) -> bool:
        if not self._spool.is_writable():
            return False
        oldest = self._in_flight[0] if self._in_flight else self._backlog[0] if self._backlog else None
        late = oldest is not None and time.monotonic() - oldest.since >= SPILL_AFTER
        if late and not self._away:
            self._away = True
            log.warning(
                "run %s: no acknowledgement for %g s; events wait in %s",
                self._settings.run_id,
                SPILL_AFTER,
                self._spool.location,
            )
        return late or self._spool.has_unread() or len(self._backlog) > self._settings.queue_capacity // 2

    def _spill(self) -> None:
        """Copies everything that is in memory alone to the spool, in order, as far as the disk takes it."""
        loose = [event for event in self._in_flight if event.store is None]
        if loose and not self._spool.append(loose, handed_out=True):
            return
        while self._backlog:
            some = list(itertools.islice(self._backlog, _SPILLED_AT_ONCE))
            if not self._spool.append(some):
                return
            for event in some:
                self._backlog.popleft()
                self._backlog_bytes -= len(event.data)

    # --- acknowledgements

    def _settle(self) -> None:
        transport = self._transport
        if transport is None:
            return
        settled = transport.settled - self._settled
        if settled > 0:
            self._settled += settled
            events = [self._in_flight.popleft() for _ in range(min(settled, len(self._in_flight)))]
            self._spool.acknowledge(events)
            self._delivered += sum(1 for event in events if event.store is None or event.store.own)
        if self._away and not self._in_flight and not self._spool.has_unread():
            self._away = False
            log.info("run %s: everything that waited has arrived", self._settings.run_id)

    # --- accounts

    def _dropped(self) -> int:
        rejected = self._transport.rejected if self._transport is not None else 0
        in_gaps = self._last_seq - self._seen - len(self._taken)
        return max(0, in_gaps) + self._given_up + self._backlog_dropped + self._spool.dropped + rejected

    def _tell(self) -> None:
        dropped = self._dropped()
        rejected = self._transport.rejected if self._transport is not None else 0
        self.delivery = Delivery(self._last_seq, max(0, self._delivered - rejected), self._spool.waiting, dropped)
        if dropped and not self._drop_logged:
            self._drop_logged = True
            log.warning("run %s has begun to drop events", self._settings.run_id)

    def _finish(self) -> None:
        left = len(self._in_flight) + len(self._backlog)
        if left and self._spool.is_writable():
            self._spill()
        kept = self._spool.waiting
        lost = sum(1 for event in self._in_flight if event.store is None) + len(self._backlog)
        self._backlog_dropped += lost
        self._tell()
        if self._transport is not None:
            self._transport.close()
        self._spool.close()
        if kept:
            log.warning(
                "run %s: %d events wait in %s for the next start of this run",
                self._settings.run_id,
                kept,
                self._spool.location,
            )
        if lost:
            log.warning("run %s: %d events could not be delivered in time", self._settings.run_id, lost)


def _epoch(value: Any, trouble: Trouble) -> Optional[float]:
    try:
        epoch = float(value)
    except (TypeError, ValueError, OverflowError):
        epoch = -1.0
    if not 0 <= epoch < float("inf"):
        trouble.add("epoch", value, "finite, at least 0")
        return None
    return epoch
