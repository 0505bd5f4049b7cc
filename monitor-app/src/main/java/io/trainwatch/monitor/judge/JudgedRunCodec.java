package io.trainwatch.monitor.judge;

import io.trainwatch.monitor.alert.AlertLifecycle;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorState;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.monitor.stats.UnreadableStateException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A {@link JudgedRun} to bytes and back, for the state store and its changelog. Thread-confined.
 *
 * <pre>
 * format, run_id, slots: { name, version, length, bytes }
 * </pre>
 *
 * <p>The run, its alerts and each detector have a slot of their own. What the run declared is matched with the rules of
 * the judge that reads, so a state may come from a judge of other settings. A slot that is missing, of another version or
 * damaged restarts that part alone and is counted ({@link JudgedRun#slotsLost}); the others go on.
 */
public final class JudgedRunCodec {
    private static final int FORMAT = 1;
    private static final int RUN_VERSION = 5;
    private static final int DECLARED_VERSION = 1;
    private static final int ALERTS_VERSION = 2;
    private static final int MAX_SLOTS = 1000;

    // Names as they are written, made once: there are three dozen in each state.
    private static final byte[] RUN = name("run");
    private static final byte[] DECLARED = name("declared");
    private static final byte[] ALERTS = name("alerts");

    private final RunJudge judge;
    private final StateWriter out = new StateWriter();

    public JudgedRunCodec(RunJudge judge) {
        this.judge = judge;
    }

    /** The name of the slot of a detector, as it is written. */
    static byte[] slotOf(Detector<?> detector) {
        return name("detector/" + detector.name());
    }

    private static byte[] name(String name) {
        return name.getBytes(StandardCharsets.UTF_8);
    }

    public byte[] encode(JudgedRun run) {
        out.reset();
        write(run, out);
        return out.toByteArray();
    }

    /** Writes what {@link #decode} reads behind what was written before. */
    public void write(JudgedRun run, StateWriter out) {
        out.writeInt(FORMAT);
        out.writeString(run.runId());
        out.writeLong(run.detectorFailures);
        out.writeLong(run.slotsLost);
        out.writeInt(3 + run.detectors.length);
        slot(out, RUN, RUN_VERSION, run.state);
        slot(out, DECLARED, DECLARED_VERSION, run.declared);
        slot(out, ALERTS, ALERTS_VERSION, run.alerts);
        for (int i = 0; i < run.detectors.length; i++) {
            DetectorState state = run.detectors[i];
            slot(out, run.panel.slots[i], state.version(), state);
        }
    }

    private static void slot(StateWriter out, byte[] name, int version, Persistent content) {
        out.writeBytes(name);
        out.writeInt(version);
        int at = out.position();
        out.writeInt(0);
        content.write(out);
        out.writeIntAt(at, out.position() - at - Integer.BYTES);
    }

    /**
     * Reads a run.
     *
     * @throws UnreadableStateException if not even its run_id can be read
     */
    public JudgedRun decode(byte[] bytes) {
        StateReader in = new StateReader(bytes);
        int format = in.readInt();
        if (format != FORMAT) {
            throw new UnreadableStateException("state of format " + format + " where this version reads " + FORMAT);
        }
        JudgedRun run = judge.newRun(in.readString());
        run.detectorFailures = in.readLong();
        run.slotsLost = in.readLong();
        Map<String, Slot> slots = slots(in);
        if (!restore(slots.get("run"), RUN_VERSION, run.state)) {
            // Statistics of a run that is not known any more would judge the next events against nothing.
            JudgedRun anew = judge.newRun(run.runId());
            anew.slotsLost = run.slotsLost + 1;
            return anew;
        }
        if (!restore(slots.get("declared"), DECLARED_VERSION, run.declared)) {
            run.slotsLost++;
        }
        if (!restore(slots.get("alerts"), ALERTS_VERSION, run.alerts)) {
            run.alerts = new AlertLifecycle();
            run.slotsLost++;
        }
        judge.settle(run, run.state.lastEventAtMs());
        List<Detector<?>> detectors = run.panel.detectors;
        for (int i : run.panel.judging) {
            DetectorState state = run.detectors[i];
            Slot slot = slots.get("detector/" + detectors.get(i).name());
            if (!restore(slot, state.version(), state)) {
                run.detectors[i] = detectors.get(i).newState();
                run.slotsLost++;
            }
        }
        return run;
    }

    /** The slots as far as the bytes go; those behind a break are missing and counted as such. */
    private static Map<String, Slot> slots(StateReader in) {
        Map<String, Slot> slots = new HashMap<>();
        try {
            int count = in.readCount(MAX_SLOTS);
            for (int i = 0; i < count; i++) {
                slots.put(in.readString(), new Slot(in.readInt(), in.slice(in.readInt())));
            }
        } catch (UnreadableStateException e) {
            return slots;
        }
        return slots;
    }

    private static boolean restore(@Nullable Slot slot, int version, Persistent into) {
        if (slot == null || slot.version() != version) {
            return false;
        }
        try {
            into.read(slot.content());
            return slot.content().remaining() == 0;
        } catch (UnreadableStateException e) {
            return false;
        }
    }

    private record Slot(int version, StateReader content) {}
}
