package io.trainwatch.monitor.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What {@code check} says that other settings would have changed, and beside another run. */
class CheckCommandTest {
    @TempDir
    Path dir;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private Path log;

    /** A loss that never falls and is NaN at step 700. */
    @BeforeEach
    void writeLog() throws IOException {
        StringBuilder lines = new StringBuilder();
        for (int step = 1; step <= 720; step++) {
            String loss = step == 700 ? "NaN" : String.format(Locale.ROOT, "%.4f", 2.3 + 0.05 * Math.sin(step * step));
            lines.append(
                    "{\"event_type\":\"step_completed\",\"run_id\":\"r1\",\"timestamp_ms\":%d,\"step\":%d,\"loss\":%s}\n"
                            .formatted(1_763_760_000_000L + 1000L * step, step, loss));
        }
        log = Files.writeString(dir.resolve("train.jsonl"), lines);
    }

    private int check(String settings, String... more) throws IOException {
        Path config = Files.writeString(dir.resolve("trainwatch.yaml"), settings);
        String[] args = new String[more.length + 4];
        args[0] = "check";
        args[1] = "--config";
        args[2] = config.toString();
        System.arraycopy(more, 0, args, 3, more.length);
        args[args.length - 1] = log.toString();
        CommandLine command = Trainwatch.commandLine();
        command.setOut(new PrintWriter(out));
        command.setErr(new PrintWriter(err));
        command.setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
        return command.execute(args);
    }

    private String said() {
        return out.toString().replace(log.toString(), "LOG");
    }

    @Test
    void the_defaults_make_no_difference() throws IOException {
        assertThat(check("detection: {detectors: {not_learning: {first_check: 500}}}\n"))
                .isEqualTo(1);
        assertThat(said())
                .contains("warning   not_learning since step 1, ")
                .endsWith("\nno difference to the defaults in 1 run\n");

        out.getBuffer().setLength(0);
        check("", "--output", "jsonl");
        assertThat(said()).doesNotContain("\"diff\"");
    }

    @Test
    void what_is_silenced_held_down_and_moved_is_told_after_the_report() throws IOException {
        int code = check("""
                detection:
                  detectors:
                    not_learning: {first_check: 100}
                    non_finite_loss: {severity: info}
                """);
        assertThat(code).isEqualTo(1);
        assertThat(said()).endsWith("""
                2 differences to the defaults in 1 run
                  moved     not_learning, warning at step 500, is now warning at step 100: LOG, run r1
                  severity  non_finite_loss, critical at step 700, is now info at step 700: LOG, run r1
                """);

        out.getBuffer().setLength(0);
        code = check("""
                detection:
                  detectors:
                    not_learning: {enabled: false}
                    non_finite_loss: {severity: info}
                """);
        assertThat(code).as("nothing at warning is left").isZero();
        assertThat(said())
                .contains("  not checked: not_learning: switched off by configuration\n")
                .endsWith("""
                        2 differences to the defaults in 1 run
                          severity  non_finite_loss, critical at step 700, is now info at step 700: LOG, run r1
                          silenced  not_learning, warning at step 500: LOG, run r1
                        """);
    }

    @Test
    void what_is_added_is_a_line_of_json_too() throws IOException {
        log = Files.writeString(
                log,
                Files.readString(log).replace("NaN", "2.3").lines().limit(300).reduce("", (a, b) -> a + b + "\n"));
        check("detection: {detectors: {not_learning: {first_check: 200}}}\n", "--output", "jsonl");

        assertThat(said().lines()).hasSize(3);
        assertThat(said())
                .endsWith(
                        "{\"kind\":\"diff\",\"file\":\"LOG\",\"run_id\":\"r1\",\"detector\":\"not_learning\",\"scope\":\"\","
                                + "\"change\":\"added\",\"default_severity\":null,\"severity\":\"warning\","
                                + "\"default_opened_step\":null,\"opened_step\":200}\n");
    }

    @Test
    void a_mistake_in_the_file_is_told_and_nothing_is_judged() throws IOException {
        assertThat(check("detection: {detectors: {not_learning: {first_check: soon}}}\n"))
                .isEqualTo(2);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString())
                .contains(
                        "trainwatch.yaml:1: detection.detectors.not_learning.first_check: 'soon' is not allowed here: a"
                                + " whole number, 50 to 1000000 (steps)");
    }

    /** A loss that falls from 3 to the given floor, with a little noise, over 3,000 steps. */
    private Path falling(String run, double floor) throws IOException {
        SplittableRandom random = new SplittableRandom(5);
        StringBuilder lines = new StringBuilder();
        for (int step = 1; step <= 3000; step++) {
            double loss = floor + (3 - floor) * Math.exp(-step / 600.0) + 0.02 * random.nextGaussian();
            lines.append(
                    "{\"event_type\":\"step_completed\",\"run_id\":\"%s\",\"timestamp_ms\":%d,\"step\":%d,\"loss\":%.4f}\n"
                            .formatted(run, 1_763_760_000_000L + 1000L * step, step, loss));
        }
        return Files.writeString(dir.resolve(run + ".jsonl"), lines);
    }

    @Test
    void a_run_like_its_reference_is_not_told_and_one_that_is_worse_is() throws IOException {
        String reference = falling("last-week", 1).toString();
        log = falling("again", 1);
        assertThat(check("", "--reference", reference)).isZero();
        assertThat(said()).doesNotContain("worse_than_reference").doesNotContain("last-week");

        log = falling("worse", 1.6);
        assertThat(check("", "--reference", reference)).isEqualTo(1);
        assertThat(said()).contains("worse_than_reference").contains("last-week");
    }

    @Test
    void a_reference_that_holds_no_curve_is_an_error_and_nothing_is_judged() throws IOException {
        Path empty = Files.writeString(
                dir.resolve("empty.jsonl"),
                "{\"event_type\":\"step_completed\",\"run_id\":\"e\",\"timestamp_ms\":1,\"step\":1,\"loss\":1.0}\n");
        assertThat(check("", "--reference", empty.toString())).isEqualTo(2);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString()).contains("no run in it has enough points of loss to be compared with");
    }
}
