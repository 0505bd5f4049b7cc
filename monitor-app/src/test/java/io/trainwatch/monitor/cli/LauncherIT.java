package io.trainwatch.monitor.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packaged program, as a person starts it. */
class LauncherIT {
    private static final Path LAUNCHER =
            Path.of("target/trainwatch/bin/trainwatch").toAbsolutePath();

    private static final String RUN_WITH_NAN = """
            {"event_type":"step_completed","run_id":"r1","timestamp_ms":1000,"step":1,"loss":1.0,"grad_norm":1.0}
            {"event_type":"step_completed","run_id":"r1","timestamp_ms":2000,"step":2,"loss":"NaN","grad_norm":1.0}
            """;
    private static final String QUIET_RUN = """
            {"event_type":"step_completed","run_id":"r1","timestamp_ms":1000,"step":1,"loss":1.0,"grad_norm":1.0}
            """;

    @TempDir
    Path dir;

    /** What a process did. */
    private record Ended(int exitCode, String out, String err) {}

    @Test
    void help_teaches_and_ends_with_0() throws Exception {
        Ended help = trainwatch("--help");

        assertThat(help.exitCode()).isZero();
        assertThat(help.out())
                .startsWith("Usage: trainwatch ")
                .contains("monitor  ", "check  ", "tail  ", "Where to begin:");
        assertThat(help.err()).isEmpty();
        for (String command : List.of("monitor", "check", "tail")) {
            assertThat(trainwatch(command, "--help").out()).contains("Examples:", "Exit codes:");
        }
    }

    @Test
    void the_version_is_that_of_the_build() throws Exception {
        assertThat(trainwatch("--version").out()).matches("(?s)trainwatch \\d+\\.\\d+\\.\\d+.*\nJava .*");
    }

    @Test
    void a_quiet_log_ends_with_0_and_one_line_that_says_so() throws Exception {
        Path log = write("quiet.jsonl", QUIET_RUN);

        Ended check = trainwatch("check", log.toString());

        assertThat(check.exitCode()).as(check.err()).isZero();
        assertThat(check.out()).startsWith(log + ": run r1, 1 event, steps 1 to 1: nothing found\n");
    }

    @Test
    void an_alert_ends_with_1_and_is_a_line_of_json_before_that_of_its_run() throws Exception {
        Path log = write("nan.jsonl", RUN_WITH_NAN);

        Ended check = trainwatch("check", "--output", "jsonl", log.toString());

        assertThat(check.exitCode()).as(check.err()).isEqualTo(1);
        List<String> lines = check.out().lines().toList();
        assertThat(lines).hasSize(2);
        assertThat(lines.get(0))
                .startsWith("{\"kind\":\"alert\",\"file\":\"" + log
                        + "\",\"run_id\":\"r1\",\"detector\":\"non_finite_loss\",\"severity\":\"critical\",\"scope\":\"\","
                        + "\"opened_step\":2,\"onset_step\":2,\"resolved_step\":null,\"message\":\"");
        assertThat(lines.get(0)).contains("\"causes\":[");
        assertThat(lines.get(1))
                .startsWith(
                        "{\"kind\":\"run\",\"file\":\"" + log
                                + "\",\"run_id\":\"r1\",\"events\":2,\"first_step\":1,\"last_step\":2,\"not_checked\":[{\"detector\":\"");
    }

    @Test
    void a_log_may_come_on_the_standard_input() throws Exception {
        Ended check = run(Map.of(), write("in", RUN_WITH_NAN), LAUNCHER, "check", "--output", "jsonl", "-");

        assertThat(check.exitCode()).as(check.err()).isEqualTo(1);
        assertThat(check.out()).startsWith("{\"kind\":\"alert\",\"file\":\"-\",\"run_id\":\"r1\"");
    }

    @Test
    void a_log_that_cannot_be_read_ends_with_2_says_why_and_leaves_the_others_judged() throws Exception {
        Path missing = dir.resolve("missing.jsonl");
        Path foreign = write("foreign.txt", "hello\n");
        Path empty = write("empty.jsonl", "");
        Path good = write("quiet.jsonl", QUIET_RUN);

        Ended check = trainwatch(
                "check",
                "--output",
                "jsonl",
                missing.toString(),
                foreign.toString(),
                empty.toString(),
                good.toString());

        assertThat(check.exitCode()).isEqualTo(2);
        assertThat(check.err())
                .contains(
                        missing + ": there is no such file",
                        foreign + ": not recognised as any of events",
                        empty + ": ");
        assertThat(check.out()).startsWith("{\"kind\":\"run\",\"file\":\"" + good + "\"");
    }

