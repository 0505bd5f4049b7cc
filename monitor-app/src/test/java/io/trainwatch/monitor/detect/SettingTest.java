package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SettingTest {

    @Test
    void a_number_is_taken_within_its_range_and_nothing_else_is() {
        Setting<Double> share = Setting.number("share", 0.5, 0.001, 1, "share of units", "Why.");

        assertThat(share.parse(" 0.25 ")).contains(0.25);
        assertThat(share.parse("1e-3")).contains(0.001);
        assertThat(share.parse("1")).contains(1.0);
        for (String text : new String[] {
            "0.0009",
            "1.1",
            "-0.5",
            "NaN",
            "Infinity",
            "",
            "half",
            "0x1p-2",
            "1e999",
            "9".repeat(400),
            "0.5f",
            "1_0",
            "٣"
        }) {
            assertThat(share.parse(text)).as(text).isEmpty();
        }
        assertThat(share.allowed()).isEqualTo("a number, 0.001 to 1 (share of units)");
    }

    @Test
    void a_whole_number_a_duration_a_flag_and_a_choice_take_what_they_say() {
        Setting<Long> steps = Setting.whole("steps", 500, 50, 1_000_000, "steps", "Why.");
        assertThat(steps.parse("50")).contains(50L);
        assertThat(steps.parse("49")).isEmpty();
        assertThat(steps.parse("50.0")).isEmpty();
        assertThat(steps.allowed()).isEqualTo("a whole number, 50 to 1000000 (steps)");

        Setting<Duration> longest =
                Setting.duration("longest", Duration.ofMinutes(45), Duration.ofSeconds(1), Duration.ofDays(7), "Why.");
        assertThat(longest.parse("90m")).contains(Duration.ofMinutes(90));
        assertThat(longest.parse("500ms")).isEmpty();
        assertThat(longest.parse("8d")).isEmpty();
        assertThat(longest.allowed()).isEqualTo("a duration, 1s to 7d, e.g. 500ms, 30s, 5m, 2h, 7d");

        assertThat(DetectorCatalogue.ENABLED.parse("false")).contains(false);
        assertThat(DetectorCatalogue.ENABLED.parse("no")).isEmpty();
        assertThat(DetectorCatalogue.SEVERITY.parse("info")).contains(Severity.info);
        assertThat(DetectorCatalogue.SEVERITY.parse("INFO")).isEmpty();
    }

    @Test
    void names_are_a_set_of_at_most_64() {
        Setting<Set<String>> names = Setting.names("allow_nan", "Why.");
        assertThat(names.parse("b, a,,b")).contains(Set.of("a", "b"));
        assertThat(names.parse("")).contains(Set.of());
        assertThat(names.canonical("b, a,,b")).contains("a,b");
        StringBuilder many = new StringBuilder("n");
        for (int i = 0; i < 64; i++) {
            many.append(",n").append(i);
        }
        assertThat(names.parse(many.toString())).isEmpty();
    }

    @Test
    void values_that_are_one_have_one_text() {
        Setting<Duration> longest =
                Setting.duration("longest", Duration.ofMinutes(45), Duration.ofSeconds(1), Duration.ofDays(7), "Why.");
        assertThat(longest.canonical("60s")).isEqualTo(longest.canonical("1m")).contains("1m");
        Setting<Double> small = Setting.number("small", 1e-6, 1e-12, 1, "mean", "Why.");
        assertThat(small.canonical("0.000001"))
                .isEqualTo(small.canonical("1.0E-6"))
                .contains("1e-6");
    }

    @Test
    void every_default_is_allowed_and_every_setting_says_why() {
        DetectorCatalogue.settings().forEach((key, setting) -> {
            assertThat(setting.canonical(setting.standardText())).as(key).contains(setting.standardText());
            assertThat(key).matches("[a-z_]+\\.[a-z_]+");
            assertThat(setting.why()).as(key).matches("[A-Z].*\\.");
        });
    }
}
