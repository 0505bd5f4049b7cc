"""Half precision with a loss scaler and gradients added up over four micro-batches, as GradScaler does it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

from logs import USUAL
from plan import UNSTABLE, Run, must
from training import ADAM, cross_entropy, forward, mlp, split

STEPS, MICRO = 800, 4


@jax.jit
def micro(params, x, y, scale):
    """Scaled gradient of a micro-batch, forward and backward in fp16."""
    def scaled(p):
        half = jax.tree.map(lambda a: a.astype(jnp.float16), p)
        value = cross_entropy(forward(half, x.astype(jnp.float16))[0].astype(jnp.float32), y)
        return value * scale, value
    grads, value = jax.grad(scaled, has_aux=True)(params)
    return jax.tree.map(lambda g: g.astype(jnp.float16).astype(jnp.float32), grads), value


@jax.jit
def apply(params, state, grads, lr):
    updates, state = ADAM.update(grads, state)
    return optax.apply_updates(params, jax.tree.map(lambda u: -lr * u, updates)), state


def train(log, seed, fault=None):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x, y, vx, vy = split(rng, ((x - 4.9) / 6).astype(np.float32), y.astype(np.int32))
    params = mlp(rng, 64, 96, 96, 10)
    state, scale, good = ADAM.init(params), 2.0**16, 0
    log.start(project="amp", task="classification", num_classes=10, precision="fp16", gradient_accumulation_steps=MICRO,
              max_steps=STEPS)
    for step in range(1, STEPS + 1):
        total, value = None, 0.0
        for _ in range(MICRO):
            rows = rng.integers(0, len(x), 16)
            bx = x[rows] * (30000.0 if fault == "overflow" and step > 400 else 1.0)  # beyond what fp16 can hold
            grads, one = micro(params, bx, y[rows], scale)
            total = grads if total is None else jax.tree.map(jnp.add, total, grads)
            value += float(one) / MICRO
        mean = jax.tree.map(lambda g: g / (scale * MICRO), total)
        norm = float(optax.global_norm(mean))
        skipped = not np.isfinite(norm)
        log.step(step, value, learning_rate=1e-3, grad_norm=norm, loss_scale=scale, optimizer_step_skipped=skipped)
        if skipped:
            scale, good = scale / 2, 0
        else:
            params, state = apply(params, state, mean, 1e-3)
            good += 1
            if good % 200 == 0:
                scale *= 2
        if step % 50 == 0:
            logits, _ = forward(params, vx)
            log.evaluation(step, {"loss": float(cross_entropy(logits, vy)), "accuracy": float((logits.argmax(-1) == vy).mean())})
        scale = max(scale, 2.0**-14)
    log.finish()


RUNS = [
    Run("healthy", train, USUAL, seeds=2),
    Run("overflow", lambda log, seed: train(log, seed, "overflow"), USUAL,
        [must("non_finite_gradient non_finite_loss", 401, 500)], UNSTABLE),
]
