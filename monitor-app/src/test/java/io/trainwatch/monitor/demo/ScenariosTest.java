package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.Histogram;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is planted is in the numbers, and in no others. */
class ScenariosTest {

    static Stream<Scenario> healthy() {
        return Scenarios.all().stream().filter(scenario -> scenario.fault() == null);
    }

    static List<Scenario> all() {
        return Scenarios.all();
    }

    private static final Map<String, RecordedRun> RECORDED = new HashMap<>();

    /** The whole run of the demonstration's seed, trained once. */
    private static RecordedRun record(Scenario scenario) {
        return RECORDED.computeIfAbsent(scenario.name(), name -> RecordedRun.of(scenario, Scenarios.SEED));
    }

    private static RecordedRun first200Steps(Scenario scenario, long seed) {
        return RecordedRun.of(scenario.training().apply(seed), step -> step < 200);
    }

    @ParameterizedTest
    @MethodSource("healthy")
    void a_healthy_training_learns_without_an_accident(Scenario scenario) {
        RecordedRun run = record(scenario);
        double[] losses = run.losses();
        assertThat(losses).hasSize(3_000);
        assertThat(Arrays.stream(losses)).allMatch(Double::isFinite);
        assertThat(mean(losses, 2_901, 3_000)).isLessThan(0.7 * mean(losses, 1, 20));
        for (int step = 129; step <= losses.length; step++) {
            double before = mean(losses, step - 128, step - 1);
            assertThat(losses[step - 1] - before)
                    .as("step %d", step)
                    .isLessThan(8 * spread(losses, step - 128, step - 1));
        }
        double[] validation = run.validationLosses();
        assertThat(last(validation)).isLessThan(1.02 * smallest(validation));
        assertThat(Arrays.stream(run.gradNorms())).allMatch(norm -> norm < 10);
        List<BatchStats> profiles = run.profiles();
        for (BatchStats profile : profiles) {
            for (int f = 0; f < profile.getFeatures().size(); f++) {
                assertThat(populationStabilityIndex(profiles, f, profile)).isLessThan(0.1);
            }
        }
    }

    @Test
    void a_learning_rate_far_too_high_blows_the_loss_up_until_it_is_not_a_number() {
        double[] losses = record(Scenarios.learningRateTooHigh()).losses();
        assertThat(Arrays.stream(losses, 0, 601)).allMatch(loss -> loss < 5);
        assertThat(losses[601]).isGreaterThan(20);
        assertThat(losses[619]).isNaN();
        assertThat(last(losses)).isNaN();
    }

    @Test
    void a_schedule_that_ends_too_early_freezes_the_loss_well_above_what_is_reachable() {
        double[] frozen = record(Scenarios.scheduleEndsTooEarly()).losses();
        RecordedRun reachable = RecordedRun.of(Scenarios.taughtWithCosine(Scenarios.SEED, 4_000), step -> true);
        double atFreeze = mean(frozen, 501, 1_000);
        assertThat(mean(frozen, 3_501, 4_000)).isBetween(0.98 * atFreeze, 1.02 * atFreeze);
        assertThat(mean(reachable.losses(), 3_501, 4_000)).isLessThan(0.85 * atFreeze);
    }

    @Test
    void memorising_raises_the_validation_loss_while_the_training_loss_falls() {
        RecordedRun run = record(Scenarios.memorises());
        double[] validation = run.validationLosses();
        double[] train = run.losses();
        int best = indexOfSmallest(validation);
        assertThat(best).isBetween(1, 20);
        assertThat(last(validation)).isGreaterThan(1.1 * validation[best]);
        assertThat(mean(train, 1_901, 2_000)).isLessThan(0.7 * mean(train, 101, 200));
    }

    @Test
    void an_input_in_another_unit_shifts_that_feature_and_no_other() {
        List<BatchStats> profiles = record(Scenarios.inputRescaled()).profiles();
        for (int f = 0; f < 6; f++) {
            assertThat(populationStabilityIndex(profiles, f, profiles.get(59))).isLessThan(0.1);
            double after = populationStabilityIndex(profiles, f, profiles.get(60));
            if (f == 2) {
                assertThat(after).isGreaterThan(0.25);
            } else {
                assertThat(after).isLessThan(0.1);
            }
        }
        double before = profiles.get(59).getFeatures().get(2).getStd();
        assertThat(profiles.get(60).getFeatures().get(2).getStd()).isBetween(2.8 * before, 3.2 * before);
    }

