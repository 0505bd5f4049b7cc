package io.trainwatch.monitor;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Programs that tests run for real. One that is missing is installed where that is harmless: as root, by apt, in a container,
 * where the package starts no service. Elsewhere the test is skipped and says what to install; with {@code CI=true} in the
 * environment it fails instead, so that nobody takes a skipped test for a passed one.
 */
public final class Installed {
    private static final long INSTALL_MINUTES = 5;

    private Installed() {}

    /**
     * Finds a program, or installs it.
     *
     * @param name what it is called on the PATH
     * @param debianPackage the package that brings it
     */
    public static Path program(String name, String debianPackage) {
        Optional<Path> found = onPath(name);
        if (found.isEmpty() && mayInstall()) {
            install(debianPackage);
            found = onPath(name);
        }
        return found.orElseGet(() -> missing(name + " is not on the PATH: apt-get install " + debianPackage));
    }

    private static Optional<Path> onPath(String name) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .map(directory -> Path.of(directory).resolve(name))
                .filter(Files::isExecutable)
                .findFirst();
    }

    private static boolean mayInstall() {
        return "root".equals(System.getProperty("user.name"))
                && onPath("apt-get").isPresent()
                && !Files.exists(Path.of("/run/systemd/system"));
    }

    private static synchronized void install(String debianPackage) {
        String script = """
                export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
                apt-get -q -o DPkg::Lock::Timeout=120 update
                apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$1"
                """;
        try {
            Path log = Files.createTempFile("apt-", ".log");
            Process apt = new ProcessBuilder("sh", "-c", script, "sh", debianPackage)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            if (!apt.waitFor(INSTALL_MINUTES, TimeUnit.MINUTES)) {
                apt.destroy();
            }
        } catch (IOException e) {
            missing(debianPackage + " cannot be installed: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            missing(debianPackage + " was not installed: interrupted");
        }
    }

    private static Path missing(String what) {
        return "true".equals(System.getenv("CI")) ? fail(what) : abort(what);
    }
}
