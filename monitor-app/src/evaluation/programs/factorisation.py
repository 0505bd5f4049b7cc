"""Matrix factorisation of ratings (users and films of rank 5, with noise), an epoch a point."""

import jax.numpy as jnp
import numpy as np

from logs import EPOCHS, JSON, LIGHTNING, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, MOMENTUM, decayed, fit, shuffler

USERS, FILMS = 200, 150
LIGHT = decayed(0.01)


def loss(params, batch):
    users, films = batch["x"][:, 0], batch["x"][:, 1]
    guess = (params["users"]["v"][users] * params["films"]["v"][films]).sum(-1) + params["users"]["b"][users] + params["films"]["b"][films]
    return ((guess - batch["y"]) ** 2).mean(), {}


def ratings(seed, count):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(USERS, 5)), rng.normal(size=(FILMS, 5))
    pairs = np.stack([rng.integers(0, USERS, count), rng.integers(0, FILMS, count)], 1).astype(np.int32)
    y = (a[pairs[:, 0]] * b[pairs[:, 1]]).sum(1) / np.sqrt(5) + rng.normal(0, 0.5, count)
    return rng, pairs, y.astype(np.float32)


def train(log, seed, count=15000, width=8, epochs=40, lr=5e-3, optimizer=LIGHT, frozen=False):
    rng, x, y = ratings(seed, count)
    cut = int(0.85 * count)
    size = 128
    per_epoch = cut // size
    params = {"users": {"v": jnp.asarray(rng.normal(0, 0.1, (USERS, width)), jnp.float32), "b": jnp.zeros(USERS)},
              "films": {"v": jnp.asarray(rng.normal(0, 0.1, (FILMS, width)), jnp.float32), "b": jnp.zeros(FILMS)}}
    held_out = {"x": x[cut:], "y": y[cut:]}
    log.start(project="films", task="regression", loss_function="mse", max_steps=epochs * per_epoch, steps_per_epoch=per_epoch)
    fit(log, loss, params, shuffler(rng, x[:cut], y[:cut], size), lr=lr, steps=epochs * per_epoch, optimizer=optimizer,
        evaluate=lambda p: {"loss": float(loss(p, held_out)[0])}, evaluate_every=per_epoch, steps_per_epoch=per_epoch)
    log.finish()


RUNS = [
    # 40 epochs are too many: the evaluation loss rises by a tenth from its lowest
    Run("healthy", train, EPOCHS, allow=["train_val_divergence"], seeds=2),
    Run("healthy", lambda log, seed: train(log, seed, epochs=20), LIGHTNING, seeds=2),
    Run("overfit", lambda log, seed: train(log, seed, count=4000, width=64, epochs=60, optimizer=ADAM), EPOCHS,
        [must("train_val_divergence", None, None, "overfitting")], ["metric_drift"]),
    Run("lr-diverges", lambda log, seed: train(log, seed, lr=2.0, optimizer=MOMENTUM, epochs=8), JSON,
        [must("non_finite_loss loss_divergence exploding_gradient learning_rate_too_high", 1, 300)], UNSTABLE),
]
