package io.trainwatch.monitor.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.cli.Sketch.Mark;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class SketchTest {
    private static SeriesSnapshot series(String name, long last, long every, DoubleUnaryOperator value) {
        List<Bucket> buckets = LongStream.rangeClosed(1, last / every)
                .mapToObj(i -> {
                    double at = value.applyAsDouble((double) i * every);
                    return new Bucket(i * every, at, at, at);
                })
                .toList();
        return new SeriesSnapshot(name, buckets.size(), 0, buckets);
    }

    private static String sketch(Glyphs glyphs, List<Mark> marks, SeriesSnapshot... all) {
        Map<String, SeriesSnapshot> byName = new LinkedHashMap<>();
        for (SeriesSnapshot one : all) {
            byName.put(one.name(), one);
        }
        return (String.join("\n", Sketch.of(byName, 1, marks, glyphs)) + "\n").stripIndent();
    }

    @Test
    void nothing_is_drawn_where_there_is_nothing_to_see() {
        assertThat(sketch(Glyphs.UNICODE, List.of())).isEqualTo("\n");
        assertThat(sketch(Glyphs.UNICODE, List.of(), series("loss", 1, 1, x -> 1)))
                .isEqualTo("\n");
        assertThat(sketch(Glyphs.UNICODE, List.of(), series("loss", 99, 1, x -> 1)))
                .isEqualTo("\n");
        assertThat(sketch(Glyphs.UNICODE, List.of(), series("loss", 99, 1, x -> Double.NaN)))
                .isEqualTo("\n");
        assertThat(sketch(Glyphs.UNICODE, List.of(), series("learning_rate", 99, 1, x -> x)))
                .isEqualTo("\n");
    }

    @Test
    void a_line_goes_from_corner_to_corner_in_braille() {
        assertThat(sketch(Glyphs.UNICODE, List.of(), series("loss", 100, 1, x -> 10 - x / 20)))
                .isEqualTo("""
                               loss
                        9.95 ┤ ⠉⠑⠒⠒⠤⠤⢄⣀⣀⡀
                             │          ⠈⠉⠉⠒⠒⠢⠤⢄⣀⣀⡀
                             │                    ⠈⠉⠉⠒⠒⠢⠤⠤⢄⣀⣀
                             │                               ⠉⠉⠑⠒⠒⠢⠤⠤⣀⣀
                             │                                         ⠉⠉⠉⠒⠒⠢⠤⠤⣀⣀⡀
                           5 ┤                                                   ⠈⠉⠉⠑⠒⠒⠤⠤⣀⣀
                             └─────────────────────────────────────────────────────────────
                               1                                                   step 100
                        """);
    }

    @Test
    void a_plain_terminal_gets_plain_characters_and_onsets_are_on_the_axis() {
        assertThat(sketch(
                        Glyphs.ASCII,
                        List.of(new Mark(50, "1"), new Mark(50, "2"), new Mark(100, "3")),
                        series("loss", 100, 1, x -> 10 * Math.exp(-x / 20)),
                        series("val/loss", 100, 25, x -> 10)))
                .isEqualTo("""
                                  loss   o val/loss   (log scale)
                             10 + '':.....      o              o              o              o
                                |         ''''':.....
                                |                   ''''''......
                                |                              '''''':.....
                                |                                          '''''......
                        0.06738 +                                                    ''''''...
                                +------------------------------12----------------------------3
                                  1                                                   step 100
                        """);
    }

    @Test
    void a_loss_that_blows_up_leaves_the_picture_and_what_was_learned_before_stays_visible() {
        SeriesSnapshot loss = series("loss", 100, 1, x -> x < 90 ? 3 - x / 45 : 1e30);

        assertThat(sketch(Glyphs.ASCII, List.of(), loss)).contains(">2133 +", "1.022 +   ''''");
    }

    @Test
    void a_nan_is_a_gap_and_extremes_of_a_stretch_stay_visible() {
        SeriesSnapshot loss = new SeriesSnapshot(
                "loss",
                400,
                1,
                List.of(
                        new Bucket(100, 1, 1, 1),
                        new Bucket(200, 1, 1.5, 5),
                        new Bucket(300, Double.NaN, Double.NaN, Double.NaN),
                        new Bucket(400, 1, 1, 1)));

        assertThat(sketch(Glyphs.ASCII, List.of(), loss)).isEqualTo("""
                    loss
                5 +                              :
                  |                              :
                  |                              :
                  |                              :
                  |                              :
                1 +                ........'''''':                             .
                  +-------------------------------------------------------------
                    1                                                   step 400
                """);
    }
}
