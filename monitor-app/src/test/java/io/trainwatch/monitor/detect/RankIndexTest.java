package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import org.junit.jupiter.api.Test;

class RankIndexTest {
    private final RankIndex ranks = new RankIndex();

    @Test
    void ranks_get_places_in_the_order_of_their_appearance() {
        assertThat(ranks.of(7)).isZero();
        assertThat(ranks.of(0)).isEqualTo(1);
        assertThat(ranks.of(Integer.MAX_VALUE)).isEqualTo(2);
        assertThat(ranks.of(3)).isEqualTo(3);
        assertThat(ranks.of(7)).isZero();
        assertThat(ranks.rankAt(2)).isEqualTo(Integer.MAX_VALUE);
        assertThat(ranks.size()).isEqualTo(4);
    }

    @Test
    void there_is_no_place_for_negative_ranks_nor_for_more_than_there_may_be() {
        assertThat(ranks.of(-1)).isEqualTo(RankIndex.NO_PLACE);
        assertThat(ranks.of(Integer.MIN_VALUE)).isEqualTo(RankIndex.NO_PLACE);
        for (int i = 0; i < RankIndex.CAPACITY; i++) {
            assertThat(ranks.of(3 * (RankIndex.CAPACITY - i))).isEqualTo(i);
        }
        assertThat(ranks.of(1)).isEqualTo(RankIndex.NO_PLACE);
        assertThat(ranks.of(3)).isEqualTo(RankIndex.CAPACITY - 1);
        assertThat(ranks.room()).isEqualTo(RankIndex.CAPACITY);
    }

    @Test
    void what_was_written_is_read() {
        for (int rank : new int[] {9, 1, 5, 1000, 0, 2, 3, 4, 8}) {
            ranks.of(rank);
        }
        StateWriter out = new StateWriter();
        ranks.write(out);
        RankIndex restored = new RankIndex();
        restored.read(new StateReader(out.toByteArray()));
        assertThat(restored.size()).isEqualTo(9);
        assertThat(restored.of(5)).isEqualTo(2);
        assertThat(restored.of(77)).isEqualTo(9);
    }
}
