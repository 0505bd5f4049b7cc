package io.trainwatch.monitor.run;

import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Who sends the events of a run, and what became of their sequence numbers. A producer is one (attempt, rank, session);
 * each remembers its highest {@code seq} and which of the {@value #WINDOW} before it came, as an anti-replay window does:
 * what came before is a duplicate, a late one within the window fills its gap, and a gap that leaves the window is an
 * event that was sent and never came.
 *
 * <p>A source without sessions may count for each rank or once for all of them; it cannot be told which. There, a number is
 * missing only if no rank brought it.
 *
 * <p>At most {@value #CAPACITY} producers, sessions told apart by their first {@value #MAX_SESSION} characters. Beyond
 * that the producer that was silent for longest is forgotten: its gaps are missing for good.
 */
final class Producers implements Persistent {
    static final int WINDOW = 64;
    static final int CAPACITY = 4096;
    static final int MAX_SESSION = 128;

    private static final int ANY_RANK = -1;
    private static final long DUPLICATE = -1;

    private final Map<Key, Window> windows = new LinkedHashMap<>(16, 0.75f, true);
    private Key latestKey = new Key(-1, -1, "");
    private Window latest = new Window();
    private long duplicates;
    private long missing;
    private long droppedByTrainer;

    private record Key(int attempt, int rank, String session) {
        static Key of(TrainingEvent event) {
            return new Key(event.getAttempt(), event.getRank(), RunFacts.bounded(event.getSession(), MAX_SESSION));
        }

        /** Whether its gaps are missing events: the numbers of a rank without a session may lie with other ranks. */
        boolean counts() {
            return rank == ANY_RANK || !session.isEmpty();
        }

        boolean matches(TrainingEvent event) {
            return rank == event.getRank() && attempt == event.getAttempt() && session.equals(event.getSession());
        }
    }

    private static final class Window {
        long highest;
        /** Bit i: seq {@code highest - i} came. */
        long seen;

        /** What the producer says that it had to drop so far. */
        long dropped;

        /** Takes in a number; {@link #DUPLICATE} if it came before, else how many gaps left the window by it. */
        long add(long seq) {
            long ahead = seq - highest;
            if (ahead > 0) {
                long gone = ahead >= WINDOW
                        ? Long.bitCount(~seen) + (ahead - WINDOW)
                        : Long.bitCount(~seen & (-1L << (WINDOW - ahead)));
                seen = ahead >= WINDOW ? 1 : (seen << ahead) | 1;
                highest = seq;
                return gone;
            }
            if (-ahead >= WINDOW || (seen & (1L << -ahead)) != 0) {
                return DUPLICATE;
            }
            seen |= 1L << -ahead;
            return 0;
        }

        int gaps() {
            return Long.bitCount(~seen);
        }
    }

    /**
     * Takes note of the event.
     *
     * @return false if it came before
     */
    boolean accept(TrainingEvent event) {
        Long boxed = event.getSeq();
        if (boxed == null) {
            return true;
        }
        long seq = boxed;
        if (!latestKey.matches(event)) {
            latestKey = Key.of(event);
            latest = windowOf(latestKey, seq);
        }
        long gone = latest.add(seq);
        if (gone == DUPLICATE) {
            duplicates++;
            return false;
        }
        if (event.getSession().isEmpty()) {
            gone = Math.max(
                    0, windowOf(new Key(event.getAttempt(), ANY_RANK, ""), seq).add(seq));
        }
        missing += gone;
        return true;
    }

    private Window windowOf(Key key, long seq) {
        Window window = windows.get(key);
        if (window == null) {
            if (windows.size() >= CAPACITY) {
                forgetOldest();
            }
            window = new Window();
            // The first event seen begins the count, whatever its number: what was sent before the monitor looked is
            // not lost.
            window.highest = seq - 1;
            window.seen = -1;
            windows.put(key, window);
        }
        return window;
    }

    private void forgetOldest() {
        Iterator<Map.Entry<Key, Window>> all = windows.entrySet().iterator();
        Map.Entry<Key, Window> oldest = all.next();
        if (oldest.getKey().counts()) {
            missing += oldest.getValue().gaps();
        }
        all.remove();
    }

    /** Notes what the producer of the event says that it had to drop. */
    void dropped(TrainingEvent event, long dropped) {
        Window window = windows.get(Key.of(event));
        if (window != null) {
            droppedByTrainer += dropped - window.dropped;
            window.dropped = dropped;
        }
    }

    /** Events that came twice. */
    long duplicates() {
        return duplicates;
    }

    /** Events that were sent and have not come, the ones that may still come late not counted. */
    long missing() {
        return missing;
    }

    /** Gaps that are still within the window of some producer. */
    long pending() {
        long pending = 0;
        for (Map.Entry<Key, Window> entry : windows.entrySet()) {
            pending += entry.getKey().counts() ? entry.getValue().gaps() : 0;
        }
        return pending;
    }

    /** Events that the producers say they had to drop. */
    long droppedByTrainer() {
        return droppedByTrainer;
    }

    @Override
    public void write(StateWriter out) {
        out.writeLong(duplicates);
        out.writeLong(missing);
        out.writeLong(droppedByTrainer);
        out.writeInt(windows.size());
        windows.forEach((key, window) -> {
            out.writeInt(key.attempt());
            out.writeInt(key.rank());
            out.writeString(key.session());
            out.writeLong(window.highest);
            out.writeLong(window.seen);
            out.writeLong(window.dropped);
        });
    }

    @Override
    public void read(StateReader in) {
        duplicates = in.readLong();
        missing = in.readLong();
        droppedByTrainer = in.readLong();
        windows.clear();
        latestKey = new Key(-1, -1, "");
        int count = in.readCount(CAPACITY);
        for (int i = 0; i < count; i++) {
            Key key = new Key(in.readInt(), in.readInt(), in.readString());
            Window window = new Window();
            window.highest = in.readLong();
            window.seen = in.readLong();
            window.dropped = in.readLong();
            windows.put(key, window);
        }
    }
}
