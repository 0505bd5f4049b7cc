"""Word vectors by skip-gram with negative sampling, on the words of Python's library."""

import inspect
import re
import argparse
import typing

import jax
import jax.numpy as jnp
import numpy as np

from logs import LOSS_10, MEAN_20, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, SGD, fit

STEPS, WIDTH, NEGATIVES = 3000, 24, 5
WORDS = re.findall(r"[a-z_]+", (inspect.getsource(argparse) + inspect.getsource(typing)).lower())
KNOWN = sorted(w for w in set(WORDS) if WORDS.count(w) > 4)
IDS = np.array([KNOWN.index(w) for w in WORDS if w in set(KNOWN)], np.int32)


def loss(params, batch):
    middle = params["in"]["w"][batch["x"]]
    near = params["out"]["w"][batch["y"]]
    far = params["out"]["w"][batch["others"]]
    good = jax.nn.log_sigmoid((middle * near).sum(-1))
    bad = jax.nn.log_sigmoid(-jnp.einsum("bd,bnd->bn", middle, far)).sum(-1)
    return -(good + bad).mean(), {}


def train(log, seed, lr=5e-3, optimizer=ADAM, frozen_after=None):
    rng = np.random.default_rng(seed)

    def batches(step):
        at = rng.integers(3, len(IDS) - 3, 128)
        return {"x": IDS[at], "y": IDS[at + rng.choice([-2, -1, 1, 2], 128)],
                "others": IDS[rng.integers(0, len(IDS), (128, NEGATIVES))]}

    params = {name: {"w": jnp.asarray(rng.normal(0, 0.1, (len(KNOWN), WIDTH)), jnp.float32)} for name in ("in", "out")}
    log.start(project="words", model_name="skip-gram", max_steps=STEPS)
    rate = lr if frozen_after is None else (lambda step: lr if step <= frozen_after else 0.0)
    fit(log, loss, params, batches, lr=rate, steps=STEPS, optimizer=optimizer)
    log.finish()


RUNS = [
    Run("healthy", train, USUAL, seeds=2),
    Run("healthy", train, MEAN_20, seeds=2),
    Run("lr-gone", lambda log, seed: train(log, seed, frozen_after=400), USUAL,
        [must("loss_plateau unchanged_weights learning_rate_too_low not_learning", 401, STEPS, "schedule_ended")], STUCK),
    Run("lr-too-high", lambda log, seed: train(log, seed, lr=30.0, optimizer=ADAM), LOSS_10,
        [must("loss_divergence not_learning loss_plateau loss_spike learning_rate_too_high", 1, STEPS)], UNSTABLE),
]
