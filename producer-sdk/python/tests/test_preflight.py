"""Checks of data before training: first what is sound, then one fault each."""

from __future__ import annotations

import numpy
import pytest

import trainwatch


def data(count=1000, seed=0):
    rng = numpy.random.default_rng(seed)
    x = rng.standard_normal((count, 5))
    y = (x[:, 0] + rng.standard_normal(count) > 0).astype(int)
    return x, y


def failed(*args, **kwargs):
    """Returns the values of the checks that did not pass, by name."""
    return {check["name"]: check["value"] for check in trainwatch.preflight(*args, **kwargs) if not check["passed"]}


def test_sound_data_pass_every_check():
    x, y = data()
    x_val, y_val = data(200, seed=1)
    checks = trainwatch.preflight(x, y, x_val=x_val, y_val=y_val)
    assert [check["name"] for check in checks if not check["passed"]] == []
    assert [check["name"] for check in checks] == [
        "train_num_samples",
        "label_mismatch_count",
        "feature_nan_count",
        "feature_inf_count",
        "constant_feature_count",
        "unnormalised_feature_count",
        "duplicate_sample_count",
        "train_eval_overlap_count",
        "sample_shape_mismatch_count",
        "num_label_classes",
        "out_of_range_label_count",
        "class_imbalance_ratio",
        "dummy_baseline_metric",
        "single_split_auc",
        "target_leakage_count",
    ]


def test_values_that_are_none_are_counted():
    x, y = data()
    x[3, 1] = x[4, 1] = numpy.nan
    x[5, 2] = numpy.inf
    assert failed(x, y) == {"feature_nan_count": 2, "feature_inf_count": 1}


def test_features_that_tell_nothing_or_are_not_normalised_are_counted():
    x, y = data()
    x[:, 1] = 7.0
    x[:, 2] *= 1000
    x[:, 3] += 5
    assert failed(x, y) == {"constant_feature_count": 1, "unnormalised_feature_count": 2}


def test_samples_that_come_again_are_counted():
    x, y = data()
    x[10:13] = x[0:3]
    assert failed(x, y, x_val=x[20:25]) == {"duplicate_sample_count": 3, "train_eval_overlap_count": 5}


def test_a_feature_that_gives_the_label_away_is_found():
    x, y = data()
    x[:, 4] = y + 0.01 * x[:, 4]
    x[:, 4] = (x[:, 4] - x[:, 4].mean()) / x[:, 4].std()
    checks = {check["name"]: check for check in trainwatch.preflight(x, y)}
    assert checks["single_split_auc"]["value"] == 1.0 and not checks["single_split_auc"]["passed"]
    assert checks["single_split_auc"]["detail"] == "one split on feature 4"
    assert checks["target_leakage_count"]["value"] == 1


def test_labels_of_one_class_are_found():
    x, _ = data()
    assert failed(x, numpy.zeros(1000, int)) == {"num_label_classes": 1, "dummy_baseline_metric": 1.0}


def test_rare_classes_and_labels_out_of_range_are_found():
    x, y = data()
    y[:] = 0
    y[:40] = 1
    y[:2] = 5
    found = failed(x, y, num_classes=2)
    assert found["class_imbalance_ratio"] == 480 and found["out_of_range_label_count"] == 2
    assert found["dummy_baseline_metric"] == pytest.approx(0.96)


def test_labels_that_do_not_match_the_samples_are_found():
    x, y = data()
    assert failed(x, y[:-3])["label_mismatch_count"] == 3


def test_targets_of_a_regression_are_no_classes():
    x, y = data()
    assert "num_label_classes" not in {check["name"] for check in trainwatch.preflight(x, y + 0.5)}


def test_results_go_to_the_run(recorded):
    x, y = data(100)
    with trainwatch.start("r1", location=recorded.location) as run:
        trainwatch.preflight(x, y, run=run)
    checks = {check["name"]: check for check in recorded("preflight_completed")[0]["checks"]}
    assert checks["train_num_samples"] == {
        "name": "train_num_samples",
        "passed": False,
        "value": 100.0,
        "threshold": 500.0,
        "detail": "samples in the training set",
    }


@pytest.mark.parametrize("x", [None, [], "text", [[1, 2], [3]], [["a", "b"]]])
def test_what_cannot_be_checked_does_no_harm(x):
    trainwatch.preflight(x, [1, 2])
