package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.Layer;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class LayersTest {

    @Test
    void nothing_declared_knows_no_layer() {
        assertThat(new Layers().of("blocks.0.fc1.weight")).isNull();
    }

    @Test
    void a_tensor_belongs_to_the_longest_name_in_front_of_a_dot_or_slash() {
        Layers layers = new Layers();
        layers.declare(List.of(
                layer("blocks.3", "attention"),
                layer("blocks.3.fc1", "linear"),
                layer("dense", "output"),
                layer("e", "embedding")));

        assertThat(layers.of("blocks.3.fc1.weight")).isEqualTo(layers.of("blocks.3.fc1"));
        assertThat(layers.of("blocks.3.fc1.weight").index()).isEqualTo(1);
        assertThat(layers.of("blocks.3.qkv.weight").index()).isZero();
        assertThat(layers.of("dense/kernel:0").role()).isEqualTo(Layers.Role.OUTPUT);
        assertThat(layers.of("e.weight").role()).isEqualTo(Layers.Role.EMBEDDING);
        assertThat(layers.of("blocks.30.weight")).isNull();
        assertThat(layers.of("blocks")).isNull();
    }

    @Test
    void what_was_not_declared_is_not_known() {
        Layers layers = new Layers();
        layers.declare(List.of(layer("a", null), layer("b", "gizmo")));

        assertThat(layers.of("a")).isEqualTo(new Layers.Declared(0, Layers.Role.UNKNOWN, null, 0));
        assertThat(layers.of("b").role()).isEqualTo(Layers.Role.UNKNOWN);
    }

    @Test
    void layers_that_are_read_back_are_the_same() {
        Layer frozen = layer("a", "norm");
        frozen.setTrainable(false);
        frozen.setFanIn(7);
        frozen.setIndex(9);
        Layers layers = new Layers();
        layers.declare(List.of(frozen, layer("b", null)));
        Layers restored = RoundTrip.copy(layers, new Layers());

        assertThat(restored.of("a")).isEqualTo(new Layers.Declared(9, Layers.Role.NORM, false, 7));
        assertThat(restored.of("b")).isEqualTo(layers.of("b"));
    }

    @Test
    void a_later_declaration_takes_the_place_of_the_former_and_there_are_at_most_2048() {
        List<Layer> many = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            many.add(layer("x".repeat(i) + i, "linear"));
        }
        Layers layers = new Layers();
        layers.declare(List.of(layer("before", null)));
        layers.declare(many);

        assertThat(layers.of("before")).isNull();
        assertThat(layers.of(many.get(2047).getName())).isNotNull();
        assertThat(layers.of(many.get(2048).getName())).isNull();
    }

    private static Layer layer(String name, String role) {
        Layer layer = new Layer();
        layer.setName(name);
        layer.setRole(role);
        return layer;
    }
}
