package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The tensors that are beyond a limit now, for how many reports in a row and since when. In a healthy run there are none,
 * so that hundreds of layers cost nothing. At most {@value #CAPACITY} are followed, the others are counted; one that is
 * not reported {@value #FORGOTTEN_AFTER} times is forgotten.
 */
final class Offenders implements Persistent {
    static final int CAPACITY = 64;
    static final int FORGOTTEN_AFTER = 8;
    static final int PERSISTENT_REPORTS = 3;

    /** A tensor beyond the limit. */
    static final class Offender {
        final String name;
        int reports;
        long since;
        long step;
        double value;
        int position;
        long seen;

        Offender(String name) {
            this.name = name;
        }

        String name() {
            return name;
        }

        double value() {
            return value;
        }
    }

    private static final Comparator<Offender> FIRST_MOVED = Comparator.<Offender>comparingLong(one -> one.since)
            .thenComparingInt(one -> one.position)
            .thenComparing(one -> one.name);

    private final Map<String, Offender> byName = new LinkedHashMap<>();
    private long report;
    private int beyond;

    /** Begins a report. */
    void begin() {
        report++;
        beyond = 0;
        for (Iterator<Offender> all = byName.values().iterator(); all.hasNext(); ) {
            if (report - all.next().seen > FORGOTTEN_AFTER) {
                all.remove();
            }
        }
    }

    /**
     * What the report says of one tensor.
     *
     * @param position its place in the forward pass
     */
    void note(String name, boolean offends, double value, long step, int position) {
        if (!offends) {
            byName.remove(name);
            return;
        }
        Offender offender = byName.get(name);
        if (offender == null) {
            if (byName.size() >= CAPACITY || name.length() > PerScope.MAX_NAME) {
                beyond++;
                return;
            }
            offender = new Offender(name);
            offender.since = step;
            offender.step = Long.MIN_VALUE;
            byName.put(name, offender);
        }
        if (step > offender.step) {
            offender.reports++;
        }
        offender.since = Math.min(offender.since, step);
        offender.step = step;
        offender.value = value;
        offender.position = position;
        offender.seen = report;
    }

    /** Those that offended in {@value #PERSISTENT_REPORTS} reports in a row, the one that moved first in front. */
    List<Offender> persistent() {
        if (byName.isEmpty()) {
            return List.of();
        }
        List<Offender> persistent = new ArrayList<>();
        for (Offender offender : byName.values()) {
            if (offender.reports >= PERSISTENT_REPORTS) {
                persistent.add(offender);
            }
        }
        persistent.sort(FIRST_MOVED);
        return persistent;
    }

    /** Tensors of the latest report that offended and were not followed. */
    int beyond() {
        return beyond;
    }

    @Override
    public void write(StateWriter out) {
        out.writeLong(report);
        out.writeInt(beyond);
        out.writeInt(byName.size());
        byName.forEach((name, offender) -> {
            out.writeString(name);
            out.writeInt(offender.reports);
            out.writeLong(offender.since);
            out.writeLong(offender.step);
            out.writeDouble(offender.value);
            out.writeInt(offender.position);
            out.writeLong(offender.seen);
        });
    }

    @Override
    public void read(StateReader in) {
        report = in.readLong();
        beyond = in.readInt();
        byName.clear();
        int count = in.readCount(CAPACITY);
        for (int i = 0; i < count; i++) {
            Offender offender = new Offender(in.readString());
            offender.reports = in.readInt();
            offender.since = in.readLong();
            offender.step = in.readLong();
            offender.value = in.readDouble();
            offender.position = in.readInt();
            offender.seen = in.readLong();
            byName.put(offender.name, offender);
        }
    }
}
