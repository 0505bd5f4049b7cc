"""Trains the programs and writes their logs and labels.json: python train.py first|second|third DIRECTORY [PROGRAM...]

A set is programs and seeds. "first" judged the detectors before anything was changed; "second" has other seeds of the same
programs, and programs that were not in the first; "third" has programs of its own, of other frameworks.
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
OTHER = ("boosting chargpt cluster control energy finetune images_gan keras_images online recommender speech "
         "vision").split()
SETS = {"first": (PROGRAMS, 1), "second": ([*NEW, *PROGRAMS], 1001), "third": (OTHER, 2001)}
"""Programs and first seed by set; the n-th run of a program takes the n-th seed from there."""


def runs(program, first_seed):
    """All runs of a program with their seeds and names."""
    planned = [run for run in importlib.import_module(program).RUNS for _ in range(run.seeds)]
    return [(run, seed, f"{program}-{run.case}-{run.way.name}-{seed}") for seed, run in enumerate(planned, first_seed)]


def labels(program, first_seed):
    """What is right for each file of a program."""
    return {
        run.way.file(name): {
            "must": [{k: v for k, v in entry.items() if v is not None} for entry in run.must],
            "allow": sorted(set(run.allow)),
        }
        for run, _, name in runs(program, first_seed)
    }


def train(program, first_seed, directory):
    for run, seed, name in runs(program, first_seed):
        began = time.time()
        run.train(run.way.open(directory / run.way.file(name), name), seed)
        print(f"{time.time() - began:5.1f} s  {name}", flush=True)


def main(which, directory, *programs):
    known, first_seed = SETS[which]
    chosen = [p for p in programs if p in known] or known
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "labels.json"
    before = json.loads(path.read_text()) if path.exists() and programs else {}
    new = {name: label for program in chosen for name, label in labels(program, first_seed).items()}
    path.write_text(json.dumps(before | new, indent=1, sort_keys=True) + "\n")
    with ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:
        for _ in pool.map(train, chosen, [first_seed] * len(chosen), [directory] * len(chosen)):
            pass


if __name__ == "__main__":
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    main(*sys.argv[1:])
