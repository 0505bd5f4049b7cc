"""Tells a trainwatch monitor how a model training goes; never slows, blocks or kills the training.

::

    import trainwatch

    run = trainwatch.start("resnet-7", project="vision", max_steps=90_000, location="http://localhost:8280")
    run.step(step, loss, grad_norm=grad_norm, learning_rate=learning_rate)
    run.evaluation(step, {"loss": 1.9, "accuracy": 0.61})
    run.close()

One line for a framework: :mod:`trainwatch.torch`, :mod:`trainwatch.huggingface`, :mod:`trainwatch.accelerate`,
:mod:`trainwatch.lightning`, :mod:`trainwatch.keras`, :mod:`trainwatch.sklearn`.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Union

from trainwatch.command import Command
from trainwatch.delivery import Delivery
from trainwatch.internal import location as _location
from trainwatch.internal import settings as _settings
from trainwatch.internal.log import log
from trainwatch.noop import NoopRun
from trainwatch.run import ACTIVITIES, TrainingRun

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from trainwatch import fields

__version__ = "0.1.0"

__all__ = [
    "ACTIVITIES",
    "LOCATION_VARIABLE",
    "Command",
    "Delivery",
    "NoopRun",
    "TrainingRun",
    "forget_memory",
    "memory",
    "preflight",
    "start",
]

#: Environment variable with the location where start() is given none.
LOCATION_VARIABLE = "TRAINWATCH_LOCATION"


def start(
    run_id: Optional[str] = None,
    *,
    location: Optional[str] = None,
    attempt: Optional[int] = None,
    rank: Optional[int] = None,
    world_size: Optional[int] = None,
    queue_capacity: int = 8_192,
    spool_directory: Union[str, "os.PathLike[str]", None] = None,
    spool_bytes: int = 256 << 20,
    close_timeout: float = 5.0,
    heartbeat_interval: float = 10.0,
    **details: Unpack[fields.RunStarted],
) -> TrainingRun:
    """Starts a run. Never waits for the receiver, and never fails because it cannot be reached.

    :param run_id: 1 to 256 characters, the same for all ranks and restarts; default TRAINWATCH_RUN_ID, else made of the
        script's name and the job of torchrun or Slurm, else of the time
    :param location: ``http://HOST:PORT`` of a monitor, whose token is in TRAINWATCH_TOKEN or in the file of ``?token_file=FILE``;
        ``kafka:HOST:PORT[,HOST:PORT...]`` with ``?topic=NAME`` (default trainwatch.events) and ``config=FILE`` (further
        settings of librdkafka); ``console:`` and ``file:PATH`` for JSON Lines; ``memory:NAME``, read with
        :func:`memory`; ``noop:`` for nothing. Default TRAINWATCH_LOCATION; without it, nothing is recorded
    :param attempt: 0 for the first start of the run, one more at each restart; default TORCHELASTIC_RESTART_COUNT or
        SLURM_RESTART_COUNT, else 0
    :param rank: 0 to world_size - 1; default RANK, OMPI_COMM_WORLD_RANK, PMI_RANK or SLURM_PROCID, else 0
    :param world_size: processes that train together, at least 1; default WORLD_SIZE, OMPI_COMM_WORLD_SIZE, PMI_SIZE or
        SLURM_NTASKS, else unknown
    :param queue_capacity: events of each importance that may wait in memory, 64 to 1048576; default 8192: at one look
        every 50 ms, 160,000 steps a second. A full queue drops the oldest and counts them; it never makes the trainer wait
    :param spool_directory: where events wait for the receiver; default ``trainwatch/spool`` in XDG_CACHE_HOME or
        ``~/.cache``. Untouched while the receiver answers; the next start of the run sends what a killed process left
    :param spool_bytes: bytes of events in the spool, 0 for none, or at least 65536; default 256 MiB: two million plain
        steps. A full spool drops the oldest plain steps and bulky statistics first
    :param close_timeout: longest time that close() takes, 0 to 600 s; default 5 s
    :param heartbeat_interval: time between heartbeats, 0.1 to 3600 s; default 10 s. The monitor takes a run for stalled
        after some missed ones
    :param details: what else can be said of a run at its start: the fields of :class:`trainwatch.fields.RunStarted`;
        ``project`` has the default TRAINWATCH_PROJECT
    :raises ValueError: if the location or a setting is illegal: names it, its value and what is allowed
    """
    environment = os.environ
    given = _given(details, environment)
    if rank is None:
        rank = _settings.from_environment(_settings.RANK_VARIABLES, environment) or 0
    if world_size is None:
        world_size = _settings.from_environment(_settings.WORLD_SIZE_VARIABLES, environment)
        if world_size is not None and world_size <= rank:
            log.warning("the environment tells of %d processes, but this is rank %d", world_size, rank)
            world_size = None
    if attempt is None:
        attempt = _settings.from_environment(_settings.ATTEMPT_VARIABLES, environment) or 0
    checked = _settings.RunSettings(
        run_id=_settings.default_run_id(environment) if run_id is None else str(run_id),
        attempt=attempt,
        rank=rank,
        world_size=world_size,
        host=_settings.host_name(environment),
        details=given,
        queue_capacity=queue_capacity,
        spool_directory=Path(spool_directory) if spool_directory else _settings.default_spool_directory(environment),
        spool_bytes=spool_bytes,
        close_timeout=close_timeout,
        heartbeat_interval=heartbeat_interval,
    )
    if location is None:
        location = environment.get(LOCATION_VARIABLE, "").strip()
        if not location:
            log.warning("%s is not set: run %s is not watched", LOCATION_VARIABLE, checked.run_id)
            return NoopRun(checked.run_id)
    to = _location.parse(location)
    if isinstance(to, _location.Noop):
        return NoopRun(checked.run_id)
    return TrainingRun(checked, to)


def _given(details: Mapping[str, Any], environment: Mapping[str, str]) -> Dict[str, Any]:
    given = {name: value for name, value in details.items() if value is not None}
    project = environment.get("TRAINWATCH_PROJECT", "").strip()
    if project:
        given.setdefault("project", project)
    return given


#: Adapters, imported when they are first used: each needs its framework.
_ADAPTERS = frozenset({"accelerate", "huggingface", "keras", "lightning", "sklearn", "torch"})


def __getattr__(name: str) -> Any:
    if name in _ADAPTERS:
        return importlib.import_module("trainwatch." + name)
    raise AttributeError("module 'trainwatch' has no attribute %r" % name)


def memory(name: str) -> List[Dict[str, Any]]:
    """Returns the events that have arrived at ``memory:NAME``, oldest first, in their JSON form."""
    from trainwatch.internal.transports import memory as named

    return named.events(name)


def forget_memory(name: str) -> None:
    """Forgets the events of ``memory:NAME``."""
    from trainwatch.internal.transports import memory as named

    named.forget(name)


def preflight(*args: Any, **kwargs: Any) -> Any:
    """Checks data and model before training; see :func:`trainwatch.checks.preflight`."""
    from trainwatch.checks import preflight as check

    return check(*args, **kwargs)
