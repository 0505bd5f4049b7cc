package io.trainwatch.monitor.detect;

import io.trainwatch.event.Layer;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.RunStream;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * A network of equal fully connected layers with biases, "0" nearest the input, that reports its tensors: 64 units of 64
 * inputs each, weights of std 0.1 that move at every report, gradients of 1e-3, 10 % dead and 20 % saturated units.
 */
final class Network {
    static final long UNITS = 64;

    private final int layers;
    private long reports;

    Network(int layers) {
        this.layers = layers;
    }

    /** What the layers are, as a run declares them. */
    List<Layer> declared(Consumer<Layer> edit) {
        List<Layer> declared = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            Layer layer = new Layer();
            layer.setName(String.valueOf(i));
            layer.setIndex(i);
            layer.setRole("linear");
            edit.accept(layer);
            declared.add(layer);
        }
        return declared;
    }

    /** The next report, each tensor edited. */
    List<TensorSummary> report(Consumer<TensorSummary> edit) {
        reports++;
        List<TensorSummary> tensors = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            for (TensorKind kind : List.of(TensorKind.gradient, TensorKind.weight)) {
                tensors.add(of(i + ".weight", kind, UNITS * UNITS));
                tensors.add(of(i + ".bias", kind, UNITS));
            }
            TensorSummary activation = tensor("relu" + i, TensorKind.activation, 0.5);
            activation.setDeadUnitFraction(0.1);
            activation.setSaturatedFraction(0.2);
            tensors.add(activation);
        }
        tensors.forEach(edit);
        return tensors;
    }

    List<TensorSummary> report() {
        return report(tensor -> {});
    }

    private TensorSummary of(String name, TensorKind kind, long count) {
        TensorSummary tensor = tensor(name, kind, kind == TensorKind.weight ? 0.1 + reports * 1.234567e-4 : 1e-3);
        tensor.setCount(count);
        return tensor;
    }

    /** A tensor of 4,096 elements that scatter around 0. */
    static TensorSummary tensor(String name, TensorKind kind, double std) {
        TensorSummary tensor = new TensorSummary();
        tensor.setName(name);
        tensor.setKind(kind);
        tensor.setCount(UNITS * UNITS);
        resize(tensor, std);
        return tensor;
    }

    /** The same tensor with elements of another size. */
    static void resize(TensorSummary tensor, double std) {
        tensor.setMean(0.0);
        tensor.setStd(std);
        tensor.setAbsMean(0.8 * std);
        tensor.setAbsMax(4 * std);
        tensor.setL2Norm(std * Math.sqrt((double) tensor.getCount()));
    }

    /** An edit of the tensors of one kind. */
    static Consumer<TensorSummary> only(TensorKind kind, Consumer<TensorSummary> edit) {
        return tensor -> {
            if (tensor.getKind() == kind) {
                edit.accept(tensor);
            }
        };
    }

    /** Number of the layer that a tensor belongs to. */
    static int layer(TensorSummary tensor) {
        String digits = tensor.getName().replaceAll("\\D", "");
        return Integer.parseInt(digits);
    }

    /** So many steps, and then a report. */
    static void train(RunStream run, Network network, int reports, int steps, Consumer<TensorSummary> edit) {
        for (int i = 0; i < reports; i++) {
            run.steps(steps).tensors(network.report(edit));
        }
    }

    /** Names that no trainer has. */
    static void hostile(RunStream run, Consumer<TensorSummary> edit) {
        for (int i = 0; i < 60; i++) {
            List<TensorSummary> tensors = new ArrayList<>();
            for (int j = 0; j < 100; j++) {
                for (TensorKind kind : TensorKind.values()) {
                    String name =
                            "\n\u2028".repeat(j % 3) + "x".repeat(j % 7 == 0 ? 5_000 : 5) + (j % 2 == 0 ? i : 0) + j;
                    TensorSummary tensor = tensor(name, kind, j % 5 == 0 ? Double.NaN : 1e-30);
                    tensor.setCount(j % 11 == 0 ? Long.MIN_VALUE : (long) j);
                    edit.accept(tensor);
                    tensors.add(tensor);
                }
            }
            TensorSummary bare = new TensorSummary();
            bare.setName("");
            bare.setKind(i % 2 == 0 ? TensorKind.gradient : TensorKind.weight);
            tensors.add(bare);
            run.steps(10).tensors(tensors);
        }
    }
}
