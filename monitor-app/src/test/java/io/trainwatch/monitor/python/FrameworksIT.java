package io.trainwatch.monitor.python;

/**
 * With versions that Debian's PyTorch 1.13 bears (50 MB beside the 150 MB of the package; transformers 4.48 and Lightning 2.2
 * no longer do), and a Keras and a scikit-learn of today (200 MB).
 */
class FrameworksIT extends FrameworkTrainings {
    @Override
    Python withTorch() {
        return debianTorch();
    }

    static Python debianTorch() {
        return Python.withDebianTorch()
                .with(
                        "frameworks-torch",
                        ".[test]",
                        "torch==1.13.0a0", // what the package calls itself: nothing else may be fetched
                        "transformers==4.45.2",
                        "accelerate==1.1.1",
                        "lightning==2.1.4",
                        "pytorch-lightning==2.1.4",
                        "tensorboard==2.20.0",
                        "mlflow-skinny==3.17.2");
    }

    @Override
    Python withKeras() {
        return Python.available()
                .get(0)
                .with(
                        "frameworks-keras",
                        ".[test]",
                        "keras==3.15.1",
                        "jax==0.10.2",
                        "scikit-learn==1.9.1",
                        "pandas", // for what MLflow has for Keras
                        "mlflow-skinny==3.17.2");
    }
}
