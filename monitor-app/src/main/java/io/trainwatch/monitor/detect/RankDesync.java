package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.RankFingerprint;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds data-parallel ranks whose parameters have come apart (D24), and ranks that all read the same data.
 *
 * <pre>
 * fingerprints of one step agree where they differ by no more than 1e-6 of the larger of them and their norm
 * k = number of fingerprints that do not agree, of n ranks
 * fires when k rises above what it was at 2 comparisons of n ranks in a row        -&gt; critical
 *       or 3/4 of at least 4 ranks agree and others do not, twice in a row         -&gt; critical
 *       or they differ at all after 8 comparisons that were equal to the last bit  -&gt; warning
 * scope losses, of ranks that report a loss of their own:
 * the same loss on all of them for more than 20 steps                              -&gt; warning
 * </pre>
 *
 * <p>That k must not rise holds for replicas (k = 1) and for sharded models alike, whose shards differ from the start: what
 * agreed has to go on agreeing, and nothing has to be declared. A comparison at which the parameters have not moved since
 * the one before counts for nothing, as shards may begin with equal constants. The losses are looked at where loss_reduction says
 * that they are the rank's own, or where they once differed; else, and for shards, which share a batch by right, it is
 * info. Equal losses that do not move say nothing either.
 *
 * <p>A step is compared when as many ranks have reported as the step before had (the world size at the first), or when 4
 * later ones (128 for losses) have begun. Nothing is measured yet. BLOOM-176B's layer norms that came apart silently are the
 * motive. Known weakness: dropout hides equal data; tensor-parallel ranks share their batch by right,
 * which only their fingerprints can tell. Siblings: {@link
 * StragglerRank}. Source: DETECTION.md D24, TrainCheck (OSDI 2025).
 */
public final class RankDesync extends Detector<RankDesync.State> {
    static final String LOSSES = "losses";
    static final double TOLERANCE = 1e-6;
    static final int COMPARISONS = 4;
    static final int MAX_GROUPS = 32;
    static final int ARMED = 2;
    static final double MAJORITY = 0.75;
    static final int MAJORITY_RANKS = 4;
    static final int EXACT_ARMED = 8;
    static final int LOSS_STEPS = 128;
    static final int EQUAL_LOSSES = 20;

    private static final long NO_STEP = Long.MIN_VALUE;

    /** The fingerprints of one step, in groups that agree. */
    private static final class Comparison {
        long step = NO_STEP;
        final BitSet reported = new BitSet();
        int groups;
        final double[] fingerprint = new double[MAX_GROUPS];
        final double[] norm = new double[MAX_GROUPS];
        final int[] members = new int[MAX_GROUPS];
        final int[] lowestRank = new int[MAX_GROUPS];
        int ungrouped;
        boolean exact = true;
        boolean judged;

        void begin(long at) {
            step = at;
            reported.clear();
            groups = 0;
            ungrouped = 0;
            exact = true;
            judged = false;
        }

        int ranks() {
            return reported.cardinality();
        }

        void add(int rank, double value, double itsNorm) {
            for (int i = 0; i < groups; i++) {
                if (agree(value, itsNorm, fingerprint[i], norm[i])) {
                    members[i]++;
                    lowestRank[i] = Math.min(lowestRank[i], rank);
                    exact &= Double.compare(value, fingerprint[i]) == 0 && Double.compare(itsNorm, norm[i]) == 0;
                    return;
                }
            }
            if (groups == MAX_GROUPS) {
                ungrouped++;
                return;
            }
            fingerprint[groups] = value;
            norm[groups] = itsNorm;
            members[groups] = 1;
            lowestRank[groups] = rank;
            groups++;
        }

        private static boolean agree(double a, double aNorm, double b, double bNorm) {
            double norm = Double.isFinite(aNorm) && Double.isFinite(bNorm) ? Math.max(aNorm, bNorm) : 0;
            return near(a, b, norm) && (Double.isNaN(aNorm) || Double.isNaN(bNorm) || near(aNorm, bNorm, norm));
        }

        private static boolean near(double a, double b, double norm) {
            if (!Double.isFinite(a) || !Double.isFinite(b)) {
                return Double.compare(a, b) == 0;
            }
            return Math.abs(a - b) <= TOLERANCE * Math.max(norm, Math.max(Math.abs(a), Math.abs(b)));
        }

        int largest() {
            int at = 0;
            for (int i = 1; i < groups; i++) {
                at = members[i] > members[at] ? i : at;
            }
            return at;
        }

        /** The group that most likely is the odd one. */
        int smallest() {
            int at = groups - 1;
            for (int i = groups - 2; i >= 0; i--) {
                at = members[i] < members[at] ? i : at;
            }
            return at;
        }

