package io.trainwatch.monitor.stats;

/**
 * Least-squares slope of a series against its position, with weights that decay by {@code exp(-1/horizon)} a point. Five
 * sums, centred on the latest point, so that it stays exact over any number of points.
 */
public final class DecayingSlope implements Persistent {
    private final double decay;
    private double weight;
    private double weightSquares;
    private double t;
    private double tt;
    private double y;
    private double yy;
    private double ty;

    /**
     * An empty slope.
     *
     * @param horizon points after which a point weighs 1/e, at least 2
     */
    public DecayingSlope(double horizon) {
        this.decay = Math.exp(-1 / horizon);
    }

    /** Adds a finite point one position after the one before. */
    public void add(double value) {
        // Move the origin of t to the new point: every older point is one position further back.
        tt = decay * (tt - 2 * t + weight);
        ty = decay * (ty - y);
        t = decay * (t - weight);
        weight *= decay;
        weightSquares *= decay * decay;
        y *= decay;
        yy *= decay;
        weight += 1;
        weightSquares += 1;
        y += value;
        yy += value * value;
    }

    /** Change per position; 0 below three points. */
    public double slope() {
        double spread = tt - t * t / weight;
        return effectivePoints() < 3 || spread <= 0 ? 0 : (ty - t * y / weight) / spread;
    }

    /** The slope over its standard error, from the residuals around the line; 0 below three points. */
    public double tStatistic() {
        double spread = tt - t * t / weight;
        double points = effectivePoints();
        if (points < 3 || spread <= 0) {
            return 0;
        }
        double cross = ty - t * y / weight;
        double residual = Math.max(0, yy - y * y / weight - cross * cross / spread) / weight;
        double variance = residual * points / (points - 2);
        double error = Math.sqrt(variance * weight / (spread * points));
        return error == 0 ? Math.copySign(Double.MAX_VALUE, slope()) * (slope() == 0 ? 0 : 1) : slope() / error;
    }

    /** Points that the weights amount to: (sum w)^2 / sum w^2. */
    public double effectivePoints() {
        return weightSquares == 0 ? 0 : weight * weight / weightSquares;
    }

    public void reset() {
        weight = weightSquares = t = tt = y = yy = ty = 0;
    }

    @Override
    public void write(StateWriter out) {
        out.writeDouble(weight);
        out.writeDouble(weightSquares);
        out.writeDouble(t);
        out.writeDouble(tt);
        out.writeDouble(y);
        out.writeDouble(yy);
        out.writeDouble(ty);
    }

    @Override
    public void read(StateReader in) {
        weight = in.readDouble();
        weightSquares = in.readDouble();
        t = in.readDouble();
        tt = in.readDouble();
        y = in.readDouble();
        yy = in.readDouble();
        ty = in.readDouble();
    }
}
