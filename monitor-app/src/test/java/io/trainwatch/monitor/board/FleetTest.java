package io.trainwatch.monitor.board;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.LongToDoubleFunction;
import org.junit.jupiter.api.Test;

class FleetTest {
    private final Random random = new Random(3);
    private final List<RunSnapshot> runs = new ArrayList<>();

    @Test
    void runs_that_differ_by_luck_are_no_outliers() {
        for (int i = 0; i < 40; i++) {
            double luck = 1 + 0.01 * random.nextGaussian();
            add("run " + i, RunKind.UNKNOWN, 100 + 10 * i, step -> luck * healthy(step));
        }
        Fleet.View view = Fleet.of("vision", runs);
        assertThat(view.outliers()).isEmpty();
        assertThat(view.compared()).isEqualTo(38);
        assertThat(view.notCompared())
                .as("those that went farther than all but 5")
                .isEqualTo(2);
    }

    @Test
    void a_run_that_is_worse_at_equal_steps_is_told_and_so_is_one_that_is_too_good() {
        siblings(6);
        add("worse", RunKind.UNKNOWN, 300, step -> 1.2 * healthy(step));
        add("leaking", RunKind.UNKNOWN, 200, step -> 0.5 * healthy(step));

        List<Fleet.Outlier> outliers = Fleet.of("vision", runs).outliers();
        assertThat(outliers).extracting(o -> o.run().getRunId()).containsExactlyInAnyOrder("worse", "leaking");
        Fleet.Outlier worse = outliers.stream()
                .filter(o -> o.run().getRunId().equals("worse"))
                .findFirst()
                .orElseThrow();
        assertThat(worse.score()).isPositive();
        assertThat(worse.loss() / worse.median()).isEqualTo(1.2, within(0.03));
        assertThat(worse.fromStep()).isEqualTo(151);
        assertThat(worse.toStep()).isEqualTo(300);
        assertThat(worse.siblings()).isEqualTo(6);
    }

    @Test
    void four_siblings_are_too_few() {
        siblings(4);
        add("worse", RunKind.UNKNOWN, 300, step -> 2 * healthy(step));
        assertThat(Fleet.of("vision", runs)).isEqualTo(new Fleet.View(0, 5, List.of()));
    }

    @Test
    void runs_of_another_model_or_project_are_no_siblings() {
        siblings(6);
        add("large", new RunKind("large", null, null, 0, 0), 300, step -> 2 * healthy(step));
        assertThat(Fleet.of("vision", runs)).isEqualTo(new Fleet.View(6, 1, List.of()));
        assertThat(Fleet.of("speech", runs)).isEqualTo(new Fleet.View(0, 0, List.of()));
    }

    @Test
    void twice_the_batch_is_compared_after_half_of_the_steps() {
        for (int i = 0; i < 6; i++) {
            add("run " + i, new RunKind(null, null, null, 32, 0), 400, this::healthy);
        }
        add("twice", new RunKind(null, null, null, 64, 0), 180, step -> healthy(2 * step));
        assertThat(Fleet.of("vision", runs)).isEqualTo(new Fleet.View(7, 0, List.of()));
    }

    @Test
    void a_run_that_ended_is_a_sibling_and_never_an_outlier() {
        for (int i = 0; i < 6; i++) {
            add("ended " + i, RunKind.UNKNOWN, 400, step -> 2 * healthy(step)).setCondition(RunCondition.completed);
        }
        add("better", RunKind.UNKNOWN, 300, this::healthy);
        Fleet.View view = Fleet.of("vision", runs);
        assertThat(view.compared()).isEqualTo(1);
        assertThat(view.outliers()).extracting(o -> o.run().getRunId()).containsExactly("better");
    }

    @Test
    void an_outlier_for_a_moment_is_not_told() {
        siblings(6);
        add("bump", RunKind.UNKNOWN, 300, step -> (step > 200 && step < 250 ? 2 : 1) * healthy(step));
        assertThat(Fleet.of("vision", runs).outliers()).isEmpty();
    }

    private void siblings(int count) {
        for (int i = 0; i < count; i++) {
            add("run " + i, RunKind.UNKNOWN, 400, this::healthy);
        }
    }

    private double healthy(long step) {
        return (1.5 + 3 * Math.pow(step + 10.0, -0.35)) * (1 + 0.02 * random.nextGaussian());
    }

    private RunStatus add(String runId, RunKind kind, int steps, LongToDoubleFunction loss) {
        List<Bucket> buckets = new ArrayList<>();
        for (int step = 4; step <= steps; step += 4) {
            double mean = loss.applyAsDouble(step);
            buckets.add(new Bucket(step, mean, mean, mean));
        }
        RunStatus status = SampleRuns.with(SampleRuns.bare(runId), run -> run.setProject("vision"));
        SeriesSnapshot series = new SeriesSnapshot("loss", steps, 0, buckets);
        runs.add(new RunSnapshot(status, Map.of("loss", series), List.of(), List.of(), 0, kind));
        return status;
    }
}
