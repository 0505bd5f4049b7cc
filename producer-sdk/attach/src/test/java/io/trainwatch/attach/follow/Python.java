package io.trainwatch.attach.follow;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A Python with packages, installed under target/ at first need. Where that is not possible, a test is skipped and says why. */
final class Python {
    private Python() {}

    /** The interpreter. With CI=true in the environment, its absence is a failure. */
    static Path with(String... packages) throws IOException, InterruptedException {
        Path venv = Path.of("target", "venv-writers").toAbsolutePath();
        Path python = venv.resolve("bin").resolve("python");
        Path installed = venv.resolve("installed.txt");
        String wanted = String.join(" ", packages);
        if (Files.exists(installed) && Files.readString(installed).equals(wanted)) {
            return python;
        }
        Files.createDirectories(venv.getParent());
        List<String> install = new ArrayList<>(List.of(python.toString(), "-m", "pip", "install", "-q"));
        install.addAll(List.of(packages));
        boolean ready = succeeds(List.of("python3", "-m", "venv", venv.toString())) && succeeds(install);
        if (!ready) {
            String how = "needs python3 with venv and PyPI: apt-get install python3-venv; pip install " + wanted;
            if ("true".equals(System.getenv("CI"))) {
                fail(how);
            }
            abort(how);
        }
        Files.writeString(installed, wanted);
        return python;
    }

    private static boolean succeeds(List<String> command) throws InterruptedException {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return process.waitFor(10, TimeUnit.MINUTES) && process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** Runs a script in a directory; what it prints. */
    static List<String> run(Path python, Path directory, String script) throws IOException, InterruptedException {
        Path file = directory.resolveSibling(directory.getFileName() + ".py");
        Files.writeString(file, script);
        ProcessBuilder builder = new ProcessBuilder(python.toString(), file.toString())
                .directory(directory.toFile())
                .redirectError(directory.resolveSibling("stderr.txt").toFile());
        builder.environment().put("MLFLOW_ALLOW_FILE_STORE", "true");
        builder.environment().put("WANDB_SILENT", "true");
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new AssertionError(Files.readString(directory.resolveSibling("stderr.txt")));
        }
        return out.lines().toList();
    }
}
