package io.trainwatch.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What documents say of detectors and settings is true of the code. */
class DocumentsTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Set<String> DETECTORS =
            DetectorCatalogue.defaults().stream().map(Detector::name).collect(Collectors.toSet());

    @Test
    void every_detector_has_a_row_in_the_table_of_the_readme() throws IOException {
        String readme = Files.readString(ROOT.resolve("README.md"));

        assertThat(DETECTORS).allSatisfy(detector -> assertThat(readme).contains("\n| `" + detector + "` |"));
    }

    @Test
    void the_table_for_those_who_come_from_sagemaker_names_detectors_and_settings_that_there_are() throws IOException {
        Matcher dotted = Pattern.compile("`([a-z_]+)\\.([a-z_]+)`")
                .matcher(Files.readString(ROOT.resolve("SAGEMAKER.md"))
                        .replaceAll("`run_started\\.[a-z_]+`", "")
                        .replaceAll("`prediction_stats\\.[a-z_]+`", "")
                        .replaceAll("`detection\\.[a-z_]+`", ""));
        int settings = 0;
        while (dotted.find()) {
            assertThat(DETECTORS).contains(dotted.group(1));
            assertThat(DetectorCatalogue.settings()).containsKey(dotted.group(1) + "." + dotted.group(2));
            settings++;
        }
        assertThat(settings).isGreaterThan(20);
    }
}
