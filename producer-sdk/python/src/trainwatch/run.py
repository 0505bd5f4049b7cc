"""One training run as the monitor sees it."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Type, TypeVar

from trainwatch.command import Command
from trainwatch.delivery import Delivery
from trainwatch.internal import location as where
from trainwatch.internal.avro import Codec
from trainwatch.internal.events import ALARMING, BOUNDARY, MAX_NAMES, NOTABLE, ROUTINE, EventTypes, first_line
from trainwatch.internal.log import log
from trainwatch.internal.sender import Queues, Sender
from trainwatch.internal.settings import RunSettings
from trainwatch.internal.snapshot import kept
from trainwatch.internal.spool import Spool
from trainwatch.internal.transports import open_transport

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

    from trainwatch import fields

#: What a trainer may be busy with between two steps: the argument of TrainingRun.activity().
ACTIVITIES = ("init", "train", "evaluation", "checkpoint", "compile", "idle")

#: Share of the close timeout that is left for the disk when the receiver does not answer.
_DISK_SHARE = 0.2

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _harmless(method: _Method) -> _Method:
    """Lets nothing out: whatever is wrong is logged once per method, and the training goes on."""

    @functools.wraps(method)
    def call(self: "TrainingRun", *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except Exception as e:
            self._blame(method.__name__, e)
            return None

    return call  # type: ignore[return-value]


class TrainingRun:
    """One training run, made by :func:`trainwatch.start`.

    Every method copies its arguments into a bounded queue and returns: no I/O, no waiting, no exception, whatever happens
    to the monitor. Any thread may call. Steps count completed optimizer steps, from 1; a step that goes back is a resume.
    Numbers may be NaN or infinite, and may be tensors: those on a device are copied there and read by another thread, so
    that nothing waits for the device. ``None`` is the same as absent. The keyword arguments of each method are the fields
    of its event, listed in :mod:`trainwatch.fields`.

    ::

        with trainwatch.start("resnet-7", project="vision", max_steps=90_000, location="http://localhost:8280") as run:
            for step in range(1, 90_001):
                ...
                run.step(step, loss, grad_norm=grad_norm, learning_rate=learning_rate)
    """

    def __init__(self, settings: RunSettings, location: where.Location) -> None:
        self._settings = settings
        self._location = location
        self._types = EventTypes(Codec.of("TrainingEvent"))
        self._blamed: Set[str] = set()
        self._closing = threading.Lock()
        self._is_closing = False
        self._closed = False
        self._ignored = 0
        self._error: Optional[BaseException] = None
        self._commands: Dict[str, Command] = {}
        self._listeners: List[Callable[[Command], Any]] = []
        self._untold: List[Command] = []
        self._begin()
        self._put(BOUNDARY, None, "run_started", dict(settings.details))
        self._sender.start()
        atexit.register(self._flush_at_exit)
        _runs.add(self)

    def _begin(self) -> None:
        """Makes what one process needs: after a fork the child needs its own."""
        # Names of later sessions sort behind those of earlier ones, as their spools are read.
        session = "%012x%s" % (int(time.time() * 1000), secrets.token_hex(8))
        self._queues = Queues(self._settings.queue_capacity)
        self._put: Callable[..., None] = self._queues.put
        spool_bytes = self._settings.spool_bytes if where.is_spooled(self._location) else 0
        self._sender = Sender(
            self._settings,
            session,
            self._queues,
            self._types,
            lambda: open_transport(self._location, self._settings.run_id, self._on_commands),
            lambda: Spool(self._settings.spool_directory, self._settings.run_id, session, spool_bytes),
        )

    @property
    def run_id(self) -> str:
        """Identifies the run."""
        return self._settings.run_id

    @property
    def rank(self) -> int:
        """Rank of this process."""
        return self._settings.rank

    def step(
        self,
        step: int,
        loss: Any = None,
        *,
        grad_norm: Any = None,
        learning_rate: Any = None,
        metrics: Optional[Mapping[str, Any]] = None,
        **details: Unpack[fields.StepDetails],
    ) -> None:
        """Records one optimizer step.

        :param step: optimizer steps completed, at least 0
        :param loss: training loss, in the unit of the loss function
        :param grad_norm: global L2 norm of the gradient before clipping, loss scale removed
        :param learning_rate: learning rate in force, the largest over parameter groups
        :param metrics: training metrics by name, e.g. ``{"accuracy": 0.4}``
        :param details: ``epoch`` and the fields of :class:`trainwatch.fields.StepCompleted`
        """
        try:
            if type(loss) is float:
                importance = ROUTINE if loss - loss == 0.0 else ALARMING
            else:
                importance = ROUTINE
                loss = kept(loss)
            if type(grad_norm) is float:
                if grad_norm - grad_norm != 0.0:
                    importance = ALARMING
            elif grad_norm is not None:
                grad_norm = kept(grad_norm)
            if type(learning_rate) is not float:
                learning_rate = kept(learning_rate)
            body: Dict[str, Any] = {"loss": loss, "grad_norm": grad_norm, "learning_rate": learning_rate}
            if metrics is not None:
                body["metrics"] = kept(metrics)
            if details:
                for name, value in details.items():
                    body[name] = value if type(value) is float else kept(value)
            if self._closed:
                self._ignored += 1
                return
            self._put(importance, step, "step_completed", body)
            if self._untold:
                self._tell_commands()
        except Exception as e:
            self._blame("step", e)

    @_harmless
    def evaluation(self, step: int, metrics: Mapping[str, Any], **details: Unpack[fields.EvaluationDetails]) -> None:
        """Records metrics on held-out data, by default the validation split; ``"loss"`` is the loss on it."""
        self._record(NOTABLE, step, "evaluation_completed", {**details, "metrics": metrics})

    @_harmless
    def preflight(self, checks: Iterable[fields.PreflightCheck]) -> None:
        """Records checks made before training; :func:`trainwatch.preflight` makes the usual ones."""
        self._record(NOTABLE, None, "preflight_completed", {"checks": checks})

    @_harmless
    def tensor_stats(self, step: int, tensors: Iterable[fields.TensorSummary]) -> None:
        """Records statistics per tensor, every 100 to 500 steps and on the first 10."""
        self._record(ROUTINE, step, "tensor_stats", {"tensors": tensors})

    @_harmless
    def batch_stats(self, step: int, **stats: Unpack[fields.BatchStats]) -> None:
        """Records statistics of the inputs and labels of a batch or window of batches."""
        self._record(ROUTINE, step, "batch_stats", dict(stats))

    @_harmless
    def prediction_stats(self, step: int, **stats: Unpack[fields.PredictionStats]) -> None:
        """Records what the model predicted over a batch or window of batches."""
        self._record(ROUTINE, step, "prediction_stats", dict(stats))

    @_harmless
    def step_profile(self, step: int, **profile: Unpack[fields.StepProfile]) -> None:
        """Records where this rank spends its time, every 50 steps or so."""
        self._record(ROUTINE, step, "step_profile", dict(profile))

    @_harmless
    def rank_fingerprint(self, step: int, fingerprint: float, parameter_norm: Optional[float] = None) -> None:
        """Records a fingerprint of the parameters of this rank: data-parallel ranks must agree at equal step."""
        body = {"fingerprint": fingerprint, "parameter_norm": parameter_norm}
        self._record(ROUTINE, step, "rank_fingerprint", body)

    @_harmless
    def phase(
        self,
        step: int,
        phase_id: str,
        reason: Optional[str] = None,
        changed: Optional[Mapping[str, fields.Change]] = None,
    ) -> None:
        """Declares a change of conditions, so that what follows is compared with itself and not with what was before."""
        body = {"phase_id": phase_id, "reason": reason, "changed": changed}
        self._record(NOTABLE, step, "phase_changed", body)

    @_harmless
    def activity(self, activity: str) -> None:
        """Says what the trainer does until the next step, so that a long evaluation or compilation is not taken for a hang.

        :param activity: one of :data:`ACTIVITIES`
        """
        if activity not in ACTIVITIES:
            raise ValueError("activity must be one of %s, was %r" % (" ".join(ACTIVITIES), activity))
        self._queues.activity = (activity, time.time())

    @_harmless
    def checkpoint_saved(
        self, step: int, path: Optional[str] = None, **details: Unpack[fields.CheckpointSavedDetails]
    ) -> None:
        """Records that a checkpoint was written."""
        self._record(NOTABLE, step, "checkpoint_saved", {**details, "path": _text(path)})

    @_harmless
    def checkpoint_loaded(
        self, step: int, path: Optional[str] = None, **details: Unpack[fields.CheckpointLoadedDetails]
    ) -> None:
        """Records that training continues from a checkpoint."""
        self._record(NOTABLE, step, "checkpoint_loaded", {**details, "path": _text(path)})

    def failed(self, error: BaseException) -> None:
        """Marks the run as failed: close() then says so instead of "completed"."""
        self._error = error

    def should_stop(self) -> bool:
        """Whether the monitor asks this run to end, now or after a checkpoint. Never waits: ask it after each step."""
        return any(command.stops for command in self._commands.values())

    def commands(self) -> List[Command]:
        """Returns what the monitor asks for, oldest first; what has expired is left out."""
        return [command for command in list(self._commands.values()) if not _has_expired(command)]

    def on_command(self, listener: Callable[[Command], Any]) -> None:
        """Has a function called for each command, once, by the thread that calls step(), so that it may save the model.

        A command that the function returns from is told to the monitor as completed; one that it answers with ``False`` or
        an exception, as refused.
        """
        self._listeners.append(listener)

    def delivery(self) -> Delivery:
        """Returns what has become of the events so far."""
        return self._sender.delivery._replace(ignored=self._ignored)

    def close(self) -> None:
        """Sends what is queued and how the run ended, within the close timeout; what could not be sent stays on disk.

        Later calls do nothing. A process that ends without it flushes too, but does not say how the run ended.
        """
        if self._take_closing():
            body: Dict[str, Any] = {"status": "completed" if self._error is None else "failed"}
            if self._error is not None:
                body["error_type"] = type(self._error).__name__
                body["error_message"] = first_line(self._error)
            self._put(BOUNDARY, None, "run_finished", body)
            self._end()
            atexit.unregister(self._flush_at_exit)

    def __enter__(self) -> "TrainingRun":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional["TracebackType"],
    ) -> None:
        if error is not None and not (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.failed(error)
        self.close()

    def _record(self, importance: int, step: Optional[int], event_type: str, body: Dict[str, Any]) -> None:
        if self._closed:
            self._ignored += 1
            return
        self._put(importance, step, event_type, {name: kept(value) for name, value in body.items()})

    def _blame(self, method: str, error: Exception) -> None:
        if method not in self._blamed:
            self._blamed.add(method)
            log.error(
                "run %s: %s() has no effect: %s: %s", self.run_id, method, type(error).__name__, first_line(error)
            )

    def _take_closing(self) -> bool:
        with self._closing:
            first = not self._is_closing
            self._is_closing = self._closed = True
        return first

    def _flush_at_exit(self) -> None:
        """Sends what is queued without a word on how the run ended: nobody has said."""
        if self._take_closing():
            self._end()

    def _end(self) -> None:
        timeout = self._settings.close_timeout
        if not self._sender.is_started():
            return  # a forked child that has recorded nothing
        begun = time.monotonic()
        self._sender.stop(begun + timeout * (1 - _DISK_SHARE), begun + timeout)
        if self._sender.is_alive():
            log.warning("run %s was closed, but its sender still works in the background", self.run_id)

    def _on_commands(self, commands: Iterable[Command]) -> None:
        """Takes commands; runs on a thread of the transport."""
        for command in commands:
            if command.command_id in self._commands or len(self._commands) >= MAX_NAMES:
                continue
            if _has_expired(command):
                self._acknowledge(command, "expired")
                continue
            log.warning("run %s is asked to %s: %s", self.run_id, command.action, command.reason or "no reason given")
            self._commands[command.command_id] = command
            self._acknowledge(command, "accepted")
            self._untold.append(command)

    def _tell_commands(self) -> None:
        if not self._listeners:
            return
        untold, self._untold = self._untold, []
        for command in untold:
            outcome, detail = "completed", None
            for listener in self._listeners:
                try:
                    if listener(command) is False:
                        outcome = "refused"
                except Exception as e:
                    log.exception("run %s: %s failed", self.run_id, command.action)
                    outcome, detail = "refused", "%s: %s" % (type(e).__name__, first_line(e))
            self._acknowledge(command, outcome, detail)

    def _acknowledge(self, command: Command, outcome: str, detail: Optional[str] = None) -> None:
        body = {"command_id": command.command_id, "action": command.action, "outcome": outcome, "detail": detail}
        if not self._closed:
            self._put(NOTABLE, None, "command_acknowledged", body)

    def _after_fork_in_child(self) -> None:
        """The child has the parent's memory but none of its threads: it starts afresh when it first records something."""
        _of_the_parent.append(self._sender)
        self._closing = threading.Lock()
        self._begin()
        put = self._queues.put
        starting = threading.Lock()

        def first_put(*event: Any) -> None:
            with starting:
                if not self._sender.is_started():
                    self._sender.start()
            self._put = put
            put(*event)

        self._put = first_put


#: Kept from the garbage collector: a child must not close files whose locks are its parent's.
_of_the_parent: List[Sender] = []
_runs: "weakref.WeakSet[TrainingRun]" = weakref.WeakSet()


def _after_fork() -> None:
    for run in list(_runs):
        run._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _has_expired(command: Command) -> bool:
    return command.expires_at_ms is not None and command.expires_at_ms <= time.time() * 1000


def _text(path: Any) -> Optional[str]:
    return None if path is None else os.fspath(path)
