package io.trainwatch.monitor.cli;

import static io.trainwatch.monitor.board.SampleRuns.alert;
import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.judge.LogVerdict;
import io.trainwatch.monitor.judge.LogVerdict.Episode;
import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.run.NotChecked;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Help.Ansi;

class ReportTest {
    @Test
    void a_run_without_findings_is_one_line() {
        assertThat(text(new RunVerdict(bare("r1"), 1_200, 1L, 1_200L, List.of())))
                .isEqualTo("a.jsonl: run r1, 1,200 events, steps 1 to 1,200: nothing found\n");
        assertThat(text(new RunVerdict(bare("r1"), 1, null, null, List.of())))
                .isEqualTo("a.jsonl: run r1, 1 event, no steps: nothing found\n");
    }

    @Test
    void a_finding_tells_since_when_what_was_seen_and_what_is_likely() {
        assertThat(text(verdict())).isEqualTo("""
                a.jsonl: run r1, 40 events, steps 1 to 40
                  critical  loss_spike (val) since step 11, resolved at step 30
                            loss 9.5, usually 2.3
                            loss: 9.500 nats, usually 2.300 nats, score 14.00, steps 11 to 12
                            likely: a corrupt batch
                  not checked: feature_drift, label_drift need batch_stats
                """);
    }

    @Test
    void a_finding_is_one_line_of_json_and_the_run_another() {
        StringWriter out = new StringWriter();

        new JsonlReport(out).run("a.jsonl", verdict());

        assertThat(out.toString()).isEqualTo("""
                {"kind":"alert","file":"a.jsonl","run_id":"r1","detector":"loss_spike","severity":"critical","scope":"val","opened_step":12,"onset_step":11,"resolved_step":30,"message":"loss 9.5, usually 2.3","causes":[{"id":"corrupt_batch","title":"a corrupt batch","score":2.5}]}
                {"kind":"run","file":"a.jsonl","run_id":"r1","events":40,"first_step":1,"last_step":40,"not_checked":[{"detector":"feature_drift","missing":"batch_stats"},{"detector":"label_drift","missing":"batch_stats"}]}
                """);
    }

    @Test
    void a_log_cannot_move_the_cursor_of_a_terminal_or_hide_a_line() {
        assertThat(text(new RunVerdict(bare("a\u001b[2J\rb\u202Ec@|red x|@"), 1, null, null, List.of())))
                .isEqualTo("a.jsonl: run a\uFFFD[2J\uFFFDb\uFFFDc@|red x|@, 1 event, no steps: nothing found\n");
    }

    @Test
    void an_episode_is_told_once_at_its_last_change_and_with_its_highest_severity() {
        LogVerdict verdict = new LogVerdict(new RunJudge());
        verdict.event(step(1, 1.0));
        verdict.event(step(2, Double.NaN));
        for (long step = 3; step <= 200; step++) {
            verdict.event(step(step, 1.0));
        }

        RunVerdict run = verdict.runs().get(0);
        assertThat(run.events()).isEqualTo(200);
        assertThat(run.firstStep()).isEqualTo(1);
        assertThat(run.lastStep()).isEqualTo(200);
        assertThat(run.episodes()).hasSize(1).first().satisfies(episode -> {
            assertThat(episode.last().getDetector()).isEqualTo("non_finite_loss");
            assertThat(episode.last().getState()).isEqualTo(AlertState.resolved);
            assertThat(episode.last().getResolvedStep()).isNotNull();
            assertThat(episode.severity()).isEqualTo(Severity.critical);
        });
        assertThat(run.isQuiet()).isFalse();
    }

    private static RunVerdict verdict() {
        Alert alert = alert("a1", "r1", Severity.warning, AlertState.resolved, 1);
        alert.setScope("val");
        alert.setResolvedStep(30L);
        alert.setEvidence(List.of(new Evidence("loss", 11L, 12L, 9.5, 2.3, 14.0, "nats")));
        alert.setCauses(List.of(new Cause("corrupt_batch", "a corrupt batch", 2.5, List.of(), List.of(), List.of())));
        return new RunVerdict(
                with(
                        bare("r1"),
                        run -> run.setNotChecked(List.of(
                                new NotChecked("feature_drift", "batch_stats"),
                                new NotChecked("label_drift", "batch_stats")))),
                40,
                1L,
                40L,
                List.of(new Episode(alert, Severity.critical)));
    }

    private static TrainingEvent step(long step, double loss) {
        StepCompleted body = new StepCompleted();
        body.setLoss(loss);
        TrainingEvent event = new TrainingEvent();
        event.setRunId("r1");
        event.setSession("");
        event.setTimestampMs(step * 1_000);
        event.setStep(step);
        event.setBody(body);
        return event;
    }

    private static String text(RunVerdict verdict) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        new TextReport(out, Ansi.OFF).run("a.jsonl", verdict);
        out.flush();
        return text.toString().replace(System.lineSeparator(), "\n");
    }
}
