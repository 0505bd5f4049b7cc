"""What watching costs the thread that trains.

    pip install . torch tensorboard mlflow wandb numpy
    python benchmarks/overhead.py [calls] [trainings] [monitors]

Prints Markdown: the time of one call in the training thread beside tensorboard, MLflow and wandb (offline); the time of a
whole training with and without ``trainwatch.torch.watch``; and that of a training loop while the monitor is there, away, or
takes connections and never answers. Variants take turns within one process, so that a busy machine burdens all alike; the
figures are medians over the rounds.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

ROUNDS = 5
CALLS = 2_000
TRAINING_STEPS = 200
TRAINING_ROUNDS = 7
MONITOR_ROUNDS = 15
MONITORS = []

warnings.simplefilter("ignore")
os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING="false")
logging.getLogger("mlflow").setLevel(logging.ERROR)
logging.getLogger("trainwatch").setLevel(logging.ERROR)


def main():
    """Runs everything in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        os.environ["XDG_CACHE_HOME"] = directory
        print("%s, %s CPUs, Python %s\n" % (platform.machine(), os.cpu_count(), platform.python_version()))
        for part in sys.argv[1:] or ("calls", "trainings", "monitors"):
            {"calls": calls, "trainings": trainings, "monitors": monitors}[part]()
    sys.stdout.flush()
    os._exit(0)  # the services of the others need long to end


# --- one call


