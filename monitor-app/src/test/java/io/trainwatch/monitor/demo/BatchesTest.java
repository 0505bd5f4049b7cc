package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchesTest {
    private static final int SAMPLES = 40;

    /** Sample n has the input n and the label n modulo 4. */
    private static Batch numbered() {
        return new Batch(
                IntStream.range(0, SAMPLES).mapToObj(n -> new double[] {n}).toArray(double[][]::new),
                IntStream.range(0, SAMPLES).map(n -> n % 4).toArray());
    }

    private static int[] epoch(Batches batches, long firstStep) {
        return IntStream.range(0, SAMPLES / 8)
                .mapToObj(i -> batches.next(firstStep + i))
                .flatMapToInt(batch -> Arrays.stream(batch.inputs()).mapToInt(input -> (int) input[0]))
                .toArray();
    }

    @Test
    void an_epoch_holds_every_sample_once_and_the_next_one_in_another_order() {
        Batches batches = Batches.shuffled(numbered(), 8, new SplittableRandom(1));
        int[] first = epoch(batches, 1);
        int[] second = epoch(batches, 6);
        int[] all = IntStream.range(0, SAMPLES).toArray();
        assertThat(first).containsExactlyInAnyOrder(all).isNotEqualTo(all);
        assertThat(second).containsExactlyInAnyOrder(all).isNotEqualTo(first);
    }

    @Test
    void a_label_stays_with_its_input() {
        Batch batch = Batches.shuffled(numbered(), 8, new SplittableRandom(1)).next(1);
        for (int n = 0; n < batch.size(); n++) {
            assertThat(batch.labels()[n]).isEqualTo((int) batch.inputs()[n][0] % 4);
        }
    }

    @Test
    void sorted_batches_come_class_by_class() {
        Batches batches = Batches.sortedByLabel(numbered(), 10);
        for (int label = 0; label < 4; label++) {
            assertThat(batches.next(label + 1).labels()).containsOnly(label);
        }
        assertThat(batches.next(5).labels()).containsOnly(0);
    }

    @Test
    void a_change_touches_its_steps_and_no_other() {
        Batches plain = step -> new Batch(new double[][] {{step}}, new int[] {0});
        Batches changed =
                plain.between(3, 4, batch -> new Batch(new double[][] {{-batch.inputs()[0][0]}}, batch.labels()));
        assertThat(IntStream.rangeClosed(1, 5)
                        .mapToDouble(step -> changed.next(step).inputs()[0][0]))
                .containsExactly(1.0, 2.0, -3.0, -4.0, 5.0);
    }
}
