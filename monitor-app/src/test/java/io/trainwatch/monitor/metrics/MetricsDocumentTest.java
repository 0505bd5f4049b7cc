package io.trainwatch.monitor.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.metrics.MetricCatalog.Metric;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** METRICS.md is what {@link MetricCatalog} says; this test writes it to target/METRICS.md, to be copied where it differs. */
class MetricsDocumentTest {
    private static final Path DOCUMENT = Path.of("..", "METRICS.md");
    private static final Path WRITTEN = Path.of("target", "METRICS.md");

    @Test
    void the_table_of_metrics_is_that_of_the_catalogue() throws IOException {
        String present = Files.readString(DOCUMENT);
        String written = present.replaceFirst("(?s)\\n\\| metric \\|.*", "\n") + table();
        Files.createDirectories(WRITTEN.getParent());
        Files.writeString(WRITTEN, written);

        assertThat(present).as("cp monitor-app/target/METRICS.md METRICS.md").isEqualTo(written);
    }

    @Test
    void a_name_ends_in_what_it_counts() {
        assertThat(MetricCatalog.all()).allSatisfy(metric -> {
            assertThat(metric.name()).matches("trainwatch(_[a-z]+)+");
            assertThat(metric.name().endsWith("_total")).isEqualTo(metric.type() == MetricCatalog.Type.COUNTER);
            assertThat(metric.name().endsWith("_info")).isEqualTo(metric.type() == MetricCatalog.Type.INFO);
            assertThat(metric.labels()).doesNotContain("step", "instance", "job", "le");
            assertThat(metric.labels()).hasSizeLessThanOrEqualTo(4);
        });
    }

    private static String table() {
        return "| metric | type | unit | labels | what it is |\n|---|---|---|---|---|\n"
                + MetricCatalog.all().stream().map(MetricsDocumentTest::row).collect(Collectors.joining());
    }

    private static String row(Metric metric) {
        return "| `%s` | %s | %s | %s | %s |\n"
                .formatted(
                        metric.name(),
                        metric.type().name().toLowerCase(Locale.ROOT),
                        unit(metric.name()),
                        metric.labels().stream().map(label -> "`" + label + "`").collect(Collectors.joining(", ")),
                        metric.help());
    }

    private static String unit(String name) {
        for (String unit : List.of("seconds", "bytes", "events")) {
            if (name.matches(".*_" + unit + "(_total)?")) {
                return unit;
            }
        }
        return "";
    }
}
