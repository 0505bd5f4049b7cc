package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.Layer;
import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.event.PreflightCheck;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RunStarted;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class RunFactsTest {

    @Test
    void a_run_that_declared_nothing_has_no_facts() {
        RunFacts facts = new RunFacts();

        assertThat(facts.declared()).isFalse();
        assertThat(facts.project()).isNull();
        assertThat(facts.profile()).isEqualTo(MetricProfile.SUPERVISED);
        assertThat(facts.chanceLoss()).isNaN();
        assertThat(facts.warmupSteps()).isEqualTo(-1);
        assertThat(facts.maxSteps()).isZero();
        assertThat(facts.learningRatePeak()).isNaN();
        assertThat(facts.fp16()).isFalse();
        assertThat(facts.optimizer()).isNull();
        assertThat(facts.globalBatchSize()).isZero();
        assertThat(facts.layers().of("fc1.weight")).isNull();
    }

    @Test
    void a_later_declaration_replaces_the_fields_that_it_has() {
        RunFacts facts = new RunFacts();
        RunStarted first = new RunStarted();
        first.setProject("p");
        first.setRunName("one");
        first.setMaxSteps(100L);
        first.setWarmupSteps(0L);
        facts.declare(first);
        RunStarted second = new RunStarted();
        second.setRunName("two");
        second.setPrecision("fp16");
        facts.declare(second);

        assertThat(facts.declared()).isTrue();
        assertThat(facts.project()).isEqualTo("p");
        assertThat(facts.runName()).isEqualTo("two");
        assertThat(facts.maxSteps()).isEqualTo(100);
        assertThat(facts.warmupSteps()).isZero();
        assertThat(facts.fp16()).isTrue();
    }

    @Test
    void chance_is_the_logarithm_of_the_classes_or_of_the_vocabulary_for_a_cross_entropy() {
        assertThat(chance(10, null, null)).isEqualTo(Math.log(10));
        assertThat(chance(null, 50_257, "CrossEntropy")).isEqualTo(Math.log(50_257));
        assertThat(chance(10, null, "nll")).isEqualTo(Math.log(10));
        assertThat(chance(10, null, "mse")).isNaN();
        assertThat(chance(1, null, null)).isNaN();
    }

    @Test
    void what_makes_no_sense_is_not_taken() {
        RunFacts facts = new RunFacts();
        RunStarted started = new RunStarted();
        started.setMaxSteps(-5L);
        started.setWarmupSteps(-5L);
        started.setLearningRatePeak(Double.POSITIVE_INFINITY);
        facts.declare(started);

        assertThat(facts.maxSteps()).isZero();
        assertThat(facts.warmupSteps()).isEqualTo(-1);
        assertThat(facts.learningRatePeak()).isNaN();
    }

    @Test
    void a_text_is_cut_at_256_characters_and_never_through_a_character() {
        RunFacts facts = new RunFacts();
        RunStarted started = new RunStarted();
        started.setRunName("x".repeat(100_000));
        started.setProject("x".repeat(255) + "🙂");
        facts.declare(started);

        assertThat(facts.runName()).isEqualTo("x".repeat(256));
        assertThat(facts.project()).isEqualTo("x".repeat(255));
        assertThat(RoundTrip.copy(facts, new RunFacts()).project()).isEqualTo(facts.project());
    }

    @Test
    void facts_that_are_read_back_are_the_same() {
        RunFacts facts = new RunFacts();
        RunStarted started = new RunStarted();
        started.setTask("gan");
        started.setNumClasses(3);
        started.setLearningRatePeak(0.1);
        started.setOptimizer("adamw");
        started.setGlobalBatchSize(64L);
        Layer layer = new Layer();
        layer.setName("fc1");
        layer.setFanIn(12);
        started.setLayers(List.of(layer));
        facts.declare(started);
        RunFacts restored = RoundTrip.copy(facts, new RunFacts());

        assertThat(restored.declared()).isTrue();
        assertThat(restored.project()).isNull();
        assertThat(restored.profile()).isEqualTo(MetricProfile.GAN);
        assertThat(restored.chanceLoss()).isEqualTo(Math.log(3));
        assertThat(restored.learningRatePeak()).isEqualTo(0.1);
        assertThat(restored.optimizer()).isEqualTo("adamw");
        assertThat(restored.globalBatchSize()).isEqualTo(64);
        assertThat(restored.layers().of("fc1.weight")).isEqualTo(facts.layers().of("fc1"));
        assertThat(restored.layers().of("fc1.weight").fanIn()).isEqualTo(12);
    }

    @Test
    void a_metric_is_what_its_dataset_declared_of_it_else_what_its_name_says() {
        RunStarted started = new RunStarted();
        started.setMetrics(List.of(metric("quality", "max", "val"), metric("accuracy", "min", null)));
        RunFacts facts = new RunFacts();
        facts.declare(started);
        RunFacts restored = RoundTrip.copy(facts, new RunFacts());

        for (RunFacts each : List.of(facts, restored)) {
            assertThat(each.direction("val", "quality")).isEqualTo(MetricDirection.MAX);
            assertThat(each.direction("test", "quality")).isNull();
            assertThat(each.direction("test", "accuracy")).isEqualTo(MetricDirection.MIN);
            assertThat(each.direction("test", "f1")).isEqualTo(MetricDirection.MAX);
            assertThat(each.metric("val", "quality"))
                    .isEqualTo(
                            new DeclaredMetric("quality", "val", MetricDirection.MAX, false, Double.NaN, Double.NaN));
        }
    }

    @Test
    void at_most_64_metrics_with_names_of_128_characters_are_kept() {
        RunStarted started = new RunStarted();
        started.setMetrics(Stream.concat(
                        Stream.of(metric("x".repeat(129), "max", null), metric("y", "max", "d".repeat(129))),
                        IntStream.range(0, 100).mapToObj(i -> metric("m" + i, "max", null)))
                .toList());
        RunFacts facts = new RunFacts();
        facts.declare(started);
        assertThat(facts.metric("val", "x".repeat(129))).isNull();
        assertThat(facts.metric("d".repeat(129), "y")).isNull();
        assertThat(facts.metric("val", "m63")).isNotNull();
        assertThat(facts.metric("val", "m64")).isNull();
    }

    private static MetricDeclaration metric(String name, String mode, String dataset) {
        MetricDeclaration metric = new MetricDeclaration();
        metric.setName(name);
        metric.setMode(mode);
        metric.setDataset(dataset);
        return metric;
    }

    @Test
    void a_check_before_training_is_known_by_its_latest_result() {
        RunFacts facts = new RunFacts();
        facts.preflight(checks(check("overlap", false, 3.0), check("head", null, null)));
        facts.preflight(checks(check("overlap", true, 0.0)));
        RunFacts restored = RoundTrip.copy(facts, new RunFacts());

        assertThat(restored.preflight())
                .containsExactly(
                        new PreflightResult("overlap", true, 0.0, Double.NaN, null),
                        new PreflightResult("head", null, null, Double.NaN, null));
        assertThat(restored.preflight("overlap")).isEqualTo(facts.preflight("overlap"));
        assertThat(restored.preflight("none")).isNull();
    }

    @Test
    void of_too_many_checks_those_that_passed_make_room_for_those_that_failed() {
        RunFacts facts = new RunFacts();
        List<PreflightCheck> many = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            many.add(check("passed " + i, true, null));
        }
        for (int i = 0; i < 100_000; i++) {
            many.add(check("failed " + i, false, null));
        }
        facts.preflight(new PreflightCompleted(many));

        assertThat(facts.preflight())
                .hasSize(RunFacts.MAX_CHECKS)
                .allMatch(result -> Boolean.FALSE.equals(result.passed()));
        assertThat(facts.preflight("failed 0")).isNotNull();
    }

    private static PreflightCompleted checks(PreflightCheck... checks) {
        return new PreflightCompleted(List.of(checks));
    }

    private static PreflightCheck check(String name, Boolean passed, Double value) {
        PreflightCheck check = new PreflightCheck();
        check.setName(name);
        check.setPassed(passed);
        check.setValue(value);
        return check;
    }

    private static double chance(Integer classes, Integer vocabulary, String lossFunction) {
        RunStarted started = new RunStarted();
        started.setNumClasses(classes);
        started.setVocabSize(vocabulary);
        started.setLossFunction(lossFunction);
        RunFacts facts = new RunFacts();
        facts.declare(started);
        return facts.chanceLoss();
    }
}
