"""A small convolutional network for images (8x8 digits), with batch normalisation where a case needs it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

from logs import EPOCHS, FULL, JSON, LOSS_10, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import ADAM, CLIPPED_ADAM, SGD, cosine, cross_entropy, dense, fit, shuffler, split

STEPS = 1200


def images(seed):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x = ((x - 4.9) / 6.0).astype(np.float32).reshape(-1, 8, 8, 1)
    return rng, *split(rng, x, y.astype(np.int32))


def network(rng, gain=2.0):
    def filters(a, b):
        return {"w": jnp.asarray(rng.normal(0, np.sqrt(gain / (9 * a)), (3, 3, a, b)), jnp.float32), "b": jnp.zeros(b)}
    return {"conv1": filters(1, 16), "conv2": filters(16, 32), "head": dense(rng, 4 * 4 * 32, 10)}


def features(params, x):
    def conv(x, layer, stride):
        out = jax.lax.conv_general_dilated(x, layer["w"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return out + layer["b"]
    a = jax.nn.relu(conv(x, params["conv1"], 1))
    b = jax.nn.relu(conv(a, params["conv2"], 2))
    return b.reshape(len(x), -1) @ params["head"]["w"] + params["head"]["b"], {"relu1": a, "relu2": b}


def loss(params, batch):
    logits, seen = features(params, batch["x"])
    return cross_entropy(logits, batch["y"]), {"activations": seen, "classes": logits.argmax(-1)}


def smoothed(params, batch):
    """Label smoothing: the loss has a floor well above 0."""
    logits, seen = features(params, batch["x"])
    labels = optax.smooth_labels(jax.nn.one_hot(batch["y"], 10), 0.1)
    return optax.softmax_cross_entropy(logits, labels).mean(), {"activations": seen, "classes": logits.argmax(-1)}


def wrong_sign(params, batch):
    value, seen = loss(params, batch)
    return -value, seen


def naive_log(params, batch):
    """log(softmax) in two steps and in fp16: log(0) as soon as the network is sure and wrong."""
    logits, seen = features(params, batch["x"])
    chances = jax.nn.softmax(logits.astype(jnp.float16) * 4)
    return -jnp.log(chances[jnp.arange(len(logits)), batch["y"]]).astype(jnp.float32).mean(), {"activations": seen, "classes": logits.argmax(-1)}


def train(log, seed, objective=loss, fault=None, lr=1e-3, optimizer=ADAM, steps=STEPS, size=32):
    rng, x, y, vx, vy = images(seed)
    params = network(rng)
    if fault == "labels_shuffled":
        y = rng.permutation(y)
    if fault == "imbalanced":  # 97 % of class 0, as a bad export left it
        keep = (y == 0) | (rng.random(len(y)) < 0.003)
        x, y = np.repeat(x[keep], 8, 0), np.repeat(y[keep], 8, 0)
    draw, per_epoch = shuffler(rng, x, y, size), len(x) // size
    if fault == "sorted":
        order = np.argsort(y, kind="stable")

        def draw(step):
            rows = order[((step - 1) % per_epoch) * size:][:size]
            return {"x": x[rows], "y": y[rows]}

    def batches(step):
        batch = draw(step)
        if fault == "corrupt" and step == 700:  # a broken decoder: noise in the range of bytes
            batch["x"] = rng.normal(0, 40, batch["x"].shape).astype(np.float32)
        if fault == "labels_shifted" and step > 600:  # the join went one row off
            batch["y"] = np.roll(batch["y"], 1)
        if fault == "black" and step > 500:
            batch["x"][:] = -4.9 / 6
        return batch

    if fault == "dead":
        params["conv1"]["b"] -= 30.0
        params["conv2"]["b"] -= 30.0

    @jax.jit
    def judged(p):
        logits, _ = features(p, vx)
        return cross_entropy(logits, vy), (logits.argmax(-1) == vy).mean()

    def evaluate(p):
        value, accuracy = judged(p)
        return {"loss": float(value), "accuracy": float(accuracy)}

    log.start(project="digits", task="classification", num_classes=10, loss_function="cross_entropy", optimizer="adam",
              max_steps=steps, global_batch_size=size, train_num_samples=len(x), eval_num_samples=len(vx))
    fit(log, objective, params, batches, lr=lr, steps=steps, optimizer=optimizer, evaluate=evaluate,
        evaluate_every=per_epoch, steps_per_epoch=per_epoch)
    log.finish()


RUNS = [
    Run("healthy", train, FULL, seeds=2),
    Run("healthy", lambda log, seed: train(log, seed, lr=cosine(2e-3, STEPS, 50)), EPOCHS, seeds=2),
    Run("healthy-label-smoothing", lambda log, seed: train(log, seed, smoothed), JSON, seeds=2),
    Run("healthy-batch-of-2", lambda log, seed: train(log, seed, size=2, lr=3e-4, steps=3000), LOSS_10, seeds=2),
    Run("labels-shuffled", lambda log, seed: train(log, seed, fault="labels_shuffled"), USUAL,
        [must("not_learning loss_plateau train_val_divergence", 1, STEPS, "labels_do_not_match_inputs")], STUCK),
    Run("labels-shifted", lambda log, seed: train(log, seed, fault="labels_shifted"), USUAL,
        [must("loss_spike loss_divergence", 601, 700)], UNSTABLE),
    Run("sorted", lambda log, seed: train(log, seed, fault="sorted"), FULL,
        [must("label_drift prediction_drift", 10, STEPS, "data_not_shuffled")],
        UNSTABLE + ["feature_drift", "class_imbalance", "label_drift", "prediction_drift"]),
    Run("corrupt-batch", lambda log, seed: train(log, seed, fault="corrupt"), FULL,
        [must("loss_spike exploding_gradient", 700, 703, "bad_batch")],
        UNSTABLE + ["feature_drift", "abnormal_input"]),
    Run("dead-units", lambda log, seed: train(log, seed, fault="dead"), FULL,
        [must("dead_units", 1, 300, "dead_units")], STUCK + ["dead_units", "abnormal_weights", "class_imbalance"]),
    Run("imbalanced", lambda log, seed: train(log, seed, fault="imbalanced"), FULL,
        [must("class_imbalance prediction_collapse", 1, STEPS, "class_imbalance")],
        STUCK + ["class_imbalance", "suspicious_validation", "prediction_drift", "exploding_gradient", "loss_spike"]),
    Run("black-images", lambda log, seed: train(log, seed, fault="black"), FULL,
        [must("feature_drift abnormal_input", 501, 700)],
        UNSTABLE + ["feature_drift", "abnormal_input", "class_imbalance"]),
    Run("wrong-sign", lambda log, seed: train(log, seed, wrong_sign), USUAL,
        [must("loss_divergence exploding_gradient metric_mismatch metric_drift train_val_divergence not_learning "
              "learning_rate_too_high non_finite_loss", 1, STEPS)], UNSTABLE),
    Run("log-of-zero", lambda log, seed: train(log, seed, naive_log, lr=5e-3), USUAL,
        [must("non_finite_loss", 1, STEPS)], UNSTABLE),
    Run("lr-too-high", lambda log, seed: train(log, seed, lr=0.1), USUAL,
        [must("not_learning loss_plateau loss_divergence exploding_gradient learning_rate_too_high loss_spike "
              "dead_units", 1, STEPS, "learning_rate_too_high")], UNSTABLE),
]
