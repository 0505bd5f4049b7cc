"""Deep networks: sigmoid layers through which no gradient comes, residual ones through which it does, and frozen layers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

from logs import FULL, USUAL, Way
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, MOMENTUM, SGD, cross_entropy, dense, fit, forward, mlp, sampler, split

STEPS, DEPTH = 1200, 10
TENSORS_ONLY = Way("tensors", "events", "loss tensors")


def sigmoid_loss(params, batch):
    logits, seen = forward(params, batch["x"], jax.nn.sigmoid, "sigmoid")
    return cross_entropy(logits, batch["y"]), {"activations": seen, "classes": logits.argmax(-1)}


def residual_loss(params, batch):
    x = batch["x"] @ params["in"]["w"] + params["in"]["b"]
    seen = {}
    for name in params:
        if name.startswith("block"):
            a = jax.nn.relu(x @ params[name]["w"] + params[name]["b"])
            seen[f"{name}.relu"] = a
            x = x + a / DEPTH
    logits = x @ params["out"]["w"] + params["out"]["b"]
    return cross_entropy(logits, batch["y"]), {"activations": seen, "classes": logits.argmax(-1)}


def residual(rng):
    return {"in": dense(rng, 64, 48, 1.0)} | {f"block{i}": dense(rng, 48, 48) for i in range(DEPTH)} | {"out": dense(rng, 48, 10, 1.0)}


def all_but(name):
    """The optimizer was made before the layer was replaced: the new layer is in no parameter group."""
    def mask(params):
        return {k: k == name for k in params}
    return optax.chain(optax.scale_by_adam(), optax.masked(optax.set_to_zero(), mask))


WITHOUT_BLOCK_2 = all_but("block2")


def train(log, seed, objective=residual_loss, network=residual, optimizer=ADAM, lr=1e-3, scale=1.0):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x, y, vx, vy = split(rng, ((x - 4.9) / 6).astype(np.float32), y.astype(np.int32))
    params = jax.tree.map(lambda a: a * scale, network(rng))
    judged = jax.jit(lambda p: objective(p, {"x": vx, "y": vy})[0])
    log.start(project="depth", task="classification", num_classes=10, loss_function="cross_entropy", max_steps=STEPS)
    fit(log, objective, params, sampler(rng, x, y, 32), lr=lr, steps=STEPS, optimizer=optimizer,
        evaluate=lambda p: {"loss": float(judged(p))}, evaluate_every=100)
    log.finish()


def deep_sigmoid(rng):
    return mlp(rng, 64, *[32] * 8, 10, gain=1.0)


RUNS = [
    Run("healthy-residual", train, FULL, allow=["train_val_divergence"], seeds=2),
    Run("healthy-residual", train, TENSORS_ONLY, seeds=2),
    Run("deep-sigmoid", lambda log, seed: train(log, seed, sigmoid_loss, deep_sigmoid, SGD, 0.1), FULL,
        [must("vanishing_gradient not_learning", 1, STEPS, "vanishing_gradient")], STUCK),
    Run("layer-not-in-optimizer", lambda log, seed: train(log, seed, optimizer=WITHOUT_BLOCK_2), FULL,
        [must("unchanged_weights", 1, STEPS, "parameters_not_updated")], ["train_val_divergence"]),
    Run("initialised-too-large", lambda log, seed: train(log, seed, scale=8.0), FULL,
        [must("abnormal_weights", 1, 300, "weight_initialisation")], UNSTABLE),
]
