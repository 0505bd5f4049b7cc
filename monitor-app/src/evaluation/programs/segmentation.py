"""Segmentation of small pictures (which pixels belong to the disc?), with batch normalisation and a Dice score."""

import jax
import jax.numpy as jnp
import numpy as np

from logs import FULL, LIGHTNING, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, cosine, fit, shuffler

EDGE, STEPS = 16, 500


def pictures(rng, count):
    rows, cols = np.mgrid[:EDGE, :EDGE]
    centre, radius = rng.uniform(3, 13, (count, 2, 1, 1)), rng.uniform(2, 4, (count, 1, 1))
    mask = ((rows - centre[:, 0]) ** 2 + (cols - centre[:, 1]) ** 2 < radius**2)
    x = 1.2 * mask + rng.normal(0, 0.7, mask.shape)
    return x[..., None].astype(np.float32), mask.astype(np.float32)


def layer(rng, a, b):
    return {"w": jnp.asarray(rng.normal(0, np.sqrt(2 / (9 * a)), (3, 3, a, b)), jnp.float32), "b": jnp.zeros(b),
            "scale": jnp.ones(b)}


def outputs(params, x):
    seen = {}
    for name in ("conv1", "conv2", "conv3"):
        p = params[name]
        x = jax.lax.conv_general_dilated(x, p["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        if name != "conv3":
            x = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)
            x = jax.nn.relu(x * p["scale"] + p["b"])
            seen[f"{name}.relu"] = x
        else:
            x = x * p["scale"] + p["b"]
    return x[..., 0], seen


def loss(params, batch):
    out, seen = outputs(params, batch["x"])
    y = batch["y"]
    entropy = (jax.nn.softplus(out) - y * out).mean()
    chance = jax.nn.sigmoid(out)
    dice = 1 - (2 * (chance * y).sum() + 1) / (chance.sum() + y.sum() + 1)
    return entropy + dice, {"activations": seen, "losses": {"bce_loss": entropy, "dice_loss": dice}}


def train(log, seed, count=1200, masks_mixed=False, optimizer=ADAM, lr=3e-3, steps=STEPS, broken_from=None):
    rng = np.random.default_rng(seed)
    x, y = pictures(rng, count)
    vx, vy = pictures(rng, 200)
    if masks_mixed:
        y = rng.permutation(y)
    size, judged = 16, jax.jit(loss)
    draw, per_epoch = shuffler(rng, x, y, size), len(x) // size

    def batches(step):
        batch = draw(step)
        if broken_from is not None and step >= broken_from:  # masks of the pictures before
            batch["y"] = np.roll(batch["y"], 1, 0)
        return batch

    log.start(project="discs", model_name="segmenter", max_steps=steps, steps_per_epoch=per_epoch)
    fit(log, loss, {"conv1": layer(rng, 1, 8), "conv2": layer(rng, 8, 8), "conv3": layer(rng, 8, 1)}, batches, lr=lr,
        steps=steps, optimizer=optimizer, evaluate=lambda p: {"loss": float(judged(p, {"x": vx, "y": vy})[0])},
        evaluate_every=25, steps_per_epoch=per_epoch)
    log.finish()


RUNS = [
    Run("healthy", train, FULL, seeds=2),
    Run("healthy", lambda log, seed: train(log, seed, lr=cosine(5e-3, STEPS, 30)), LIGHTNING, seeds=2),
    Run("masks-mixed", lambda log, seed: train(log, seed, masks_mixed=True), USUAL,
        [must("not_learning loss_plateau train_val_divergence", 1, STEPS, "labels_do_not_match_inputs")], STUCK),
    Run("masks-shifted", lambda log, seed: train(log, seed, broken_from=250), USUAL,
        [must("loss_spike loss_divergence", 250, 300)], UNSTABLE),
]
