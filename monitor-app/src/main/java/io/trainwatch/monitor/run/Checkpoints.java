package io.trainwatch.monitor.run;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import org.jspecify.annotations.Nullable;

/** The latest {@value #MOST} checkpoints of a run: a fault that is seen late needs one from before its onset. */
public final class Checkpoints implements Persistent {
    static final int MOST = 16;
    static final int MAX_PATH = 1024;

    /**
     * A saved model.
     *
     * @param step optimizer steps that it has seen, -1 if not known
     * @param path where it is, at most 1,024 characters, from the trainer and so not to be trusted; null if not told
     */
    public record Checkpoint(long step, @Nullable String path) {}

    private final Deque<Checkpoint> latest = new ArrayDeque<>();

    void saved(long step, @Nullable String path) {
        if (latest.size() == MOST) {
            latest.removeFirst();
        }
        latest.addLast(new Checkpoint(step, path == null ? null : RunFacts.bounded(path, MAX_PATH)));
    }

    /** The latest one that has not seen {@code step}; null if none is known. */
    public @Nullable Checkpoint before(long step) {
        for (Iterator<Checkpoint> backwards = latest.descendingIterator(); backwards.hasNext(); ) {
            Checkpoint checkpoint = backwards.next();
            if (checkpoint.step() >= 0 && checkpoint.step() < step) {
                return checkpoint;
            }
        }
        return null;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(latest.size());
        for (Checkpoint checkpoint : latest) {
            out.writeLong(checkpoint.step());
            out.writeBoolean(checkpoint.path() != null);
            if (checkpoint.path() != null) {
                out.writeString(checkpoint.path());
            }
        }
    }

    @Override
    public void read(StateReader in) {
        latest.clear();
        int count = in.readCount(MOST);
        for (int i = 0; i < count; i++) {
            long step = in.readLong();
            latest.addLast(new Checkpoint(step, in.readBoolean() ? in.readString() : null));
        }
    }
}
