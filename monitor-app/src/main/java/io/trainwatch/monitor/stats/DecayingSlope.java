package io.trainwatch.monitor.stats;

/**
 * Least-squares slope of a series against its position, with weights that decay by {@code exp(-1/horizon)} a point.
 * Positions count from the latest point and sums are taken around the means (Welford), so that neither the number of
 * points nor the height of the series costs precision.
 */
public final class DecayingSlope implements Persistent {
    private final double decay;
    private double weight;
    private double weightSquares;
    /** Mean position, at most 0: the latest point is at 0. */
    private double meanT;

    private double meanY;
    private double tt;
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
        weight = decay * weight + 1;
        weightSquares = decay * decay * weightSquares + 1;
        // The older points move one position back, the new one is at 0.
        double deltaT = 1 - meanT;
        double deltaY = value - meanY;
        meanT += deltaT / weight - 1;
        meanY += deltaY / weight;
        tt = decay * tt - deltaT * meanT;
        yy = decay * yy + deltaY * (value - meanY);
        ty = decay * ty - deltaY * meanT;
    }

    /** Change per position; 0 below three points. */
    public double slope() {
        return effectivePoints() < 3 ? 0 : ty / tt;
    }

    /**
     * The slope over its standard error, from the residuals around the line; 0 below three points or without a slope, and
     * of the largest finite magnitude for a line without residuals.
     */
    public double tStatistic() {
        double points = effectivePoints();
        if (points < 3 || ty == 0) {
            return 0;
        }
        double residual = Math.max(0, yy - ty * ty / tt) / weight;
        double variance = residual * points / (points - 2);
        double error = Math.sqrt(variance * weight / (tt * points));
        double t = slope() / error;
        return Double.isInfinite(t) ? Math.copySign(Double.MAX_VALUE, t) : t;
    }

    /**
     * Whether the series rises by so many standard errors, and by more where few points make the error itself uncertain: the
     * factor 1 + 10 / df^2, df = points - 2, brings 5 or 6 near the quantiles of Student's t at the same level from df = 3 on;
     * never below five points.
     */
    public boolean rises(double errors) {
        double df = Math.rint(effectivePoints()) - 2;
        return df >= 3 && tStatistic() > errors * (1 + 10 / (df * df));
    }

    /** Points that the weights amount to: (sum w)^2 / sum w^2. */
    public double effectivePoints() {
        return weightSquares == 0 ? 0 : weight * weight / weightSquares;
    }

    public void reset() {
        weight = weightSquares = meanT = meanY = tt = yy = ty = 0;
    }

    @Override
    public void write(StateWriter out) {
        out.writeDouble(weight);
        out.writeDouble(weightSquares);
        out.writeDouble(meanT);
        out.writeDouble(meanY);
        out.writeDouble(tt);
        out.writeDouble(yy);
        out.writeDouble(ty);
    }

    @Override
    public void read(StateReader in) {
        weight = in.readDouble();
        weightSquares = in.readDouble();
        meanT = in.readDouble();
        meanY = in.readDouble();
        tt = in.readDouble();
        yy = in.readDouble();
        ty = in.readDouble();
    }
}
