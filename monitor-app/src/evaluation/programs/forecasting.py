"""Forecasts of a load curve (day, week, noise) by a gated recurrent unit."""

import jax
import jax.numpy as jnp
import numpy as np

from logs import EPOCHS, FULL, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import CLIPPED_ADAM, SGD, dense, fit

STEPS, WIDTH, PAST = 900, 24, 24


def load(rng, hours=6000):
    t = np.arange(hours)
    curve = np.sin(2 * np.pi * t / 24) + 0.4 * np.sin(2 * np.pi * t / 168) + rng.normal(0, 0.25, hours)
    return curve.astype(np.float32)


def loss(params, batch):
    def cell(h, value):
        z = jax.nn.sigmoid(value @ params["gate"]["x"] + h @ params["gate"]["h"])
        c = jnp.tanh(value @ params["cell"]["x"] + h @ params["cell"]["h"])
        return (1 - z) * h + z * c, ()
    steps = batch["x"].T[..., None]
    h, _ = jax.lax.scan(cell, jnp.zeros((batch["x"].shape[0], WIDTH)), steps)
    guess = (h @ params["out"]["w"] + params["out"]["b"])[:, 0]
    return ((guess - batch["y"]) ** 2).mean(), {}


def train(log, seed, fault=None, lr=3e-3, optimizer=CLIPPED_ADAM):
    rng = np.random.default_rng(seed)
    curve = load(rng)
    cut = 4800

    def windows(draw, low, high, size):
        at = draw.integers(low, high - PAST - 1, size)[:, None] + np.arange(PAST + 1)
        return {"x": curve[at[:, :-1]], "y": curve[at[:, -1]]}

    def batches(step):
        batch = windows(rng, 0, cut, 48)
        if fault == "unit_changed" and step > 450:  # from kW to W
            batch = {"x": batch["x"] * 1000, "y": batch["y"]}
        if fault == "sensor_dead" and step > 450:
            batch = {"x": np.zeros_like(batch["x"]), "y": batch["y"]}
        if fault == "nan" and step == 500:
            batch["x"][3, 4] = np.nan
        return batch

    def layer():
        return {"x": jnp.asarray(rng.normal(0, 0.5, (1, WIDTH)), jnp.float32),
                "h": jnp.asarray(rng.normal(0, 0.2, (WIDTH, WIDTH)), jnp.float32)}

    params = {"gate": layer(), "cell": layer(), "out": dense(rng, WIDTH, 1, 1.0)}
    held_out, judged = windows(np.random.default_rng(0), cut, len(curve), 400), jax.jit(loss)
    log.start(project="load", task="regression", loss_function="mse", max_steps=STEPS)
    fit(log, loss, params, batches, lr=lr, steps=STEPS, optimizer=optimizer,
        evaluate=lambda p: {"loss": float(judged(p, held_out)[0])}, evaluate_every=30)
    log.finish()


RUNS = [
    Run("healthy", train, FULL, seeds=2),
    Run("healthy", train, EPOCHS, seeds=2),
    Run("unit-changed", lambda log, seed: train(log, seed, "unit_changed"), FULL,
        [must("feature_drift abnormal_input loss_spike", 451, 600, "data_source_changed")],
        UNSTABLE + ["feature_drift", "abnormal_input"]),
    Run("sensor-dead", lambda log, seed: train(log, seed, "sensor_dead"), FULL,
        [must("feature_drift abnormal_input loss_spike", 451, 600)], UNSTABLE + ["feature_drift", "abnormal_input"]),
    Run("nan-in-window", lambda log, seed: train(log, seed, "nan"), USUAL,
        [must("non_finite_loss", 500, 501)], UNSTABLE),
]