        void write(StateWriter out) {
            out.writeLong(step);
            long[] words = reported.toLongArray();
            out.writeInt(words.length);
            for (long word : words) {
                out.writeLong(word);
            }
            out.writeInt(groups);
            for (int i = 0; i < groups; i++) {
                out.writeDouble(fingerprint[i]);
                out.writeDouble(norm[i]);
                out.writeInt(members[i]);
                out.writeInt(lowestRank[i]);
            }
            out.writeInt(ungrouped);
            out.writeBoolean(exact);
            out.writeBoolean(judged);
        }

        void read(StateReader in) {
            begin(in.readLong());
            long[] words = new long[in.readCount(RankIndex.CAPACITY / Long.SIZE)];
            for (int i = 0; i < words.length; i++) {
                words[i] = in.readLong();
            }
            reported.or(BitSet.valueOf(words));
            groups = in.readCount(MAX_GROUPS);
            for (int i = 0; i < groups; i++) {
                fingerprint[i] = in.readDouble();
                norm[i] = in.readDouble();
                members[i] = in.readInt();
                lowestRank[i] = in.readInt();
            }
            ungrouped = in.readInt();
            exact = in.readBoolean();
            judged = in.readBoolean();
        }
    }

    /** The losses of the last {@value #LOSS_STEPS} steps as the first rank told them, and what the others said. */
    private static final class Losses {
        final long[] steps = new long[LOSS_STEPS];
        final double[] values = new double[LOSS_STEPS];
        final int[] ranks = new int[LOSS_STEPS];
        final int[] reports = new int[LOSS_STEPS];
        final boolean[] differ = new boolean[LOSS_STEPS];

        Losses() {
            clear();
        }

        void clear() {
            Arrays.fill(steps, NO_STEP);
            Arrays.fill(reports, 0);
        }

        void begin(int at, long step, int rank, double loss) {
            steps[at] = step;
            values[at] = loss;
            ranks[at] = rank;
            reports[at] = 1;
            differ[at] = false;
        }

        void write(StateWriter out) {
            for (int i = 0; i < LOSS_STEPS; i++) {
                out.writeLong(steps[i]);
                out.writeDouble(values[i]);
                out.writeInt(ranks[i]);
                out.writeInt(reports[i]);
                out.writeBoolean(differ[i]);
            }
        }

        void read(StateReader in) {
            for (int i = 0; i < LOSS_STEPS; i++) {
                steps[i] = in.readLong();
                values[i] = in.readDouble();
                ranks[i] = in.readInt();
                reports[i] = in.readInt();
                differ[i] = in.readBoolean();
            }
        }
    }

    /** The open comparisons, what the ones before them showed, and the losses once a second rank reports any. */
    static final class State implements DetectorState {
        final RankIndex ranks = new RankIndex();
        Comparison[] comparisons = new Comparison[0];
        int attempt;
        int expected;
        int ranksBefore;
        int groupsBefore;
        int stable;
        int odd;
        int exact;
        double fingerprintBefore = Double.NaN;
        long agreedStep = -1;
        long onset = -1;
        boolean judged;
        int firstRank = -1;

        @Nullable
        Losses losses;

        double lossBefore = Double.NaN;
        int equalLosses;
        long equalSince = -1;
        boolean lossesDiffered;

        /** Most runs never send a fingerprint. */
        void fingerprinted() {
            if (comparisons.length == 0) {
                comparisons = new Comparison[COMPARISONS];
                Arrays.setAll(comparisons, i -> new Comparison());
            }
        }

        void segment() {
            for (Comparison comparison : comparisons) {
                comparison.begin(NO_STEP);
            }
            exact = 0;
            if (losses != null) {
                losses.clear();
            }
            equalLosses = 0;
        }

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            ranks.write(out);
            out.writeBoolean(comparisons.length > 0);
            for (Comparison comparison : comparisons) {
                comparison.write(out);
            }
            out.writeInt(attempt);
            out.writeInt(expected);
            out.writeInt(ranksBefore);
            out.writeInt(groupsBefore);
            out.writeInt(stable);
            out.writeInt(odd);
            out.writeInt(exact);
            out.writeDouble(fingerprintBefore);
            out.writeLong(agreedStep);
            out.writeLong(onset);
            out.writeBoolean(judged);
            out.writeInt(firstRank);
            out.writeBoolean(losses != null);
            if (losses != null) {
                losses.write(out);
            }
            out.writeDouble(lossBefore);
            out.writeInt(equalLosses);
            out.writeLong(equalSince);
            out.writeBoolean(lossesDiffered);
        }

