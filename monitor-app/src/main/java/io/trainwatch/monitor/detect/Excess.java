package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;

/**
 * Whether a series is far above its baseline not once but persistently: at least {@value #OF_FIVE} of the last 5 points
 * above {@code t5}, or {@value #OF_THREE} of the last 3 above {@code t8}, the latest among them. A single threshold at
 * six sigma alarms 197 times in 100,000 healthy steps; this rule never did in 310,257 (DETECTION.md 0.1, 0.2).
 *
 * <p>Where {@value #HABIT} of the 128 points before the stretch were outliers already, as with batches of one, a point counts
 * only if it is above all of them, and three have to be: of five independent points they are, whatever their tail, 5 times in a
 * million, and two of three 200 times.
 */
final class Excess implements Persistent {
    static final int OF_FIVE = 3;
    static final int OF_THREE = 2;

    /** Outliers in a window that make them a habit of the series. */
    static final int HABIT = 3;

    private int above5;
    private int above8;
    private long since = -1;

    /** Takes in the latest point of a trusted series. */
    boolean add(Series series, long step) {
        return add(series, step, 0);
    }

    /** The same with thresholds of at least {@code sigmas} and 1.6 times as much. */
    boolean add(Series series, long step, double sigmas) {
        int ofThisStretch = Integer.bitCount(above5 & 0b1111);
        boolean habit = series.outliers() - ofThisStretch >= HABIT;
        boolean now5 = !(habit && series.above() > ofThisStretch) && series.score() > Math.max(series.t5(), sigmas);
        boolean now8 = !habit && series.score() > Math.max(series.t8(), 1.6 * sigmas);
        above5 = ((above5 << 1) | (now5 ? 1 : 0)) & 0b11111;
        above8 = ((above8 << 1) | (now8 ? 1 : 0)) & 0b111;
        if (above5 == 0) {
            since = -1;
        } else if (since < 0) {
            since = step;
        }
        return now5 && (Integer.bitCount(above5) >= OF_FIVE || Integer.bitCount(above8) >= OF_THREE);
    }

    /** Step of the first excess of the present stretch, -1 if there is none. */
    long since() {
        return since;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(above5);
        out.writeInt(above8);
        out.writeLong(since);
    }

    @Override
    public void read(StateReader in) {
        above5 = in.readInt();
        above8 = in.readInt();
        since = in.readLong();
    }
}
