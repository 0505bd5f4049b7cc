package io.trainwatch.monitor.stats;

/** Count, mean and variance of a series in three numbers (Welford), mergeable (Chan). */
public final class Moments implements Persistent {
    private double count;
    private double mean;
    private double squares;

    public void add(double x) {
        count++;
        double delta = x - mean;
        mean += delta / count;
        squares += delta * (x - mean);
    }

    /**
     * Adds a group that is known by its own moments.
     *
     * @param n points of the group, at least 1
     * @param groupMean their mean, finite
     * @param groupStd their population standard deviation (squares over n), finite, at least 0
     */
    public void addGroup(double n, double groupMean, double groupStd) {
        double total = count + n;
        double delta = groupMean - mean;
        squares += n * groupStd * groupStd + delta * delta * count * n / total;
        mean += delta * n / total;
        count = total;
    }

    public double count() {
        return count;
    }

    public double mean() {
        return mean;
    }

    /** Unbiased variance, 0 below two points. */
    public double variance() {
        return count < 2 ? 0 : squares / (count - 1);
    }

    public double std() {
        return Math.sqrt(variance());
    }

    public void reset() {
        count = mean = squares = 0;
    }

    @Override
    public void write(StateWriter out) {
        out.writeDouble(count);
        out.writeDouble(mean);
        out.writeDouble(squares);
    }

    @Override
    public void read(StateReader in) {
        count = in.readDouble();
        mean = in.readDouble();
        squares = in.readDouble();
    }
}
