package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class HeatMapsTest {
    private final HeatMaps maps = new HeatMaps();

    @Test
    void a_run_that_tells_nothing_of_layers_or_features_has_none() {
        maps.add(1, new BatchStats());
        maps.add(1, tensors(tensor("fc1", TensorKind.gradient, null)));

        assertThat(maps.snapshot()).isEmpty();
        assertThat(RoundTrip.bytes(maps)).hasSize(Integer.BYTES);
    }

    @Test
    void a_layer_has_a_row_in_the_map_of_each_measure_that_it_sends() {
        TensorSummary relu = tensor("relu", TensorKind.activation, null);
        relu.setDeadUnitFraction(0.25);
        relu.setSaturatedFraction(0.5);
        maps.add(
                10,
                tensors(
                        tensor("fc1", TensorKind.gradient, 100.0),
                        tensor("fc1", TensorKind.weight, 10.0),
                        tensor("fc1", TensorKind.update, 0.01),
                        relu));

        assertThat(maps.snapshot())
                .containsExactly(
                        map("gradient norm by layer", "log10", "fc1", 2),
                        map("dead units by layer", "share", "relu", 0.25),
                        map("saturated units by layer", "share", "relu", 0.5),
                        map("update norm by layer", "log10", "fc1", -2),
                        map("weight norm by layer", "log10", "fc1", 1));
    }

    @Test
    void layers_stand_in_the_order_in_which_the_run_names_them_first() {
        maps.add(1, gradients("out", "in"));
        maps.add(2, gradients("in", "out", "comes later"));

        assertThat(rows(0)).containsExactly("out", "in");
        assertThat(maps.snapshot().get(0).rows())
                .allSatisfy(row -> assertThat(row.buckets()).hasSize(2));
    }

    @Test
    void of_more_than_24_layers_every_second_has_a_row_and_of_more_than_48_every_third() {
        maps.add(1, gradients(named("layer", 25)));
        assertThat(rows(0)).hasSize(13).startsWith("layer0", "layer2").endsWith("layer24");

        HeatMaps deep = new HeatMaps();
        deep.add(1, gradients(named("layer", 49)));
        assertThat(deep.snapshot().get(0).rows()).hasSize(17);

        HeatMaps full = new HeatMaps();
        full.add(1, gradients(named("layer", 24)));
        assertThat(full.snapshot().get(0).rows()).hasSize(24);
    }

    @Test
    void a_norm_that_is_zero_or_not_finite_is_an_empty_stretch() {
        for (double norm : new double[] {1, 0, Double.NaN, Double.POSITIVE_INFINITY}) {
            maps.add(1, tensors(tensor("fc1", TensorKind.gradient, norm)));
        }

        assertThat(maps.snapshot().get(0).rows().get(0).buckets())
                .containsExactly(new Bucket(1, 0, 0, 0), empty(1), empty(1), empty(1));
    }

    @Test
    void a_feature_is_told_by_how_far_it_moved_from_where_it_began_in_the_scatter_that_it_had_then() {
        maps.add(1, batch(feature("age", 40, 10), feature("income", 3, 1.5)));
        maps.add(2, batch(feature("age", 45, 20), feature("income", 0, 1.5)));

        HeatMap map = maps.snapshot().get(0);
        assertThat(map.title()).isEqualTo("shift of features");
        assertThat(map.unit()).isEqualTo("standard deviations");
        assertThat(map.rows())
                .containsExactly(
                        new HeatMap.Row("age", List.of(new Bucket(1, 0, 0, 0), new Bucket(2, 0.5, 0.5, 0.5))),
                        new HeatMap.Row("income", List.of(new Bucket(1, 0, 0, 0), new Bucket(2, -2, -2, -2))));
    }

    @Test
    void a_feature_that_does_not_scatter_and_batches_of_evaluations_are_left_out() {
        BatchStats evaluation = batch(feature("age", 40, 10));
        evaluation.setSplit("val");
        maps.add(1, evaluation);
        maps.add(2, batch(feature("constant", 1, 0), feature("broken", Double.NaN, 1), feature("age", 40, 10)));

        assertThat(rows(0)).containsExactly("age");
    }

    @Test
    void a_long_run_keeps_at_most_32_stretches_of_a_row_and_a_long_name_no_row() {
        for (int step = 1; step <= 1_000; step++) {
            maps.add(step, gradients("fc1", "x".repeat(RunState.MAX_NAME + 1)));
        }

        assertThat(rows(0)).containsExactly("fc1");
        List<Bucket> buckets = maps.snapshot().get(0).rows().get(0).buckets();
        assertThat(buckets).hasSizeBetween(HeatMaps.COLUMNS / 2, HeatMaps.COLUMNS);
        assertThat(buckets.get(buckets.size() - 1).lastStep()).isEqualTo(1_000);
    }

    @Test
    void a_restart_loses_nothing_and_each_measure_takes_at_most_17_kB() {
        String[] names = named("x".repeat(RunState.MAX_NAME - 2), HeatMaps.ROWS);
        for (int step = 1; step <= 500; step++) {
            maps.add(step, gradients(names));
        }
        assertThat(RoundTrip.bytes(maps)).hasSizeLessThan(17_000);

        HeatMaps restored = RoundTrip.copy(maps, new HeatMaps());
        assertThat(restored.snapshot()).isEqualTo(maps.snapshot());
        maps.add(501, gradients(names));
        restored.add(501, gradients(names));
        assertThat(restored.snapshot()).isEqualTo(maps.snapshot());
    }

    @Test
    void where_a_feature_began_outlives_a_restart() {
        maps.add(1, batch(feature("age", 40, 10)));
        HeatMaps restored = RoundTrip.copy(maps, new HeatMaps());
        restored.add(2, batch(feature("age", 55, 10)));

        assertThat(restored.snapshot().get(0).rows().get(0).buckets().get(1).mean())
                .isEqualTo(1.5, within(1e-6));
    }

    private List<String> rows(int map) {
        return maps.snapshot().get(map).rows().stream().map(HeatMap.Row::name).toList();
    }

    private static HeatMap map(String title, String unit, String row, double value) {
        return new HeatMap(title, unit, List.of(new HeatMap.Row(row, List.of(bucket(10, value)))));
    }

    private static Bucket bucket(long step, double value) {
        float kept = (float) value;
        return new Bucket(step, kept, kept, kept);
    }

    private static Bucket empty(long step) {
        return bucket(step, Double.NaN);
    }

    private static String[] named(String name, int count) {
        return IntStream.range(0, count).mapToObj(i -> name + i).toArray(String[]::new);
    }

    private static TensorStats gradients(String... names) {
        return tensors(Arrays.stream(names)
                .map(name -> tensor(name, TensorKind.gradient, 1.0))
                .toArray(TensorSummary[]::new));
    }

    private static TensorStats tensors(TensorSummary... tensors) {
        return new TensorStats(new ArrayList<>(List.of(tensors)));
    }

    private static TensorSummary tensor(String name, TensorKind kind, Double norm) {
        TensorSummary tensor = new TensorSummary();
        tensor.setName(name);
        tensor.setKind(kind);
        tensor.setL2Norm(norm);
        return tensor;
    }

    private static BatchStats batch(FeatureSummary... features) {
        BatchStats batch = new BatchStats();
        batch.setFeatures(List.of(features));
        return batch;
    }

    private static FeatureSummary feature(String name, double mean, double std) {
        FeatureSummary feature = new FeatureSummary();
        feature.setName(name);
        feature.setMean(mean);
        feature.setStd(std);
        return feature;
    }
}
