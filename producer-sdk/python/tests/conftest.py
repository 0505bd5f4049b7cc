from __future__ import annotations

import time

import pytest
from intake import Intake

import trainwatch

LAUNCHER_VARIABLES = [
    "TRAINWATCH_LOCATION",
    "TRAINWATCH_RUN_ID",
    "TRAINWATCH_PROJECT",
    "TRAINWATCH_TOKEN",
    "TRAINWATCH_TOKEN_FILE",
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "TORCHELASTIC_RESTART_COUNT",
    "TORCHELASTIC_RUN_ID",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "SLURM_JOB_ID",
    "SLURM_RESTART_COUNT",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_RANK",
    "PMI_SIZE",
    "http_proxy",
    "HTTP_PROXY",
]


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch, tmp_path):
    """No launcher, no location, and a cache of the test's own."""
    for name in LAUNCHER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def intake():
    server = Intake()
    yield server
    server.close()


@pytest.fixture
def recorded(request):
    """Returns the events of memory:NAME where NAME is that of the test; the location is given as an attribute."""
    name = request.node.nodeid

    def events(event_type=None):
        return [event for event in trainwatch.memory(name) if event_type in (None, event["event_type"])]

    events.location = "memory:" + name
    yield events
    trainwatch.forget_memory(name)


def wait_until(condition, seconds=10.0):
    """Polls until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within %g s" % seconds
        time.sleep(0.01)
