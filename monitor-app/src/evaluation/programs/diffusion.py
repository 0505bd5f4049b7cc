"""A denoising diffusion model for two moons: the loss falls early and then stays on a noisy floor."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import make_moons

from logs import JSON, LOSS, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, fit, forward, mlp

STEPS, TIMES = 2000, 100
SIGNAL = np.cumprod(1 - np.linspace(1e-4, 0.04, TIMES)).astype(np.float32)


def loss(params, batch):
    out, seen = forward(params, batch["x"], jax.nn.silu, "silu")
    return ((out - batch["y"]) ** 2).mean(), {"activations": seen}


def train(log, seed, fault=None, lr=1e-3):
    rng = np.random.default_rng(seed)
    points = make_moons(4000, noise=0.06, random_state=seed)[0].astype(np.float32)

    def batches(step):
        clean = points[rng.integers(0, len(points), 128)]
        t = rng.integers(0, TIMES, 128)
        noise = rng.normal(size=clean.shape).astype(np.float32)
        mixed = np.sqrt(SIGNAL[t])[:, None] * clean + np.sqrt(1 - SIGNAL[t])[:, None] * noise
        if fault == "target_mixed_up":  # the noise to be guessed is that of another sample
            noise = rng.permutation(noise)
        if fault == "exploding_batch" and step == 1200:
            mixed = mixed * 1e4
        return {"x": np.concatenate([mixed, (t / TIMES - 0.5)[:, None].astype(np.float32)], 1), "y": noise}

    log.start(project="moons", model_name="ddpm", loss_function="mse", max_steps=STEPS)
    fit(log, loss, mlp(rng, 3, 96, 96, 2), batches, lr=lr, steps=STEPS)
    log.finish()


RUNS = [
    Run("healthy", train, LOSS, seeds=2),
    Run("healthy", train, JSON, seeds=2),
    Run("target-mixed-up", lambda log, seed: train(log, seed, "target_mixed_up"), USUAL,
        [must("not_learning loss_plateau", 1, STEPS, "labels_do_not_match_inputs")], STUCK),
    Run("exploding-batch", lambda log, seed: train(log, seed, "exploding_batch"), USUAL,
        [must("loss_spike exploding_gradient", 1200, 1203, "bad_batch")], UNSTABLE),
]
