"""Gradient boosting with LightGBM: an evaluation a round, written down from its callbacks."""

import lightgbm as lgb
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_classification, make_friedman1

from plan import STUCK, Run, must
from tools import Tool

CSV = Tool("rounds", "csv")
JSON = Tool("rounds", "jsonl")


def boost(path, x, y, seed, rounds, stop=None, **params):
    """Trains and writes the metric of both sets after each round, under LightGBM's own names in the JSON lines."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    x, y, cut = x[order], y[order], int(0.7 * len(x))
    train = lgb.Dataset(x[:cut], y[:cut])
    history = {}
    callbacks = [lgb.record_evaluation(history)]
    if stop:
        callbacks.append(lgb.early_stopping(stop, verbose=False))
    lgb.train({"verbosity": -1, "num_threads": 1, "seed": seed, "deterministic": True, **params}, train, rounds,
              valid_sets=[train, train.create_valid(x[cut:], y[cut:])], valid_names=["train", "valid"], callbacks=callbacks)
    (metric, curve), = history["train"].items()
    with path.open("w") as file:
        if path.suffix == ".csv":
            file.write("iteration,train_loss,val_loss\n")
        for i, (a, b) in enumerate(zip(curve, history["valid"][metric]), 1):
            if path.suffix == ".csv":
                file.write(f"{i},{a:.6g},{b:.6g}\n")
            else:
                file.write(f'{{"iteration": {i}, "train_loss": {a:.6g}, "val_loss": {b:.6g}}}\n')


def tumours(path, seed, **params):
    x, y = load_breast_cancer(return_X_y=True)
    boost(path, x, y, seed, **{"rounds": 150, "stop": 15, "objective": "binary", "learning_rate": 0.05, "num_leaves": 7, **params})


def friedman(path, seed, **params):
    x, y = make_friedman1(1500, 10, noise=1.0, random_state=seed)
    boost(path, x, y, seed, **{"rounds": 400, "objective": "regression", "learning_rate": 0.03, "num_leaves": 15, **params})


def images(path, seed):
    x, y = load_digits(return_X_y=True)
    boost(path, x, y, seed, 60, objective="multiclass", num_class=10, learning_rate=0.1, num_leaves=7)


def claims(path, seed, size=4000, flip=0.1, wrong=False, **params):
    x, y = make_classification(size, 20, n_informative=8, flip_y=flip, random_state=seed)
    if wrong:  # joined by the wrong key
        y = np.random.default_rng(seed).permutation(y)
    boost(path, x, y, seed, **{"rounds": 1000, "objective": "binary", "learning_rate": 0.01, "num_leaves": 7, **params})


RUNS = [
    Run("healthy-tumours", tumours, CSV, seeds=2),
    Run("healthy-friedman", friedman, CSV, seeds=2),
    Run("healthy-digits", images, JSON),
    Run("healthy-claims", claims, JSON, seeds=2),
    Run("overfit", lambda path, seed: claims(path, seed, size=500, flip=0.4, rounds=300, learning_rate=0.3, num_leaves=31,
                                             min_data_in_leaf=2), CSV,
        [must("train_val_divergence", 2, 300, "overfitting")], ["loss_plateau", "metric_drift"]),
    Run("wrong-join", lambda path, seed: claims(path, seed, size=1500, wrong=True, rounds=300, learning_rate=0.1), JSON,
        [must("train_val_divergence not_learning metric_mismatch", 2, 300)], STUCK),
    # typed 1e-5 for 1e-2
    Run("lr-too-low", lambda path, seed: claims(path, seed, learning_rate=1e-5, rounds=400), CSV,
        [must("not_learning learning_rate_too_low loss_plateau", 1, 400)], STUCK),
]