        @Override
        public void read(StateReader in) {
            ranks.read(in);
            if (in.readBoolean()) {
                fingerprinted();
                for (Comparison comparison : comparisons) {
                    comparison.read(in);
                }
            }
            attempt = in.readInt();
            expected = in.readInt();
            ranksBefore = in.readInt();
            groupsBefore = in.readInt();
            stable = in.readInt();
            odd = in.readInt();
            exact = in.readInt();
            fingerprintBefore = in.readDouble();
            agreedStep = in.readLong();
            onset = in.readLong();
            judged = in.readBoolean();
            firstRank = in.readInt();
            losses = null;
            if (in.readBoolean()) {
                losses = new Losses();
                losses.read(in);
            }
            lossBefore = in.readDouble();
            equalLosses = in.readInt();
            equalSince = in.readLong();
            lossesDiffered = in.readBoolean();
        }
    }

    @Override
    public String name() {
        return "rank_desync";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(RankFingerprint.class, StepCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return 2;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (run.segmentOpened() || run.attempt() != state.attempt) {
            state.attempt = run.attempt();
            state.segment();
        }
        if (event.getStep() == null || event.getAttempt() != run.attempt()) {
            return;
        }
        if (event.getBody() instanceof RankFingerprint fingerprint) {
            state.fingerprinted();
            compare(state, run, event, fingerprint, verdicts);
        } else if (event.getBody() instanceof StepCompleted step && step.getLoss() != null) {
            heardLoss(state, run, event, step, step.getLoss(), verdicts);
        }
    }

    private static void compare(
            State state, RunView run, TrainingEvent event, RankFingerprint fingerprint, Verdicts verdicts) {
        int place = state.ranks.of(event.getRank());
        Comparison comparison = place == RankIndex.NO_PLACE ? null : at(state, run, event.getStep(), verdicts);
        if (comparison == null || comparison.reported.get(place)) {
            return;
        }
        comparison.reported.set(place);
        Double norm = fingerprint.getParameterNorm();
        comparison.add(event.getRank(), fingerprint.getFingerprint(), norm == null ? Double.NaN : norm);
        Integer worldSize = event.getWorldSize();
        if (state.expected == 0 && worldSize != null) {
            state.expected = Math.min(worldSize, RankIndex.CAPACITY);
        }
        if (!comparison.judged && state.expected > 1 && comparison.ranks() >= state.expected) {
            judge(state, run, comparison, verdicts);
        }
    }

    /** The comparison at a step, begun in place of the oldest; null if that step has passed. */
    private static @Nullable Comparison at(State state, RunView run, long step, Verdicts verdicts) {
        Comparison oldest = state.comparisons[0];
        for (Comparison comparison : state.comparisons) {
            if (comparison.step == step) {
                return comparison;
            }
            if (comparison.step < oldest.step) {
                oldest = comparison;
            }
        }
        if (step < oldest.step) {
            return null;
        }
        if (oldest.step != NO_STEP) {
            if (!oldest.judged && oldest.ranks() > 1) {
                judge(state, run, oldest, verdicts);
            }
            state.expected = oldest.ranks();
        }
        oldest.begin(step);
        return oldest;
    }

    private static void judge(State state, RunView run, Comparison now, Verdicts verdicts) {
        now.judged = true;
        int ranks = now.ranks();
        if (now.ungrouped > 0) {
            return;
        }
        int groups = now.groups;
        boolean moved = Double.compare(now.fingerprint[0], state.fingerprintBefore) != 0;
        state.fingerprintBefore = now.fingerprint[0];
        if (ranks != state.ranksBefore) {
            state.ranksBefore = ranks;
            state.groupsBefore = groups;
            state.stable = 0;
            state.odd = 0;
        }
        boolean risen = state.stable >= ARMED && groups > state.groupsBefore;
        if (!risen) {
            state.stable = groups != state.groupsBefore ? 1 : moved ? state.stable + 1 : state.stable;
            state.groupsBefore = groups;
        }
        boolean outvoted = groups > 1 && ranks >= MAJORITY_RANKS && now.members[now.largest()] >= MAJORITY * ranks;
        state.odd = outvoted ? state.odd + 1 : 0;
        boolean apart = risen || state.odd >= ARMED;
        boolean inexact = !now.exact && state.exact >= EXACT_ARMED;
        if (now.exact && moved) {
            state.exact++;
        }
        // Where no two ranks are alike there is nothing to compare.
        state.judged |= groups < ranks;
        if (apart || inexact) {
            if (state.onset < 0) {
                state.onset = now.step;
            }
            verdicts.unhealthy(
                    Verdicts.RUN,
                    apart ? Severity.critical : Severity.warning,
                    state.onset,
                    null,
                    () -> apart ? explain(state, run, now) : explainInexact(state, run, now));
        } else if (!outvoted && groups < ranks) {
            state.onset = -1;
            state.agreedStep = now.step;
            verdicts.healthy(Verdicts.RUN);
        }
    }

    private static Verdicts.Explanation explain(State state, RunView run, Comparison now) {
        int odd = now.smallest();
        int most = now.largest();
        String more = now.members[odd] == 1 ? "" : " and " + (now.members[odd] - 1) + " more";
        String since = state.agreedStep < 0 ? "they never did" : "they last did at step " + state.agreedStep;
        return new Verdicts.Explanation(
                "parameters of the ranks do not agree at step " + now.step + " (" + since + "): rank "
                        + now.lowestRank[odd] + more + " has fingerprint " + now.fingerprint[odd] + ", rank "
                        + now.lowestRank[most] + " and " + (now.members[most] - 1) + " more of " + now.ranks()
                        + " have "
                        + now.fingerprint[most],
                List.of(Figures.evidence(
                        "fingerprint/rank " + now.lowestRank[odd],
                        Math.max(state.agreedStep, 0),
                        run.lastStep(),
                        now.fingerprint[odd],
                        now.fingerprint[most],
                        Double.NaN,
                        null)));
    }

    private static Verdicts.Explanation explainInexact(State state, RunView run, Comparison now) {
        return new Verdicts.Explanation(
                "parameters of the ranks were equal to the last bit at " + state.exact
                        + " comparisons and differ at step " + now.step + ", by less than " + Figures.text(TOLERANCE)
                        + " of their size",
                List.of(Figures.evidence(
                        "fingerprint", now.step, run.lastStep(), now.fingerprint[0], Double.NaN, Double.NaN, null)));
    }

    private static void heardLoss(
            State state, RunView run, TrainingEvent event, StepCompleted body, double loss, Verdicts verdicts) {
        String reduction = body.getLossReduction();
        int rank = event.getRank();
        if ("global_mean".equals(reduction) || rank < 0) {
            return;
        }
        if (state.losses == null) {
            if (state.firstRank < 0 || state.firstRank == rank) {
                state.firstRank = rank;
                return;
            }
            state.losses = new Losses();
        }
        Losses losses = state.losses;
        long step = event.getStep();
        int at = (int) Math.floorMod(step, (long) LOSS_STEPS);
        boolean own = "rank_mean".equals(reduction) || "micro_batch".equals(reduction);
        if (losses.steps[at] == step && losses.ranks[at] != rank && losses.reports[at] > 0) {
            losses.reports[at]++;
            losses.differ[at] |= Double.compare(loss, losses.values[at]) != 0;
            Integer worldSize = event.getWorldSize();
            if (worldSize != null && losses.reports[at] == worldSize) {
                settle(state, run, losses, at, own, verdicts);
            }
        } else if (losses.steps[at] <= step) {
            if (losses.steps[at] < step && losses.reports[at] > 1) {
                settle(state, run, losses, at, own, verdicts);
            }
            losses.begin(at, step, rank, loss);
        }
    }

    private static void settle(State state, RunView run, Losses losses, int at, boolean own, Verdicts verdicts) {
        double loss = losses.values[at];
        losses.reports[at] = 0;
        if (losses.differ[at]) {
            state.lossesDiffered = true;
            state.equalLosses = 0;
            verdicts.healthy(LOSSES);
            return;
        }
        boolean moved = Double.compare(loss, state.lossBefore) != 0;
        state.lossBefore = loss;
        if (!moved || !Double.isFinite(loss)) {
            return;
        }
        if (state.equalLosses++ == 0) {
            state.equalSince = losses.steps[at];
        }
        if (state.equalLosses > EQUAL_LOSSES) {
            boolean sharded = state.judged && state.groupsBefore > 1;
            long step = losses.steps[at];
            verdicts.unhealthy(
                    LOSSES,
                    (own || state.lossesDiffered) && !sharded ? Severity.warning : Severity.info,
                    state.equalSince,
                    null,
                    () -> new Verdicts.Explanation(
                            "every rank has had the same loss for " + state.equalLosses + " steps, "
                                    + Figures.text(loss)
                                    + " at step " + step + ": they read the same data"
                                    + (own ? "" : ", or report the mean over all of them"),
                            List.of(Figures.evidence(
                                    "loss",
                                    state.equalSince,
                                    run.lastStep(),
                                    state.equalLosses,
                                    EQUAL_LOSSES,
                                    Double.NaN,
                                    "steps"))));
        }
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        if (state.comparisons.length == 0) {
            return "rank_fingerprint of at least 2 ranks";
        }
        return state.ranksBefore < 2
                ? "rank_fingerprint of at least 2 ranks at one step"
                : "rank_fingerprint of replicas: no two of the " + state.ranksBefore
                        + " ranks have the same parameters";
    }
}
