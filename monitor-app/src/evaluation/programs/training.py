"""What the programs share: an optimizer step, the statistics that a careful user logs, and small layers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from summaries import histogram, inputs, predictions, summary

ADAM = optax.scale_by_adam()
CLIPPED_ADAM = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())
SGD = optax.identity()
MOMENTUM = optax.trace(0.9)


def decayed(decay):
    """AdamW with the decay of the weights inside the step."""
    return optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(decay))


@functools.partial(jax.jit, static_argnums=(0, 1))
def update(loss, optimizer, params, state, batch, lr):
    """One step. loss(params, batch) gives the loss and what else was seen, e.g. activations and predictions."""
    (value, seen), grads = jax.value_and_grad(loss, has_aux=True)(params, batch)
    updates, state = optimizer.update(grads, state, params)
    updates = jax.tree.map(lambda u: -lr * u, updates)
    return optax.apply_updates(params, updates), state, value, optax.global_norm(grads), grads, seen


@functools.partial(jax.jit, static_argnums=0)
def measure(loss, params, batch):
    return loss(params, batch)


def fit(log, loss, params, batches, *, lr, steps, optimizer=ADAM, first=1, state=None, evaluate=None,
        evaluate_every=100, steps_per_epoch=None, change=None, activations_dead=()):
    """Trains and tells the log.

    batches: function of the step to a batch, a dict of arrays; "x" and "y" are what batch statistics are made of
    lr: learning rate, or a function of the step to it
    evaluate: function of params to metrics by name
    change: function of (step, params, state) to both, for what happens besides
    """
    state = optimizer.init(params) if state is None else state
    for step in range(first, steps + 1):
        batch = batches(step)
        rate = lr(step) if callable(lr) else lr
        params, state, value, norm, grads, seen = update(loss, optimizer, params, state, batch, rate)
        epoch = step / steps_per_epoch if steps_per_epoch else None
        losses = {k: float(v) for k, v in seen.get("losses", {}).items()} or None
        log.step(step, value, epoch, learning_rate=rate, grad_norm=float(norm), losses=losses)
        if log.wants("tensors") and (step <= 10 or step % 100 == 0):
            log.event("tensor_stats", step, tensors=tensors(params, grads, seen.get("activations", {})))
        if log.wants("inputs") and step % 10 == 0:
            log.event("batch_stats", step, **inputs(batch))
        if log.wants("predictions") and step % 10 == 0 and "classes" in seen:
            log.event("prediction_stats", step, **predictions(seen["classes"], batch["y"]))
        if evaluate is not None and step % evaluate_every == 0:
            log.evaluation(step, evaluate(params), epoch)
        if change is not None:
            params, state = change(step, params, state)
    return params, state


def tensors(params, grads, activations):
    """Weights, gradients and activations of one step, as forward and backward hooks give them."""
    rows = []
    for name in params:
        for part in params[name]:
            rows.append(summary(f"{name}.{part}", "weight", params[name][part]))
            rows.append(summary(f"{name}.{part}", "gradient", grads[name][part]))
    for name, values in activations.items():
        row = summary(name, "activation", values)
        if "relu" in name:
            units = np.asarray(values).reshape(-1, values.shape[-1])
            row |= {"dead_unit_fraction": float((units == 0).all(0).mean()), "dead_window_batches": 1}
        rows.append(row)
    return rows


def dense(rng, fan_in, fan_out, gain=2.0):
    """A layer initialised after He (gain 2) or LeCun (gain 1)."""
    return {"w": jnp.asarray(rng.normal(0, np.sqrt(gain / fan_in), (fan_in, fan_out)), jnp.float32),
            "b": jnp.zeros(fan_out)}


def mlp(rng, *sizes, gain=2.0):
    return {f"layer{i}": dense(rng, a, b, gain) for i, (a, b) in enumerate(zip(sizes, sizes[1:]))}


def forward(params, x, activation=jax.nn.relu, name="relu"):
    """An MLP; gives its output and its activations by name."""
    seen, layers = {}, list(params)
    for layer in layers[:-1]:
        x = activation(x @ params[layer]["w"] + params[layer]["b"])
        seen[f"{layer}.{name}"] = x
    return x @ params[layers[-1]]["w"] + params[layers[-1]]["b"], seen


def cross_entropy(logits, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def sampler(rng, x, y, size):
    """Batches drawn at random, as function of the step."""
    def batch(step):
        rows = rng.integers(0, len(x), size)
        return {"x": x[rows], "y": y[rows]}
    return batch


def shuffler(rng, x, y, size):
    """Batches of epochs, each in a new order."""
    order, per_epoch = None, len(x) // size
    def batch(step):
        nonlocal order
        at = (step - 1) % per_epoch
        if at == 0 or order is None:
            order = rng.permutation(len(x))
        rows = order[at * size:(at + 1) * size]
        return {"x": x[rows], "y": y[rows]}
    return batch


def split(rng, x, y, share=0.75):
    order = rng.permutation(len(x))
    cut = int(share * len(x))
    return x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]]


def cosine(peak, steps, warmup=0):
    def rate(step):
        if step <= warmup:
            return peak * step / warmup
        return peak * 0.5 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))
    return rate
