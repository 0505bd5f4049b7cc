"""REINFORCE on the balancing pole (its usual equations), a point an episode batch; the return says how it goes."""

import jax
import jax.numpy as jnp
import numpy as np

from logs import Way
from plan import Run, must
from training import ADAM, forward, mlp, update

ITERATIONS, POLES, LIMIT = 250, 16, 200
EVENTS = Way("events", "events", "loss lr grad_norm evaluation")


def loss(params, batch):
    logits = forward(params, batch["x"], jnp.tanh, "tanh")[0]
    chosen = jax.nn.log_softmax(logits)[jnp.arange(len(logits)), batch["y"]]
    return -(chosen * batch["gain"]).sum() / batch["gain"].astype(bool).sum(), {}


policy = jax.jit(lambda params, x: jax.nn.softmax(forward(params, x, jnp.tanh, "tanh")[0]))


def play(rng, params):
    """POLES poles at once until each falls or LIMIT is reached; gives states, actions, rewards by time."""
    s = rng.uniform(-0.05, 0.05, (POLES, 4))
    alive = np.ones(POLES, bool)
    states, actions, rewards = [], [], []
    for _ in range(LIMIT):
        chances = np.asarray(policy(params, s.astype(np.float32)))
        action = (rng.random(POLES) < chances[:, 1]).astype(np.int32)
        states.append(s.astype(np.float32)); actions.append(action); rewards.append(alive.astype(float))
        force = np.where(action == 1, 10.0, -10.0)
        x, v, angle, spin = s.T
        push = (force + 0.05 * spin**2 * np.sin(angle)) / 1.1
        turn = (9.8 * np.sin(angle) - np.cos(angle) * push) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        slide = push - 0.05 * turn * np.cos(angle) / 1.1
        s = np.stack([x + 0.02 * v, v + 0.02 * slide, angle + 0.02 * spin, spin + 0.02 * turn], 1)
        alive &= (np.abs(s[:, 0]) < 2.4) & (np.abs(s[:, 2]) < 0.2095)
        if not alive.any():
            break
    return np.array(states), np.array(actions), np.array(rewards)


def train(log, seed, sign=1.0, lr=0.01, forget_at=None):
    rng = np.random.default_rng(seed)
    params = mlp(rng, 4, 32, 2, gain=1.0)
    state = ADAM.init(params)
    log.start(project="pole", task="rl", max_steps=ITERATIONS)
    for step in range(1, ITERATIONS + 1):
        x, y, r = play(rng, params)
        gains = np.zeros_like(r)
        running = np.zeros(POLES)
        for t in range(len(r) - 1, -1, -1):
            running = r[t] + 0.99 * running * r[t]
            gains[t] = running
        live = r > 0
        gains = np.where(live, (gains - gains[live].mean()) / (gains[live].std() + 1e-8), 0)
        batch = {"x": np.zeros((LIMIT * POLES, 4), np.float32), "y": np.zeros(LIMIT * POLES, np.int32),
                 "gain": np.zeros(LIMIT * POLES, np.float32)}
        n = r.size
        batch["x"][:n], batch["y"][:n], batch["gain"][:n] = x.reshape(n, 4), y.ravel(), sign * gains.ravel()
        rate = lr if forget_at is None or step < forget_at else 3.0
        params, state, value, norm, _, _ = update(loss, ADAM, params, state, batch, rate)
        log.step(step, value, learning_rate=rate, grad_norm=float(norm), metrics={"episode_return": r.sum(0).mean()})
    log.finish()


class Monitor(Way):
    """progress.csv: iteration and mean return, nothing else."""

    def __init__(self):
        super().__init__("returns", "csv", "loss")

    def open(self, path, run_id):
        from logs import Log

        class Returns(Log):
            def point(self, step, loss, epoch, fields):
                if step == 1:
                    self.file.write("iteration,ep_rew_mean\n")
                self.file.write(f"{step},{fields['metrics']['episode_return']}\n")
        return Returns(self, path, run_id)


RUNS = [
    Run("healthy", train, EVENTS, allow=["metric_drift"], seeds=2),
    Run("healthy", train, Monitor(), allow=["metric_drift"], seeds=2),
    Run("wrong-sign", lambda log, seed: train(log, seed, sign=-1.0), EVENTS,
        [must("not_learning metric_drift prediction_collapse loss_plateau", 1, ITERATIONS)],
        ["exploding_gradient", "vanishing_gradient"]),
    Run("policy-lost", lambda log, seed: train(log, seed, forget_at=150), EVENTS,
        [must("metric_drift not_learning exploding_gradient", 150, ITERATIONS)],
        ["loss_spike", "vanishing_gradient", "learning_rate_too_high", "loss_divergence", "loss_plateau"]),
]
