"""Object detection in miniature: where is the square, how large, which kind; three losses, an epoch a row, as YOLO logs it."""

import jax
import jax.numpy as jnp
import numpy as np

from logs import Log, USUAL, Way
from plan import UNSTABLE, Run, must
from training import ADAM, cosine, cross_entropy, decayed, fit, forward, mlp, shuffler

EDGE, EPOCHS = 12, 60
ADAMW = decayed(0.02)


class Yolo(Way):
    """results.csv of YOLO: padded names, train/ and val/ of every loss."""

    def __init__(self):
        super().__init__("yolo", "csv", "loss lr evaluation")

    def open(self, path, run_id):
        class Results(Log):
            def __init__(self, way, path, run_id):
                super().__init__(way, path, run_id)
                self.parts, self.epoch, self.rate = [], 0, 0.0

            def point(self, step, loss, epoch, fields):
                self.parts.append(fields["losses"])
                self.rate = fields["learning_rate"]

            def evaluation(self, step, metrics, epoch=None, **fields):
                names = list(self.parts[0])
                if self.epoch == 0:
                    head = ["epoch"] + [f"train/{n}" for n in names] + [f"val/{n}" for n in names] + ["metrics/accuracy", "lr/pg0"]
                    self.file.write(",".join(f"{h:>20}" for h in head) + "\n")
                row = [self.epoch] + [sum(p[n] for p in self.parts) / len(self.parts) for n in names]
                row += [metrics[n] for n in names] + [metrics["accuracy"], self.rate]
                self.file.write(",".join(f"{v:>20.5g}" for v in row) + "\n")
                self.epoch += 1
                self.parts.clear()
        return Results(self, path, run_id)


def scenes(rng, count):
    x = rng.normal(0, 0.3, (count, EDGE, EDGE)).astype(np.float32)
    size, kind = rng.integers(3, 6, count), rng.integers(0, 3, count).astype(np.int32)
    row, col = rng.integers(0, EDGE - 5, count), rng.integers(0, EDGE - 5, count)
    for i in range(count):
        x[i, row[i]:row[i] + size[i], col[i]:col[i] + size[i]] += (1.0, -1.0, 2.0)[kind[i]]
    box = np.stack([row / EDGE, col / EDGE, size / EDGE], 1).astype(np.float32)
    return x.reshape(count, -1), np.concatenate([box, kind[:, None].astype(np.float32)], 1)


def loss(params, batch):
    out, _ = forward(params, batch["x"])
    kind = batch["y"][:, 3].astype(jnp.int32)
    box = jnp.abs(out[:, :3] - batch["y"][:, :3]).mean()
    cls = cross_entropy(out[:, 3:6], kind)
    return 5 * box + cls, {"losses": {"box_loss": box, "cls_loss": cls}, "right": (out[:, 3:6].argmax(-1) == kind).mean()}


def train(log, seed, count=3000, epochs=EPOCHS, optimizer=ADAMW, shift=None, lr=None):
    rng = np.random.default_rng(seed)
    x, y = scenes(rng, count)
    vx, vy = scenes(rng, 500)
    size = 64
    per_epoch = len(x) // size
    draw = shuffler(rng, x, y, size)

    def batches(step):
        batch = draw(step)
        if shift is not None and step > shift:  # boxes of the picture before
            batch["y"] = np.concatenate([np.roll(batch["y"][:, :3], 1, 0), batch["y"][:, 3:]], 1)
        return batch

    def evaluate(p):
        value, seen = loss(p, {"x": vx, "y": vy})
        return {"loss": float(value), "accuracy": float(seen["right"]), **{k: float(v) for k, v in seen["losses"].items()}}

    steps = epochs * per_epoch
    log.start(project="boxes", model_name="tiny-detector", max_steps=steps, steps_per_epoch=per_epoch)
    fit(log, loss, mlp(rng, EDGE * EDGE, 96, 48, 6), batches, lr=lr or cosine(2e-3, steps, 20), steps=steps,
        optimizer=optimizer, evaluate=evaluate, evaluate_every=per_epoch, steps_per_epoch=per_epoch)
    log.finish()


RUNS = [
    Run("healthy", lambda log, seed: train(log, seed, count=20000, epochs=12), USUAL, seeds=2),
    Run("healthy", lambda log, seed: train(log, seed, count=20000, epochs=25), Yolo(), seeds=2),
    Run("overfit", lambda log, seed: train(log, seed, count=300, epochs=200, optimizer=ADAM, lr=1e-3), Yolo(),
        [must("train_val_divergence", None, None, "overfitting")], ["metric_drift"]),
    Run("boxes-shifted", lambda log, seed: train(log, seed, count=20000, epochs=6, shift=1000), USUAL,
        [must("loss_spike loss_divergence", 1001, 1100)], UNSTABLE),
]
