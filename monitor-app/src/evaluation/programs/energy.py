"""Regression in PyTorch on the hourly load of a grid, in watts as they come: losses of a million and more."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from logs import EPOCHS, FULL, JSON, LOSS, USUAL
from plan import STUCK, UNSTABLE, Run, must
from tools import CLOCK, SDK, fit, seeded, warm_cosine

STEPS, SIZE, PER_EPOCH = 2000, 32, 100


def hours(rng, count):
    """Weather and calendar of hours, and the load in watts: a daily and a weekly shape, heating below 15 degrees."""
    hour, day = rng.integers(0, 24, count), rng.integers(0, 7, count)
    warm = rng.normal(12, 8, count)
    wind, sun = rng.gamma(2, 2, count), np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * rng.uniform(0.3, 1, count)
    load = 3000 + 800 * np.sin((hour - 9) / 12 * np.pi) - 500 * (day > 4) + 60 * np.clip(15 - warm, 0, None) + 15 * wind \
        - 600 * sun + rng.normal(0, 100, count)
    x = np.stack([np.sin(hour / 12 * np.pi), np.cos(hour / 12 * np.pi), day > 4, (warm - 12) / 8, wind / 3 - 1.3, sun * 3], 1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(load, dtype=torch.float32)


def network(activation=nn.ReLU):
    return nn.Sequential(nn.Linear(6, 64), activation(), nn.Linear(64, 64), activation(), nn.Linear(64, 1))


def squared(model, batch):
    return F.mse_loss(model(batch["x"])[:, 0], batch["y"])


def huber(model, batch):
    return F.huber_loss(model(batch["x"])[:, 0], batch["y"], delta=200.0)


def half(model, batch):
    """Errors are squared in fp16, after a scale that suits most of them."""
    error = ((model(batch["x"])[:, 0] - batch["y"]) / 32).half()
    return (error * error).float().mean() * 1024


def train(log, seed, loss=squared, lr=1e-2, schedule=None, steps=STEPS, optimizer=torch.optim.Adam, broken=None, kilowatts=None,
          storm=None, dead=False, clip=None, centred=False):
    rng = seeded(seed)
    x, y = hours(rng, SIZE * PER_EPOCH)
    vx, vy = hours(np.random.default_rng(0), 1000)
    if centred:  # standardised targets, as most people would
        y, vy = (y - 3300) / 800, (vy - 3300) / 800
    model, order = network(), None
    if dead:  # a learning rate search left these biases behind
        with torch.no_grad():
            model[0].bias -= 40
            model[2].bias -= 40

    def batches(step):
        nonlocal order
        at = (step - 1) % PER_EPOCH
        if at == 0:
            order = torch.from_numpy(rng.permutation(len(x)))
        rows = order[at * SIZE:(at + 1) * SIZE]
        bx, by = x[rows], y[rows]
        if step == broken:  # a meter that sends -99999 where it has nothing to say
            by = torch.where(torch.arange(SIZE) < 4, torch.tensor(-99999.0), by)
        if kilowatts is not None and step > kilowatts:
            by = by / 1000
        if step == storm:  # a fault in the grid: one true value of twelve megawatts
            by = torch.where(torch.arange(SIZE) < 1, torch.tensor(12e6), by)
        return {"x": bx, "y": by}

    log.start(project="grid", task="regression", loss_function="huber" if loss is huber else "mse", max_steps=steps,
              global_batch_size=SIZE, steps_per_epoch=PER_EPOCH, train_num_samples=len(x))
    fit(log, model, optimizer(model.parameters(), lr), loss, batches, steps=steps, schedule=schedule, clip=clip,
        evaluate=lambda: {"loss": squared(model, {"x": vx, "y": vy}).item(),
                          "mae": (model(vx)[:, 0] - vy).abs().mean().item()},
        evaluate_every=PER_EPOCH, steps_per_epoch=PER_EPOCH)
    log.finish()


def decayed_each_step(step):
    """StepLR(gamma=0.9) is for epochs; its step() was put into the loop over batches."""
    return 1e-2 * 0.9 ** (step // 5)


RUNS = [
    Run("healthy", train, LOSS, seeds=2),
    Run("healthy", train, EPOCHS, seeds=1),
    Run("healthy", train, FULL, seeds=1),
    Run("healthy-huber", lambda log, seed: train(log, seed, huber, schedule=warm_cosine(2e-2, STEPS, 100)), USUAL, seeds=2),
    Run("healthy-standardised", lambda log, seed: train(log, seed, lr=3e-3, centred=True), JSON, seeds=1),
    Run("healthy", lambda log, seed: train(log, seed, steps=1000), SDK, allow=CLOCK),
    Run("meter-without-value", lambda log, seed: train(log, seed, broken=1200), USUAL,
        [must("loss_spike exploding_gradient", 1200, 1203, "bad_batch")], UNSTABLE),
    Run("fp16-overflow", lambda log, seed: train(log, seed, half, storm=900), JSON,
        [must("non_finite_loss non_finite_gradient", 900, 920)], UNSTABLE),
    Run("kilowatts", lambda log, seed: train(log, seed, kilowatts=1000), USUAL,
        [must("loss_spike loss_divergence", 1001, 1100)], UNSTABLE),
    Run("decayed-each-step", lambda log, seed: train(log, seed, schedule=decayed_each_step), USUAL,
        [must("loss_plateau learning_rate_too_low not_learning unchanged_weights", 100, STEPS, "schedule_ended")], STUCK),
    # the configuration has lr: 0 for the warm-up's start, and no warm-up
    Run("lr-zero", lambda log, seed: train(log, seed, lr=0.0, centred=True), USUAL,
        [must("loss_plateau not_learning unchanged_weights learning_rate_too_low", 1, STEPS)], STUCK),
    Run("dead-units", lambda log, seed: train(log, seed, centred=True, lr=1e-3, dead=True), SDK,
        [must("dead_units", 1, 500, "dead_units")], STUCK + CLOCK + ["dead_units", "abnormal_weights"]),
]
