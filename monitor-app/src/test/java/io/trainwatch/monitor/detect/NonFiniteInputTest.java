package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import io.trainwatch.monitor.judge.JudgedRun;
import io.trainwatch.monitor.judge.RunJudge;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class NonFiniteInputTest implements DetectorContract {
    private static final String NON_FINITE_INPUT = "non_finite_input";

    @Override
    public String detector() {
        return NON_FINITE_INPUT;
    }

    @Override
    public Scenario healthy() {
        return run -> batches(run, 30, 0, 0);
    }

    /** After 20 clean batches one with a NaN, after which the loss is NaN. */
    @Override
    public Scenario fault() {
        return run -> {
            batches(run, 20, 0, 0);
            run.steps(10);
            batch(run, 3, 0);
            run.step(Double.NaN).loss(step -> Double.NaN).steps(20);
        };
    }

    private static void batches(RunStream run, int count, long nan, long inf) {
        for (int i = 0; i < count; i++) {
            run.steps(10);
            batch(run, nan, inf);
        }
    }

    /** Two features of 32 values, the second with so many NaN and infinite ones. */
    private static void batch(RunStream run, long nan, long inf) {
        run.features(32, List.of(feature("age", 0, 0), feature("income", nan, inf)));
    }

    private static FeatureSummary feature(String name, long nan, long inf) {
        FeatureSummary feature = new FeatureSummary();
        feature.setName(name);
        feature.setCount(32L);
        feature.setNanCount(nan);
        feature.setInfCount(inf);
        feature.setMean(nan + inf > 0 ? Double.NaN : 0.1);
        feature.setStd(nan + inf > 0 ? Double.NaN : 1.0);
        return feature;
    }

    @Test
    void the_batch_is_a_warning_and_critical_when_the_loss_follows_at_the_next_step() {
        Judging.Episode input = Judging.of(fault()).only(NON_FINITE_INPUT);
        assertThat(input.scope()).isEqualTo("train");
        assertThat(input.openedStep()).isEqualTo(210);
        assertThat(input.onsetStep()).isEqualTo(210);
        assertThat(input.first().getSeverity()).isEqualTo(Severity.warning);
        assertThat(input.message()).isEqualTo("3 non-finite values in train feature income at step 210");
        assertThat(input.stepOf(Severity.critical)).isEqualTo(211);
        assertThat(input.last().getMessage())
                .contains("3 non-finite values in train feature income")
                .contains("the loss is NaN");
    }

    @Test
    void a_batch_that_is_told_after_its_step_is_critical_at_once() {
        Judging.Episode input = Judging.of(run -> {
                    batches(run, 20, 0, 0);
                    run.step(Double.NaN);
                    batch(run, 0, 1);
                })
                .only(NON_FINITE_INPUT);
        assertThat(input.openedStep()).isEqualTo(201);
        assertThat(input.highest()).isEqualTo(Severity.critical);
    }

    @Test
    void a_loss_that_breaks_much_later_has_another_cause() {
        Judging judging = Judging.of(run -> {
            batches(run, 20, 0, 0);
            batch(run, 1, 0);
            run.steps(5).step(Double.NaN);
        });
        assertThat(judging.only(NON_FINITE_INPUT).highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_feature_that_has_had_them_from_the_first_batch_on_is_handled_and_info() {
        Judging.Episode input = Judging.of(run -> batches(run, 50, 5, 0)).only(NON_FINITE_INPUT);
        assertThat(input.highest()).isEqualTo(Severity.info);
        assertThat(input.message())
                .isEqualTo("5 non-finite values in train feature income at step 10, as from the first batch on; the"
                        + " loss stays finite");
    }

    @Test
    void missing_values_that_are_said_to_be_missing_are_no_nan() {
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 30; i++) {
                                FeatureSummary feature = feature("age", 0, 0);
                                feature.setMissingCount(20L);
                                run.steps(10).features(32, List.of(feature));
                            }
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_feature_that_is_allowed_to_be_nan_is_not_told() {
        List<RunStream.Moment> moments = Judging.moments("run", run -> {
            batches(run, 20, 0, 0);
            batch(run, 3, 0);
        });
        assertThat(changes(new NonFiniteInput(DetectorSettings.DEFAULT), moments))
                .isEqualTo(1);
        assertThat(changes(new NonFiniteInput(new DetectorSettings(Map.of("allow_nan", "age,income"))), moments))
                .isZero();
    }

    private static int changes(Detector<?> detector, List<RunStream.Moment> moments) {
        RunJudge judge = new RunJudge(List.of(detector));
        JudgedRun run = judge.newRun("run");
        int changes = 0;
        for (RunStream.Moment moment : moments) {
            TrainingEvent event = Objects.requireNonNull(moment.event());
            changes += judge.judge(run, event, moment.atMs()).size();
        }
        return changes;
    }

    @Test
    void it_is_over_after_eight_clean_batches() {
        Judging judging = Judging.of(run -> {
            batches(run, 20, 0, 0);
            batch(run, 1, 0);
            batches(run, 10, 0, 0);
        });
        assertThat(judging.only(NON_FINITE_INPUT).last().getResolvedStep()).isEqualTo(280);
    }

    @Test
    void hostile_features_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 200; i++) {
                List<FeatureSummary> features = new ArrayList<>();
                for (int f = 0; f < 50; f++) {
                    features.add(feature("\n".repeat(f) + i, f % 2 == 0 ? Long.MIN_VALUE : Long.MAX_VALUE, -1));
                }
                run.steps(1).features(-5, features);
            }
        });
        assertThat(judging.encoded().length).isLessThan(300_000);
        assertThat(judging.changes())
                .allSatisfy(alert -> assertThat(alert.getMessage()).doesNotContain("\n"));
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(NON_FINITE_INPUT))
                .isEqualTo("batch_stats.features with nan_count or inf_count");
    }
}
