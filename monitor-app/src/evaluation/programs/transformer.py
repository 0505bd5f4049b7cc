"""A character language model: one-block transformer on the source text of Python's library."""

import argparse
import inspect
import textwrap

import jax
import jax.numpy as jnp
import numpy as np

from logs import FULL, JSON, MEAN_20, TEXT, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, CLIPPED_ADAM, cosine, cross_entropy, fit

STEPS, WIDTH, LENGTH, SIZE = 800, 32, 32, 16
TEXT_OF = inspect.getsource(argparse) + inspect.getsource(textwrap)
LETTERS = sorted(set(TEXT_OF))
IDS = np.array([LETTERS.index(c) for c in TEXT_OF], np.int32)


def model(rng, gain=1.0):
    def matrix(a, b):
        return jnp.asarray(rng.normal(0, gain / np.sqrt(a), (a, b)), jnp.float32)
    return {
        "embedding": {"token": jnp.asarray(rng.normal(0, 0.1, (len(LETTERS), WIDTH)), jnp.float32),
                      "place": jnp.asarray(rng.normal(0, 0.1, (LENGTH, WIDTH)), jnp.float32)},
        "attention": {"qkv": matrix(WIDTH, 3 * WIDTH), "out": matrix(WIDTH, WIDTH)},
        "mlp": {"up": matrix(WIDTH, 4 * WIDTH), "down": matrix(4 * WIDTH, WIDTH)},
        "norm": {"a": jnp.ones(WIDTH), "b": jnp.ones(WIDTH), "c": jnp.ones(WIDTH)},
        "head": {"w": matrix(WIDTH, len(LETTERS))},
    }


def logits(params, tokens):
    def norm(x, scale):
        return scale * (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
    n = tokens.shape[1]
    x = params["embedding"]["token"][tokens] + params["embedding"]["place"][:n]
    q, k, v = jnp.split(norm(x, params["norm"]["a"]) @ params["attention"]["qkv"], 3, -1)
    scores = jnp.einsum("btd,bsd->bts", q, k) / np.sqrt(WIDTH)
    scores = jnp.where(np.tri(n, dtype=bool), scores, -1e9)
    x = x + jax.nn.softmax(scores) @ v @ params["attention"]["out"]
    hidden = jax.nn.gelu(norm(x, params["norm"]["b"]) @ params["mlp"]["up"])
    x = x + hidden @ params["mlp"]["down"]
    return norm(x, params["norm"]["c"]) @ params["head"]["w"]


def loss(params, batch):
    return cross_entropy(logits(params, batch["x"]), batch["y"]), {}


def windows(rng, ids, length=LENGTH, size=SIZE):
    def batch(step):
        at = rng.integers(0, len(ids) - length - 1, size)[:, None] + np.arange(length + 1)
        return {"x": ids[at[:, :-1]], "y": ids[at[:, 1:]]}
    return batch


def train(log, seed, lr=cosine(3e-3, STEPS, 50), optimizer=CLIPPED_ADAM, steps=STEPS, data=None, batches=None, **facts):
    rng = np.random.default_rng(seed)
    cut = int(0.9 * len(IDS))
    ids = IDS[:cut] if data is None else data(IDS[:cut])
    held_out = windows(np.random.default_rng(0), IDS[cut:], size=64)(0)
    judged = jax.jit(loss)
    draw = windows(rng, ids)
    log.start(project="charlm", task="language_modeling", vocab_size=len(LETTERS), loss_function="cross_entropy",
              optimizer="adamw", max_steps=steps, max_grad_norm=1.0, **facts)
    fit(log, loss, model(rng), batches(draw) if batches else draw, lr=lr, steps=steps, optimizer=optimizer,
        evaluate=lambda p: {"loss": float(judged(p, held_out)[0])}, evaluate_every=50)
    log.finish()


def dropped_to_nothing(step):
    """The schedule counts micro-batches: it is over after a quarter of the steps."""
    return cosine(3e-3, 200, 50)(min(step, 200))


def ramp(step):
    """A warm-up that nobody ends."""
    return 1e-3 if step < 300 else 1e-3 * 1.03 ** (step - 300)


def another_language(draw):
    """From step 400 on the loader reads compressed bytes: tokens without any structure."""
    rng = np.random.default_rng(7)

    def batches(step):
        batch = draw(step)
        if step > 400:
            noise = rng.integers(0, len(LETTERS), (SIZE, LENGTH + 1)).astype(np.int32)
            batch = {"x": noise[:, :-1], "y": noise[:, 1:]}
        return batch
    return batches


RUNS = [
    Run("healthy", train, TEXT, seeds=2),
    Run("healthy", train, USUAL, seeds=2),
    Run("healthy-no-warmup-constant", lambda log, seed: train(log, seed, lr=2e-3), MEAN_20, seeds=2),
    Run("schedule-too-short", lambda log, seed: train(log, seed, lr=dropped_to_nothing, steps=1600), USUAL,
        [must("loss_plateau unchanged_weights learning_rate_too_low", 200, 1600, "schedule_ended")],
        STUCK),
    Run("lr-ramp", lambda log, seed: train(log, seed, lr=ramp, optimizer=ADAM), USUAL,
        [must("loss_divergence loss_spike exploding_gradient non_finite_loss learning_rate_too_high", 330, STEPS,
              "learning_rate_too_high")], UNSTABLE),
    Run("lr-too-high", lambda log, seed: train(log, seed, lr=1.0), TEXT,
        [must("not_learning loss_plateau loss_divergence learning_rate_too_high loss_spike", 1, STEPS)], UNSTABLE),
    Run("noise-shard", lambda log, seed: train(log, seed, lr=1e-3, batches=another_language), USUAL,
        [must("loss_spike loss_divergence", 401, 450)], UNSTABLE),
    Run("memorises-a-page", lambda log, seed: train(log, seed, lr=3e-3, data=lambda ids: ids[:600]), USUAL,
        [must("train_val_divergence", 50, STEPS, "overfitting")], ["metric_drift", "loss_plateau"]),
]
