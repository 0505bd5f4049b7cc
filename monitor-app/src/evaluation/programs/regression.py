"""An MLP for tables: house-price-like regression (Friedman's function with noise)."""

import numpy as np
from sklearn.datasets import make_friedman1

from logs import EPOCHS, FULL, JSON, LOSS, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, SGD, decayed, fit, forward, mlp, sampler, shuffler, split

STEPS = 1500
HEAVY = decayed(30.0)


def loss(params, batch):
    out, seen = forward(params, batch["x"])
    return ((out[:, 0] - batch["y"]) ** 2).mean(), {"activations": seen}


def train(log, seed, fault=None, steps=STEPS, size=64):
    rng = np.random.default_rng(seed)
    x, y = make_friedman1(2000, n_features=10, noise=1.0, random_state=seed)
    x, y = ((x - 0.5) * 3.46).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    x, y, vx, vy = split(rng, x, y)
    params = mlp(rng, 10, 64, 64, 1)
    lr, optimizer = 1e-3, ADAM
    draw = shuffler(rng, x, y, size)
    per_epoch = len(x) // size

    def batches(step):
        batch = draw(step)
        if fault == "feature_rescaled" and step > 700:  # someone changed the unit of a column from m to mm
            batch["x"][:, 3] *= 1000.0
        if fault == "nan_feature" and step == 640:
            batch["x"][5, 2] = np.nan
        if fault == "outlier_batch" and step == 900:
            batch["y"] = batch["y"] * 100
        return batch

    if fault == "lr_diverges":
        lr, optimizer = 0.6, SGD
    if fault == "decay":
        optimizer = HEAVY
    if fault == "lr_tiny":
        lr = 1e-7
    log.start(project="houses", task="regression", loss_function="mse", optimizer="adam", max_steps=steps,
              global_batch_size=size, train_num_samples=len(x), steps_per_epoch=per_epoch)
    fit(log, loss, params, batches, lr=lr, steps=steps, optimizer=optimizer, steps_per_epoch=per_epoch,
        evaluate=lambda p: {"loss": float(loss(p, {"x": vx, "y": vy})[0])}, evaluate_every=per_epoch * 2)
    log.finish()


def small(log, seed):
    """50 samples and a wide network: it learns them by heart."""
    rng = np.random.default_rng(seed)
    x, y = make_friedman1(450, n_features=30, noise=2.0, random_state=seed)
    x, y = ((x - 0.5) * 3.46).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    tx, ty, vx, vy = x[:50], y[:50], x[50:], y[50:]
    log.start(project="houses", task="regression", loss_function="mse", train_num_samples=50, max_steps=STEPS)
    fit(log, loss, mlp(rng, 30, 256, 256, 1), sampler(rng, tx, ty, 25), lr=1e-3, steps=STEPS,
        evaluate=lambda p: {"loss": float(loss(p, {"x": vx, "y": vy})[0])}, evaluate_every=25)
    log.finish()


RUNS = [
    Run("healthy", train, LOSS, seeds=2),
    Run("healthy", train, EPOCHS, seeds=2),
    Run("healthy", train, FULL, seeds=2),
    Run("lr-diverges", lambda log, seed: train(log, seed, "lr_diverges"), JSON,
        [must("non_finite_loss loss_divergence exploding_gradient learning_rate_too_high", 1, 400,
              "learning_rate_too_high")], UNSTABLE),
    Run("feature-rescaled", lambda log, seed: train(log, seed, "feature_rescaled"), FULL,
        [must("feature_drift", 701, 900, "data_source_changed")],
        UNSTABLE + ["abnormal_input", "feature_drift"]),
    Run("nan-feature", lambda log, seed: train(log, seed, "nan_feature"), FULL,
        [must("non_finite_loss non_finite_input", 640, 641)], UNSTABLE + ["non_finite_input"]),
    Run("outlier-batch", lambda log, seed: train(log, seed, "outlier_batch"), USUAL,
        [must("loss_spike exploding_gradient", 900, 903, "bad_batch")], UNSTABLE),
    Run("weight-decay-too-high", lambda log, seed: train(log, seed, "decay"), USUAL,
        [must("not_learning loss_plateau", 1, STEPS)], STUCK),
    Run("lr-tiny", lambda log, seed: train(log, seed, "lr_tiny"), USUAL,
        [must("not_learning learning_rate_too_low loss_plateau", 1, STEPS, "learning_rate_too_low")], STUCK),
    Run("overfit-50-samples", small, USUAL, [must("train_val_divergence", 25, STEPS, "overfitting")],
        # Adam at a loss of 1e-7: it really jumps to 0.1
        ["loss_plateau", "metric_drift", "loss_spike"]),
]
