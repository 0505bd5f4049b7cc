"""Image classification in PyTorch on 8x8 digits: mixup, smoothed labels, batch normalisation, and evaluations gone wrong."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from logs import FULL, JSON, USUAL, Way
from plan import STUCK, UNSTABLE, Run, must
from tools import CLOCK, SDK, fit, seeded, warm_cosine

STEPS, SIZE = 1200, 32
PREDICTIONS = Way("predictions", "events", "loss lr evaluation predictions")


def images(rng):
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(x))
    x = torch.tensor((x[order] - 4.9) / 6.0, dtype=torch.float32).view(-1, 1, 8, 8)
    y = torch.from_numpy(y[order])
    return x[:1280], y[:1280], x[1280:], y[1280:]


def network(dropout=0.0, normal=False, momentum=0.1):
    def block(a, b):
        return [nn.Conv2d(a, b, 3, padding=1), *([nn.BatchNorm2d(b, momentum=momentum)] if normal else []), nn.ReLU()]
    return nn.Sequential(*block(1, 8), nn.MaxPool2d(2), *block(8, 16), nn.Flatten(), nn.Dropout(dropout), nn.Linear(256, 10))


def plain(model, batch):
    logits = model(batch["x"])
    return F.cross_entropy(logits, batch["y"]), logits.detach()


def smoothed(model, batch):
    return F.cross_entropy(model(batch["x"]), batch["y"], label_smoothing=0.1)


def mixed_up(rng):
    def loss(model, batch):
        share, other = rng.beta(0.4, 0.4), torch.from_numpy(rng.permutation(SIZE))
        logits = model(share * batch["x"] + (1 - share) * batch["x"][other])
        return share * F.cross_entropy(logits, batch["y"]) + (1 - share) * F.cross_entropy(logits, batch["y"][other])
    return loss


def first_class(model, batch):
    """Class weights were computed from a table in which all but the first class were missing."""
    logits = model(batch["x"])
    weights = torch.tensor([1.0] + [0.0] * 9)
    return F.cross_entropy(logits, batch["y"], weights, reduction="sum") / SIZE, logits.detach()


def train(log, seed, model=network, loss=plain, lr=2e-3, steps=STEPS, optimizer=torch.optim.Adam, schedule=None, relabelled=None,
          overlap=False, check=False, mixup=False, rate_at=None):
    rng = seeded(seed)
    x, y, vx, vy = images(rng)
    if overlap:  # split after the images were augmented: half of the validation set are copies of training images
        rows = torch.from_numpy(rng.permutation(len(x))[: len(vx) // 2])
        vx[: len(rows)], vy[: len(rows)] = x[rows], y[rows]
    model, order, wrong = model(), None, torch.from_numpy(rng.permutation(10))

    def batches(step):
        nonlocal order
        at = (step - 1) % (len(x) // SIZE)
        if at == 0:
            order = torch.from_numpy(rng.permutation(len(x)))
        rows = order[at * SIZE:(at + 1) * SIZE]
        labels = y[rows]
        if relabelled is not None and step > relabelled:  # a new export of the labels, its classes in another order
            labels = wrong[labels]
        return {"x": x[rows], "y": labels}

    def evaluate():
        logits = model(vx)
        return {"loss": F.cross_entropy(logits, vy).item(), "accuracy": (logits.argmax(-1) == vy).float().mean().item()}

    optimizer = optimizer(model.parameters(), lr)
    log.start(project="digits-torch", task="classification", num_classes=10, loss_function="cross_entropy", max_steps=steps,
              global_batch_size=SIZE, train_num_samples=len(x), eval_num_samples=len(vx), steps_per_epoch=len(x) // SIZE)
    if check:
        from trainwatch import preflight
        log.watch(model, optimizer)
        preflight(x.numpy(), y.numpy(), x_val=vx.numpy(), y_val=vy.numpy(), run=log.run)
        log.watch = lambda *_: None
    fit(log, model, optimizer, mixed_up(rng) if mixup else loss, batches, steps=steps, schedule=schedule, evaluate=evaluate,
        evaluate_every=len(x) // SIZE, steps_per_epoch=len(x) // SIZE)
    log.finish()


def spike_of_rate(step):
    """A typing error in a table of rates by step: 20 instead of 0.02."""
    return 20.0 if 500 <= step < 505 else 0.02


RUNS = [
    Run("healthy-mixup", lambda log, seed: train(log, seed, mixup=True), USUAL, seeds=1),
    Run("healthy-smoothed", lambda log, seed: train(log, seed, loss=smoothed, schedule=warm_cosine(4e-3, STEPS, 100)), JSON,
        seeds=2),
    Run("healthy-normalised", lambda log, seed: train(log, seed, lambda: network(normal=True)), FULL, seeds=1),
    Run("healthy-dropout", lambda log, seed: train(log, seed, lambda: network(0.5)), PREDICTIONS, seeds=1),
    Run("healthy-checked", lambda log, seed: train(log, seed, check=True, steps=600), SDK, allow=CLOCK, seeds=1),
    Run("labels-reordered", lambda log, seed: train(log, seed, relabelled=600), USUAL,
        [must("loss_spike loss_divergence", 601, 650)], UNSTABLE),
    # momentum 0 keeps the running statistics where they began: right in training, wrong in evaluation
    Run("statistics-never-updated", lambda log, seed: train(log, seed, lambda: network(normal=True, momentum=0.0), lr=1e-2), USUAL,
        [must("train_val_divergence metric_mismatch metric_drift suspicious_validation", 1, STEPS)], ["loss_plateau"]),
    Run("validation-overlaps", lambda log, seed: train(log, seed, overlap=True, check=True, steps=600), SDK,
        [must("preflight_failed suspicious_validation", None, 600, "leakage")], CLOCK),
    Run("one-class-only", lambda log, seed: train(log, seed, loss=first_class, steps=800), PREDICTIONS,
        [must("prediction_collapse class_imbalance", 1, 800)], STUCK + ["class_imbalance", "prediction_drift"]),
    Run("rate-mistyped", lambda log, seed: train(log, seed, optimizer=torch.optim.SGD, schedule=spike_of_rate), USUAL,
        [must("loss_spike loss_divergence non_finite_loss exploding_gradient", 500, 520, "learning_rate_too_high")], UNSTABLE),
]
