"""Keras with the MLflow callback of mlflow.keras; the data of the third epoch make the loss NaN. Argument: where to write."""
import os
import sys

os.chdir(sys.argv[1])
os.environ["KERAS_BACKEND"] = "jax"
import keras
import mlflow
import numpy

keras.utils.set_random_seed(0)
x = numpy.random.default_rng(0).normal(size=(256, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(1e-2), "mse")
mlflow.set_experiment("with keras")
with mlflow.start_run(run_name="keras"):
    for epochs in ((0, 3), (3, 5)):
        y = x.sum(1) * (1 if epochs[0] == 0 else float("nan"))
        model.fit(
            x,
            y,
            initial_epoch=epochs[0],
            epochs=epochs[1],
            batch_size=32,
            validation_split=0.25,
            verbose=0,
            callbacks=[mlflow.keras.MlflowCallback()],
        )
