package io.trainwatch.monitor.board;

import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.ReferenceCurve;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.run.RunStatus;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Finds the running runs of a project whose loss is not like that of their siblings: the runs of the same model, task and loss
 * function, as far as they said so, that were at the same steps (or had done equal work, where all declared their batch).
 *
 * <pre>
 * the second half of the steps of the run so far in 8 equal stretches; x = mean loss of the run in a stretch
 * M, S = median and 1.4826 MAD of those of its siblings, at least 5
 * far  = |x - M| &gt; 5 S and &gt; 5 % of |M|
 * told if far in 7 of 8 stretches, all on the same side
 * </pre>
 *
 * <p>A view and no alert: it knows the runs of one instance alone, and five siblings are few for a scale; hence 5 S and not
 * the usual 3.5. A run that ended is a sibling for as long as it is on the board. At most {@value #MAX_SIBLINGS} siblings are
 * looked at, those that came farthest.
 */
public final class Fleet {
    static final int FEWEST_SIBLINGS = 5;
    static final int MAX_SIBLINGS = 64;
    static final int STRETCHES = 8;
    static final int FAR_STRETCHES = 7;
    static final double SCALES = 5;
    static final double LEAST_RELATIVE = 0.05;

    private Fleet() {}

    /**
     * A run that is not like its siblings.
     *
     * @param fromStep where the comparison begins
     * @param toStep where it ends
     * @param loss its mean loss over the latest stretch
     * @param median that of its siblings
     * @param score how many scales of the siblings lie between, in the median over the stretches; above 0 if it is worse
     * @param siblings how many there were at the latest stretch
     */
    public record Outlier(
            RunStatus run, long fromStep, long toStep, double loss, double median, double score, int siblings) {}

    /**
     * What came of a look at a project.
     *
     * @param compared running runs that had siblings enough
     * @param notCompared running runs that had not
     * @param outliers the farthest first
     */
    public record View(int compared, int notCompared, List<Outlier> outliers) {}

    private record Group(
            @Nullable String model,
            @Nullable String task,
            @Nullable String lossFunction) {}

    private record Member(RunSnapshot snapshot, ReferenceCurve curve) {}

    public static View of(String project, Collection<RunSnapshot> runs) {
        Map<Group, List<Member>> groups = new HashMap<>();
        for (RunSnapshot run : runs) {
            ReferenceCurve curve = project.equals(run.status().getProject()) ? run.curve() : null;
            if (curve != null) {
                RunKind kind = run.kind();
                groups.computeIfAbsent(
                                new Group(kind.modelName(), kind.task(), kind.lossFunction()), g -> new ArrayList<>())
                        .add(new Member(run, curve));
            }
        }
        int compared = 0;
        int notCompared = 0;
        List<Outlier> outliers = new ArrayList<>();
        for (List<Member> group : groups.values()) {
            group.sort(
                    Comparator.comparingLong((Member member) -> member.curve().lastStep())
                            .reversed()
                            .thenComparing(member -> member.curve().runId()));
            List<Member> siblings = group.subList(0, Math.min(group.size(), MAX_SIBLINGS));
            for (Member member : group) {
                if (member.snapshot().isEnded()) {
                    continue;
                }
                Comparison comparison = new Comparison(member, siblings);
                if (!comparison.enough()) {
                    notCompared++;
                    continue;
                }
                compared++;
                if (comparison.isFar()) {
                    outliers.add(comparison.outlier());
                }
            }
        }
        outliers.sort(Comparator.comparingDouble((Outlier outlier) -> Math.abs(outlier.score()))
                .reversed()
                .thenComparing(outlier -> outlier.run().getRunId()));
        return new View(compared, notCompared, List.copyOf(outliers));
    }

    /** One run against its siblings, stretch by stretch. */
    private static final class Comparison {
        private final Member member;
        private final double begin;
        private final double width;
        private final double[] scores = new double[STRETCHES];
        private int judged;
        private int farAbove;
        private int farBelow;
        private double loss;
        private double median;
        private int siblings;

        Comparison(Member member, List<Member> group) {
            this.member = member;
            ReferenceCurve curve = member.curve();
            begin = (curve.firstStep() + curve.lastStep()) / 2;
            width = (curve.lastStep() - begin) / STRETCHES;
            for (int i = 0; i < STRETCHES; i++) {
                stretch(begin + i * width, begin + (i + 1) * width, group);
            }
        }

        private void stretch(double from, double to, List<Member> group) {
            double[] others = new double[group.size()];
            int count = 0;
            for (Member other : group) {
                if (other.curve().runId().equals(member.curve().runId())) {
                    continue;
                }
                double stretch = other.curve().stepsPerStep(member.snapshot().kind());
                if (from * stretch >= other.curve().firstStep()
                        && to * stretch <= other.curve().lastStep()) {
                    others[count++] = other.curve().mean(from * stretch, to * stretch);
                }
            }
            if (count < FEWEST_SIBLINGS) {
                return;
            }
            siblings = count;
            loss = member.curve().mean(from, to);
            others = Arrays.copyOf(others, count);
            median = median(others);
            double[] deviations = new double[count];
            for (int i = 0; i < count; i++) {
                deviations[i] = Math.abs(others[i] - median);
            }
            double distance = loss - median;
            double scale = Math.max(1.4826 * median(deviations), 1e-12);
            scores[judged++] = distance / scale;
            if (Math.abs(distance) > Math.max(SCALES * scale, LEAST_RELATIVE * Math.abs(median))) {
                farAbove += distance > 0 ? 1 : 0;
                farBelow += distance > 0 ? 0 : 1;
            }
        }

        boolean enough() {
            return judged >= FAR_STRETCHES;
        }

        boolean isFar() {
            return Math.max(farAbove, farBelow) >= FAR_STRETCHES;
        }

        Outlier outlier() {
            return new Outlier(
                    member.snapshot().status(),
                    Math.round(begin),
                    member.curve().lastStep(),
                    loss,
                    median,
                    median(Arrays.copyOf(scores, judged)),
                    siblings);
        }

        private static double median(double[] values) {
            double[] sorted = values.clone();
            Arrays.sort(sorted);
            int half = sorted.length / 2;
            return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
        }
    }
}
