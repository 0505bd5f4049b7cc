"""Four ranks that train together, and what goes wrong between them and their machines.

The ranks take turns on this machine; each measures its own compute time, and a step lasts as long as the slowest of them, as
it does where they wait for each other. Times are CPU times, so that other work on the machine is not a fault of the run;
memory is what the process really holds.
"""

import time
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

from logs import Way
from plan import Run, must
from training import ADAM, cross_entropy, forward, mlp

STEPS, WORLD, SIZE = 600, 4, 192
TIMES = Way("times", "events", "loss lr times")
FIELDS = ["throughput_drop", "straggler_rank", "input_bottleneck"]
"""A slow part makes the step slow: second opinions on one fault."""


@jax.jit
def gradient(params, x, y):
    return jax.value_and_grad(lambda p: cross_entropy(forward(p, x)[0], y))(params)


@jax.jit
def apply(params, state, grads):
    updates, state = ADAM.update(grads, state)
    return optax.apply_updates(params, jax.tree.map(lambda u: -1e-3 * u, updates)), state


def memory():
    """Resident bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def train(log, seed, fault=None, begins=300, profiles=True):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x, y = ((x - 4.9) / 6).astype(np.float32), y.astype(np.int32)
    params = [mlp(np.random.default_rng(seed), 64, 384, 384, 10)] * WORLD
    state = [ADAM.init(params[0])] * WORLD
    shards = [zlib.compress(np.tile(x, (1 + r % 2, 1)).tobytes(), 6) for r in range(WORLD)]
    small = zlib.compress(x[:SIZE].tobytes(), 6)
    kept, hooks = [], []
    log.start(project="ranks", task="classification", num_classes=10, max_steps=STEPS, global_batch_size=SIZE * WORLD)
    gradient(params[0], x[:SIZE], y[:SIZE])  # compiled before the clock runs
    window = [[] for _ in range(WORLD)]
    for step in range(1, STEPS + 1):
        on = fault is not None and step > begins
        computes, loads, grads, losses = [], [], [], []
        jax.block_until_ready(gradient(params[0], x[:SIZE], y[:SIZE]))  # or rank 0 would pay for the fresh parameters
        for rank in range(WORLD):
            at = time.process_time()
            for _ in range(4 if on and fault == "slow_loader" else 1):  # the cache is gone: everything is unpacked again
                zlib.decompress(shards[rank] if on and fault == "slow_loader" else small)
            rows = rng.integers(0, len(x), SIZE)
            bx, by = x[rows], y[rows]
            loads.append(time.process_time() - at)
            at = time.process_time()
            for _ in range(2 if on and fault == "straggler" and rank == 2 else 1):  # half the clock: twice the time
                value, grad = jax.block_until_ready(gradient(params[rank], bx, by))
            computes.append(time.process_time() - at)
            grads.append(grad)
            losses.append(float(value))
        at = time.process_time()
        mean = jax.tree.map(lambda *g: sum(g) / WORLD, *grads)
        fresh, fresh_state = apply(params[0], state[0], mean)
        if fault == "desync" and step == begins:  # one rank misses one all-reduce
            own = apply(params[3], state[3], grads[3])
        elif fault == "desync" and step > begins:
            own = apply(params[3], state[3], mean)
        else:
            own = fresh, fresh_state
        params, state = [fresh] * (WORLD - 1) + [own[0]], [fresh_state] * (WORLD - 1) + [own[1]]
        if on and fault == "debug_hook":  # somebody left the spectral norm of every layer in the loop
            hooks = [np.linalg.svd(np.asarray(layer["w"]), compute_uv=False)[0] for layer in params[0].values()]
        if on and fault == "leak":
            kept.append(np.ones(400_000))
        rest = time.process_time() - at
        total = max(c + d for c, d in zip(computes, loads)) + rest
        log.step(step, sum(losses) / WORLD, learning_rate=1e-3, step_time_seconds=total,
                 data_time_seconds=max(loads), samples_per_second=SIZE * WORLD / total)
        for rank in range(WORLD):
            window[rank].append((loads[rank], computes[rank], total, rest))
        if profiles and step % 20 == 0:
            used = memory()
            for rank in range(WORLD):
                load, compute, whole, after = np.median(np.array(window[rank]), 0)
                window[rank].clear()
                log.event("step_profile", step, rank, world_size=WORLD, host=f"node{rank}", step_time_seconds=whole,
                          compute_time_seconds=compute, gpu_memory_used_bytes=used, gpu_memory_total_bytes=4 << 30,
                          sections={"data_loading": {"p50_seconds": load, "count": 20}, "forward": {"p50_seconds": compute / 3, "count": 20},
                                    "backward": {"p50_seconds": compute * 2 / 3, "count": 20}, "optimizer": {"p50_seconds": after, "count": 20}})
        if profiles and step % 50 == 0:
            for rank in range(WORLD):
                log.event("rank_fingerprint", step, rank, world_size=WORLD,
                          fingerprint=float(np.asarray(params[rank]["layer1"]["w"], np.float64).sum()))
    log.finish()


RUNS = [
    Run("healthy", train, TIMES, seeds=2),
    Run("healthy-rank-0-only", lambda log, seed: train(log, seed, profiles=False), TIMES, seeds=2),
    Run("straggler", lambda log, seed: train(log, seed, "straggler"), TIMES,
        [must("straggler_rank", 301, STEPS, "slow_host")], FIELDS),
    Run("slow-loader", lambda log, seed: train(log, seed, "slow_loader"), TIMES,
        [must("input_bottleneck throughput_drop", 301, STEPS, "slow_data_loading")], FIELDS),
    Run("debug-hook", lambda log, seed: train(log, seed, "debug_hook"), TIMES,
        # 20 ms a step are 6 s in all: told, and a warning from 10 s on
        [must("throughput_drop", 301, STEPS, severity="info")], FIELDS),
    Run("memory-leak", lambda log, seed: train(log, seed, "leak"), TIMES,
        [must("throughput_drop", 301, STEPS, severity="info")], FIELDS),
    Run("rank-missed-a-step", lambda log, seed: train(log, seed, "desync"), TIMES,
        [must("rank_desync", 300, STEPS)], FIELDS + ["rank_desync"]),
]
