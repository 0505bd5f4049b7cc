"""Keras' model.fit on small images (8x8 digits) and a small table, with the CSV of its CSVLogger: a row an epoch, few of them."""

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

from plan import STUCK, UNSTABLE, Run, must
from tools import CLOCK, Tool

CSV = Tool("csvlogger", "csv")
CALLBACK = Tool("callback", "jsonl")


def digits(seed):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(x))
    x, y = (x[order] / 16).astype("float32").reshape(-1, 8, 8, 1), y[order]
    return rng, x[:1300], y[:1300], x[1300:], y[1300:]


def dense(*widths, activation="relu", dropout=0.0, classes=10, shape=(8, 8, 1)):
    layers = [keras.layers.Input(shape), keras.layers.Flatten()]
    for width in widths:
        layers.append(keras.layers.Dense(width, activation=activation))
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    return keras.Sequential([*layers, keras.layers.Dense(classes, activation="softmax")])


def convolutions():
    layers = keras.layers
    return keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(16, 3, padding="same", activation="relu"),
                             layers.MaxPooling2D(), layers.Conv2D(32, 3, padding="same", activation="relu"),
                             layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")])


def fit(path, model, data, optimizer, epochs, loss="sparse_categorical_crossentropy", batch_size=32, callbacks=(), **more):
    x, y, vx, vy = data
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    if path.suffix == ".csv":
        log = keras.callbacks.CSVLogger(str(path))
    else:
        from trainwatch.keras import TrainwatchCallback
        path.unlink(missing_ok=True)
        log = TrainwatchCallback(run_id=path.stem, location=f"file:{path}", project="keras")
    model.fit(x, y, batch_size, epochs, verbose=0, validation_data=(vx, vy), callbacks=[*callbacks, log], **more)


def train(path, seed, model=lambda: dense(64, dropout=0.4), epochs=25, optimizer=lambda: keras.optimizers.Adam(1e-3),
          keep=None, hasty=0.0, shuffled=False, callbacks=(), **more):
    keras.utils.set_random_seed(seed)
    rng, x, y, vx, vy = digits(seed)
    if keep is not None:
        x, y = x[:keep], y[:keep]
        y = np.where(rng.random(keep) < hasty, rng.permutation(y), y)
    if shuffled:
        y = rng.permutation(y)
    fit(path, model(), (x, y, vx, vy), optimizer(), epochs, callbacks=callbacks, **more)


def convolved(path, seed):
    train(path, seed, convolutions, epochs=40, optimizer=lambda: keras.optimizers.Adam(3e-3),
          callbacks=[keras.callbacks.ReduceLROnPlateau(patience=3)])


def mixed(path, seed):
    """Mixup and smoothed labels: the training loss stays far above that of validation."""
    keras.utils.set_random_seed(seed)
    rng, x, y, vx, vy = digits(seed)
    x, vx = x.reshape(len(x), -1), vx.reshape(len(vx), -1)
    one = np.eye(10, dtype="float32")
    other, share = rng.permutation(len(x)), rng.beta(0.4, 0.4, (len(x), 1)).astype("float32")
    pairs = x * share + x[other] * (1 - share), one[y] * share + one[y[other]] * (1 - share)
    fit(path, dense(64, shape=(64,)), (*pairs, vx, one[vy]), keras.optimizers.Adam(1e-3), 30,
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1))


def table(path, seed):
    """569 patients and early stopping on the validation loss."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    order = rng.permutation(len(x))
    x, y = x[order].astype("float32"), y[order]
    fit(path, dense(16, classes=2, shape=(30,)), (x[:400], y[:400], x[400:], y[400:]), keras.optimizers.Adam(3e-3), 60,
        callbacks=[keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)])


def frozen():
    """The layers were frozen for transfer learning, and the new head with them."""
    model = dense(64)
    model.trainable = False
    return model


RUNS = [
    Run("healthy-dropout", train, CSV, seeds=2),
    Run("healthy-convolutions", convolved, CSV, seeds=2),
    Run("healthy-mixup", mixed, CSV, seeds=2),
    Run("healthy-early-stopping", table, CSV, seeds=1),
    Run("healthy-dropout", train, CALLBACK, allow=CLOCK),
    Run("labels-shuffled", lambda path, seed: train(path, seed, lambda: dense(64), shuffled=True), CSV,
        [must("not_learning loss_plateau train_val_divergence metric_mismatch metric_drift", 1, 25,
              "labels_do_not_match_inputs")], STUCK),
    Run("overfit-80-images", lambda path, seed: train(path, seed, lambda: dense(256, 256), epochs=80, keep=80, hasty=0.3,
                                                      batch_size=16, optimizer=lambda: keras.optimizers.Adam(3e-3)), CSV,
        [must("train_val_divergence", 2, 80, "overfitting")], ["metric_drift", "loss_plateau"]),
    Run("lr-too-high", lambda path, seed: train(path, seed, lambda: dense(64, 64), optimizer=lambda: keras.optimizers.SGD(
        3.0, momentum=0.9)), CSV,
        [must("not_learning loss_plateau loss_divergence non_finite_loss learning_rate_too_high", 1, 25,
              "learning_rate_too_high")], UNSTABLE),
    Run("deep-sigmoid", lambda path, seed: train(path, seed, lambda: dense(*[32] * 10, activation="sigmoid"), epochs=30,
                                                 optimizer=lambda: keras.optimizers.SGD(0.01)), CSV,
        [must("not_learning loss_plateau vanishing_gradient", 1, 30)], STUCK),
    Run("frozen", lambda path, seed: train(path, seed, frozen), CSV,
        [must("not_learning loss_plateau unchanged_weights", 1, 25, "parameters_not_updated")], STUCK),
]
