"""What a trainer may say, and what becomes of it."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
import threading
import time

import pytest
from conftest import wait_until

import trainwatch

NAN = float("nan")


def test_a_run_tells_its_start_its_steps_and_its_end_in_order(recorded):
    with trainwatch.start("r1", location=recorded.location, project="vision", max_steps=3) as run:
        for step in (1, 2, 3):
            run.step(step, 1.0 / step, grad_norm=0.5, learning_rate=1e-3, metrics={"accuracy": 0.1 * step}, epoch=0.5)
    events = recorded()
    assert [event["event_type"] for event in events] == ["run_started"] + 3 * ["step_completed"] + ["run_finished"]
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
    assert len({event["session"] for event in events}) == 1
    assert events[0]["project"] == "vision" and events[0]["max_steps"] == 3 and events[0]["host"]
    step = events[2]
    assert abs(step.pop("timestamp_ms") - time.time() * 1000) < 10_000
    assert step == {
        "event_type": "step_completed",
        "run_id": "r1",
        "attempt": 0,
        "rank": 0,
        "session": step["session"],
        "seq": 3,
        "step": 2,
        "epoch": 0.5,
        "loss": 0.5,
        "grad_norm": 0.5,
        "learning_rate": 1e-3,
        "metrics": {"accuracy": 0.2},
    }
    assert events[-1]["status"] == "completed" and events[-1]["dropped_events"] == 0
    assert run.delivery() == (5, 5, 0, 0, 0)


def test_every_kind_of_event_arrives(recorded):
    with trainwatch.start("r1", location=recorded.location) as run:
        run.evaluation(1, {"loss": 2.0}, dataset="imagenet", num_samples=10, epoch=1.0)
        run.preflight([{"name": "feature_nan_count", "passed": False, "value": 3}])
        run.tensor_stats(1, [{"name": "fc1", "kind": "gradient", "l2_norm": NAN}])
        run.batch_stats(1, num_samples=8, label_histogram={0: 5, 1: 3})
        run.prediction_stats(1, predicted_class_histogram={"cat": 8})
        run.step_profile(1, step_time_seconds=0.1, sections={"forward": {"p50_seconds": 0.05}})
        run.rank_fingerprint(1, 12.5)
        run.phase(1, "p2", "sequence_length", {"sequence_length": {"before": "1", "after": "2"}})
        run.checkpoint_saved(1, "/ckpt/1", size_bytes=5)
        run.checkpoint_loaded(1, "/ckpt/1", optimizer_state_included=True)
        run.step(2, NAN)
    by_type = {event["event_type"]: event for event in recorded()}
    assert by_type["evaluation_completed"]["metrics"] == {"loss": 2.0}
    assert by_type["evaluation_completed"]["epoch"] == 1.0
    assert by_type["preflight_completed"]["checks"] == [{"name": "feature_nan_count", "passed": False, "value": 3.0}]
    assert by_type["tensor_stats"]["tensors"] == [{"name": "fc1", "kind": "gradient", "l2_norm": "NaN"}]
    assert by_type["batch_stats"]["label_histogram"] == {"0": 5, "1": 3}
    assert by_type["prediction_stats"]["predicted_class_histogram"] == {"cat": 8}
    assert by_type["step_profile"]["sections"] == {"forward": {"p50_seconds": 0.05}}
    assert by_type["rank_fingerprint"]["fingerprint"] == 12.5
    assert by_type["phase_changed"]["phase_id"] == "p2" and by_type["step_completed"]["phase_id"] == "p2"
    assert by_type["checkpoint_saved"]["path"] == "/ckpt/1" and by_type["checkpoint_saved"]["size_bytes"] == 5
    assert by_type["checkpoint_loaded"]["optimizer_state_included"] is True
    assert by_type["step_completed"]["loss"] == "NaN"


def test_a_run_that_raises_has_failed(recorded):
    with pytest.raises(MemoryError):
        with trainwatch.start("r1", location=recorded.location):
            raise MemoryError("CUDA out of memory\nsecond line")
    finished = recorded("run_finished")[0]
    assert (finished["status"], finished["error_type"], finished["error_message"]) == (
        "failed",
        "MemoryError",
        "CUDA out of memory",
    )


class Hostile:
    """Fails in every way that a tensor may."""

    def __float__(self):
        raise RuntimeError("device-side assert")

    def __repr__(self):
        raise RuntimeError("not even shown")

    __str__ = __repr__


def test_nothing_raises_into_the_training_and_what_is_right_is_sent(recorded, caplog):
    with trainwatch.start("r1", location=recorded.location) as run:
        run.step(1, "much", grad_norm=[1, 2], learning_rate=0.1)
        run.step("first", 1.0)
        run.step(-1, 1.0)
        run.step(2, Hostile(), learning_rate=0.2, metrics={"a": 1.0, "b": Hostile()})
        run.step(3, 1.0, grad_nrom=2.0)
        run.evaluation(3, None)
        run.evaluation(3, 7)
        run.tensor_stats(3, [{"kind": "gradient"}, {"name": "fc", "kind": "colour"}, {"name": "ok", "kind": "weight"}])
        run.tensor_stats(3, None)
        run.activity("sleeping")
        run.checkpoint_saved(3, object())
        run.phase(3, None)
        run.failed(Hostile())
    steps = {event["step"]: event for event in recorded("step_completed")}
    assert sorted(steps) == [1, 2, 3]
    assert steps[1]["learning_rate"] == 0.1 and "loss" not in steps[1]
    assert steps[2]["metrics"] == {"a": 1.0} and "loss" not in steps[2]
    assert recorded("tensor_stats")[0]["tensors"] == [{"name": "ok", "kind": "weight"}]
    assert recorded("run_finished")[0]["error_type"] == "Hostile"
    said = caplog.text
    assert "loss of step_completed is 'much', but must be a number" in said
    assert "step is 'first', but must be a whole number" in said
    assert "step_completed has no field 'grad_nrom'; is grad_norm meant?" in said
    assert "kind of tensor_stats is 'colour', but must be one of gradient weight" in said or "colour" in said
    assert "activity must be one of init train" in said


def test_what_is_too_large_is_cut(recorded):
    with trainwatch.start("r1", location=recorded.location, run_name="n" * 5000) as run:
        run.step(1, 1.0, metrics={"m%04d" % i: 1.0 for i in range(2000)})
        run.step(2, 1.0, metrics={"n" * 300: 1.0})
    assert len(recorded("run_started")[0]["run_name"]) == 4096
    steps = recorded("step_completed")
    assert len(steps[0]["metrics"]) == 1000
    assert list(steps[1]["metrics"]) == ["n" * 256]


def test_values_belong_to_the_moment_of_the_call(recorded):
    metrics = {"accuracy": 0.5}
    with trainwatch.start("r1", location=recorded.location) as run:
        run.step(1, 1.0, metrics=metrics)
        metrics["accuracy"] = 0.9
    assert recorded("step_completed")[0]["metrics"] == {"accuracy": 0.5}


def test_after_close_calls_are_ignored_and_counted(recorded):
    run = trainwatch.start("r1", location=recorded.location)
    run.close()
    run.close()
    run.step(1, 1.0)
    run.evaluation(1, {})
    assert [event["event_type"] for event in recorded()] == ["run_started", "run_finished"]
    assert run.delivery().ignored == 2


def test_heartbeats_say_what_the_trainer_is_busy_with(recorded):
    with trainwatch.start("r1", location=recorded.location, heartbeat_interval=0.1) as run:
        wait_until(lambda: recorded("heartbeat"))
        run.step(7, 1.0)
        wait_until(lambda: any(beat.get("last_step") == 7 for beat in recorded("heartbeat")))
        run.activity("evaluation")
        wait_until(lambda: any(beat["phase"] == "evaluation" for beat in recorded("heartbeat")))
    first = recorded("heartbeat")[0]
    assert first["phase"] == "init" and first["interval_seconds"] == 0.1 and first["dropped_events"] == 0
    assert [beat["phase"] for beat in recorded("heartbeat")][-1] == "evaluation"


def test_an_overflowing_queue_drops_the_oldest_plain_steps_and_says_so(recorded):
    run = trainwatch.start("r1", location=recorded.location, queue_capacity=64)
    for step in range(1, 20_001):
        run.step(step, NAN if step == 10 else 1.0)
    run.evaluation(1, {"loss": 1.0})
    run.close()
    steps = [event["step"] for event in recorded("step_completed")]
    assert steps == sorted(steps) and steps[-1] == 20_000 and 10 in steps
    assert len(recorded("evaluation_completed")) == 1
    finished = recorded("run_finished")[0]
    assert finished["dropped_events"] == 20_000 - len(steps)
    assert finished["seq"] == 20_003, "what was dropped leaves a gap in seq"
    delivery = run.delivery()
    assert delivery.dropped == 20_000 - len(steps) and delivery.delivered == len(recorded())


def test_many_threads_may_record(recorded):
    with trainwatch.start("r1", location=recorded.location) as run:

        def train(first):
            for step in range(first, first + 500):
                run.step(step, 1.0)

        threads = [threading.Thread(target=train, args=(1 + 500 * n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(event["step"] for event in recorded("step_completed")) == list(range(1, 4001))
    assert [event["seq"] for event in recorded()] == list(range(1, 4003))


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({}, (0, 0, None)),
        ({"RANK": "3", "WORLD_SIZE": "8", "TORCHELASTIC_RESTART_COUNT": "2", "SLURM_PROCID": "0"}, (2, 3, 8)),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "4", "SLURM_RESTART_COUNT": "1"}, (1, 1, 4)),
        ({"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "6"}, (0, 5, 6)),
        ({"RANK": "many", "WORLD_SIZE": "-1"}, (0, 0, None)),
        ({"RANK": "9", "WORLD_SIZE": "2"}, (0, 9, None)),
    ],
)
def test_launchers_tell_rank_world_size_and_attempt(recorded, monkeypatch, environment, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    trainwatch.start("r1", location=recorded.location).close()
    started = recorded("run_started")[0]
    assert (started["attempt"], started["rank"], started.get("world_size")) == expected


def test_a_job_gives_its_ranks_one_run_id(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/jobs/train_gpt.py"])
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert trainwatch.start().run_id == "train_gpt-4711"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "e1")
    assert trainwatch.start().run_id == "train_gpt-e1"
    monkeypatch.setenv("TRAINWATCH_RUN_ID", "mine")
    assert trainwatch.start().run_id == "mine"


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"run_id": ""}, "run id must have 1 to 256 characters, was '' with 0"),
        ({"max_steps": 0}, "max_steps must be at least 1, was 0"),
        ({"rank": 2, "world_size": 2}, "rank must be 0 to world_size - 1, which is 1, was 2"),
        ({"learning_rate_peak": math.inf}, "learning_rate_peak must be finite, at least 0, was inf"),
        ({"precision": "int3"}, "precision must be one of fp32 tf32 bf16 fp16 fp8, was 'int3'"),
        ({"queue_capacity": 1}, "queue_capacity must be 64 to 1048576 events, was 1"),
        ({"spool_bytes": 5}, "spool_bytes must be 0 (no spool) or at least 65536 bytes, was 5"),
        ({"close_timeout": -1}, "close_timeout must be 0 to 600 s, was -1"),
        ({"location": "ftp:x"}, 'location "ftp:x": scheme "ftp" is unknown; allowed are http://HOST'),
        ({"location": "http://"}, 'location "http://": a host is missing'),
        ({"location": "http://user:secret@host"}, 'location "http://***@host": a password does not belong here'),
        ({"location": "kafka:host"}, '"host" is not HOST:PORT with a port of 1 to 65535'),
        ({"location": "kafka:h:1?top=x"}, 'parameter "top" is unknown'),
        ({"location": "http://h?tokenfile=x"}, 'parameter "tokenfile" is unknown'),
        ({"location": "file:"}, "a path is missing"),
    ],
)
def test_an_illegal_setting_is_named_with_its_value_and_what_is_allowed(settings, message):
    with pytest.raises(ValueError) as raised:
        trainwatch.start(**{"run_id": "r1", "location": "noop:", **settings})
    assert message in str(raised.value)


def test_without_a_location_nothing_is_recorded(caplog):
    run = trainwatch.start("r1")
    assert "TRAINWATCH_LOCATION is not set: run r1 is not watched" in caplog.text
    with run:
        run.step(1, 1.0)
        run.evaluation(1, {})
        run.on_command(print)
        assert not run.should_stop() and run.commands() == [] and run.delivery() == (0, 0, 0, 0, 0)


def test_events_go_to_a_file_as_json_lines(tmp_path, monkeypatch):
    path = tmp_path / "logs" / "events.jsonl"
    monkeypatch.setenv("TRAINWATCH_LOCATION", "file:%s" % path)
    with trainwatch.start("r1") as run:
        run.step(1, NAN, metrics={"héllo": 1.0})
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["event_type"] for line in lines] == ["run_started", "step_completed", "run_finished"]
    assert lines[1]["loss"] == "NaN" and lines[1]["metrics"] == {"héllo": 1.0}


def in_child(code, **environment):
    """Runs a trainer in an interpreter of its own and returns what it has printed."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
    )


