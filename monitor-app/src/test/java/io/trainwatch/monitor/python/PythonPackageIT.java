package io.trainwatch.monitor.python;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The tests of the Python package itself, on the installed Python and on the newest other one, at the same time. */
class PythonPackageIT {
    @TestFactory
    Stream<DynamicTest> the_package_passes_its_own_tests() {
        return Python.available().stream()
                .map(python -> Map.entry(python.version(), CompletableFuture.supplyAsync(() -> outcomeOn(python))))
                .toList()
                .stream()
                .map(run -> DynamicTest.dynamicTest(
                        "Python " + run.getKey(),
                        () -> assertThat(run.getValue().join())
                                .contains(" passed")
                                .doesNotContain(" failed", " error")));
    }

    private static String outcomeOn(Python python) {
        try {
            Path log = Files.createTempFile("pytest-", ".log");
            python.with("package", ".[test]").run(log, Map.of(), "-m", "pytest", "-p", "no:cacheprovider");
            return Files.readString(log);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
