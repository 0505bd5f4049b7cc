"""What watching costs the thread that trains.

    pip install . torch tensorboard mlflow wandb numpy
    python benchmarks/overhead.py [calls] [trainings] [monitors]

Prints Markdown: the time of one call in the training thread beside tensorboard, MLflow and wandb (offline); the time of a
whole training with and without ``trainwatch.torch.watch``; and that of a training loop while the monitor is there, away, or
takes connections and never answers. Variants take turns within one process, so that a busy machine burdens all alike; the
figures are medians over the rounds.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

ROUNDS = 5
CALLS = 2_000
TRAINING_STEPS = 200
TRAINING_ROUNDS = 7
MONITOR_TURNS = 300
CHILDREN = []

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
    """Times 4,000 steps of about 1 ms of work while the monitor is well, away, slow, or hangs.

    Each training is a process that makes 40 steps and is then stopped (SIGSTOP, so its sender is too) while the others make
    theirs: the machine itself varies by more than the difference, though not within a quarter of a second.
    """
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = "http://127.0.0.1:%d" % closed.getsockname()[1]
    hanging = socket.socket()
    hanging.bind(("127.0.0.1", 0))
    hanging.listen(1)
    locations = {
        "not watched": "noop:",
        "not watched, again": "noop:",
        "monitor answers": monitor(),
        "monitor answers after 2 s": monitor(2),
        "monitor is away": away,
        "monitor takes connections and never answers": "http://127.0.0.1:%d" % hanging.getsockname()[1],
    }
    products = str(products_of_a_millisecond())
    trainings = {name: child(TRAINING, location, products) for name, location in locations.items()}
    times = {name: [] for name in trainings}
    for turn in range(MONITOR_TURNS):
        for name in list(trainings) if turn % 2 else list(trainings)[::-1]:
            process = trainings[name]
            process.send_signal(signal.SIGCONT)
            process.stdin.write("go\n")
            process.stdin.flush()
            times[name].append([float(number) for number in process.stdout.readline().split()])
            process.send_signal(signal.SIGSTOP)
    for process in trainings.values():
        process.kill()
    base = times["not watched"]
    print("| %d times 40 steps of work, each recorded | time | CPU time of the training thread |" % MONITOR_TURNS)
    print("| --- | ---: | ---: |")
    print("| not watched | %.0f µs a step | %.0f µs a step |" % tuple(statistics.median(kind) * 1e6 for kind in zip(*base)))
    for name in list(times)[1:]:
        shares = [
            statistics.median(100 * (taken[kind] / before[kind] - 1) for taken, before in zip(times[name], base))
            for kind in range(2)
        ]
        print("| %s | %+.1f %% | %+.1f %% |" % (name, *shares))
    print()


def products_of_a_millisecond():
    """Returns how often a matrix has to be multiplied by itself to keep this machine busy for 1 ms."""
    import numpy

    work = numpy.ones((60, 60))
    begun, products = time.perf_counter(), 0
    while time.perf_counter() - begun < 1:
        work @ work
        products += 1
    return max(1, products // 1_000)


TRAINING = """
import logging, sys, time
import numpy
import trainwatch
logging.getLogger("trainwatch").setLevel(logging.ERROR)
work, products = numpy.ones((60, 60)), int(sys.argv[2])
run = trainwatch.start("training", location=sys.argv[1], close_timeout=0)
step = 0
for line in sys.stdin:
    begun = time.perf_counter(), time.thread_time()
    for _ in range(40):
        for _ in range(products):
            work @ work
        step += 1
        run.step(step, 1.0, grad_norm=2.0, learning_rate=0.1)
    print((time.perf_counter() - begun[0]) / 40, (time.thread_time() - begun[1]) / 40, flush=True)
"""


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
    return child(MONITOR, str(seconds)).stdout.readline().strip()


def child(script, *arguments):
    """Starts a process; each ends with its standard input, and so with this one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    CHILDREN.append(process)
    return process


main()
