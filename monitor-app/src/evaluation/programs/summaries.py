"""What a careful user logs of arrays: statistics of tensors, of a batch of inputs and of predicted classes."""

import numpy as np


def summary(name, kind, array):
    values = np.asarray(array, np.float64).ravel()
    finite = values[np.isfinite(values)]
    row = {"name": name, "kind": kind, "count": values.size, "nonfinite_count": int(values.size - finite.size)}
    if finite.size:
        magnitudes = np.abs(finite)
        row |= {"mean": finite.mean(), "std": finite.std(), "abs_mean": magnitudes.mean(), "abs_max": magnitudes.max(),
                "l2_norm": np.linalg.norm(finite), "zero_fraction": float((finite == 0).mean())}
    return row


def inputs(batch):
    """Mean, spread and range of up to 16 features, and the labels where they are classes."""
    x = np.asarray(batch["x"], np.float64).reshape(len(batch["x"]), -1)[:, :16]
    features = []
    for i in range(x.shape[1]):
        column = x[:, i]
        finite = column[np.isfinite(column)]
        row = {"name": f"x{i}", "count": column.size, "nan_count": int(np.isnan(column).sum()),
               "inf_count": int(np.isinf(column).sum())}
        if finite.size:
            row |= {"mean": finite.mean(), "std": finite.std(), "min": finite.min(), "max": finite.max()}
        features.append(row)
    fields = {"split": "train", "num_samples": len(x), "features": features}
    y = np.asarray(batch["y"])
    if np.issubdtype(y.dtype, np.integer):
        fields["label_histogram"] = histogram(y)
    else:
        fields |= {"label_mean": y.mean(), "label_std": y.std()}
    return fields


def predictions(classes, labels):
    return {"split": "train", "num_samples": int(np.size(labels)), "predicted_class_histogram": histogram(classes),
            "label_histogram": histogram(labels)}


def histogram(classes):
    values, counts = np.unique(np.asarray(classes), return_counts=True)
    return {str(v): int(c) for v, c in zip(values, counts)}
