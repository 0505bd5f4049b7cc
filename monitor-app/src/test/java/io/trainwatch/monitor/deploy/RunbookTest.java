package io.trainwatch.monitor.deploy;

import static io.trainwatch.monitor.deploy.Documents.ROOT;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Whoever is paged finds an entry under the name of the alert. */
class RunbookTest {
    private static final Pattern ENTRY = Pattern.compile("(?ms)^### (\\S+)\n(.*?)(?=^##|\\z)");

    @Test
    void every_detector_and_what_the_monitor_says_of_itself_and_every_alerting_rule_has_an_entry_and_there_are_no_others() throws IOException {
        List<String> expected = new ArrayList<>(
                DetectorCatalogue.defaults().stream().map(Detector::name).toList());
        expected.addAll(List.of("monitor_stalled", "monitor_behind"));
        expected.addAll(Documents.alerts());

        assertThat(entries()).extracting(entry -> entry.group(1)).containsExactlyElementsOf(expected);
    }

    @Test
    void an_entry_says_what_it_means_what_to_look_at_what_to_do_and_when_it_is_false() throws IOException {
        assertThat(entries())
                .allSatisfy(entry -> assertThat(entry.group(2))
                        .containsSubsequence("**Means:** ", "**Look at:** ", "**Do:** ", "**False when:** "));
    }

    private static List<MatchResult> entries() throws IOException {
        return ENTRY.matcher(Files.readString(ROOT.resolve("grafana/README.md")))
                .results()
                .toList();
    }
}
