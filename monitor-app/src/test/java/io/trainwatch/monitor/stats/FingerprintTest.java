package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class FingerprintTest {

    @Test
    void a_text_has_the_fingerprint_of_fnv_1a() {
        assertThat(Fingerprint.of("")).isEqualTo(0xcbf29ce484222325L);
        assertThat(Fingerprint.of("a")).isEqualTo(0xaf63dc4c8601ec8cL);
        assertThat(Fingerprint.of("foobar")).isEqualTo(0x85944171f73967e8L);
    }

    @Test
    void a_hundred_thousand_numbers_in_two_places_are_told_apart() {
        Set<Long> seen = new HashSet<>();
        for (int i = 0; i < 50_000; i++) {
            seen.add(Fingerprint.with(Fingerprint.with(Fingerprint.EMPTY, 1e-7 * i), 0.5));
            seen.add(Fingerprint.with(Fingerprint.with(Fingerprint.EMPTY, 0.5), 1e-7 * i));
        }
        assertThat(seen).hasSize(100_000);
    }

    @Test
    void a_float_that_became_a_double_has_zeros_below_and_is_told_apart_too() {
        Set<Long> seen = new HashSet<>();
        for (float x = 1; seen.size() < 1000; x = Math.nextUp(x)) {
            seen.add(Fingerprint.with(Fingerprint.EMPTY, (double) x));
        }
        assertThat(seen).hasSize(1000);
    }

    @Test
    void every_nan_is_the_same() {
        assertThat(Fingerprint.with(1, Double.NaN)).isEqualTo(Fingerprint.with(1, 0.0 / 0.0));
    }
}
