"""Logs that frameworks write by themselves, and a PyTorch loop for the programs that have one."""

import pathlib

import numpy as np
import torch

from logs import Way
from summaries import inputs, predictions


class Tool(Way):
    """A framework writes its own log: the program gets where, and no log."""

    def __init__(self, name, ending):
        super().__init__(name, "tool", "")
        self.ending = ending

    def file(self, stem):
        return f"{stem}.{self.ending}"

    def open(self, path, run_id):
        return pathlib.Path(path)


class Sdk(Way):
    """One line of the SDK in a PyTorch loop: it sees each step, all tensors and the times by itself."""

    def __init__(self):
        super().__init__("sdk", "sdk", "")

    def file(self, stem):
        return f"{stem}.jsonl"

    def open(self, path, run_id):
        return Watched(path, run_id)


SDK = Sdk()
CLOCK = ["throughput_drop", "input_bottleneck"]
"""What a run may be alarmed for whose times are those of this machine, which has other work too."""


class Watched:
    """A log that tells the SDK what it cannot see by itself."""

    def __init__(self, path, run_id):
        path.unlink(missing_ok=True)
        self.where = {"run_id": run_id, "location": f"file:{path}"}

    def start(self, **facts):
        self.facts = {name: fact for name, fact in facts.items() if name != "optimizer"}  # it sees that by itself

    def watch(self, model, optimizer):
        from trainwatch.torch import watch  # only where it is used: it wraps what it watches
        self.watched = watch(model, optimizer, **self.where, **self.facts)
        self.run = self.watched.run

    def wants(self, what):
        return False

    def step(self, step, loss, epoch=None, **fields):
        pass

    def event(self, event_type, step=None, rank=0, **fields):
        pass

    def evaluation(self, step, metrics, epoch=None, **fields):
        self.run.evaluation(step, metrics, **fields)

    def finish(self, status="completed"):
        self.watched.close()
        self.run.close()


def seeded(seed):
    """Seeds PyTorch and gives a generator of NumPy's for the data."""
    torch.manual_seed(seed)
    return np.random.default_rng(seed)


def fit(log, model, optimizer, loss, batches, *, steps, schedule=None, clip=None, accumulate=1, evaluate=None,
        evaluate_every=100, steps_per_epoch=None, change=None, tell=None):
    """Trains and tells the log.

    loss: function of (model, batch) to the loss, or to the loss and the logits
    batches: function of the step to a batch, a dict with "x" and "y"; called once for each micro-batch
    schedule: function of the step to the learning rate
    evaluate: function without arguments to metrics by name
    change: function of the step, called before it
    tell: function of the loss to more fields of the step
    """
    if hasattr(log, "watch"):
        log.watch(model, optimizer)
    for step in range(1, steps + 1):
        if change is not None:
            change(step)
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
        optimizer.zero_grad()
        total = 0.0
        for _ in range(accumulate):
            batch = batches(step)
            value = loss(model, batch)
            value, logits = value if isinstance(value, tuple) else (value, None)
            (value / accumulate).backward()
            total += value.item() / accumulate
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip if clip else float("inf")) if grads else 0.0
        optimizer.step()
        epoch = step / steps_per_epoch if steps_per_epoch else None
        more = tell(value) if tell is not None else {}
        log.step(step, total, epoch, learning_rate=optimizer.param_groups[0]["lr"], grad_norm=float(norm), **more)
        if log.wants("inputs") and step % 10 == 0:
            log.event("batch_stats", step, **inputs({k: np.asarray(v) for k, v in batch.items()}))
        if log.wants("predictions") and step % 10 == 0 and logits is not None:
            log.event("prediction_stats", step, **predictions(logits.argmax(-1).numpy(), batch["y"].numpy()))
        if evaluate is not None and step % evaluate_every == 0:
            model.eval()
            with torch.no_grad():
                log.evaluation(step, evaluate(), epoch)
            model.train()


def warm_cosine(peak, steps, warmup=0, floor=0.0):
    """Learning rate: a linear warm-up, then half a cosine down to the floor."""
    def rate(step):
        if step <= warmup:
            return peak * step / warmup
        done = min(1.0, (step - warmup) / (steps - warmup))
        return floor + (peak - floor) * 0.5 * (1 + np.cos(np.pi * done))
    return rate
