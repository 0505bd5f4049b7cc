"""Contrastive learning: two noisy views of a digit are to be near each other (InfoNCE)."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

from logs import LOSS, USUAL, USUAL_10
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, fit, forward, mlp

STEPS, SIZE = 1000, 64


def embedded(params, x):
    out, _ = forward(params, x)
    return out / jnp.sqrt((out**2).sum(-1, keepdims=True) + 1e-12)


def loss(params, batch):
    a, b = embedded(params, batch["x"]), embedded(params, batch["x2"])
    scores = a @ b.T / 0.2
    return -jax.nn.log_softmax(scores)[jnp.arange(SIZE), jnp.arange(SIZE)].mean(), {}


def no_negatives(params, batch):
    """Only the pairs pull: every embedding ends in one point."""
    a, b = embedded(params, batch["x"]), embedded(params, batch["x2"])
    return (2 - 2 * (a * b).sum(-1)).mean(), {}


def train(log, seed, objective=loss, mixed=False, lr=1e-3):
    rng = np.random.default_rng(seed)
    x = (load_digits(return_X_y=True)[0] / 16 - 0.3).astype(np.float32)

    def batches(step):
        rows = rng.integers(0, len(x), SIZE)
        views = [x[rows] + rng.normal(0, 0.15, (SIZE, 64)).astype(np.float32) for _ in range(2)]
        if mixed:  # the loader shuffles the two views apart
            views[1] = views[1][rng.permutation(SIZE)]
        return {"x": views[0], "x2": views[1]}

    params = mlp(rng, 64, 128, 32)
    last = {}

    def change(step, params, state):
        if step % 50 == 0:
            e = np.asarray(embedded(params, x[:200]))
            cosines = (e @ e.T)[~np.eye(200, dtype=bool)]
            log.event("prediction_stats", step, split="train", num_samples=200, pairwise_cosine_mean=cosines.mean())
        return params, state

    log.start(project="views", task="contrastive", global_batch_size=SIZE, max_steps=STEPS)
    fit(log, objective, params, batches, lr=lr, steps=STEPS, change=change)
    log.finish()


RUNS = [
    Run("healthy", train, USUAL, seeds=2),
    Run("healthy", train, LOSS, seeds=2),
    Run("no-negatives", lambda log, seed: train(log, seed, no_negatives), USUAL,
        [must("prediction_collapse", 1, STEPS)], STUCK),
    Run("views-apart", lambda log, seed: train(log, seed, mixed=True), USUAL_10,
        [must("not_learning loss_plateau", 1, STEPS, "labels_do_not_match_inputs")], STUCK),
]
