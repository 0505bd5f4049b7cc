package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.Noise;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.function.LongToDoubleFunction;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorseThanReferenceTest implements DetectorContract {
    private static final String WORSE = "worse_than_reference";

    @BeforeAll
    static void the_reference_trains() {
        Judging.reference("reference", run -> run.steps(4000));
    }

    @Override
    public String detector() {
        return WORSE;
    }

    @Override
    public Scenario healthy() {
        return run -> named(run).steps(2000);
    }

    /** Alike up to step 300; there it stays. */
    @Override
    public Scenario fault() {
        return run -> {
            LongToDoubleFunction healthy = run.healthyLoss();
            named(run).loss(step -> healthy.applyAsDouble(Math.min(step, 300))).steps(3500);
        };
    }

    private static RunStream named(RunStream run) {
        return run.started(body -> body.setReferenceRunId("reference"));
    }

    private static LongToDoubleFunction worseFrom(RunStream run, long from, double factor) {
        LongToDoubleFunction healthy = run.healthyLoss();
        return step -> healthy.applyAsDouble(step) * (step > from ? factor : 1);
    }

    @Test
    void a_loss_that_falls_behind_is_told_after_eight_blocks_with_the_step_at_which_it_began() {
        Judging.Episode worse = Judging.of(fault()).only(WORSE);
        assertThat(worse.openedStep()).isEqualTo(748);
        assertThat(worse.onsetStep()).isEqualTo(685);
        assertThat(worse.highest()).isEqualTo(Severity.warning);
        assertThat(worse.message())
                .matches(
                        "loss is [67]\\.?\\d* % worse than that of run reference since step 685: 1\\.\\d+ now, 1\\.\\d+ there at"
                                + " equal step");
        assertThat(worse.first().getCauses().get(0).getId()).isEqualTo("differs_from_reference");
    }

    @Test
    void a_loss_of_4_percent_more_is_within_the_tolerance() {
        assertThat(Judging.of(run -> named(run).loss(worseFrom(run, 0, 1.04)).steps(3500))
                        .episodes(WORSE))
                .isEmpty();
    }

    @Test
    void a_better_loss_is_no_finding() {
        assertThat(Judging.of(run -> named(run).loss(worseFrom(run, 0, 0.5)).steps(3500))
                        .episodes(WORSE))
                .isEmpty();
    }

    @Test
    void a_run_that_is_a_tenth_of_its_steps_late_is_no_worse_run() {
        Judging judging = Judging.of(run -> {
            LongToDoubleFunction healthy = run.healthyLoss();
            named(run).loss(step -> healthy.applyAsDouble(step * 9 / 10)).steps(3500);
        });
        assertThat(judging.episodes(WORSE)).isEmpty();
    }

    @Test
    void a_worse_stretch_of_fewer_than_eight_blocks_is_not_told() {
        Judging judging = Judging.of(run -> {
            LongToDoubleFunction healthy = run.healthyLoss();
            named(run)
                    .loss(step -> healthy.applyAsDouble(step) * (step > 2000 && step < 2100 ? 1.3 : 1))
                    .steps(3500);
        });
        assertThat(judging.episodes(WORSE)).isEmpty();
    }

    @Test
    void it_is_over_when_the_loss_is_back() {
        Judging judging = Judging.of(run -> {
            LongToDoubleFunction healthy = run.healthyLoss();
            named(run)
                    .loss(step -> healthy.applyAsDouble(step) * (step > 2000 && step < 2600 ? 1.12 : 1))
                    .steps(3500);
        });
        Judging.Episode worse = judging.only(WORSE);
        assertThat(worse.openedStep()).isEqualTo(2204);
        assertThat(worse.onsetStep()).isEqualTo(1997);
        assertThat(worse.resolved()).isTrue();
        assertThat(worse.last().getResolvedStep()).isEqualTo(2876);
    }

    @Test
    void where_the_reference_has_no_points_nothing_is_compared() {
        Judging judging =
                Judging.of(run -> named(run).loss(worseFrom(run, 4000, 1.5)).steps(6000));
        assertThat(judging.episodes(WORSE)).isEmpty();
    }

    @Test
    void twice_the_batch_is_compared_at_twice_the_step() {
        Judging.reference(
                "of batch 32",
                run -> run.started(body -> body.setGlobalBatchSize(32L)).steps(4000));
        Judging judging = Judging.of(run -> {
            LongToDoubleFunction healthy = run.healthyLoss();
            run.started(body -> {
                        body.setReferenceRunId("of batch 32");
                        body.setGlobalBatchSize(64L);
                    })
                    .loss(step -> healthy.applyAsDouble(2 * step) * (step > 1000 ? 1.12 : 1))
                    .steps(1900);
        });
        assertThat(judging.only(WORSE).message())
                .matches(".*1[12]\\.?\\d* % worse .* there after equal work, its step \\d+");
    }

    @Test
    void nothing_is_compared_before_the_learning_rate_is_warm() {
        Judging judging = Judging.of(run -> named(run)
                .learningRate(step -> Math.min(step, 500) * 1e-6)
                .loss(step -> step < 500 ? 4.5 : 1.5 + 3 * Math.pow(step + 10.0, -0.35) + run.noise(0.02))
                .steps(1500));
        assertThat(judging.episodes(WORSE)).isEmpty();
    }

    @Test
    void steps_that_are_redone_do_not_count() {
        Judging judging = Judging.of(run -> {
            named(run).steps(2000).resumeAt(1500);
            run.loss(worseFrom(run, 0, 1.5)).untilStep(2000);
            run.loss(run.healthyLoss()).untilStep(3000);
        });
        assertThat(judging.episodes(WORSE)).isEmpty();
    }

    @Test
    void in_reinforcement_learning_it_is_info() {
        Judging judging = Judging.of(run -> {
            run.started(body -> {
                body.setReferenceRunId("reference");
                body.setMetricProfile("rl");
            });
            run.loss(worseFrom(run, 2000, 1.12)).steps(3500);
        });
        assertThat(judging.only(WORSE).highest()).isEqualTo(Severity.info);
    }

    @Test
    void beside_a_divergence_it_is_info() {
        Judging judging = Judging.of(run -> named(run)
                .loss(step ->
                        step < 2000 ? 1.5 + 3 * Math.pow(step + 10.0, -0.35) + run.noise(0.02) : 9 + run.noise(0.1))
                .steps(2600));
        assertThat(judging.alarms("loss_divergence")).isNotEmpty();
        assertThat(judging.only(WORSE).last().getSuppressedBy()).isEqualTo("loss_divergence");
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(100)).notChecked(WORSE)).isEqualTo("run_started.reference_run_id");
        assertThat(Judging.of(run -> run.started(body -> body.setReferenceRunId("run")))
                        .notChecked(WORSE))
                .isEqualTo("run_started.reference_run_id of another run");
        assertThat(Judging.of(run -> run.started(body -> body.setReferenceRunId("nobody")))
                        .notChecked(WORSE))
                .isEqualTo("the reference run nobody, which is not known here");
        assertThat(Judging.of(run -> named(run)).notChecked(WORSE)).isEqualTo("step_completed.loss");
        assertThat(Judging.of(run -> named(run).steps(10)).notChecked(WORSE))
                .isEqualTo("16 blocks of loss at steps that run reference has, 2 came");
    }

    /** 40 pairs of runs that differ by their noise alone, of 5 % of their loss: a power law from 3.3 down to 2.2. */
    @ParameterizedTest
    @CsvSource({
        "GAUSSIAN,        0",
        "AR_09,           0",
        "AR_099,          11",
        "STUDENT_T3,      0",
        "LOG_NORMAL,      0",
        "SINE,            0",
        "QUANTISED,       0",
        "EPOCH_SAW_TOOTH, 0",
    })
    void runs_that_differ_by_luck_alone_are_alike(Noise noise, int alarms) {
        int alarmed = 0;
        for (int seed = 0; seed < 40; seed++) {
            var there = noise.seeded(2L * seed);
            var here = noise.seeded(2L * seed + 1);
            Judging.reference(
                    "luck",
                    run -> run.loss(step -> powerLaw(step) + 0.1 * there.applyAsDouble(step))
                            .steps(2500));
            Judging judging = Judging.of(run -> run.started(body -> body.setReferenceRunId("luck"))
                    .loss(step -> powerLaw(step) + 0.1 * here.applyAsDouble(step))
                    .steps(2500));
            alarmed += judging.episodes(WORSE).isEmpty() ? 0 : 1;
        }
        assertThat(alarmed).isEqualTo(alarms);
    }

    private static double powerLaw(long step) {
        return 2 + 3 * Math.pow(step + 10.0, -0.35);
    }
}