def calls():
    """Times single calls, 1 kHz being fast for a training: the recorder's own threads work between them."""
    recorders = {
        "trainwatch run.step, 4 numbers": trainwatch_step(),
        "trainwatch run.step, 4 numbers and 5 metrics": trainwatch_step(5),
        "tensorboard add_scalar, 1 number": tensorboard_scalar(),
        "wandb offline run.log, 4 numbers": wandb_log(),
        "MLflow log_metric to files, 1 number": mlflow_metric(),
    }
    times = {name: [] for name in recorders}
    for _ in range(ROUNDS):
        for name, record in recorders.items():
            taken = []
            for step in range(CALLS if "MLflow" not in name else CALLS // 20):
                begun = time.perf_counter_ns()
                record(step)
                taken.append(time.perf_counter_ns() - begun)
                if step % 10 == 0:
                    time.sleep(0.001)
            times[name].append(taken)
    print("| call in the training thread | p50 µs | p99 µs |\n| --- | ---: | ---: |")
    for name, rounds in times.items():
        middle = statistics.median(quantile(taken, 0.50) for taken in rounds) / 1000
        tail = statistics.median(quantile(taken, 0.99) for taken in rounds) / 1000
        print("| %s | %.2f | %.1f |" % (name, middle, tail))
    print()


def quantile(values, share):
    """Returns a quantile of numbers."""
    return sorted(values)[int(share * (len(values) - 1))]


def trainwatch_step(metrics=0):
    """Returns what records a step with a monitor that answers."""
    import trainwatch

    run = trainwatch.start("calls-%d" % metrics, location=monitor())
    more = {"metric_%d" % index: 0.5 for index in range(metrics)} or None
    return lambda step: run.step(step, 1.0, grad_norm=2.0, learning_rate=0.1, metrics=more, step_time_seconds=0.01)


def tensorboard_scalar():
    """Returns what records one number."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter("tensorboard")
    return lambda step: writer.add_scalar("loss", 1.0, step)


def wandb_log():
    """Returns what records four numbers."""
    import wandb

    run = wandb.init(project="overhead", mode="offline")
    return lambda step: run.log({"loss": 1.0, "grad_norm": 2.0, "learning_rate": 0.1, "step_time": 0.01})


def mlflow_metric():
    """Returns what records one number."""
    import mlflow

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    mlflow.set_tracking_uri("file:" + os.path.abspath("mlruns"))
    mlflow.start_run()
    return lambda step: mlflow.log_metric("loss", 1.0, step=step)


# --- a whole training


def trainings():
    """Tells what share of its CPU time a training thread spends in a watch, with statistics every 100 steps as by default.

    Within one training, and not between one with a watch and one without: those differ by more than the watch where other
    programs use the machine.
    """
    import torch

    import trainwatch.torch
    from trainwatch.torch import FIRST_STEPS, Watch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    spent = [0.0]

    def timed(owner, name):
        function = getattr(owner, name)

        def call(*args):
            begun = time.thread_time()
            result = function(*args)
            spent[0] += time.thread_time() - begun
            return result

        setattr(owner, name, call)

    for name in ("_on_backward", "_before_step", "_after_step"):
        timed(Watch, name)
    timed(trainwatch.torch, "_look")
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * 64, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = torch.randn(64, 3, 32, 32), torch.randint(0, 10, (64,))
    watch = trainwatch.torch.watch(model, optimizer, run_id="training", location="memory:training")
    shares, times, begun = [], [], 0.0
    for number in range(FIRST_STEPS + TRAINING_ROUNDS * 100):
        if (number - FIRST_STEPS) % 100 == 0:
            if number > FIRST_STEPS:
                whole = time.thread_time() - begun
                shares.append(100 * spent[0] / (whole - spent[0]))
                times.append((whole - spent[0]) * 10)
            spent[0], begun = 0.0, time.thread_time()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    watch.close()
    print("| a small CNN, batch 64 of 3x32x32, one thread, %d times 100 steps | |" % len(shares))
    print("| --- | ---: |")
    print("| a step without the watch, CPU ms, median | %.2f |" % statistics.median(times))
    print(
        "| what the watch adds, median (least, most) | %.2f %% (%.2f, %.2f) |\n"
        % (statistics.median(shares), min(shares), max(shares))
    )


# --- monitors in trouble


def monitors():
    """Times a loop of 2,000 steps of about 1 ms of work while the monitor is well, away, slow, or hangs.

    Each loop is compared with those that are not watched before and after it: the machine itself varies by more than the
    difference, though slowly. 2,000 steps last longer than the second after which events go to the disk. The threads of one run
    are awaited before the next begins: what it left behind would burden that one.
    """
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = "http://127.0.0.1:%d" % closed.getsockname()[1]
    hanging = socket.socket()
    hanging.bind(("127.0.0.1", 0))
    hanging.listen(1)
    locations = {
        "again not watched": "noop:",
        "monitor answers": monitor(),
        "monitor answers after 2 s": monitor(2),
        "monitor is away": away,
        "monitor takes connections and never answers": "http://127.0.0.1:%d" % hanging.getsockname()[1],
    }
    ratios = {name: [] for name in locations}
    bases = []
    loop("noop:", "warm-up")
    for number in range(MONITOR_ROUNDS):
        before = loop("noop:", "base")
        for name, location in locations.items():
            taken = loop(location, "%s %d" % (name, number))
            after = loop("noop:", "base")
            ratios[name].append([2 * kind / (b + a) for kind, b, a in zip(taken, before, after)])
            bases.append(after)
            before = after
    base = [statistics.median(kind) / 2 for kind in zip(*bases)]
    print("| 2,000 steps of work, each recorded | time, against not watched | CPU time of its thread |")
    print("| --- | ---: | ---: |")
    print("| not watched | %.0f µs a step | %.0f µs a step |" % tuple(base))
    for name, taken in ratios.items():
        shares = [[100 * (ratio - 1) for ratio in sorted(kind)] for kind in zip(*taken)]
        columns = ["%+.1f %% (%+.1f to %+.1f)" % (statistics.median(kind), kind[0], kind[-1]) for kind in shares]
        print("| %s | %s | %s |" % (name, *columns))
    print("\nThreads at the end: %d" % threading.active_count())


MONITOR = """
import sys, time
from intake import Intake
intake, answer = Intake(), Intake.answer
intake.answer = lambda *request: (time.sleep(float(sys.argv[1])), answer(intake, *request))[1]
print(intake.url, flush=True)
sys.stdin.read()
"""


def monitor(seconds=0):
    """Starts a monitor that answers after some seconds, and returns its address.

    In a process of its own, since it would share the interpreter with the training otherwise.
    """
    command = [sys.executable, "-c", MONITOR, str(seconds)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    MONITORS.append(process)  # each ends with its standard input, and so with this process
    return process.stdout.readline().strip()


@functools.lru_cache(maxsize=None)
def millisecond():
    """Returns a matrix, and how often it has to be multiplied by itself to keep this machine busy for 1 ms."""
    import numpy

    work = numpy.ones((60, 60))
    begun, products = time.perf_counter(), 0
    while time.perf_counter() - begun < 1:
        work @ work
        products += 1
    return work, max(1, products // 1_000)


def loop(location, run_id):
    """Returns the time that 2,000 steps take, and the CPU time of the training thread, in milliseconds."""
    import trainwatch

    work, products = millisecond()
    run = trainwatch.start(run_id.replace(" ", "-"), location=location, close_timeout=0)
    begun = time.perf_counter(), time.thread_time()
    for step in range(2_000):
        for _ in range(products):
            work @ work
        run.step(step, 1.0, grad_norm=2.0, learning_rate=0.1)
    taken = (time.perf_counter() - begun[0]) * 1000, (time.thread_time() - begun[1]) * 1000
    run.close()
    for thread in threading.enumerate():
        if thread.name == "trainwatch-sender":
            thread.join()
    return taken


main()
