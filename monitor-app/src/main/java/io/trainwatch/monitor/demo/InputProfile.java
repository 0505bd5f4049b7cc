package io.trainwatch.monitor.demo;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.Histogram;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a trainer saw of its input since it last told: per feature mean, standard deviation, range and a histogram, and
 * how often each label came.
 *
 * <p>The histogram's edges are the deciles of the training set, so they stay the same all run; a value outside of them
 * counts in the outermost bin on its side.
 */
final class InputProfile {
    private static final int BINS = 10;

    private final double[][] edges;
    private final long[][] counts;
    private final double[] sums;
    private final double[] squares;
    private final double[] smallest;
    private final double[] largest;
    private final long[] labels;
    private long samples;

    InputProfile(Batch train, int classes) {
        int features = train.features();
        edges = new double[features][BINS + 1];
        for (int f = 0; f < features; f++) {
            int feature = f;
            double[] sorted = Arrays.stream(train.inputs())
                    .mapToDouble(input -> input[feature])
                    .sorted()
                    .toArray();
            for (int e = 0; e <= BINS; e++) {
                edges[f][e] = sorted[(int) Math.round((double) e / BINS * (sorted.length - 1))];
            }
        }
        counts = new long[features][BINS];
        sums = new double[features];
        squares = new double[features];
        smallest = new double[features];
        largest = new double[features];
        labels = new long[classes];
        forget();
    }

    void add(Batch batch) {
        for (int n = 0; n < batch.size(); n++) {
            labels[batch.labels()[n]]++;
            double[] input = batch.inputs()[n];
            for (int f = 0; f < input.length; f++) {
                counts[f][binOf(edges[f], input[f])]++;
                sums[f] += input[f];
                squares[f] += input[f] * input[f];
                smallest[f] = Math.min(smallest[f], input[f]);
                largest[f] = Math.max(largest[f], input[f]);
            }
        }
        samples += batch.size();
    }

    /** What was seen since the last call; at least one batch has to have been added. */
    BatchStats tell() {
        List<FeatureSummary> features = new ArrayList<>();
        for (int f = 0; f < edges.length; f++) {
            double mean = sums[f] / samples;
            FeatureSummary feature = new FeatureSummary();
            feature.setName("x" + f);
            feature.setCount(samples);
            feature.setNanCount(0L);
            feature.setInfCount(0L);
            feature.setMean(mean);
            feature.setStd(Math.sqrt(Math.max(0, squares[f] / samples - mean * mean)));
            feature.setMin(smallest[f]);
            feature.setMax(largest[f]);
            feature.setHistogram(new Histogram(
                    Arrays.stream(edges[f]).boxed().toList(),
                    Arrays.stream(counts[f]).boxed().toList()));
            features.add(feature);
        }
        Map<String, Long> histogram = new TreeMap<>();
        for (int label = 0; label < labels.length; label++) {
            histogram.put(Integer.toString(label), labels[label]);
        }
        BatchStats stats = new BatchStats();
        stats.setSplit("train");
        stats.setNumSamples(samples);
        stats.setFeatures(features);
        stats.setLabelHistogram(histogram);
        forget();
        return stats;
    }

    private void forget() {
        for (long[] bins : counts) {
            Arrays.fill(bins, 0);
        }
        Arrays.fill(sums, 0);
        Arrays.fill(squares, 0);
        Arrays.fill(smallest, Double.POSITIVE_INFINITY);
        Arrays.fill(largest, Double.NEGATIVE_INFINITY);
        Arrays.fill(labels, 0);
        samples = 0;
    }

    private static int binOf(double[] edges, double value) {
        for (int bin = 0; bin < BINS - 1; bin++) {
            if (value < edges[bin + 1]) {
                return bin;
            }
        }
        return BINS - 1;
    }
}
