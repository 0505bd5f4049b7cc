"""What a run is started with: from the caller, else from the environment of its launcher, else the default."""

from __future__ import annotations

import math
import os
import re
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from trainwatch.internal.events import shown
from trainwatch.internal.log import log

ATTEMPT_VARIABLES = ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT")
RANK_VARIABLES = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
WORLD_SIZE_VARIABLES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")

_MAX_RUN_ID_LENGTH = 256
_MAX_LABELS = 32
_PRECISIONS = ("fp32", "tf32", "bf16", "fp16", "fp8")


@dataclass(frozen=True)
class RunSettings:
    """Checked: making one raises ValueError with name, value and what is allowed."""

    run_id: str
    attempt: int
    rank: int
    world_size: Optional[int]
    host: Optional[str]
    details: Dict[str, Any]
    queue_capacity: int
    spool_directory: Path
    spool_bytes: int
    close_timeout: float
    heartbeat_interval: float

    def __post_init__(self) -> None:
        length = len(self.run_id)
        if not self.run_id.strip() or length > _MAX_RUN_ID_LENGTH:
            raise ValueError(
                "run id must have 1 to %d characters, was %s with %d"
                % (_MAX_RUN_ID_LENGTH, shown(self.run_id, 40), length)
            )
        _check("attempt", self.attempt, _whole(self.attempt, 0), "at least 0")
        _check("world_size", self.world_size, self.world_size is None or _whole(self.world_size, 1), "at least 1")
        top = math.inf if self.world_size is None else self.world_size - 1
        _check(
            "rank",
            self.rank,
            _whole(self.rank, 0) and self.rank <= top,
            "at least 0" if self.world_size is None else "0 to world_size - 1, which is %d" % top,
        )
        _check(
            "queue_capacity",
            self.queue_capacity,
            _whole(self.queue_capacity, 64) and self.queue_capacity <= 1 << 20,
            "64 to 1048576 events",
        )
        _check(
            "spool_bytes",
            self.spool_bytes,
            self.spool_bytes == 0 or _whole(self.spool_bytes, 65_536),
            "0 (no spool) or at least 65536 bytes",
        )
        _check("close_timeout", self.close_timeout, _within(self.close_timeout, 0, 600), "0 to 600 s")
        _check(
            "heartbeat_interval", self.heartbeat_interval, _within(self.heartbeat_interval, 0.1, 3600), "0.1 to 3600 s"
        )
        for name, least in (("max_steps", 1), ("warmup_steps", 0)):
            value = self.details.get(name)
            _check(name, value, value is None or _whole(value, least), "at least %d" % least)
        peak = self.details.get("learning_rate_peak")
        _check("learning_rate_peak", peak, peak is None or _within(peak, 0, sys.float_info.max), "finite, at least 0")
        precision = self.details.get("precision")
        _check("precision", precision, precision is None or precision in _PRECISIONS, "one of " + " ".join(_PRECISIONS))
        labels = self.details.get("labels") or {}
        _check("number of labels", len(labels), len(labels) <= _MAX_LABELS, "at most %d" % _MAX_LABELS)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _within(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and least <= value <= most


def _check(name: str, value: object, legal: bool, allowed: str) -> None:
    if not legal:
        raise ValueError("%s must be %s, was %s" % (name, allowed, shown(value)))


def from_environment(names: Any, environment: Mapping[str, str]) -> Optional[int]:
    """Returns the first of the variables that is set; what is no count is ignored: a launcher set it, not the user."""
    for name in names:
        value = environment.get(name, "").strip()
        if value:
            if re.fullmatch(r"\d{1,9}", value):
                return int(value)
            log.warning("environment variable %s is no count: %s", name, shown(value))
    return None


def default_run_id(environment: Mapping[str, str]) -> str:
    """Returns an id that all ranks of one job agree on.

    TRAINWATCH_RUN_ID; else the id of the job that torchrun or Slurm gives; else the name of the script and the time.
    """
    given = environment.get("TRAINWATCH_RUN_ID", "").strip()
    if given:
        return given
    script = Path(sys.argv[0] or "python").stem or "python"
    elastic = environment.get("TORCHELASTIC_RUN_ID", "").strip()
    if elastic and elastic != "none":
        return "%s-%s" % (script, elastic)
    if environment.get("SLURM_JOB_ID", "").strip():
        return "%s-%s" % (script, environment["SLURM_JOB_ID"].strip())
    if (from_environment(WORLD_SIZE_VARIABLES, environment) or 1) > 1:
        # Ranks start seconds apart: the parent of all of them on one node, torchrun, tells jobs apart.
        return "%s-%s-%d" % (script, environment.get("MASTER_ADDR", socket.gethostname()), os.getppid())
    return "%s-%s" % (script, time.strftime("%Y%m%d-%H%M%S"))


def default_spool_directory(environment: Mapping[str, str]) -> Path:
    """Returns trainwatch/spool in XDG_CACHE_HOME or ~/.cache."""
    cache = environment.get("XDG_CACHE_HOME", "").strip()
    return Path(cache or os.path.expanduser("~/.cache")) / "trainwatch" / "spool"


def host_name(environment: Mapping[str, str]) -> Optional[str]:
    """Returns the name of this host without asking the network."""
    try:
        return environment.get("HOSTNAME") or environment.get("COMPUTERNAME") or socket.gethostname() or None
    except OSError:
        return None
