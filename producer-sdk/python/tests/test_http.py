"""Delivery over HTTP: against a strict server, through refusals, outages and kills."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from conftest import wait_until
from intake import Intake

import trainwatch


def names(intake):
    return [event["body"][0] for event in intake.events]


def test_events_arrive_in_order_and_are_acknowledged(intake, tmp_path):
    with trainwatch.start("r1", location=intake.url + "/", project="vision") as run:
        for step in range(1, 1001):
            run.step(step, 1.0, grad_norm=2.0)
    assert intake.mistakes == []
    assert names(intake) == ["RunStarted"] + 1000 * ["StepCompleted"] + ["RunFinished"]
    assert intake.steps() == list(range(1, 1001))
    assert [event["seq"] for event in intake.events] == list(range(1, 1003))
    assert run.delivery() == (1002, 1002, 0, 0, 0)
    assert not (tmp_path / "cache").exists(), "the disk is not touched while the monitor answers"


def test_a_token_goes_along(monkeypatch, tmp_path, caplog):
    intake = Intake(token="s3cret")
    try:
        with trainwatch.start("r1", location=intake.url, close_timeout=0.5):
            wait_until(lambda: "wants a token; set TRAINWATCH_TOKEN" in caplog.text)
        assert intake.events == []
        (tmp_path / "token").write_text("s3cret\n")
        trainwatch.start("r2", location="%s?token_file=%s" % (intake.url, tmp_path / "token")).close()
        assert names(intake) == ["RunStarted", "RunFinished"]
        monkeypatch.setenv("TRAINWATCH_TOKEN", "s3cret")
        trainwatch.start("r3", location=intake.url).close()
        assert names(intake)[2:] == ["RunStarted", "RunFinished"]
        assert "s3cret" not in caplog.text
    finally:
        intake.close()


def test_a_busy_monitor_is_waited_for(intake):
    intake.refusals = [(429, {"Retry-After": "1"}), (503, {})]
    begun = time.monotonic()
    with trainwatch.start("r1", location=intake.url) as run:
        run.step(1, 1.0)
        wait_until(lambda: intake.steps() == [1])
    assert time.monotonic() - begun >= 1.0
    assert names(intake) == ["RunStarted", "StepCompleted", "RunFinished"]
    assert run.delivery().dropped == 0


def test_what_the_monitor_refuses_for_good_is_counted_and_the_rest_arrives(intake, caplog):
    intake.reject = lambda event: event.get("step") == 2
    with trainwatch.start("r1", location=intake.url) as run:
        for step in (1, 2, 3):
            run.step(step, 1.0)
    assert intake.steps() == [1, 3]
    delivery = run.delivery()
    assert (delivery.delivered, delivery.dropped) == (4, 1)
    assert "the monitor refuses events for good" in caplog.text


def test_a_request_that_is_too_large_is_sent_in_parts(intake):
    intake.most_bytes = 2_000
    with trainwatch.start("r1", location=intake.url) as run:
        for step in range(1, 101):
            run.step(step, 1.0)
        wait_until(lambda: intake.steps() == list(range(1, 101)))
    assert run.delivery().dropped == 0


def test_what_is_no_monitor_is_said_once(intake, caplog):
    intake.refusals = [(404, {})] * 3
    with trainwatch.start("r1", location=intake.url, close_timeout=1):
        wait_until(lambda: intake.requests >= 2)
    assert caplog.text.count("answers HTTP 404: is it a trainwatch monitor?") == 1


def test_a_monitor_that_is_down_gets_everything_in_order_when_it_is_back(tmp_path, caplog):
    intake = Intake()
    port = intake.port
    intake.close()
    with trainwatch.start("r1", location="http://127.0.0.1:%d" % port, heartbeat_interval=3600) as run:
        for step in range(1, 1001):
            run.step(step, 1.0)
        wait_until(lambda: run.delivery().spooled >= 1001)
        for step in range(1001, 2001):
            run.step(step, 1.0)
        wait_until(lambda: run.delivery().spooled >= 2001)
        intake = Intake(port)
        wait_until(lambda: len(intake.steps()) == 2000, 40)
        wait_until(lambda: run.delivery().spooled == 0)
        run.step(2001, 1.0)
    try:
        assert intake.steps() == list(range(1, 2002))
        assert [event["seq"] for event in intake.events] == list(range(1, 2004))
        assert run.delivery().dropped == 0
        assert "events wait in" in caplog.text
        assert list((tmp_path / "cache" / "trainwatch" / "spool").iterdir()) == [], "nothing is left on disk"
    finally:
        intake.close()


def test_a_monitor_that_hangs_makes_nobody_wait(intake, tmp_path):
    intake.hold.clear()
    begun = time.monotonic()
    run = trainwatch.start("r1", location=intake.url, close_timeout=1.0)
    for step in range(1, 10_001):
        run.step(step, 1.0)
    assert time.monotonic() - begun < 2
    begun = time.monotonic()
    run.close()
    assert time.monotonic() - begun < 1.5
    intake.hold.set()


def test_a_killed_trainer_loses_nothing_that_was_on_disk_and_the_next_start_sends_it_first(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    trainer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import trainwatch, time\n"
            "run = trainwatch.start('r1', location='http://127.0.0.1:%d', heartbeat_interval=3600)\n"
            "for step in range(1, 501): run.step(step, 1.0)\n"
            "while run.delivery().spooled < 501: time.sleep(0.01)\n"
            "print('spooled', flush=True)\n"
            "time.sleep(60)\n" % port,
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    try:
        assert trainer.stdout.readline() == b"spooled\n"
        trainer.send_signal(signal.SIGKILL)
        trainer.wait(10)
    finally:
        trainer.kill()
        trainer.stdout.close()
    intake = Intake(port)
    try:
        with trainwatch.start("other", location=intake.url):
            pass
        assert intake.steps() == [], "another run's events are not ours to send"
        with trainwatch.start("r1", location=intake.url, attempt=1) as run:
            run.step(501, 1.0)
        assert intake.steps() == list(range(1, 502))
        assert run.delivery() == (3, 3, 0, 0, 0)
    finally:
        intake.close()


def test_commands_reach_the_training(intake):
    command = {"command_id": "c1", "run_id": "r1", "action": "checkpoint_then_stop", "reason": "diverged"}
    intake.commands = [
        dict(command, expires_at_ms=int(time.time() * 1000) + 60_000),
        dict(command, command_id="c2", run_id="another"),
        dict(command, command_id="c3", action="explode"),
        dict(command, command_id="c4", expires_at_ms=1),
        "nonsense",
    ]
    saved = []
    with trainwatch.start("r1", location=intake.url) as run:
        run.on_command(lambda asked: saved.append((asked.action, asked.reason)))
        wait_until(run.should_stop)
        assert saved == [], "a listener runs in the thread that trains"
        run.step(1, 1.0)
        assert saved == [("checkpoint_then_stop", "diverged")]
        run.step(2, 1.0)
    assert len(saved) == 1
    told = [(body["command_id"], body["outcome"]) for body in intake.bodies("CommandAcknowledged")]
    assert sorted(told) == [("c1", "accepted"), ("c1", "completed"), ("c4", "expired")]


def test_a_listener_that_fails_refuses_and_the_training_goes_on(intake):
    intake.commands = [{"command_id": "c1", "run_id": "r1", "action": "checkpoint"}]
    with trainwatch.start("r1", location=intake.url) as run:
        run.on_command(lambda asked: 1 / 0)
        wait_until(run.commands)
        run.step(1, 1.0)
        assert not run.should_stop()
    last = intake.bodies("CommandAcknowledged")[-1]
    assert (last["outcome"], last["detail"]) == ("refused", "ZeroDivisionError: division by zero")


def test_a_proxy_is_used_where_the_environment_names_one(intake, monkeypatch):
    monkeypatch.setenv("http_proxy", intake.url)
    monkeypatch.setenv("no_proxy", "")
    intake.answer = lambda path, headers, body: (200, {}, {"accepted": 0, "commands": [], "seen": seen.append(path)})
    seen = []
    trainwatch.start("r1", location="http://monitor.example:8280").close()
    assert set(seen) == {"http://monitor.example:8280/api/v1/events"}


@pytest.mark.parametrize("answer", [b"", b"[]", b"nonsense", json.dumps({"commands": {}, "rejected": 3}).encode()])
def test_an_answer_that_makes_no_sense_does_no_harm(answer):
    from trainwatch.internal.location import Http
    from trainwatch.internal.transports.http import HttpTransport

    transport = HttpTransport(Http("http://127.0.0.1:9"), "r1", lambda commands: None)
    assert transport._understand(5, 200, answer) == 0
    assert transport._understand(5, 400, answer) == 5
    transport.close()