    @Test
    void a_broken_line_is_told_with_its_place_and_loses_nothing_else() throws Exception {
        Path log =
                write("broken.jsonl", QUIET_RUN + "{\"event_type\":\"step_comp\n" + QUIET_RUN.replace("1000", "2000"));

        Ended check = trainwatch("check", "--output", "jsonl", log.toString());

        assertThat(check.exitCode()).as(check.err()).isZero();
        assertThat(check.err()).contains("trainwatch: " + log + ":2: ", "1 place could not be read, beside 2 events");
        assertThat(check.out()).contains("\"events\":2");
    }

    @Test
    void a_directory_is_searched_and_what_is_skipped_is_named() throws Exception {
        Files.createDirectories(dir.resolve("runs/a"));
        write("runs/a/quiet.jsonl", QUIET_RUN);
        write("runs/notes.txt", "hello\n");
        write("runs/.hidden.jsonl", RUN_WITH_NAN);

        Ended check = trainwatch("check", dir.resolve("runs").toString());

        assertThat(check.exitCode()).as(check.err()).isZero();
        assertThat(check.out().lines().filter(line -> line.contains("run r1"))).hasSize(1);
        assertThat(check.err()).contains("skipped 1 file of no known format: notes.txt");
    }

    @Test
    void a_wrong_option_ends_with_2_and_names_the_right_one() throws Exception {
        Ended check = trainwatch("check", "--fromat", "auto", "x");

        assertThat(check.exitCode()).isEqualTo(2);
        assertThat(check.err())
                .contains("Unknown option: '--fromat'", "Did you mean --format?")
                .doesNotContain("Exception");
        assertThat(trainwatch("chekc").err()).contains("Did you mean check?");
        assertThat(trainwatch("check", "--format", "tea", "x").err()).contains("--format: format tea is not known");
    }

    @Test
    void a_monitor_without_a_broker_does_not_start_and_says_what_to_do() throws Exception {
        Ended monitor = trainwatch("monitor", "--bootstrap-servers", "127.0.0.1:1");

        assertThat(monitor.exitCode()).isEqualTo(2);
        assertThat(monitor.out()).isEmpty();
        assertThat(monitor.err().lines())
                .containsExactly(
                        "trainwatch: no Kafka broker answered at 127.0.0.1:1 within 10 s (127.0.0.1:1: Connection"
                                + " refused): start it, or name another with --bootstrap-servers");
    }

    @Test
    void a_monitor_with_a_bad_setting_does_not_start_and_names_it() throws Exception {
        Path settings = write("bad.yaml", "http:\n  prot: 1\n");

        Ended monitor = trainwatch("monitor", "--config", settings.toString());

        assertThat(monitor.exitCode()).isEqualTo(2);
        assertThat(monitor.err())
                .isEqualTo("trainwatch: " + settings
                        + ":2: http.prot: unknown key; allowed under http: advertised, host, port, token_file\n");
    }

    @Test
    void the_launcher_works_through_a_link_from_a_folder_with_a_space_and_passes_options_to_java() throws Exception {
        Path link = Files.createDirectories(dir.resolve("a folder")).resolve("tw");
        Files.createSymbolicLink(link, LAUNCHER);

        Ended version = run(Map.of("TRAINWATCH_JAVA_OPTS", "-Xlog:gc*=off -Dx=y"), null, link, "--version");

        assertThat(version.exitCode()).as(version.err()).isZero();
        assertThat(version.out()).startsWith("trainwatch ");
    }

    @Test
    void without_a_java_that_is_new_enough_the_launcher_says_what_it_found() throws Exception {
        assertThat(run(Map.of("JAVA_HOME", dir.toString()), null, LAUNCHER, "--version")
                        .err())
                .startsWith("trainwatch: JAVA_HOME is '" + dir + "', but there is no ");

        Path old = Files.createDirectories(dir.resolve("jdk-11/bin")).resolve("java");
        write("jdk-11/bin/java", "#!/bin/sh\n");
        assertThat(old.toFile().setExecutable(true)).isTrue();
        write("jdk-11/release", "JAVA_VERSION=\"11.0.2\"\n");
        Ended launch = run(Map.of("JAVA_HOME", dir.resolve("jdk-11").toString()), null, LAUNCHER, "--version");
        assertThat(launch.exitCode()).isEqualTo(2);
        assertThat(launch.err())
                .isEqualTo("trainwatch: " + old
                        + " is Java 11.0.2, trainwatch needs 17 or newer: set JAVA_HOME to a newer one\n");
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(dir.resolve(name), text);
    }

    private Ended trainwatch(String... arguments) throws Exception {
        return run(Map.of(), null, LAUNCHER, arguments);
    }

    private Ended run(Map<String, String> environment, Path in, Path program, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(arguments));
        Path out = Files.createTempFile(dir, "out", "");
        Path err = Files.createTempFile(dir, "err", "");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(dir.toFile())
                .redirectInput(in == null ? new File("/dev/null") : in.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("TRAINWATCH_"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("ended").isTrue();
        } finally {
            process.destroyForcibly();
        }
        return new Ended(process.exitValue(), Files.readString(out), Files.readString(err));
    }
}
