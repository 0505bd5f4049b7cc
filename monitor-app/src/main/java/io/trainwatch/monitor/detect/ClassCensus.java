package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/** How often each class came. At most {@value ClassShares#MAX_CLASSES} classes; more are pooled. */
final class ClassCensus implements Persistent {
    private final Map<String, Double> counts = new LinkedHashMap<>();
    private double total;

    void add(Map<String, Long> histogram) {
        for (Map.Entry<String, Long> entry : histogram.entrySet()) {
            if (entry.getValue() > 0) {
                boolean known = counts.containsKey(entry.getKey())
                        || (counts.size() < ClassShares.MAX_CLASSES
                                && entry.getKey().length() <= PerScope.MAX_NAME);
                counts.merge(known ? entry.getKey() : ClassShares.OTHER, (double) entry.getValue(), Double::sum);
                total += entry.getValue();
            }
        }
    }

    Map<String, Double> counts() {
        return counts;
    }

    double total() {
        return total;
    }

    /** Share of a class, 0 to 1; NaN if nothing was counted. */
    double share(String name) {
        return count(name) / total;
    }

    /** The most frequent class, "" if nothing was counted. */
    String most() {
        String most = "";
        double times = 0;
        for (Map.Entry<String, Double> entry : counts.entrySet()) {
            if (entry.getValue() > times) {
                times = entry.getValue();
                most = entry.getKey();
            }
        }
        return most;
    }

    /** The rarest class of those that came, "" if nothing was counted. */
    String rarest() {
        String rarest = "";
        double times = Double.POSITIVE_INFINITY;
        for (Map.Entry<String, Double> entry : counts.entrySet()) {
            if (entry.getValue() < times) {
                times = entry.getValue();
                rarest = entry.getKey();
            }
        }
        return rarest;
    }

    double count(String name) {
        return counts.getOrDefault(name, 0.0);
    }

    /** Entropy of the shares, nats. */
    double entropy() {
        double entropy = 0;
        for (double count : counts.values()) {
            entropy -= count / total * Math.log(count / total);
        }
        return entropy;
    }

    void reset() {
        counts.clear();
        total = 0;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(counts.size());
        counts.forEach((name, count) -> {
            out.writeString(name);
            out.writeDouble(count);
        });
        out.writeDouble(total);
    }

    @Override
    public void read(StateReader in) {
        counts.clear();
        int size = in.readCount(ClassShares.MAX_CLASSES + 1);
        for (int i = 0; i < size; i++) {
            counts.put(in.readString(), in.readDouble());
        }
        total = in.readDouble();
    }
}
