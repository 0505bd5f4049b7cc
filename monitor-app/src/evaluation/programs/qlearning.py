"""Q-learning with a network and a target network on a small grid with a goal and pits."""

import jax
import jax.numpy as jnp
import numpy as np

from logs import Way
from plan import Run, must
from training import ADAM, forward, mlp, update

STEPS, EDGE, LIMIT = 3000, 5, 30
EVENTS = Way("events", "events", "loss lr grad_norm evaluation", every=5)
GOAL, PITS = (4, 4), {(1, 3), (3, 1), (2, 2)}


def loss(params, batch):
    q = forward(params, batch["x"])[0][jnp.arange(len(batch["x"])), batch["a"]]
    return ((q - batch["y"]) ** 2).mean(), {}


values = jax.jit(lambda params, x: forward(params, x)[0])


def seen(place):
    x = np.zeros((EDGE, EDGE), np.float32)
    x[place] = 1
    return x.ravel()


def move(place, action):
    row, col = place
    row = min(max(row + (0, 0, 1, -1)[action], 0), EDGE - 1)
    col = min(max(col + (1, -1, 0, 0)[action], 0), EDGE - 1)
    if (row, col) == GOAL:
        return (row, col), 1.0, True
    return (row, col), (-1.0 if (row, col) in PITS else -0.02), (row, col) in PITS


def train(log, seed, lr=1e-3, reward_sign=1.0):
    rng = np.random.default_rng(seed)
    params = mlp(rng, EDGE * EDGE, 48, 4)
    target, state, memory = params, ADAM.init(params), []
    place, total, length, returns = (0, 0), 0.0, 0, []
    log.start(project="grid", task="rl", max_steps=STEPS)
    for step in range(1, STEPS + 1):
        explore = max(0.05, 1 - step / 1500)
        action = int(rng.integers(4)) if rng.random() < explore else int(np.argmax(values(params, seen(place)[None])[0]))
        after, reward, over = move(place, action)
        memory.append((seen(place), action, reward_sign * reward, seen(after), over))
        total, length, place = total + reward, length + 1, after
        if over or length == LIMIT:
            returns.append(total)
            place, total, length = (0, 0), 0.0, 0
        if len(memory) < 64:
            continue
        rows = [memory[i] for i in rng.integers(max(0, len(memory) - 2000), len(memory), 32)]
        x, a, r, x2, end = (np.array(v) for v in zip(*rows))
        y = r + 0.95 * np.asarray(values(target, x2)).max(1) * ~end
        batch = {"x": x, "a": a, "y": y.astype(np.float32)}
        params, state, value, norm, _, _ = update(loss, ADAM, params, state, batch, lr)
        log.step(step, value, learning_rate=lr, grad_norm=float(norm),
                 metrics={"episode_return": float(np.mean(returns[-10:]))} if returns else None)
        if step % 100 == 0:
            target = params
    log.finish()


RUNS = [
    Run("healthy", train, EVENTS, allow=["metric_drift"], seeds=2),
    Run("lr-too-high", lambda log, seed: train(log, seed, lr=1.0), EVENTS,
        [must("not_learning metric_drift exploding_gradient loss_divergence loss_spike", 1, STEPS)],
        ["loss_plateau", "learning_rate_too_high"]),
]
