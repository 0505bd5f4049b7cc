package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Numbers as people read them, and as evidence. */
public final class Figures {
    private static final MathContext FOUR_DIGITS = new MathContext(4);
    private static final int MAX_SIGNAL = 256;

    private Figures() {}

    /** Four significant digits: 0.0001235, 2.718, 1.235e+21, NaN (beyond 1e-4 and 1e7 in powers of ten). */
    public static String text(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return String.valueOf(value);
        }
        double magnitude = Math.abs(value);
        if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e7)) {
            return String.format(Locale.ROOT, "%.3e", value);
        }
        return new BigDecimal(value).round(FOUR_DIGITS).stripTrailingZeros().toPlainString();
    }

    /** A share as a percentage with at most three digits: 12.3 %. */
    static String percent(double share) {
        return Double.isFinite(share)
                ? new BigDecimal(100 * share)
                                .round(new MathContext(3))
                                .stripTrailingZeros()
                                .toPlainString()
                        + " %"
                : text(share);
    }

    static Evidence evidence(
            String signal,
            long fromStep,
            long toStep,
            double value,
            double baseline,
            double score,
            @Nullable String unit) {
        Evidence evidence = new Evidence();
        evidence.setSignal(Verdicts.Explanation.oneLine(signal, MAX_SIGNAL));
        evidence.setStepFrom(fromStep);
        evidence.setStepTo(toStep);
        evidence.setValue(value);
        evidence.setBaseline(Double.isNaN(baseline) ? null : (Double) baseline);
        evidence.setScore(Double.isNaN(score) ? null : (Double) score);
        evidence.setUnit(unit);
        return evidence;
    }
}
