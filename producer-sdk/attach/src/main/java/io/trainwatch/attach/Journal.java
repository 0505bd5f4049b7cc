package io.trainwatch.attach;

import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import org.jspecify.annotations.Nullable;

/**
 * Says at which step each row of a log stands, and when a second training begins in the same log.
 *
 * <ul>
 *   <li>A step that the log gives is taken. One that begins anew in each epoch, which shows when it falls while the epoch
 *       rises, is counted on from the end of the epoch before.
 *   <li>A log that only counts epochs has its epochs as steps; one that counts nothing has its rows.
 *   <li>An evaluation stands at its own step or, where it has none, at that of the training before it. So does a mean over
 *       an epoch, which becomes a metric where the log also has steps.
 *   <li>Back to the first step, and not to a later epoch: a training from the beginning, so a run of its own. Back to any
 *       other step: a resume.
 * </ul>
 */
final class Journal {
    private final RunEvents events;
    private boolean countsSteps;
    private boolean fractions;
    private long firstStep = -1;
    private double firstEpoch = Double.NaN;
    private long lastStep = -1;
    private long rows;

    /** The counter as the log has it, and what is to be added where it begins anew in each epoch. */
    private long counter = -1;

    private long counterStart;
    private long counterOffset;
    private long epochLength;
    private double counterEpoch = Double.NaN;

    Journal(RunEvents events) {
        this.events = events;
    }

    RunEvents events() {
        return events;
    }

    /** The step reached, -1 before the first. */
    long lastStep() {
        return lastStep;
    }

    /** A row of a log. */
    void add(MetricRow row, long line, long offset, @Nullable Long timestampMs) {
        fractions |= row.epoch != null && row.epoch != Math.rint(row.epoch);
        Long given = row.wholeStep();
        if (given != null) {
            given = countOn(row, given);
            countsSteps = true;
        } else if (!countsSteps && !fractions) {
            given = row.wholeEpoch();
        }
        beginAnew(row, given);
        if (!events.started()) {
            if (row.maxSteps != null
                    && row.maxSteps >= 1
                    && row.maxSteps < 0x1p53
                    && events.facts().getMaxSteps() == null) {
                events.facts().setMaxSteps(row.maxSteps.longValue());
            }
            if (row.maxEpochs != null
                    && row.maxEpochs > 0
                    && row.maxEpochs < 0x1p53
                    && events.facts().getMaxEpochs() == null) {
                events.facts().setMaxEpochs(row.maxEpochs);
            }
        }
        if (given == null && countsSteps && row.epoch != null) {
            row.meanOverEpoch();
        }
        StepCompleted completed = row.completed();
        if (completed != null) {
            rows++;
            long step = given != null ? given : countsSteps ? Math.max(0, lastStep) : rows;
            if (step < lastStep && !row.mayGoBack()) {
                step = lastStep;
            }
            if (firstStep < 0) {
                firstStep = step;
            }
            firstEpoch = Double.isNaN(firstEpoch) && row.epoch != null ? row.epoch : firstEpoch;
            lastStep = step;
            events.add(line, offset, timestampMs, step, row.epoch, completed);
        }
        for (EvaluationCompleted evaluation : row.evaluations()) {
            long step = given != null ? given : Math.max(0, lastStep);
            events.add(line, offset, timestampMs, step, row.epoch, evaluation);
        }
    }

    private long countOn(MetricRow row, long counted) {
        if (!row.mayGoBack() && !row.countsInEpoch) {
            return counterOffset + counted;
        }
        double whole = row.epoch == null ? Double.NaN : Math.floor(row.epoch);
        long length = row.epochLength;
        boolean fell = counted < counter || (length > 0 && counted == counter);
        boolean later = whole > counterEpoch || (row.countsInEpoch && Double.isNaN(whole));
        if (fell && later) {
            epochLength = length > 0 ? length : counter + (counterStart == 0 ? 1 : 0);
            counterOffset += epochLength * (length > 0 && whole > counterEpoch ? (long) (whole - counterEpoch) : 1);
        } else if (counterOffset > 0 && whole < counterEpoch) {
            counterOffset = Math.max(0, counterOffset - ((long) (counterEpoch - whole)) * epochLength);
        }
        counterStart = counter < 0 ? counted : counterStart;
        counter = counted;
        counterEpoch = Double.isNaN(whole) ? counterEpoch : whole;
        return counterOffset + counted;
    }

    private void beginAnew(MetricRow row, @Nullable Long step) {
        boolean training = row.mayGoBack();
        boolean fromTheFirst = step != null && firstStep >= 0 && step <= firstStep && lastStep > firstStep;
        if (training && fromTheFirst && (row.epoch == null || !(row.epoch > firstEpoch))) {
            events.nextRun();
            countsSteps = row.step != null;
            firstStep = -1;
            lastStep = -1;
            firstEpoch = Double.NaN;
            rows = 0;
        }
    }
}
