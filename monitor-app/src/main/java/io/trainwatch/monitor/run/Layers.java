package io.trainwatch.monitor.run;

import io.trainwatch.event.Layer;
import io.trainwatch.monitor.stats.Fingerprint;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a run declared of its layers, found by the name of a tensor: the name of the layer, or that with parts behind a dot
 * or a slash ("blocks.3.fc1" for "blocks.3.fc1.weight"), the longest that was declared. At most {@value #MAX_LAYERS}
 * layers, of names only fingerprints: 300 layers take 9 kB.
 */
public final class Layers implements Persistent {
    static final int MAX_LAYERS = 2048;

    /** What a layer is, as far as rules tell layers apart. */
    public enum Role {
        /** Not declared, or a word that is not known. */
        UNKNOWN,
        /** Linear, convolution or attention: its weight is a matrix. */
        MATRIX,
        /** The last matrix: its activation may saturate when the model is confident. */
        OUTPUT,
        /** Rows that are used seldom: a gradient that is mostly zero is usual. */
        EMBEDDING,
        /** One number a channel, constant at the start. */
        NORM;

        static Role of(@Nullable String declared) {
            if (declared == null) {
                return UNKNOWN;
            }
            return switch (declared.toLowerCase(Locale.ROOT)) {
                case "linear", "conv", "attention" -> MATRIX;
                case "output" -> OUTPUT;
                case "embedding" -> EMBEDDING;
                case "norm" -> NORM;
                default -> UNKNOWN;
            };
        }
    }

    /**
     * One declared layer.
     *
     * @param index position in the forward pass, smallest nearest the input
     * @param trainable null where not declared
     * @param fanIn inputs per unit, 0 where not declared
     */
    public record Declared(int index, Role role, @Nullable Boolean trainable, int fanIn) {}

    private final Map<Long, Declared> byName = new LinkedHashMap<>();

    /** Takes the place of what was declared before. */
    void declare(List<Layer> layers) {
        byName.clear();
        for (int i = 0; i < layers.size() && byName.size() < MAX_LAYERS; i++) {
            Layer layer = layers.get(i);
            int index = layer.getIndex() == null ? i : layer.getIndex();
            int fanIn = layer.getFanIn() == null ? 0 : Math.max(0, layer.getFanIn());
            byName.put(
                    Fingerprint.of(layer.getName()),
                    new Declared(index, Role.of(layer.getRole()), layer.getTrainable(), fanIn));
        }
    }

    /** The layer that a tensor belongs to; null if none was declared for it. */
    public @Nullable Declared of(String tensor) {
        if (byName.isEmpty()) {
            return null;
        }
        Declared found = null;
        long hash = Fingerprint.EMPTY;
        for (int i = 0; i < tensor.length(); i++) {
            char next = tensor.charAt(i);
            if (next == '.' || next == '/') {
                found = byName.getOrDefault(hash, found);
            }
            hash = Fingerprint.with(hash, next);
        }
        return byName.getOrDefault(hash, found);
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(byName.size());
        byName.forEach((name, layer) -> {
            out.writeLong(name);
            out.writeInt(layer.index());
            out.writeEnum(layer.role());
            out.writeInt(layer.trainable() == null ? -1 : layer.trainable() ? 1 : 0);
            out.writeInt(layer.fanIn());
        });
    }

    @Override
    public void read(StateReader in) {
        byName.clear();
        int count = in.readCount(MAX_LAYERS);
        for (int i = 0; i < count; i++) {
            long name = in.readLong();
            int index = in.readInt();
            Role role = in.readEnum(Role.class);
            int trainable = in.readInt();
            int fanIn = in.readInt();
            byName.put(
                    name,
                    new Declared(
                            index, role == null ? Role.UNKNOWN : role, trainable < 0 ? null : trainable == 1, fanIn));
        }
    }
}
