package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Each sample is recognised as its own format, and by no other that has a form of its own. */
class RecognitionTest {
    @TestFactory
    List<DynamicTest> every_sample_is_recognised_as_its_format_alone() {
        List<DynamicTest> tests = new ArrayList<>();
        for (Map.Entry<String, byte[]> sample : Samples.all().entrySet()) {
            tests.add(DynamicTest.dynamicTest(sample.getKey(), () -> {
                String format = sample.getKey().split("/", 2)[0];
                List<String> others = new ArrayList<>();
                for (LogFormat other : LogFormats.all()) {
                    if (other.recognise(input(sample.getValue())).isPresent()
                            && !other.name().equals("text")) {
                        others.add(other.name());
                    }
                }
                assertThat(others).isEqualTo(format.equals("text") ? List.of() : List.of(format));
                assertThat(LogFormats.detect(input(sample.getValue()))
                                .orElseThrow()
                                .format()
                                .name())
                        .isEqualTo(format);
            }));
        }
        return tests;
    }

    private static LogInput input(byte[] bytes) {
        return LogInput.of("-", new ByteArrayInputStream(bytes));
    }
}
