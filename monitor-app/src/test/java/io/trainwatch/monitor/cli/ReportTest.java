package io.trainwatch.monitor.cli;

import static io.trainwatch.monitor.board.SampleRuns.alert;
import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.cli.TextReport.Detail;
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
        assertThat(text(new RunVerdict(snapshot(bare("r1")), 1_200, 1L, 1_200L, List.of())))
                .isEqualTo("a.jsonl: run r1, 1,200 events, steps 1 to 1,200: nothing found\n");
        assertThat(text(new RunVerdict(snapshot(bare("r1")), 1, null, null, List.of())))
                .isEqualTo("a.jsonl: run r1, 1 event, no steps: nothing found\n");
    }

    @Test
    void a_finding_tells_since_when_what_was_seen_and_what_is_likely() {
        assertThat(text(verdict())).isEqualTo("""
                a.jsonl: run r1, 40 events, steps 1 to 40: 1 critical
                  1 critical  loss_spike (val) since step 11, resolved at step 30
                              loss 9.5, usually 2.3
                              loss: 9.5 nats, usually 2.3 nats, score 14, steps 11 to 12
                              likely: a corrupt batch (score 2.5)
                                 fix: skip it
                               check: replay it
                                  or: a rate too high (score 0.5)
                              GPU time lost: 90 min
                  not checked: feature_drift, label_drift need batch_stats
                """);
    }

    @Test
    void of_several_runs_the_quiet_ones_are_one_line_each_and_a_line_at_the_end_counts_all() {
        RunVerdict quiet = new RunVerdict(
                snapshot(with(bare("q"), run -> run.setNotChecked(List.of(new NotChecked("a", "b"))))),
                9,
                1L,
                9L,
                List.of());

        assertThat(text(Detail.BRIEF, quiet, verdict(), quiet))
                .startsWith("a.jsonl: run q, 9 events, steps 1 to 9: nothing found\na.jsonl: run r1, 40 events,")
                .endsWith("""
                          not checked: feature_drift, label_drift need batch_stats

                        a.jsonl: run q, 9 events, steps 1 to 9: nothing found
                        1 file, 3 runs: 1 critical; 2 quiet (--verbose tells more of them)
                        """);
        assertThat(text(Detail.VERBOSE, quiet, quiet)).contains("not checked: a needs b\n");
    }

    @Test
    void what_was_not_checked_is_one_line_with_the_most_useful_signals_first() {
        RunVerdict run = new RunVerdict(
                snapshot(with(
                        bare("r1"),
                        status -> status.setNotChecked(List.of(
                                new NotChecked("a", "64 points of loss, 0 came"),
                                new NotChecked("b", "tensor_stats.tensors of kind weight"),
                                new NotChecked("c", "step_completed.data_time_seconds beside step_time_seconds"),
                                new NotChecked("d", "tensor_stats.tensors of kind gradient"))))),
                9,
                1L,
                9L,
                List.of());

        assertThat(text(run)).endsWith("""
                  not checked: 4 detectors, for want of tensor_stats (2), more steps (1),
                               step_completed.data_time_seconds (1); --verbose lists them
                """);
        assertThat(text(Detail.VERBOSE, run)).endsWith("""
                  not checked: a needs 64 points of loss, 0 came
                  not checked: c needs step_completed.data_time_seconds beside step_time_seconds
                  not checked: d needs tensor_stats.tensors of kind gradient
                  not checked: b needs tensor_stats.tensors of kind weight
                """);
    }

    @Test
    void the_story_has_its_beginning_its_end_and_the_best_evaluation() {
        LogVerdict verdict = new LogVerdict(new RunJudge());
        RunStream run = new RunStream("r1", moment -> {
            if (moment.event() != null) {
                verdict.event(moment.event());
            }
        });
        run.started(started -> started.setModelName("resnet"));
        run.steps(20).evaluation(1.5).steps(20).resumeAt(10).steps(5).finished(FinishStatus.failed);

        assertThat(text(verdict.runs().get(0))).contains("""
                  start       started: resnet
                  step 11     resumed: back from step 40 to step 11
                  step 15     finished: failed
                  best        val/loss 1.5 at step 20
                """);
    }

    @Test
    void a_finding_is_one_line_of_json_and_the_run_another() {
        StringWriter out = new StringWriter();

        new JsonlReport(out).log("a.jsonl", List.of(verdict()));

        assertThat(out.toString()).isEqualTo("""
                {"kind":"alert","file":"a.jsonl","run_id":"r1","detector":"loss_spike","severity":"critical","scope":"val","opened_step":12,"onset_step":11,"resolved_step":30,"message":"loss 9.5, usually 2.3","causes":[{"id":"corrupt_batch","title":"a corrupt batch","score":2.5},{"id":"high_rate","title":"a rate too high","score":0.5}],"accelerator_seconds_lost":5400.0}
                {"kind":"run","file":"a.jsonl","run_id":"r1","events":40,"first_step":1,"last_step":40,"not_checked":[{"detector":"feature_drift","missing":"batch_stats"},{"detector":"label_drift","missing":"batch_stats"}]}
                """);
    }

    @Test
    void a_log_cannot_move_the_cursor_of_a_terminal_or_hide_a_line() {
        assertThat(text(new RunVerdict(snapshot(bare("a\u001b[2J\rb\u202Ec@|red x|@")), 1, null, null, List.of())))
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
        alert.setCauses(List.of(
                new Cause(
                        "corrupt_batch",
                        "a corrupt batch",
                        2.5,
                        List.of(),
                        List.of("skip it", "find it"),
                        List.of("replay it")),
                new Cause("high_rate", "a rate too high", 0.5, List.of(), List.of("lower it"), List.of())));
        alert.setAcceleratorSecondsLost(5_400.0);
        return new RunVerdict(
                snapshot(with(
                        bare("r1"),
                        run -> run.setNotChecked(List.of(
                                new NotChecked("feature_drift", "batch_stats"),
                                new NotChecked("label_drift", "batch_stats"))))),
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

    private static String text(RunVerdict... runs) {
        return text(Detail.FULL, runs);
    }

    private static String text(Detail detail, RunVerdict... runs) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        TextReport report = new TextReport(out, Ansi.OFF, Glyphs.ASCII, detail);
        report.log("a.jsonl", List.of(runs));
        report.end();
        out.flush();
        return text.toString().replace(System.lineSeparator(), "\n");
    }
}
