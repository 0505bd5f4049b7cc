"""A curriculum: short sequences first, then longer ones; the trainer says so, or does not."""

import jax
import numpy as np

from logs import LOSS, USUAL, USUAL_10
from plan import Run
from rnn import batches, loss, network
from training import CLIPPED_ADAM, fit

STAGES = {1: 6, 401: 10, 801: 16}
STEPS = 1200


def train(log, seed, told=True):
    rng = np.random.default_rng(seed)
    draws = {start: batches(rng, length) for start, length in STAGES.items()}
    held_out = batches(np.random.default_rng(0), 16, 512)(0)
    judged = jax.jit(loss)
    log.start(project="curriculum", task="regression", loss_function="mse", max_steps=STEPS)

    def draw(step):
        if told and step in STAGES and step > 1:
            log.event("phase_changed", step, phase_id=f"length-{STAGES[step]}", reason="sequence_length")
        return draws[max(s for s in STAGES if s <= step)](step)

    fit(log, loss, network(rng), draw, lr=2e-3, steps=STEPS, optimizer=CLIPPED_ADAM,
        evaluate=lambda p: {"loss": float(judged(p, held_out)[0])}, evaluate_every=100)
    log.finish()


LONG = ["train_val_divergence"]
"""The evaluation is of the longest sequences: its loss really rises from 0.2 to 0.4 and more while short ones are learned."""

RUNS = [
    Run("healthy", train, USUAL, allow=LONG, seeds=2),
    Run("healthy", train, USUAL_10, allow=LONG, seeds=2),
    # the data become harder at once and nobody says so: a spike there is what a person would want to hear of
    Run("healthy-untold", lambda log, seed: train(log, seed, told=False), LOSS, allow=["loss_spike", "loss_divergence"], seeds=2),
]
