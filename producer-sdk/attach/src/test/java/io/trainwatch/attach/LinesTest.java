package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LinesTest {
    @Test
    void a_line_ends_in_a_line_feed_and_a_carriage_return_before_it_is_part_of_its_end() throws Exception {
        assertThat(all(new Lines(bytes("a\r\nb\rc\nd"), 100))).containsExactly("1 0 a", "2 3 b\rc", "3 7 d (open)");
    }

    @Test
    void each_state_of_a_progress_bar_is_a_line_of_the_same_number() throws Exception {
        assertThat(all(Lines.andProgress(bytes("a\rb\r\nc\n\rd"), 100)))
                .containsExactly("1 0 a", "1 2 b", "2 5 c", "3 7 ", "3 8 d (open)");
    }

    private static List<String> all(Lines lines) throws IOException {
        List<String> all = new ArrayList<>();
        while (lines.next()) {
            all.add(lines.line() + " " + lines.offset() + " " + lines.text() + (lines.ended() ? "" : " (open)"));
        }
        return all;
    }

    private static ByteArrayInputStream bytes(String text) {
        return new ByteArrayInputStream(Samples.bytes(text));
    }
}
