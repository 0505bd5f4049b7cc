package io.trainwatch.monitor.judge;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GlobTest {

    @ParameterizedTest
    @CsvSource({
        "gan, gan, true",
        "gan, gans, false",
        "gan, Gan, false",
        "gan-*, gan-7, true",
        "gan-*, gan-, true",
        "gan-*, my-gan-7, false",
        "*, anything, true",
        "*-debug, a-debug-debug, true",
        "a*b*c, a-b-b-c, true",
        "a*b*c, a-b-c-b, false",
        "run-?, run-7, true",
        "run-?, run-, false",
        "run-?, run-42, false",
        "a.c, abc, false",
        "[a-z], a, false"
    })
    void it_matches_the_whole_name_or_not_at_all(String pattern, String name, boolean matches) {
        assertThat(new Glob(pattern).matches(name)).isEqualTo(matches);
    }

    @Test
    void many_stars_take_no_more_time_than_the_product_of_the_lengths() {
        assertThat(new Glob("*a".repeat(100) + "b").matches("a".repeat(10_000))).isFalse();
    }
}
