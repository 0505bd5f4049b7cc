"""scikit-learn's partial_fit: streams of single events, epochs over a table, and what people write down of it."""

import warnings

import numpy as np
from sklearn.datasets import load_digits, make_classification, make_friedman1
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from logs import FULL, LOSS, Log, Way
from plan import STUCK, UNSTABLE, Run, must
from summaries import inputs
from tools import CLOCK, Tool

EVENTS = 6000
MEAN_50 = Way("mean50", "jsonl", "loss lr", every=50, mean=True)
SDK = Tool("sdk", "jsonl")
warnings.filterwarnings("ignore", module="sklearn")


class Epochs(Way):
    """A table that the script writes by hand: epoch, loss, val_accuracy."""

    def __init__(self):
        super().__init__("table", "csv", "loss evaluation")

    def open(self, path, run_id):
        class Table(Log):
            def point(self, step, loss, epoch, fields):
                self.last = loss
                if step == 1:
                    self.file.write("epoch,loss,val_accuracy\n")

            def evaluation(self, step, metrics, epoch=None, **fields):
                self.file.write(f"{step},{self.last:.6f},{metrics['accuracy']:.4f}\n")
        return Table(self, path, run_id)


TABLE = Epochs()


def stream(log, seed, lr=0.01, size=1, drift=None, rescaled=None, alpha=1e-4, steps=EVENTS):
    """Each event is predicted before it is learned: the loss is honest, and as noisy as events are."""
    x, y = make_classification(size * steps, 20, n_informative=10, flip_y=0.02, class_sep=1.5, random_state=seed)
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=lr, alpha=alpha, random_state=seed)
    model.partial_fit(x[:1] * 0, y[:1], classes=[0, 1])
    log.start(project="clicks", task="classification", num_classes=2, loss_function="cross_entropy", max_steps=steps,
              global_batch_size=size, optimizer="sgd")
    for step in range(1, steps + 1):
        bx, by = x[(step - 1) * size:step * size], y[(step - 1) * size:step * size]
        if drift is not None and step > drift:  # what people like has changed over night
            by = 1 - by
        if rescaled is not None and step > rescaled:  # cents instead of euros
            bx = bx * 100
        score = bx @ model.coef_[0] + model.intercept_[0]
        loss = np.logaddexp(0, np.where(by == 1, -score, score)).mean()
        model.partial_fit(bx, by)
        log.step(step, loss, learning_rate=lr)
        if log.wants("inputs") and step % 10 == 0:
            log.event("batch_stats", step, **inputs({"x": bx, "y": by}))
    log.finish()


def prices(log, seed, lr=0.002, steps=4000, broken=None):
    """A linear regression on a stream of batches of eight."""
    x, y = make_friedman1(steps * 8, n_features=8, noise=1.0, random_state=seed)
    x = (x - 0.5) * 3.46
    model = SGDRegressor(learning_rate="constant", eta0=lr, alpha=1e-5, random_state=seed)
    model.partial_fit(x[:1] * 0, y[:1] * 0)
    log.start(project="prices", task="regression", loss_function="mse", max_steps=steps, global_batch_size=8)
    for step in range(1, steps + 1):
        bx, by = x[(step - 1) * 8:step * 8], y[(step - 1) * 8:step * 8]
        if step == broken:
            bx = bx * 1000
        with np.errstate(all="ignore"):
            loss = ((bx @ model.coef_ + model.intercept_[0] - by) ** 2).mean()
        try:
            model.partial_fit(bx, by)
        except ValueError:  # scikit-learn refuses to go on with weights that are not finite
            log.step(step, float("nan"), learning_rate=lr)
            log.finish("failed")
            return
        log.step(step, loss, learning_rate=lr)
    log.finish()


def table(log, seed, model="linear", epochs=40, lr=1e-3, shuffled=False):
    """Epochs over the digits, with the accuracy on those held out."""
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(x))
    x, y = x[order] / 16, y[order]
    x, y, vx, vy = x[:1300], y[:1300], x[1300:], y[1300:]
    if shuffled:
        y = rng.permutation(y)
    if model == "linear":
        learner = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=lr, random_state=seed)
    else:
        learner = MLPClassifier((50,), learning_rate_init=lr, random_state=seed)
    log.start(project="digits", task="classification", num_classes=10)
    for epoch in range(1, epochs + 1):
        for at in np.array_split(rng.permutation(len(x)), 13):
            learner.partial_fit(x[at], y[at], classes=range(10))
        loss = learner.loss_ if model == "mlp" else log_loss(y, learner.predict_proba(x), labels=range(10))
        log.step(epoch, loss)
        log.evaluation(epoch, {"accuracy": learner.score(vx, vy)})
    log.finish()


def watched(path, seed):
    from trainwatch.sklearn import watch
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(x))
    x, y = x[order] / 16, y[order]
    path.unlink(missing_ok=True)
    learner = watch(MLPClassifier((32,), random_state=seed), validation=(x[1300:], y[1300:]), run_id=path.stem,
                    location=f"file:{path}", project="digits")
    for _ in range(20):
        for at in np.array_split(rng.permutation(1300), 30):
            learner.partial_fit(x[at], y[at], classes=range(10))
    learner.close()


RUNS = [
    Run("healthy-stream", stream, LOSS, seeds=2),
    Run("healthy-stream-of-batches", lambda log, seed: stream(log, seed, size=16, lr=3e-3, steps=3000), FULL, seeds=2),
    Run("healthy-stream-mean", lambda log, seed: stream(log, seed, lr=3e-3), MEAN_50, seeds=2),
    Run("healthy-prices", prices, LOSS, seeds=2),
    Run("healthy-epochs", table, TABLE, seeds=2),
    Run("healthy-epochs-mlp", lambda log, seed: table(log, seed, "mlp"), TABLE, seeds=2),
    Run("healthy-mlp", watched, SDK, allow=CLOCK),
    Run("taste-reversed", lambda log, seed: stream(log, seed, size=16, lr=3e-3, steps=3000, drift=1800), LOSS,
        [must("loss_spike loss_divergence", 1801, 2000)], UNSTABLE),
    Run("cents-for-euros", lambda log, seed: stream(log, seed, size=16, lr=3e-3, steps=3000, rescaled=2000), FULL,
        [must("feature_drift abnormal_input loss_spike loss_divergence", 2001, 2200)],
        UNSTABLE + ["feature_drift", "abnormal_input"]),
    Run("lr-diverges", lambda log, seed: prices(log, seed, lr=0.3), LOSS,
        [must("loss_divergence non_finite_loss loss_spike learning_rate_too_high exploding_gradient", 1, 4000,
              "learning_rate_too_high")], UNSTABLE),
    Run("one-broken-batch", lambda log, seed: prices(log, seed, broken=2500), LOSS,
        [must("loss_spike loss_divergence exploding_gradient", 2500, 2560, "bad_batch")], UNSTABLE),
    Run("labels-shuffled", lambda log, seed: table(log, seed, shuffled=True), TABLE,
        [must("not_learning loss_plateau metric_mismatch class_imbalance metric_drift", 1, 40)], STUCK + ["class_imbalance"]),
]
