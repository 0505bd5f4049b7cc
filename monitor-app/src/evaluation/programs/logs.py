"""The ways in which the programs write down what happens, each as a real user would.

A program tells its log everything; the log keeps what its way shows. Nothing here makes up a number.
"""

import json
import math
import pathlib
import time


class Way:
    """How a run is logged.

    kind: events, csv (a row per epoch, as Keras), sparse_csv (as Lightning), jsonl or text (as nanoGPT)
    show: what is written, of loss, lr, grad_norm, evaluation, tensors, inputs, predictions, times
    every: steps between two points
    mean: whether a point is the mean over those steps or the last of them
    """

    ENDINGS = {"events": "jsonl", "csv": "csv", "sparse_csv": "csv", "jsonl": "jsonl", "text": "log"}

    def __init__(self, name, kind, show, every=1, mean=False):
        self.name, self.kind, self.show, self.every, self.mean = name, kind, frozenset(show.split()), every, mean

    def file(self, stem):
        return f"{stem}.{self.ENDINGS[self.kind]}"

    def open(self, path, run_id):
        return {"events": Events, "csv": EpochTable, "sparse_csv": SparseTable, "jsonl": JsonLines, "text": Text}[
            self.kind
        ](self, path, run_id)


LOSS = Way("loss", "events", "loss")
LOSS_10 = Way("loss10", "events", "loss", every=10)
USUAL = Way("usual", "events", "loss lr grad_norm evaluation")
USUAL_10 = Way("usual10", "events", "loss lr grad_norm evaluation", every=10)
MEAN_20 = Way("mean20", "events", "loss lr evaluation", every=20, mean=True)
FULL = Way("full", "events", "loss lr grad_norm evaluation tensors inputs predictions times")
EVALUATION = Way("evaluation", "events", "evaluation")
EPOCHS = Way("epochs", "csv", "loss evaluation")
LIGHTNING = Way("lightning", "sparse_csv", "loss lr evaluation", every=5)
JSON = Way("json", "jsonl", "loss lr grad_norm evaluation", every=10)
TEXT = Way("text", "text", "loss evaluation", every=10)


def number(value):
    """JSON has no NaN: non-finite numbers travel as strings."""
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.7g}")


def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    return number(value)


class Log:
    """What a program tells: all of it, always."""

    def __init__(self, way, path, run_id):
        self.way, self.run_id = way, run_id
        self.file = pathlib.Path(path).open("w")
        self.window = []

    def wants(self, what):
        return what in self.way.show

    def step(self, step, loss, epoch=None, **fields):
        """One optimizer step; fields as in step_completed of the event form."""
        self.window.append(float(loss))
        if step % self.way.every == 0:
            shown = sum(self.window) / len(self.window) if self.way.mean else self.window[-1]
            self.point(step, shown, epoch, {k: v for k, v in fields.items() if self.shown(k)})
            self.window.clear()

    def shown(self, field):
        what = {"learning_rate": "lr", "step_time_seconds": "times", "data_time_seconds": "times"}.get(field, field)
        return what in self.way.show or what not in ("lr", "grad_norm", "times")

    def back_to(self, step):
        self.window.clear()

    def start(self, **fields):
        pass

    def point(self, step, loss, epoch, fields):
        raise NotImplementedError

    def evaluation(self, step, metrics, epoch=None, **fields):
        pass

    def event(self, event_type, step=None, rank=0, **fields):
        pass

    def finish(self, status="completed"):
        self.file.close()


