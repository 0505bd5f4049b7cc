package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.PreflightCheck;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RunStarted;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.ArrayList;
import java.util.List;
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
        facts.declare(started);
        RunFacts restored = RoundTrip.copy(facts, new RunFacts());

        assertThat(restored.declared()).isTrue();
        assertThat(restored.project()).isNull();
        assertThat(restored.profile()).isEqualTo(MetricProfile.GAN);
        assertThat(restored.chanceLoss()).isEqualTo(Math.log(3));
        assertThat(restored.learningRatePeak()).isEqualTo(0.1);
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
