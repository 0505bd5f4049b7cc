"""Trains the programs and writes their logs and labels.json: python train.py first|second DIRECTORY [PROGRAM...]

A set is programs and seeds. "first" judged the detectors before anything was changed; "second" has other seeds of the same
programs, and programs that were not in the first.
"""

import importlib
import json
import os
import pathlib
import sys
import time
from concurrent.futures import ProcessPoolExecutor

PROGRAMS = ("accumulation cnn contrastive curriculum depth detection distillation factorisation gan ranks regression "
            "reinforce restarts rnn tables transformer vae").split()
NEW = "diffusion forecasting qlearning segmentation skipgram".split()
SETS = {"first": (PROGRAMS, 1), "second": (sorted([*PROGRAMS, *NEW]), 1001)}
"""Programs and first seed by set; the n-th run of a program takes the n-th seed from there."""


def train(program, first_seed, directory):
    """All runs of one program; gives their labels by file name."""
    labels, seed = {}, first_seed
    for run in importlib.import_module(program).RUNS:
        for _ in range(run.seeds):
            name = f"{program}-{run.case}-{run.way.name}-{seed}"
            began = time.time()
            run.train(run.way.open(directory / run.way.file(name), name), seed)
            must = [{k: v for k, v in entry.items() if v is not None} for entry in run.must]
            labels[run.way.file(name)] = {"must": must, "allow": sorted(set(run.allow))}
            print(f"{time.time() - began:5.1f} s  {name}", flush=True)
            seed += 1
    return labels


def main(which, directory, *programs):
    known, first_seed = SETS[which]
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    # ranks measures times: it runs by itself, after the others
    chosen = [p for p in known if not programs or p in programs]
    labels = {}
    with ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:
        for one in pool.map(train, [p for p in chosen if p != "ranks"], [first_seed] * len(chosen), [directory] * len(chosen)):
            labels |= one
    if "ranks" in chosen:
        labels |= train("ranks", first_seed, directory)
    path = directory / "labels.json"
    before = json.loads(path.read_text()) if path.exists() and programs else {}
    path.write_text(json.dumps(before | labels, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(*sys.argv[1:])