def test_a_process_that_just_ends_flushes_but_does_not_say_how_the_run_ended(tmp_path):
    path = tmp_path / "events.jsonl"
    child = in_child(
        "import trainwatch\n"
        "run = trainwatch.start('r1', location='file:%s')\n"
        "for step in range(1000): run.step(step, 1.0)\n" % path
    )
    assert (child.returncode, child.stderr) == (0, b"")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event_type"] for line in lines] == ["run_started"] + 1000 * ["step_completed"]


def test_a_process_that_is_cut_off_loses_at_most_the_unsent_tail(tmp_path):
    path = tmp_path / "events.jsonl"
    child = in_child(
        "import os, time, trainwatch\n"
        "run = trainwatch.start('r1', location='file:%s')\n"
        "for step in range(300): run.step(step, 1.0); time.sleep(0.002)\n"
        "os._exit(7)\n" % path
    )
    assert child.returncode == 7
    steps = [json.loads(line).get("step") for line in path.read_text().splitlines()][1:]
    assert steps == list(range(len(steps))) and len(steps) > 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_is_silent_until_it_records_and_then_has_a_session_of_its_own(tmp_path):
    path = tmp_path / "events.jsonl"
    child = in_child(
        "import os, time, trainwatch, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "run = trainwatch.start('r1', location='file:%s', heartbeat_interval=0.1)\n"
        "run.step(1, 1.0)\n"
        "time.sleep(0.2)\n"
        "silent = os.fork()\n"
        "if not silent: time.sleep(0.5); os._exit(0)\n"
        "loud = os.fork()\n"
        "if not loud: run.step(2, 2.0); run.close(); os._exit(0)\n"
        "os.waitpid(silent, 0); os.waitpid(loud, 0)\n"
        "run.step(3, 3.0)\n"
        "run.close()\n" % path
    )
    assert (child.returncode, child.stderr) == (0, b"")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    sessions = {}
    for event in events:
        sessions.setdefault(event["session"], []).append(event)
    assert len(sessions) == 2
    parent, loud = sorted(sessions.values(), key=len, reverse=True)
    assert [event["step"] for event in parent if event["event_type"] == "step_completed"] == [1, 3]
    assert [event["event_type"] for event in loud] == ["step_completed", "run_finished"]
    assert [event["seq"] for event in parent] == list(range(1, len(parent) + 1))


def test_a_log_handler_that_fails_does_not_reach_the_training(recorded):
    class Broken(logging.Handler):
        def emit(self, record):
            raise RuntimeError("no log today")

    handler = Broken()
    logging.getLogger("trainwatch").addHandler(handler)
    try:
        with trainwatch.start("r1", location=recorded.location) as run:
            run.activity("sleeping")
            run.step("x", 1.0)
            run.step(1, 1.0)
    finally:
        logging.getLogger("trainwatch").removeHandler(handler)
    assert [event["step"] for event in recorded("step_completed")] == [1]
