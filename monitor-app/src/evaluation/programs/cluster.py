"""Eight ranks of a cluster that train together, and its clock.

The losses are trained, in NumPy. The times are not of this machine, on which a step takes a millisecond: they come from a
simulation of what takes time there. Each rank has loader workers that fill a queue, an accelerator, and a collective at the
end of each step that lasts until the slowest has come. Nothing sets a step time; they follow from that.
"""

import heapq

import numpy as np
from sklearn.datasets import load_digits

from logs import Events, Way
from plan import Run, must

STEPS, WORLD, SIZE = 1200, 8, 64
FIELDS = ["throughput_drop", "straggler_rank", "input_bottleneck"]
"""A slow part makes the step slow: second opinions on one fault."""


class Simulated(Events):
    """Events with the time of the cluster."""

    clock = 1_790_000_000.0

    def now(self):
        return self.clock


class Times(Way):
    def __init__(self):
        super().__init__("times", "events", "loss lr times")

    def open(self, path, run_id):
        return Simulated(self, path, run_id)


TIMES = Times()


class Loader:
    """Worker processes of one rank, as PyTorch's DataLoader has them: batches come in order, two a worker are made ahead."""

    def __init__(self, rng, workers, seconds):
        self.rng, self.seconds, self.slower = rng, seconds, 1.0
        self.free, self.taken, self.ahead = [0.0] * workers, [], 2 * workers

    def batch(self, now):
        """When the next batch is there, for somebody who asks now."""
        room = self.taken[-self.ahead] if len(self.taken) >= self.ahead else 0.0
        done = max(heapq.heappop(self.free), room) + self.seconds * self.slower * self.rng.lognormal(0, 0.25)
        heapq.heappush(self.free, done)
        self.taken.append(max(now, done) + 0.002 * self.rng.lognormal(0, 0.2))  # from the queue to the device
        return self.taken[-1]


def train(log, seed, fault=None, begins=500, workers=4, load=0.5, profiles=True, steps=STEPS):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x, w, v = (x - 4.9) / 6, rng.normal(0, 0.1, (64, 32)), rng.normal(0, 0.1, (32, 10))
    loaders = [Loader(np.random.default_rng([seed, rank]), workers, load) for rank in range(WORLD)]
    speed = rng.normal(1, 0.01, WORLD)  # no two devices are the same
    log.clock = Simulated.clock
    log.start(project="cluster", task="classification", num_classes=10, loss_function="cross_entropy", max_steps=steps,
              global_batch_size=SIZE * WORLD, framework="pytorch")
    window, now = [[] for _ in range(WORLD)], 0.0
    for step in range(1, steps + 1):
        on = fault is not None and step > begins
        rows = rng.integers(0, len(x), SIZE)
        h = np.maximum(x[rows] @ w, 0)
        scores = h @ v
        scores -= scores.max(1, keepdims=True)
        chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        loss = -np.log(chances[np.arange(SIZE), y[rows]] + 1e-12).mean()
        chances[np.arange(SIZE), y[rows]] -= 1
        dv, dw = h.T @ chances / SIZE, x[rows].T @ ((chances @ v.T) * (h > 0)) / SIZE
        v, w = v - 0.1 * dv, w - 0.1 * dw
        began, arrived, parts = now, [], []
        for rank, loader in enumerate(loaders):
            loader.slower = 4.0 if on and fault == "cold_cache" else 1.0
            there = loader.batch(began)
            compute = 0.24 * speed[rank] * rng.lognormal(0, 0.015)
            if rng.random() < 0.002:  # the collector of Python's garbage, or the kernel
                compute += rng.uniform(0.05, 0.2)
            if on and fault == "throttled" and rank == 5:  # its fan has failed
                compute *= 1.6
            arrived.append(there + compute)
            parts.append((there - began, compute))
        collective = 0.03 * rng.lognormal(0, 0.1)
        if on and fault == "network":  # a link fell back to a tenth of its rate
            collective *= 6
        now = max(arrived) + collective
        if step % 200 == 0:
            now += rng.uniform(3, 5)  # a checkpoint, between two steps
            log.event("checkpoint_saved", step, path=f"step-{step}")
        log.clock = Simulated.clock + now
        total = max(arrived) + collective - began
        log.step(step, loss, learning_rate=0.1, step_time_seconds=total, data_time_seconds=max(p[0] for p in parts),
                 samples_per_second=SIZE * WORLD / total)
        for rank, (wait, compute) in enumerate(parts):
            window[rank].append((wait, compute, total, now - arrived[rank]))
        if profiles and step % 25 == 0:
            for rank in range(WORLD):
                wait, compute, whole, sync = np.median(np.array(window[rank]), 0)
                window[rank].clear()
                log.event("step_profile", step, rank, world_size=WORLD, host=f"gpu-{rank // 4}", step_time_seconds=whole,
                          compute_time_seconds=compute, gpu_utilization_fraction=min(1.0, compute / whole),
                          sections={"data_loading": {"p50_seconds": wait, "count": 25},
                                    "forward": {"p50_seconds": compute * 0.32, "count": 25},
                                    "backward": {"p50_seconds": compute * 0.63, "count": 25},
                                    "optimizer": {"p50_seconds": compute * 0.05, "count": 25},
                                    "communication": {"p50_seconds": sync, "count": 25}})
    log.finish()


RUNS = [
    Run("healthy", train, TIMES, seeds=2),
    Run("healthy-rank-0-only", lambda log, seed: train(log, seed, profiles=False), TIMES, seeds=1),
    # batches take almost as long to prepare as to compute: a wait now and then, and no bottleneck
    Run("healthy-loaders-busy", lambda log, seed: train(log, seed, load=0.8), TIMES, seeds=1),
    Run("fan-failed", lambda log, seed: train(log, seed, "throttled"), TIMES,
        [must("straggler_rank", 501, STEPS, "slow_host")], FIELDS),
    Run("cold-cache", lambda log, seed: train(log, seed, "cold_cache"), TIMES,
        [must("input_bottleneck throughput_drop", 501, STEPS, "slow_data_loading")], FIELDS),
    Run("slow-link", lambda log, seed: train(log, seed, "network"), TIMES,
        [must("throughput_drop", 501, STEPS)], FIELDS),
    Run("one-worker", lambda log, seed: train(log, seed, workers=1), TIMES,
        [must("input_bottleneck", 1, STEPS, "slow_data_loading")], FIELDS),
    Run("one-worker-rank-0-only", lambda log, seed: train(log, seed, workers=1, profiles=False), TIMES,
        [must("input_bottleneck", 1, STEPS, "slow_data_loading")], FIELDS),
]
