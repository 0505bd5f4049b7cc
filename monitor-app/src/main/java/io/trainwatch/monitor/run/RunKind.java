package io.trainwatch.monitor.run;

import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import org.jspecify.annotations.Nullable;

/**
 * What decides whether the losses of two runs mean the same, as far as they declared it.
 *
 * @param modelName model or architecture, null where not declared
 * @param task null where not declared
 * @param lossFunction null where not declared
 * @param batchSize samples per optimizer step over all ranks, 0 where not declared
 * @param sequenceLength tokens per sample, 0 where not declared
 */
public record RunKind(
        @Nullable String modelName,
        @Nullable String task,
        @Nullable String lossFunction,
        long batchSize,
        long sequenceLength) {

    /** Of a run that declared nothing. */
    public static final RunKind UNKNOWN = new RunKind(null, null, null, 0, 0);

    /** Work of one step over that of one step of {@code other}: in tokens, in samples, or 1 where not both declared it. */
    public double workOver(RunKind other) {
        if (batchSize <= 0 || other.batchSize <= 0) {
            return 1;
        }
        double samples = (double) batchSize / other.batchSize;
        boolean tokens = sequenceLength > 0 && other.sequenceLength > 0;
        return tokens ? samples * sequenceLength / other.sequenceLength : samples;
    }

    void write(StateWriter out) {
        RunFacts.writeText(out, modelName);
        RunFacts.writeText(out, task);
        RunFacts.writeText(out, lossFunction);
        out.writeLong(batchSize);
        out.writeLong(sequenceLength);
    }

    static RunKind read(StateReader in) {
        return new RunKind(
                RunFacts.readText(in), RunFacts.readText(in), RunFacts.readText(in), in.readLong(), in.readLong());
    }
}
