"""Linear models for tables: logistic regression on claims, some of them rare."""

import numpy as np
import optax
from sklearn.datasets import make_classification

from logs import EVALUATION, FULL, LOSS, USUAL
from plan import STUCK, UNSTABLE, Run, must
from training import SGD, cross_entropy, dense, fit, sampler, split, update

STEPS = 2000
ADDED_UP = optax.trace(1.0)


def loss(params, batch):
    logits = batch["x"] @ params["out"]["w"] + params["out"]["b"]
    return cross_entropy(logits, batch["y"]), {"classes": logits.argmax(-1)}


def wrong_sign(params, batch):
    value, seen = loss(params, batch)
    return -value, seen


def train(log, seed, objective=loss, size=16, lr=0.05, optimizer=SGD, weights=None, scale=1.0, steps=STEPS,
          drift=None, evaluate_every=100, duplicated=False):
    rng = np.random.default_rng(seed)
    x, y = make_classification(3000, 20, n_informative=8, n_classes=2, weights=weights, flip_y=0.05, random_state=seed)
    x, y, vx, vy = split(rng, (x * scale).astype(np.float32), y.astype(np.int32))
    if duplicated:  # a join repeated rows before the split
        rows = rng.permutation(len(x))[: len(vx) // 2]
        vx[: len(rows)], vy[: len(rows)] = x[rows], y[rows]
    overlap = len({row.tobytes() for row in x} & {row.tobytes() for row in vx})
    draw = sampler(rng, x, y, size)

    def batches(step):
        batch = draw(step)
        if drift is not None and step > drift:  # a new version of an upstream table: two columns swapped, one of them negated
            batch["x"][:, [0, 1]] = batch["x"][:, [1, 0]] * [-3.0, 1.0] + [4.0, 0.0]
        return batch

    def evaluate(p):
        value, seen = loss(p, {"x": vx, "y": vy})
        return {"loss": float(value), "accuracy": float((seen["classes"] == vy).mean())}

    log.start(project="claims", task="classification", num_classes=2, loss_function="cross_entropy", max_steps=steps,
              global_batch_size=size, eval_num_samples=len(vx))
    log.event("preflight_completed", checks=[{"name": "train_eval_overlap_count", "value": overlap, "threshold": 0,
                                              "passed": overlap == 0}])
    fit(log, objective, {"out": dense(rng, 20, 2, 0.1)}, batches, lr=lr, steps=steps, optimizer=optimizer,
        evaluate=evaluate, evaluate_every=evaluate_every)
    log.finish()


def no_zero_grad(log, seed):
    """The gradient of every step so far is added up, as without zero_grad()."""
    rng = np.random.default_rng(seed)
    x, y = make_classification(3000, 20, n_informative=8, n_classes=2, flip_y=0.05, random_state=seed)
    draw = sampler(rng, x.astype(np.float32), y.astype(np.int32), 16)
    log.start(project="claims", task="classification", num_classes=2, loss_function="cross_entropy", max_steps=STEPS)
    params = {"out": dense(rng, 20, 2, 0.1)}
    state = ADDED_UP.init(params)
    for step in range(1, STEPS + 1):
        params, state, value, _, _, _ = update(loss, ADDED_UP, params, state, draw(step), 0.05)
        total = np.sqrt(sum(float((np.asarray(g) ** 2).sum()) for g in state.trace["out"].values()))
        log.step(step, value, learning_rate=0.05, grad_norm=total)
    log.finish()


RUNS = [
    Run("healthy", train, LOSS, seeds=2),
    Run("healthy", train, FULL, seeds=2),
    Run("healthy-evaluation-only", lambda log, seed: train(log, seed, evaluate_every=40), EVALUATION, seeds=2),
    Run("healthy-batch-of-1", lambda log, seed: train(log, seed, size=1, lr=0.01, steps=4000), LOSS, seeds=2),
    Run("wrong-sign", lambda log, seed: train(log, seed, wrong_sign), FULL,
        [must("loss_divergence metric_mismatch metric_drift train_val_divergence not_learning exploding_gradient "
              "suspicious_validation", 1, STEPS)], UNSTABLE),
    Run("rare-class", lambda log, seed: train(log, seed, weights=[0.985]), FULL,
        # of rare events with noisy labels the majority alone is the right answer at a threshold of 0.5: told, and no more
        [must("class_imbalance prediction_collapse", 1, STEPS, "class_imbalance", severity="info")],
        STUCK + ["class_imbalance", "loss_spike"]),
    Run("columns-swapped", lambda log, seed: train(log, seed, drift=1000), FULL,
        [must("feature_drift", 1001, 1200, "data_source_changed")], UNSTABLE + ["feature_drift", "abnormal_input"]),
    Run("not-normalised", lambda log, seed: train(log, seed, scale=300.0), FULL,
        [must("abnormal_input", 1, STEPS // 2, "unnormalised_input")], UNSTABLE + ["abnormal_input"]),
    Run("evaluation-duplicated", lambda log, seed: train(log, seed, duplicated=True), USUAL,
        [must("preflight_failed suspicious_validation", None, STEPS, "leakage")]),
    Run("no-zero-grad", no_zero_grad, USUAL,
        [must("loss_divergence exploding_gradient loss_spike learning_rate_too_high not_learning", 1, STEPS)],
        UNSTABLE),
]
