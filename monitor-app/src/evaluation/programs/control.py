"""Stable-Baselines on the balancing pole, with its own progress.csv."""

import pathlib
import shutil
import tempfile

import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure

from plan import Run, must
from tools import Tool

PROGRESS = Tool("progress", "csv")
FIELDS = ("not_learning loss_plateau loss_spike loss_divergence exploding_gradient learning_rate_too_high metric_mismatch "
          "prediction_collapse").split()


def learn(path, seed, method=PPO, steps=20_000, interval=1, environments=4, **more):
    torch.set_num_threads(1)
    poles = make_vec_env("CartPole-v1", environments, seed=seed)
    model = method("MlpPolicy", poles, seed=seed, device="cpu", **more)
    with tempfile.TemporaryDirectory() as directory:
        model.set_logger(configure(directory, ["csv"]))
        model.learn(steps, log_interval=interval)
        shutil.copy(pathlib.Path(directory) / "progress.csv", path)


def ppo(path, seed, **more):
    learn(path, seed, **{"n_steps": 64, "batch_size": 64, "n_epochs": 4, "gae_lambda": 0.98, "learning_rate": 1e-3, **more})


def broken_schedule(left):
    """The learning rate is that of another task from half of the run on; Stable-Baselines gives the share that is left."""
    return 1e-3 if left > 0.5 else 1.0


RUNS = [
    Run("healthy-ppo", ppo, PROGRESS, allow=["metric_drift"], seeds=3),
    Run("healthy-a2c", lambda path, seed: learn(path, seed, A2C, environments=8, steps=16_000, interval=10), PROGRESS,
        allow=["metric_drift"]),
    Run("healthy-dqn", lambda path, seed: learn(path, seed, DQN, environments=1, steps=12_000, interval=4, learning_rate=2.3e-3,
                                                learning_starts=500, target_update_interval=10, train_freq=64,
                                                gradient_steps=32, exploration_fraction=0.16,
                                                exploration_final_eps=0.04), PROGRESS, allow=["metric_drift"]),
    Run("policy-lost", lambda path, seed: ppo(path, seed, learning_rate=broken_schedule), PROGRESS,
        [must("metric_drift not_learning loss_divergence prediction_collapse", 10_000, 21_000)], FIELDS),
    # a bonus for randomness that outweighs every reward
    Run("entropy-only", lambda path, seed: ppo(path, seed, ent_coef=50.0, steps=15_000), PROGRESS,
        [must("not_learning metric_drift loss_plateau", 1, 16_000)], FIELDS),
]
