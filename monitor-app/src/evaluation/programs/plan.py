"""What is run, and what is right for each run.

A label says what was planted and when; it is set before any judgement. It is of the form of labels.json: of each entry of
"must" one detector has to be raised between two steps, and "allow" may be raised besides.
"""

import dataclasses
from typing import Callable

UNSTABLE = ("loss_spike loss_divergence exploding_gradient non_finite_loss non_finite_gradient learning_rate_too_high "
            "not_learning loss_plateau abnormal_weights dead_units saturated_units prediction_collapse metric_drift "
            "train_val_divergence prediction_drift vanishing_gradient metric_mismatch").split()
"""What may follow when a training comes apart."""

STUCK = ("not_learning loss_plateau prediction_collapse learning_rate_too_low unchanged_weights vanishing_gradient "
         "metric_drift metric_mismatch train_val_divergence").split()
"""What may follow when nothing is learned."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: a program, what is wrong with it ("healthy": nothing), and how it is logged."""

    case: str
    train: Callable
    way: object
    must: tuple = ()
    allow: tuple = ()
    seeds: int = 1


def must(detectors, first, last, *causes, severity=None):
    """One of the detectors, opened between two steps; causes where only one explanation is right.

    severity: the least that counts, where it is lower than a warning
    """
    entry = {"detectors": detectors.split(), "from_step": first, "to_step": last, "severity": severity}
    if causes:
        entry["causes"] = list(causes)
    return entry
