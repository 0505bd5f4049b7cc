package io.trainwatch.monitor.python;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import io.trainwatch.monitor.Installed;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A Python interpreter with a virtual environment below {@code target}, in which the package of producer-sdk/python is
 * installed as a user would. Where there is no Python, or its packages cannot be fetched, the test is skipped and says what to
 * install; with {@code CI=true} in the environment it fails instead.
 */
public record Python(String version, Path interpreter) {
    static final Path PACKAGE =
            Path.of("..", "producer-sdk", "python").toAbsolutePath().normalize();

    private static final int NEWEST = 14;
    private static final int OLDEST = 9;

    /** The installed Python, and the newest other one that the package is for. */
    public static List<Python> available() {
        Stream<String> names = Stream.concat(
                Stream.of("python3"),
                IntStream.rangeClosed(0, NEWEST - OLDEST)
                        .mapToObj(i -> "python3." + (NEWEST - i))
                        .flatMap(name -> Stream.concat(Stream.of(name), ofPyenv(name))));
        List<Python> found = new ArrayList<>();
        names.forEach(name -> {
            String version = versionOf(name);
            boolean known = found.stream().anyMatch(python -> python.version.equals(version));
            if (!version.isEmpty() && !known && found.size() < 2) {
                found.add(new Python(version, Path.of(name)));
            }
        });
        return found.isEmpty()
                ? List.of(missing("python3 is not on the PATH: apt-get install python3 python3-venv"))
                : found;
    }

    /**
     * Debian's own Python with its PyTorch, which is for CPUs alone and a twentieth of what PyPI brings; virtual environments
     * of it have both.
     */
    public static Python withDebianTorch() {
        Path interpreter = Path.of("/usr/bin/python3");
        Installed.file(Path.of("/usr/lib/python3/dist-packages/torch"), "python3-torch", "python3-venv");
        return new Python(versionOf(interpreter.toString()) + "-debian", interpreter);
    }

    /** This Python with the packages installed, e.g. {@code .[test]}; an environment that is there already is kept. */
    public Python with(String name, String... requirements) {
        Path environment = Path.of("target", "python", name + "-" + version).toAbsolutePath();
        Path python = environment.resolve("bin").resolve("python");
        Path log = environment.resolveSibling(environment.getFileName() + ".log");
        try {
            Files.createDirectories(environment.getParent());
            List<String> create =
                    new ArrayList<>(List.of(interpreter.toString(), "-m", "venv", environment.toString()));
            if (version.endsWith("-debian")) {
                create.add("--system-site-packages");
            }
            if (!Files.isExecutable(python) && run(log, Map.of(), create) != 0) {
                return missing("no virtual environment: apt-get install python3-venv; " + Files.readString(log));
            }
            List<String> install = new ArrayList<>(List.of(
                    python.toString(),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-compile",
                    "--disable-pip-version-check"));
            install.addAll(List.of(requirements));
            if (run(log, Map.of(), install) != 0) {
                return missing("packages cannot be installed from PyPI: " + Files.readString(log));
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return new Python(version, python);
    }

    /** Runs this Python in the folder of the package; its output goes to the log. */
    public int run(Path log, Map<String, String> environment, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(interpreter.toString()));
        command.addAll(List.of(arguments));
        return run(log, environment, command);
    }

    private static int run(Path log, Map<String, String> environment, List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(PACKAGE.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            assertThat(process.waitFor(15, TimeUnit.MINUTES))
                    .as("%s ends", command)
                    .isTrue();
            return process.exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        } finally {
            process.destroyForcibly();
        }
    }

    /** Pyenv keeps every version that it has installed, but puts few of them on the PATH. */
    private static Stream<String> ofPyenv(String name) {
        Path versions = Path.of(System.getProperty("user.home"), ".pyenv", "versions");
        if (!Files.isDirectory(versions)) {
            return Stream.empty();
        }
        try (Stream<Path> installed = Files.list(versions)) {
            return installed.map(version -> version.resolve("bin").resolve(name).toString()).toList().stream();
        } catch (IOException e) {
            return Stream.empty();
        }
    }

    /** Returns e.g. 3.11, or nothing where there is no such interpreter. */
    private static String versionOf(String name) {
        try {
            Process process = new ProcessBuilder(name, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])")
                    .redirectErrorStream(true)
                    .start();
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return process.waitFor() == 0 ? out : "";
        } catch (IOException e) {
            return "";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "";
        }
    }

    @SuppressWarnings("TypeParameterUnusedInFormals") // never returns
    private static <T> T missing(String what) {
        return "true".equals(System.getenv("CI")) ? fail(what) : abort(what);
    }
}
