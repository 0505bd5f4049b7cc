"""Three small trainings with a known fault each: what every framework has to train on.

``nan``: the loss of one step is NaN, and with it every weight from then on. ``plateau``: all that can be learned is learned
after a tenth of the steps, the rest is noise. ``overfit``: 32 noisy samples are learned by heart.
"""

from __future__ import annotations

import os
import tempfile

import numpy

os.chdir(tempfile.mkdtemp())  # where some leave behind what nobody asked for

FAULTS = ("nan", "plateau", "overfit")
NAN_STEP = 60

#: Whether the trainer knows MLflow alone; else it has the one line of trainwatch that its framework wants.
BY_MLFLOW = "MLFLOW_TRACKING_URI" in os.environ
WIDTH = 20
BATCH = {"nan": 64, "plateau": 64, "overfit": 16}
STEPS = {"nan": 120, "plateau": 1_400, "overfit": 480}
EVERY = 12


def name(framework, fault):
    """Returns what the run is called."""
    return "%s%s-%s" % ("mlflow-" if BY_MLFLOW else "", framework, fault)


def samples(fault, count=None, seed=0):
    """Returns inputs and targets. Two of twenty features tell; the rest of the target is noise of variance 1.

    A regression of variance 12.25, or where it is to be overfitted, a classification: there the loss on held-out data goes on
    rising, as the network becomes more and more sure of what it has learned by heart.
    """
    rng = numpy.random.default_rng(seed)
    count = count or (32 if fault == "overfit" else BATCH[fault] * STEPS[fault])
    x = rng.standard_normal((count, WIDTH)).astype("float32")
    y = (3 * x[:, 0] - 1.5 * x[:, 1] + rng.standard_normal(count)).astype("float32")
    return x, (y + 3 * rng.standard_normal(count) > 0).astype("float32") if fault == "overfit" else y


def validation(fault):
    """Returns samples that are not in the training set."""
    return samples(fault, 256, seed=1)


def epochs(fault):
    """Returns how often the training set is passed."""
    return STEPS[fault] * BATCH[fault] // len(samples(fault)[0])