    @Test
    void sorted_samples_bring_one_or_two_labels_at_a_time_where_all_came_before() {
        List<BatchStats> profiles = record(Scenarios.sortedByLabel()).profiles();
        for (int window = 0; window < profiles.size(); window++) {
            long labels = profiles.get(window).getLabelHistogram().values().stream()
                    .filter(count -> count > 0)
                    .count();
            if (window < 60) {
                assertThat(labels).isEqualTo(5);
            } else {
                assertThat(labels).isLessThanOrEqualTo(2);
            }
        }
    }

    @Test
    void corrupt_batches_throw_the_loss_far_out_of_its_noise_and_it_comes_back() {
        double[] losses = record(Scenarios.corruptBatches()).losses();
        double usual = mean(losses, 1_072, 1_199);
        double noise = spread(losses, 1_072, 1_199);
        for (int step = 1_200; step <= 1_203; step++) {
            assertThat(losses[step - 1] - usual).as("step %d", step).isGreaterThan(20 * noise);
        }
        assertThat(mean(losses, 1_901, 2_000)).isLessThan(1.1 * usual);
    }

    @ParameterizedTest
    @MethodSource("all")
    void before_its_fault_a_training_is_healthy(Scenario scenario) {
        if (scenario.fault() != null && scenario.fault().step() > 129) {
            double[] losses = record(scenario).losses();
            for (int step = 129; step < scenario.fault().step(); step++) {
                assertThat(losses[step - 1] - mean(losses, step - 128, step - 1))
                        .as("step %d", step)
                        .isLessThan(8 * spread(losses, step - 128, step - 1));
            }
        }
    }

    @Test
    void runs_that_go_silent_take_no_step_from_their_fault_on() {
        assertThat(record(Scenarios.hung()).losses()).hasSize(250);
        assertThat(record(Scenarios.killed()).losses()).hasSize(250);
    }

    @ParameterizedTest
    @MethodSource("all")
    void equal_seeds_give_equal_numbers_and_others_do_not(Scenario scenario) {
        RecordedRun once = first200Steps(scenario, 5);
        assertThat(first200Steps(scenario, 5).entries()).isEqualTo(once.entries());
        assertThat(first200Steps(scenario, 6).losses()).isNotEqualTo(once.losses());
    }

    @Test
    void every_scenario_has_a_name_of_its_own() {
        assertThat(Scenarios.all().stream().map(Scenario::name)).doesNotHaveDuplicates();
    }

    private static double populationStabilityIndex(List<BatchStats> profiles, int feature, BatchStats window) {
        double[] reference = new double[10];
        for (BatchStats profile : profiles.subList(0, 3)) {
            add(profile.getFeatures().get(feature).getHistogram(), reference);
        }
        double[] now = new double[10];
        add(window.getFeatures().get(feature).getHistogram(), now);
        double referenceSum = DoubleStream.of(reference).sum() + 5;
        double nowSum = DoubleStream.of(now).sum() + 5;
        double index = 0;
        for (int bin = 0; bin < 10; bin++) {
            double p = (reference[bin] + 0.5) / referenceSum;
            double q = (now[bin] + 0.5) / nowSum;
            index += (p - q) * Math.log(p / q);
        }
        return index;
    }

    private static void add(Histogram histogram, double[] into) {
        for (int bin = 0; bin < into.length; bin++) {
            into[bin] += histogram.getCounts().get(bin);
        }
    }

    /** Mean over the steps from first to last, counted from 1. */
    private static double mean(double[] values, int first, int last) {
        return Arrays.stream(values, first - 1, last).average().orElseThrow();
    }

    private static double spread(double[] values, int first, int last) {
        double mean = mean(values, first, last);
        return Math.sqrt(Arrays.stream(values, first - 1, last)
                .map(value -> (value - mean) * (value - mean))
                .average()
                .orElseThrow());
    }

    private static double last(double[] values) {
        return values[values.length - 1];
    }

    private static double smallest(double[] values) {
        return values[indexOfSmallest(values)];
    }

    private static int indexOfSmallest(double[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] < values[best]) {
                best = i;
            }
        }
        return best;
    }
}
