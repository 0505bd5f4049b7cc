package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NumbersTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "2.5;2.5",
                "' 7 ';7",
                "-1e-4;-0.0001",
                "+3.;3",
                ".5;0.5",
                "79,551;79551",
                "1,234,567.5;1234567.5",
                "12.5%;12.5",
                "nan;NaN",
                "-nan;NaN",
                "NaN;NaN",
                "inf;Infinity",
                "-Infinity;-Infinity",
                "tensor(2.5);2.5",
                "'tensor(2.5, device=''cuda:0'')';2.5",
                "np.float32(1e-3);0.001",
                "1e999;Infinity"
            })
    void a_number_is_read(String text, double number) {
        assertThat(Numbers.parse(text)).isEqualTo((Double) number);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "abc",
                "1f",
                "1d",
                "0x1p3",
                "1,23",
                "1,2345",
                "3.6.1",
                "12:30",
                "2025-01-01",
                "nanz",
                "-",
                ".",
                "e5",
                "tensor()",
                "tensor(tensor(1))",
                "1e",
                "--1",
                "5 6"
            })
    void what_only_looks_like_one_is_none(String text) {
        assertThat(Numbers.parse(text)).isNull();
    }
}
