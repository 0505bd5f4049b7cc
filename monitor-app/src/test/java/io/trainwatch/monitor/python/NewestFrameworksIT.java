package io.trainwatch.monitor.python;

import java.util.List;
import org.junit.jupiter.api.Tag;

/** With the newest versions of all frameworks, which are some gigabytes to fetch: {@code ./mvnw verify -Pframeworks}. */
@Tag("frameworks")
class NewestFrameworksIT extends FrameworkTrainings {
    @Override
    Python torch() {
        return newest().with(
                        "newest-torch", ".[test]", "torch", "transformers", "accelerate", "lightning", "mlflow-skinny");
    }

    @Override
    Python keras() {
        return newest().with("newest-keras", ".[test]", "keras", "jax", "scikit-learn", "mlflow-skinny", "pandas");
    }

    private static Python newest() {
        List<Python> all = Python.available();
        return all.get(all.size() - 1);
    }
}
