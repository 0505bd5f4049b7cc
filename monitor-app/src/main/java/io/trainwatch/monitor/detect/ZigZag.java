package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;

/**
 * Whether a metric of the latest 10 evaluations goes up and down by more than its sampling error: at least 6 of the 8
 * changes of direction that are possible, and a median step above 3 standard errors.
 */
final class ZigZag implements Persistent {
    static final int EVALUATIONS = 10;
    static final int TURNS = 6;
    static final double STANDARD_ERRORS = 3;

    private final double[] values = new double[EVALUATIONS];
    private final double[] errors = new double[EVALUATIONS];
    private long count;

    /**
     * Adds an evaluation.
     *
     * @param error standard error of the value, above 0
     */
    void add(double value, double error) {
        values[(int) (count % EVALUATIONS)] = value;
        errors[(int) (count % EVALUATIONS)] = error;
        count++;
    }

    boolean is() {
        return count >= EVALUATIONS && turns() >= TURNS && step() > STANDARD_ERRORS * error();
    }

    int turns() {
        int turns = 0;
        for (int i = 2; i < EVALUATIONS; i++) {
            turns += (at(i) - at(i - 1)) * (at(i - 1) - at(i - 2)) < 0 ? 1 : 0;
        }
        return turns;
    }

    /** Median size of the change from one evaluation to the next. */
    double step() {
        double[] steps = new double[EVALUATIONS - 1];
        for (int i = 1; i < EVALUATIONS; i++) {
            steps[i - 1] = Math.abs(at(i) - at(i - 1));
        }
        Arrays.sort(steps);
        return steps[steps.length / 2];
    }

    private double error() {
        return Arrays.stream(errors).max().orElse(Double.NaN);
    }

    private double at(int i) {
        return values[(int) ((count + i) % EVALUATIONS)];
    }

    @Override
    public void write(StateWriter out) {
        out.writeLong(count);
        out.writeDoubles(values, EVALUATIONS);
        out.writeDoubles(errors, EVALUATIONS);
    }

    @Override
    public void read(StateReader in) {
        count = in.readLong();
        in.readDoubles(values, EVALUATIONS);
        in.readDoubles(errors, EVALUATIONS);
    }
}
