package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class PatternLogTest {
    private static final String PATTERN = "it=(?P<step>\\d+).* L=(?P<loss>\\S+)(?: vL=(?P<val_loss>\\S+))?";

    @Test
    void lines_that_do_not_match_say_nothing() throws Exception {
        assertThat(shown(PATTERN, "loading data\nit=x L=2.5\n")).isEmpty();
    }

    @Test
    void named_groups_are_step_and_metrics() throws Exception {
        assertThat(shown(PATTERN, "it=10 . L=2.5\nit=20 . L=nan vL=2.75\n"))
                .containsExactly(
                        "run_started",
                        "step_completed \"step\":10,\"loss\":2.5",
                        "step_completed \"step\":20,\"loss\":\"NaN\"",
                        "evaluation_completed \"step\":20,\"split\":\"val\",\"metrics\":{\"loss\":2.75}");
    }

    @Test
    void a_number_that_is_still_being_written_is_none() throws Exception {
        assertThat(shown(PATTERN, "it=10 . L=2.5\nit=20 . L=2."))
                .containsExactly("run_started", "step_completed \"step\":10,\"loss\":2.5");
    }

    @Test
    void groups_may_be_written_as_in_java() throws Exception {
        assertThat(shown("(?<step>\\d+) (?<loss>\\S+)", "1 2.5\n"))
                .containsExactly("run_started", "step_completed \"step\":1,\"loss\":2.5");
    }

    @Test
    void a_pattern_that_would_take_for_ever_elsewhere_takes_a_moment() throws Exception {
        assertThat(shown("(?P<loss>(?:a+)+\\d)$", "a".repeat(10_000) + "\n")).isEmpty();
    }

    @Test
    void what_is_no_pattern_is_said_with_the_remedy() {
        assertThatThrownBy(() -> new PatternLog("(?P<step>\\d+"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("the pattern is no regular expression of RE2: error parsing regexp: missing closing ):"
                        + " `(?P<step>\\d+`; see https://github.com/google/re2/wiki/Syntax");
        assertThatThrownBy(() -> new PatternLog("step (\\d+)"))
                .hasMessage("the pattern has no named group, such as (?P<step>\\d+) or (?P<loss>\\S+)");
    }

    private static List<String> shown(String pattern, String log) throws Exception {
        try (LogReader reader = new PatternLog(pattern).open(Reading.input(log))) {
            return Reading.rest(reader).stream().map(Reading::shown).toList();
        }
    }
}
