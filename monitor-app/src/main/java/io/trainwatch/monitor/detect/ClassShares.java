package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Moments;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.Psi;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How often each class occurs in the reference of a {@link Drift} and in its window. At most {@value #MAX_CLASSES} classes;
 * more are pooled.
 */
final class ClassShares implements Persistent {
    static final int MAX_CLASSES = 1000;
    static final String OTHER = "(other)";

    /** Counts of one class, and its share in each batch of the reference in which it occurred. */
    private static final class Label {
        double reference;
        double window;
        final Moments shares = new Moments();
    }

    final Drift drift = new Drift();
    private final Map<String, Label> labels = new LinkedHashMap<>();

    /** Counts a batch; true if the window is full and has to be judged. */
    boolean add(Map<String, Long> histogram, long step) {
        double samples = 0;
        for (long count : histogram.values()) {
            samples += Math.max(0, count);
        }
        if (samples == 0) {
            return false;
        }
        boolean learning = drift.learning();
        for (Map.Entry<String, Long> entry : histogram.entrySet()) {
            boolean known = labels.containsKey(entry.getKey())
                    || (labels.size() < MAX_CLASSES && entry.getKey().length() <= PerScope.MAX_NAME);
            Label label = labels.computeIfAbsent(known ? entry.getKey() : OTHER, name -> new Label());
            double count = Math.max(0, entry.getValue());
            if (learning) {
                label.reference += count;
                label.shares.add(count / samples);
            } else {
                label.window += count;
            }
        }
        return drift.add(samples, step);
    }

    int classes() {
        return labels.size();
    }

    double psi() {
        return Psi.of(reference(), window());
    }

    private double[] reference() {
        return labels.values().stream().mapToDouble(l -> l.reference).toArray();
    }

    private double[] window() {
        return labels.values().stream().mapToDouble(l -> l.window).toArray();
    }

    /** Whether a PSI of this size between reference and window is large and no chance. At least two classes. */
    boolean drifted(double psi, double leastPsi) {
        double design = designEffect();
        double p = Psi.pValue(psi, classes(), drift.referenceSamples() / design, drift.windowSamples() / design);
        return p < Drift.ALPHA && psi > drift.leastPsi(leastPsi, classes() - 1.0, design);
    }

    /**
     * How alike the labels of one batch of the reference are: the share of their variance that lies between batches, 0 if
     * they were drawn independently, 1 if each batch is of one class.
     */
    double correlationWithinBatches() {
        double perBatch = drift.referenceSamples() / drift.referenceBatches();
        return perBatch > 1 ? Math.min(1, (designEffect() - 1) / (perBatch - 1)) : 0;
    }

    /** How many times more the class shares vary between batches than independent draws would, at least 1. */
    private double designEffect() {
        double batches = drift.referenceBatches();
        double perBatch = drift.referenceSamples() / batches;
        double observed = 0;
        double expected = 0;
        for (Label label : labels.values()) {
            double share = label.reference / drift.referenceSamples();
            expected += share * (1 - share) / perBatch;
            // Batches without the class count as a share of 0.
            double absent = batches - label.shares.count();
            double squares = label.shares.variance() * Math.max(0, label.shares.count() - 1)
                    + label.shares.count() * (label.shares.mean() - share) * (label.shares.mean() - share)
                    + absent * share * share;
            observed += squares / Math.max(1, batches - 1);
        }
        return expected > 0 ? Math.max(1, observed / expected) : 1;
    }

    /**
     * The class whose share changed most.
     *
     * @param before its share in the reference, 0 to 1
     * @param now its share in the window, 0 to 1
     */
    record Moved(String name, double before, double now) {}

    Moved moved() {
        Moved most = new Moved("", 0, 0);
        for (Map.Entry<String, Label> entry : labels.entrySet()) {
            double before = entry.getValue().reference / drift.referenceSamples();
            double now = entry.getValue().window / drift.windowSamples();
            if (most.name.isEmpty() || Math.abs(now - before) > Math.abs(most.now - most.before)) {
                most = new Moved(entry.getKey(), before, now);
            }
        }
        return most;
    }

    /** PSI between the reference and counts by class. */
    double psiOfReference(Map<String, Double> counts) {
        return Psi.of(reference(), counts(counts));
    }

    /** PSI between the window and counts by class. */
    double psiOfWindow(Map<String, Double> counts) {
        return Psi.of(window(), counts(counts));
    }

    private double[] counts(Map<String, Double> counts) {
        return labels.keySet().stream()
                .mapToDouble(name -> counts.getOrDefault(name, 0.0))
                .toArray();
    }

    void nextWindow() {
        drift.nextWindow();
        labels.values().forEach(label -> label.window = 0);
    }

    @Override
    public void write(StateWriter out) {
        drift.write(out);
        out.writeInt(labels.size());
        labels.forEach((name, label) -> {
            out.writeString(name);
            out.writeDouble(label.reference);
            out.writeDouble(label.window);
            label.shares.write(out);
        });
    }

    @Override
    public void read(StateReader in) {
        drift.read(in);
        labels.clear();
        int count = in.readCount(MAX_CLASSES + 1);
        for (int i = 0; i < count; i++) {
            String name = in.readString();
            Label label = new Label();
            label.reference = in.readDouble();
            label.window = in.readDouble();
            label.shares.read(in);
            labels.put(name, label);
        }
    }
}
