"""A generative adversarial network for points on a ring of eight clusters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from logs import Way
from plan import Run, must
from training import forward, histogram, mlp

STEPS = 2500
LOSSES = Way("losses", "events", "loss lr grad_norm evaluation")
LOSSES_10 = Way("losses10", "events", "loss", every=10)
FIELDS = ("loss_spike loss_divergence loss_plateau not_learning exploding_gradient vanishing_gradient "
          "prediction_collapse metric_drift").split()


def ring(rng, size):
    angle = rng.integers(0, 8, size) * np.pi / 4
    return (np.stack([np.cos(angle), np.sin(angle)], 1) * 2 + rng.normal(0, 0.05, (size, 2))).astype(np.float32)


def generated(g, z):
    return forward(g, z)[0]


def d_loss(d, g, real, z):
    yes, no = forward(d, real)[0], forward(d, generated(g, z))[0]
    return (jax.nn.softplus(-yes) + jax.nn.softplus(no)).mean()


def g_loss(g, d, z):
    return jax.nn.softplus(-forward(d, generated(g, z))[0]).mean()


ADAM_05 = optax.scale_by_adam(b1=0.5)


@jax.jit
def both(d, g, ds, gs, real, z1, z2, d_lr, g_lr):
    dl, dg = jax.value_and_grad(d_loss)(d, g, real, z1)
    up, ds = ADAM_05.update(dg, ds)
    d = optax.apply_updates(d, jax.tree.map(lambda u: -d_lr * u, up))
    gl, gg = jax.value_and_grad(g_loss)(g, d, z2)
    up, gs = ADAM_05.update(gg, gs)
    g = optax.apply_updates(g, jax.tree.map(lambda u: -g_lr * u, up))
    return d, g, ds, gs, dl, gl, optax.global_norm((dg, gg))


def train(log, seed, d_lr=5e-4, g_lr=5e-4):
    rng = np.random.default_rng(seed)
    d, g = mlp(rng, 2, 64, 64, 1), mlp(rng, 8, 64, 64, 2)
    ds, gs = ADAM_05.init(d), ADAM_05.init(g)
    log.start(project="ring", task="gan", max_steps=STEPS,
              metrics=[{"name": "clusters_found", "mode": "max", "primary": True}])
    for step in range(1, STEPS + 1):
        z1, z2 = rng.normal(size=(2, 128, 8)).astype(np.float32)
        d, g, ds, gs, dl, gl, norm = both(d, g, ds, gs, ring(rng, 128), z1, z2, d_lr, g_lr)
        log.step(step, gl + dl, learning_rate=g_lr, grad_norm=float(norm), losses={"d_loss": float(dl), "g_loss": float(gl)})
        if step % 250 == 0:
            points = np.asarray(generated(g, rng.normal(size=(1000, 8)).astype(np.float32)))
            clusters = np.round(np.arctan2(points[:, 1], points[:, 0]) / (np.pi / 4)) % 8
            log.evaluation(step, {"clusters_found": float(len(np.unique(clusters)))})
            log.event("prediction_stats", step, split="train", num_samples=1000, predicted_class_histogram=histogram(clusters.astype(int)))
    log.finish()


RUNS = [
    Run("healthy", train, LOSSES, seeds=2),
    Run("healthy", train, LOSSES_10, seeds=2),
    Run("discriminator-wins", lambda log, seed: train(log, seed, d_lr=5e-3, g_lr=1e-6), LOSSES,
        [must("not_learning loss_divergence loss_plateau vanishing_gradient", 1, STEPS)], FIELDS),
    Run("mode-collapse", lambda log, seed: train(log, seed, d_lr=1e-4, g_lr=1e-2), LOSSES,
        [must("prediction_collapse metric_drift", 1, STEPS)], FIELDS),
]
