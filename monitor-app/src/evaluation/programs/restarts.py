"""Schedules that jump: warm restarts, steps down, and a job that is killed and goes on from its checkpoint."""

import jax
import numpy as np
import optax
from sklearn.datasets import load_digits

from logs import JSON, LOSS, TEXT, USUAL
from plan import UNSTABLE, Run, must
from training import ADAM, MOMENTUM, cross_entropy, fit, forward, mlp, sampler, split

STEPS = 1200


def loss(params, batch):
    logits, seen = forward(params, batch["x"])
    return cross_entropy(logits, batch["y"]), {"classes": logits.argmax(-1), "activations": seen}


def warm_restarts(step):
    return 0.05 * 0.5 * (1 + np.cos(np.pi * ((step - 1) % 300) / 300))


def steps_down(step):
    return 0.1 * 0.1 ** ((step > 500) + (step > 900))


def setting(seed):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x = (x - 4.9) / 6 + rng.normal(0, 0.6, x.shape)  # noisy, so that it is not learned by heart at once
    x, y, vx, vy = split(rng, x.astype(np.float32), y.astype(np.int32))
    return rng, sampler(rng, x, y, 48), jax.jit(lambda p: loss(p, {"x": vx, "y": vy})[0])


def train(log, seed, lr, optimizer=MOMENTUM):
    rng, draw, judged = setting(seed)
    log.start(project="schedules", task="classification", num_classes=10, loss_function="cross_entropy", max_steps=STEPS)
    fit(log, loss, mlp(rng, 64, 48, 10), draw, lr=lr, steps=STEPS, optimizer=optimizer,
        evaluate=lambda p: {"loss": float(judged(p))}, evaluate_every=100)
    log.finish()


def resumed(log, seed, restored=True):
    """Checkpoints at 200, 400, ...; killed at 560, goes on from 400. What is not restored begins anew."""
    rng, draw, judged = setting(seed)
    kept = {}

    def save(step, params, state):
        if step % 200 == 0:
            kept[step] = params, state
            log.event("checkpoint_saved", step, path=f"step-{step}")
        return params, state

    facts = dict(project="schedules", task="classification", num_classes=10, loss_function="cross_entropy", max_steps=STEPS)
    same = dict(lr=1e-3, optimizer=ADAM, evaluate=lambda p: {"loss": float(judged(p))}, evaluate_every=100, change=save)
    log.start(**facts)
    fit(log, loss, mlp(rng, 64, 48, 10), draw, steps=560, **same)
    log.back_to(400)
    if hasattr(log, "again"):
        log.again()
    params, state = kept[400]
    log.start(**facts, resumed_from_step=400)
    log.event("checkpoint_loaded", 400, path="step-400")
    if not restored:  # the path was wrong and the loader does not complain: fresh weights
        params, state = mlp(rng, 64, 48, 10), None
    fit(log, loss, params, draw, first=401, state=state, steps=STEPS, **same)
    log.finish()


LATE = ["train_val_divergence"]
"""The evaluation loss rises by a tenth to a sixth while the training loss goes to nothing: it would be right."""

RUNS = [
    Run("healthy-warm-restarts", lambda log, seed: train(log, seed, warm_restarts), USUAL, allow=LATE, seeds=2),
    Run("healthy-warm-restarts", lambda log, seed: train(log, seed, warm_restarts), LOSS, seeds=2),
    Run("healthy-step-decay", lambda log, seed: train(log, seed, steps_down), USUAL, allow=LATE, seeds=2),
    Run("healthy-step-decay", lambda log, seed: train(log, seed, steps_down), JSON, allow=LATE, seeds=2),
    Run("healthy-resumed", resumed, USUAL, seeds=2),
    Run("healthy-resumed", resumed, TEXT, seeds=2),
    Run("weights-not-restored", lambda log, seed: resumed(log, seed, restored=False), USUAL,
        [must("loss_spike loss_divergence", 401, 500, "state_not_restored")], UNSTABLE),
]
