"""fit of Keras on JAX."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras  # noqa: E402
import numpy  # noqa: E402
import problems  # noqa: E402

if problems.BY_MLFLOW:
    import mlflow
else:
    from trainwatch.keras import TrainwatchCallback


def fit(fault, model, x, y, **how):
    """With the callback of trainwatch, or that of MLflow, which tells epochs: there each step is one."""
    name = problems.name("keras", fault)
    if problems.BY_MLFLOW:
        how.update(steps_per_epoch=1, epochs=problems.STEPS[fault], validation_freq=problems.EVERY)
        with mlflow.start_run(run_name=name):
            model.fit(x, y, callbacks=[mlflow.keras.MlflowCallback()], **how)
    else:
        model.fit(x, y, callbacks=[TrainwatchCallback(run_id=name)], **how)


for fault in problems.FAULTS:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((problems.WIDTH,)),
            keras.layers.Dense(256 if fault == "overfit" else 8, "relu"),
            keras.layers.Dense(1),
        ]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True) if fault == "overfit" else "mse"
    model.compile(keras.optimizers.Adam(3e-3 if fault == "overfit" else 2e-2), loss)
    x, y = problems.samples(fault)
    if fault == "nan":
        x[problems.BATCH[fault] * (problems.NAN_STEP - 1)] = numpy.nan
    fit(
        fault,
        model,
        x,
        y,
        batch_size=problems.BATCH[fault],
        epochs=problems.epochs(fault),
        shuffle=False,
        verbose=0,
        validation_data=problems.validation(fault) if fault == "overfit" else None,
        validation_freq=problems.EVERY // 2,
    )
