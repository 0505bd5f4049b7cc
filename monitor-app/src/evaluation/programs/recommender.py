"""Matrix factorisation by Bayesian personalised ranking with sampled negatives, in NumPy: in batches, and click by click."""

import numpy as np

from logs import LOSS, USUAL, Way
from plan import STUCK, UNSTABLE, Run, must

USERS, ITEMS, RANK = 300, 400, 16
JSON = Way("json", "jsonl", "loss lr evaluation", every=10, mean=True)


def clicks(rng, count):
    """Clicks of users with tastes of four dimensions, on items of which some are popular."""
    taste, kind = rng.normal(size=(USERS, 4)), rng.normal(size=(ITEMS, 4))
    scores = taste @ kind.T * 1.2 + rng.normal(0, 0.7, ITEMS)
    users = rng.integers(0, USERS, count)
    return users, (scores[users] + rng.gumbel(size=(count, ITEMS))).argmax(1)


def train(log, seed, size=128, lr=0.05, steps=3000, decay=0.01, negatives="uniform", renumbered=None, evaluate_every=200):
    rng = np.random.default_rng(seed)
    users, items = clicks(rng, 30_000)
    u, i, vu, vi = users[:25_000], items[:25_000], users[25_000:], items[25_000:]
    p, q, b = rng.normal(0, 0.05, (USERS, RANK)), rng.normal(0, 0.05, (ITEMS, RANK)), np.zeros(ITEMS)
    order, new = rng.permutation(len(u)), rng.permutation(ITEMS)
    per_epoch = len(u) // size
    log.start(project="shop", task="ranking", loss_function="bpr", max_steps=steps, global_batch_size=size, optimizer="sgd",
              eval_num_samples=len(vu), metrics=[{"name": "recall_at_20", "mode": "max", "primary": True}])
    for step in range(1, steps + 1):
        at = order[(step - 1) % per_epoch * size:][:size]
        bu, bi = u[at], i[at]
        if renumbered is not None and step > renumbered:  # the catalogue was exported anew, its ids are others
            bi = new[bi]
        # "seen": negatives are drawn from the clicks themselves, and so are positives of somebody like this user
        bj = rng.integers(0, ITEMS, size) if negatives == "uniform" else u_items(rng, u, i, bu)
        with np.errstate(over="ignore", invalid="ignore"):
            x = (p[bu] * (q[bi] - q[bj])).sum(1) + b[bi] - b[bj]
            loss = np.logaddexp(0, -x).mean()
            g = (1 / (1 + np.exp(x)))[:, None]
            gp, gq = g * (q[bi] - q[bj]) - decay * p[bu], g * p[bu]
            np.add.at(p, bu, lr * gp)
            np.add.at(q, bi, lr * (gq - decay * q[bi]))
            np.add.at(q, bj, lr * (-gq - decay * q[bj]))
            np.add.at(b, bi, lr * (g[:, 0] - decay * b[bi]))
            np.add.at(b, bj, lr * (-g[:, 0] - decay * b[bj]))
            norm = np.sqrt((gp ** 2).sum() + 2 * (gq ** 2).sum()) / size
        log.step(step, loss, step / per_epoch, learning_rate=lr, grad_norm=norm)
        if step % evaluate_every == 0 and log.wants("evaluation"):
            with np.errstate(over="ignore", invalid="ignore"):
                scores = p[vu[:1000]] @ q.T + b
            rank = (scores > scores[np.arange(1000), vi[:1000]][:, None]).sum(1)
            finite = np.isfinite(scores).all()
            log.evaluation(step, {"recall_at_20": float((rank < 20).mean()) if finite else float("nan")})
    log.finish()


def u_items(rng, u, i, users):
    """Another click of the same user for each of the users."""
    order = np.argsort(u, kind="stable")
    first, last = np.searchsorted(u[order], users), np.searchsorted(u[order], users, "right")
    return i[order][(first + rng.random(len(users)) * (last - first)).astype(int)]


RUNS = [
    Run("healthy", train, USUAL, seeds=2),
    Run("healthy", lambda log, seed: train(log, seed, size=64, lr=0.03, steps=4000), JSON, seeds=2),
    Run("healthy-click-by-click", lambda log, seed: train(log, seed, size=1, steps=12_000), LOSS, seeds=2),
    Run("negatives-are-positives", lambda log, seed: train(log, seed, negatives="seen"), USUAL,
        [must("not_learning loss_plateau", 1, 3000)], STUCK),
    Run("catalogue-renumbered", lambda log, seed: train(log, seed, renumbered=2000), USUAL,
        [must("loss_spike loss_divergence", 2001, 2200)], UNSTABLE),
    Run("lr-too-high", lambda log, seed: train(log, seed, lr=30.0, decay=0.1), JSON,
        [must("loss_divergence non_finite_loss not_learning learning_rate_too_high loss_spike", 1, 3000,
              "learning_rate_too_high")], UNSTABLE),
    Run("decay-too-high", lambda log, seed: train(log, seed, size=64, decay=3.0), USUAL,
        [must("not_learning loss_plateau", 1, 3000)], STUCK),
]
