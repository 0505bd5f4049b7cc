"""A recurrent network on the adding problem: the sum of two marked numbers of a sequence."""

import jax
import jax.numpy as jnp
import numpy as np

from logs import EPOCHS, LOSS, USUAL, USUAL_10
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, CLIPPED_ADAM, SGD, dense, fit

STEPS, WIDTH = 1200, 32


def network(rng, scale=1.0):
    q, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
    return {"cell": {"in": jnp.asarray(rng.normal(0, 0.3, (2, WIDTH)), jnp.float32),
                     "recur": jnp.asarray(scale * q, jnp.float32), "b": jnp.zeros(WIDTH)},
            "out": dense(rng, WIDTH, 1, 1.0)}


def unrolled(params, x):
    def cell(h, value):
        h = jnp.tanh(value @ params["cell"]["in"] + h @ params["cell"]["recur"] + params["cell"]["b"])
        return h, ()
    h, _ = jax.lax.scan(cell, jnp.zeros((len(x), WIDTH)), x.swapaxes(0, 1))
    return (h @ params["out"]["w"] + params["out"]["b"])[:, 0]


def loss(params, batch):
    return ((unrolled(params, batch["x"]) - batch["y"]) ** 2).mean(), {}


def batches(rng, length, size=32):
    def batch(step):
        values = rng.random((size, length))
        marks = np.zeros((size, length))
        first, second = rng.integers(0, length // 2, size), rng.integers(length // 2, length, size)
        marks[np.arange(size), first] = marks[np.arange(size), second] = 1
        return {"x": np.stack([values, marks], -1).astype(np.float32),
                "y": (values * marks).sum(1).astype(np.float32)}
    return batch


def train(log, seed, length=12, lr=2e-3, optimizer=CLIPPED_ADAM, scale=1.0, steps=STEPS, **facts):
    rng = np.random.default_rng(seed)
    held_out = batches(np.random.default_rng(0), length, 512)(0)
    judged = jax.jit(loss)
    log.start(project="adding", task="regression", loss_function="mse", max_steps=steps, **facts)
    fit(log, loss, network(rng, scale), batches(rng, length), lr=lr, steps=steps, optimizer=optimizer,
        evaluate=lambda p: {"loss": float(judged(p, held_out)[0])}, evaluate_every=60)
    log.finish()


RUNS = [
    Run("healthy", lambda log, seed: train(log, seed, max_grad_norm=1.0), USUAL, seeds=2),
    Run("healthy", train, LOSS, seeds=2),
    Run("healthy", train, EPOCHS, seeds=2),
    Run("no-clipping", lambda log, seed: train(log, seed, 40, 0.1, SGD, 1.5), USUAL,
        [must("exploding_gradient non_finite_loss loss_spike loss_divergence non_finite_gradient", 1, 300)], UNSTABLE),
    Run("too-long-to-remember", lambda log, seed: train(log, seed, 60, 1e-3, ADAM, 0.1), USUAL_10,
        [must("not_learning loss_plateau vanishing_gradient", 1, STEPS)], STUCK),
]
