package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class BlockMeansTest {

    @Test
    void up_to_64_points_each_is_a_block() {
        BlockMeans blocks = filled(64);
        assertThat(blocks.closed()).isEqualTo(64);
        assertThat(blocks.pointsPerBlock()).isEqualTo(1);
        assertThat(blocks.mean(63)).isEqualTo(63);
    }

    @Test
    void the_66th_point_closes_the_33rd_block_of_two() {
        BlockMeans blocks = filled(66);
        assertThat(blocks.closed()).isEqualTo(33);
        assertThat(blocks.pointsPerBlock()).isEqualTo(2);
        assertThat(blocks.mean(0)).isEqualTo(0.5);
        assertThat(blocks.mean(32)).isEqualTo(64.5);
    }

    @Test
    void a_million_points_are_as_many_blocks_and_a_line_stays_one() {
        BlockMeans blocks = filled(1_000_000);
        assertThat(blocks.closed()).isBetween(32, 64);
        for (int i = 0; i < blocks.closed(); i++) {
            assertThat(blocks.mean(i)).isEqualTo((i + 0.5) * blocks.pointsPerBlock() - 0.5);
        }
    }

    @Test
    void blocks_that_are_read_back_go_on_alike() {
        BlockMeans blocks = filled(777);
        BlockMeans restored = RoundTrip.copy(blocks, new BlockMeans());
        for (int i = 777; i < 5000; i++) {
            assertThat(restored.add(i)).isEqualTo(blocks.add(i));
        }
        assertThat(restored.closed()).isEqualTo(blocks.closed());
        assertThat(restored.mean(40)).isEqualTo(blocks.mean(40));
    }

    private static BlockMeans filled(int points) {
        BlockMeans blocks = new BlockMeans();
        for (int i = 0; i < points; i++) {
            blocks.add(i);
        }
        return blocks;
    }
}
