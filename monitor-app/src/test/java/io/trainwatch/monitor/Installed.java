package io.trainwatch.monitor;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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

    /**
     * Finds a file that a Debian package brings, or installs the package.
     *
     * @param file where the package puts it
     * @param debianPackages the package, and others that are installed with it
     */
    public static Path file(Path file, String... debianPackages) {
        if (!Files.exists(file) && mayInstall()) {
            install(debianPackages);
        }
        return Files.exists(file)
                ? file
                : missing(file + " is not there: apt-get install " + String.join(" ", debianPackages));
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

    private static synchronized void install(String... debianPackages) {
        String script = """
                export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
                apt-get -q -o DPkg::Lock::Timeout=120 update
                apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@"
                """;
        List<String> command = new ArrayList<>(List.of("sh", "-c", script, "sh"));
        command.addAll(List.of(debianPackages));
        String wanted = String.join(" ", debianPackages);
        try {
            Path log = Files.createTempFile("apt-", ".log");
            Process apt = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            if (!apt.waitFor(INSTALL_MINUTES, TimeUnit.MINUTES)) {
                apt.destroy();
            }
        } catch (IOException e) {
            missing(wanted + " cannot be installed: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            missing(wanted + " was not installed: interrupted");
        }
    }

    private static Path missing(String what) {
        return "true".equals(System.getenv("CI")) ? fail(what) : abort(what);
    }
}