class Events(Log):
    """The event form of the monitor, as its SDKs send it."""

    def __init__(self, way, path, run_id):
        super().__init__(way, path, run_id)
        self.seq = {}
        self.attempt = 0

    def now(self):
        """Seconds since 1970."""
        return time.time()

    def event(self, event_type, step=None, rank=0, **fields):
        self.seq[rank] = self.seq.get(rank, 0) + 1
        line = {
            "event_type": event_type,
            "run_id": self.run_id,
            "attempt": self.attempt,
            "rank": rank,
            "session": f"{self.attempt}-{rank}",
            "seq": self.seq[rank],
            "timestamp_ms": int(self.now() * 1000),
        }
        if step is not None:
            line["step"] = step
        line.update((name, plain(value)) for name, value in fields.items() if value is not None)
        self.file.write(json.dumps(line) + "\n")

    def start(self, **fields):
        self.event("run_started", **fields)

    def point(self, step, loss, epoch, fields):
        if self.wants("loss"):
            window = self.way.every if self.way.mean else None
            self.event("step_completed", step, epoch=epoch, loss=loss, window_steps=window, **fields)

    def evaluation(self, step, metrics, epoch=None, **fields):
        if self.wants("evaluation"):
            self.event("evaluation_completed", step, epoch=epoch, metrics=metrics, **{"split": "val", **fields})

    def again(self):
        """The job was killed and starts anew: another attempt in another process."""
        self.attempt += 1
        self.seq.clear()

    def finish(self, status="completed"):
        self.event("run_finished", status=status)
        super().finish()


class EpochTable(Log):
    """A row per epoch, as Keras' CSVLogger: mean training loss and the evaluation after it."""

    def __init__(self, way, path, run_id):
        super().__init__(way, path, run_id)
        self.losses, self.epoch, self.columns = [], 0, None

    def point(self, step, loss, epoch, fields):
        self.losses.append(loss)

    def evaluation(self, step, metrics, epoch=None, **fields):
        row = {"epoch": self.epoch, "loss": sum(self.losses) / len(self.losses)}
        row.update((f"val_{name}", float(value)) for name, value in metrics.items())
        if self.columns is None:
            self.columns = list(row)
            self.file.write(",".join(self.columns) + "\n")
        self.file.write(",".join(str(row[name]) for name in self.columns) + "\n")
        self.epoch += 1
        self.losses.clear()


class SparseTable(Log):
    """metrics.csv of Lightning: training and validation in rows of their own."""

    COLUMNS = ["epoch", "lr", "step", "train_loss", "val_loss"]

    def __init__(self, way, path, run_id):
        super().__init__(way, path, run_id)
        self.file.write(",".join(self.COLUMNS) + "\n")

    def row(self, **values):
        self.file.write(",".join(str(values.get(name, "")) for name in self.COLUMNS) + "\n")

    def point(self, step, loss, epoch, fields):
        self.row(epoch=int(epoch or 0), step=step, train_loss=loss, lr=fields.get("learning_rate", ""))

    def evaluation(self, step, metrics, epoch=None, **fields):
        self.row(epoch=int(epoch or 0), step=step, val_loss=float(metrics["loss"]))


class JsonLines(Log):
    """Metrics by name, a JSON object a line, with the bare NaN of Python's json."""

    def point(self, step, loss, epoch, fields):
        row = {"step": step, "train/loss": loss}
        if "learning_rate" in fields:
            row["lr"] = float(fields["learning_rate"])
        if "grad_norm" in fields:
            row["grad_norm"] = float(fields["grad_norm"])
        self.file.write(json.dumps(row) + "\n")

    def evaluation(self, step, metrics, epoch=None, **fields):
        row = {"step": step, **{f"eval/{name}": float(value) for name, value in metrics.items()}}
        self.file.write(json.dumps(row) + "\n")


class Text(Log):
    """What nanoGPT prints."""

    def __init__(self, way, path, run_id):
        super().__init__(way, path, run_id)
        self.last, self.clock = math.nan, time.time()

    def point(self, step, loss, epoch, fields):
        now = time.time()
        self.file.write(f"iter {step}: loss {loss:.4f}, time {(now - self.clock) * 1000 / self.way.every:.2f}ms\n")
        self.last, self.clock = loss, now

    def evaluation(self, step, metrics, epoch=None, **fields):
        self.file.write(f"step {step}: train loss {self.last:.4f}, val loss {float(metrics['loss']):.4f}\n")
