package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What one sink tells as one thing: the episodes of a run, of a fleet of runs, or a single one, and how much of it has
 * been told. Not thread-safe.
 *
 * <p>Its bytes are version, key, group, numbers, then the episodes; only this class reads them.
 */
final class Incident {
    /** Episodes that are kept whole; of the others only what counts and lists need. */
    static final int MAX_WHOLE = 8;

    /** Bytes of all episodes: with them an incident fits a record of the topic. */
    static final int MAX_BYTES = 300_000;

    private static final int MAX_NAME = 256;
    private static final int MAX_WHOLE_BYTES = 16_000;
    private static final byte VERSION = 2;

    static final Comparator<Alert> WORST_FIRST = Comparator.<Alert, Boolean>comparing(Incident::isResolved)
            .thenComparing(Comparator.comparing(Alert::getSeverity).reversed())
            .thenComparingLong(Alert::getOpenedAtMs)
            .thenComparing(Alert::getAlertId);

    /** An episode, and whether a page has told of it. */
    private static final class Member {
        Alert alert;
        boolean told;
        boolean whole;
        int bytes;

        Member(Alert alert, boolean told, boolean whole, int bytes) {
            this.alert = alert;
            this.told = told;
            this.whole = whole;
            this.bytes = bytes;
        }
    }

    private final String key;
    private final String group;
    private final long openedAtMs;
    private final Map<String, Member> members = new LinkedHashMap<>();
    private int bytes;

    /** When the latest episode joined, epoch milliseconds. */
    private long joinedAtMs;

    private int pages;
    private @Nullable Severity toldSeverity;
    private long toldAtMs;
    private long failingSinceMs;

    /** How often a page called people, and did not only tell them more. */
    private int calls;

    /** Severity up to which somebody looks after it, null if nobody does. */
    private @Nullable Severity acknowledged;

    private long acknowledgedAtMs;

    /** Whether the receiver is to be told that somebody looks after it. */
    private boolean acknowledgementUntold;

    /** Whoever looked after it has had their time, and it is still open. */
    private boolean acknowledgementOver;

    /** Why nothing is told at the moment, for counting each hold once. */
    @Nullable
    Hold hold;

    /** What was changed since it was last kept. */
    boolean unkept = true;

    Incident(String key, String group, long nowMs) {
        this.key = key;
        this.group = group;
        this.openedAtMs = nowMs;
        this.joinedAtMs = nowMs;
    }

    String key() {
        return key;
    }

    String group() {
        return group;
    }

    boolean has(String alertId) {
        return members.containsKey(alertId);
    }

    /** Whether it can take an episode more. */
    boolean hasRoom() {
        return bytes < MAX_BYTES;
    }

    /** Takes an episode in, or what has become of one; says whether anything is new. */
    boolean put(Alert alert, long nowMs) {
        Member before = members.get(alert.getAlertId());
        if (before != null
                && before.alert.getChangedAtMs() == alert.getChangedAtMs()
                && sameState(before.alert, alert)) {
            return false;
        }
        byte[] encoded = SingleObjectCodec.alerts().encode(alert);
        boolean hasPlace = before != null
                ? before.whole
                : members.values().stream().filter(member -> member.whole).count() < MAX_WHOLE;
        boolean keepWhole = hasPlace && encoded.length <= MAX_WHOLE_BYTES;
        Alert kept = keepWhole ? alert : slim(alert);
        int size = keepWhole ? encoded.length : SingleObjectCodec.alerts().encode(kept).length;
        if (before == null) {
            members.put(alert.getAlertId(), new Member(kept, false, keepWhole, size));
            bytes += size;
            joinedAtMs = nowMs;
            // Each episode that an acknowledgement holds back is counted.
            hold = hold == Hold.ACKNOWLEDGED ? null : hold;
        } else {
            bytes += size - before.bytes;
            before.alert = kept;
            before.whole = keepWhole;
            before.bytes = size;
        }
        unkept = true;
        return true;
    }

    private static boolean sameState(Alert one, Alert other) {
        return one.getState() == other.getState() && one.getSeverity() == other.getSeverity();
    }

    /** What is needed to count, list and route. */
    private static Alert slim(Alert alert) {
        Alert slim = new Alert();
        slim.setAlertId(alert.getAlertId());
        slim.setRunId(alert.getRunId());
        slim.setAttempt(alert.getAttempt());
        slim.setProject(cut(alert.getProject()));
        slim.setRunName(cut(alert.getRunName()));
        slim.setDetector(alert.getDetector());
        slim.setSeverity(alert.getSeverity());
        slim.setState(alert.getState());
        slim.setScope(PlainText.cut(alert.getScope(), 100));
        slim.setOnsetStep(alert.getOnsetStep());
        slim.setLastStep(alert.getLastStep());
        slim.setResolvedStep(alert.getResolvedStep());
        slim.setCheckpointStep(alert.getCheckpointStep());
        slim.setCheckpointPath(cut(alert.getCheckpointPath()));
        slim.setAcceleratorSecondsLost(alert.getAcceleratorSecondsLost());
        slim.setOpenedAtMs(alert.getOpenedAtMs());
        slim.setChangedAtMs(alert.getChangedAtMs());
        slim.setMessage(PlainText.cut(alert.getMessage(), 100));
        slim.setEvidence(List.of());
        slim.setCauses(List.of());
        slim.setConfigVersion("");
        slim.setLabels(Map.of());
        return slim;
    }

    private static @Nullable String cut(@Nullable String name) {
        return name == null ? null : PlainText.cut(name, MAX_NAME);
    }

    static boolean isResolved(Alert alert) {
        return alert.getState() == AlertState.resolved;
    }

    Collection<Alert> episodes() {
        return members.values().stream().map(member -> member.alert).toList();
    }

    Stream<Alert> open() {
        return members.values().stream().map(member -> member.alert).filter(alert -> !isResolved(alert));
    }

    boolean isOver() {
        return open().findAny().isEmpty();
    }

    Set<String> runs() {
        Set<String> runs = new LinkedHashSet<>();
        members.values().forEach(member -> runs.add(member.alert.getRunId()));
        return runs;
    }

    /** Severity of the worst open episode; of the worst of all where none is open. */
    Severity severity() {
        return lead().getSeverity();
    }

    /** The episode that matters most: open, worst, oldest. */
    Alert lead() {
        return members.values().stream()
                .map(member -> member.alert)
                .min(WORST_FIRST)
                .orElseThrow(() -> new IllegalStateException("an incident without an episode"));
    }

    /** Open episodes that are news: no page has told of them, or of how bad they are. */
    Stream<Alert> news() {
        return members.values().stream()
                .filter(member -> !isResolved(member.alert) && (!member.told || isWorseThanTold(member.alert)))
                .map(member -> member.alert);
    }

    private boolean isWorseThanTold(Alert alert) {
        return toldSeverity == null || alert.getSeverity().compareTo(toldSeverity) > 0;
    }

    /** Whether what is told next calls people, and does not only tell them more. */
    boolean callsAnew() {
        return !wasTold() || acknowledgementOver || (!isOver() && isWorseThanTold(lead()));
    }

    /** How often a page called people so far. */
    int calls() {
        return calls;
    }

    /**
     * Takes in who looks after it.
     *
     * @param atMs when somebody last said so, of those that still count, epoch milliseconds; empty if none does
     */
    void acknowledge(OptionalLong atMs) {
        if (atMs.isEmpty()) {
            acknowledgementOver |= acknowledged != null && wasTold();
            acknowledged = null;
            unkept |= acknowledgedAtMs != 0;
            acknowledgedAtMs = 0;
        } else if (atMs.getAsLong() > acknowledgedAtMs) {
            // What they knew of counts, not what came since.
            acknowledged = toldSeverity == null ? severity() : toldSeverity;
            acknowledgedAtMs = atMs.getAsLong();
            acknowledgementUntold = wasTold();
            acknowledgementOver = false;
            unkept = true;
        }
    }

    /** Severity up to which somebody looks after it. */
    Optional<Severity> acknowledged() {
        return Optional.ofNullable(acknowledged);
    }

    boolean isAcknowledgementUntold() {
        return acknowledgementUntold;
    }

    /** The receiver knows that somebody looks after it, or is not to be told. */
    void acknowledgementTold() {
        acknowledgementUntold = false;
        unkept = true;
    }

    boolean isAcknowledgementOver() {
        return acknowledgementOver;
    }

    boolean wasTold() {
        return pages > 0;
    }

    /** Pages told so far. */
    int pages() {
        return pages;
    }

    Optional<Severity> toldSeverity() {
        return Optional.ofNullable(toldSeverity);
    }

    long toldAtMs() {
        return toldAtMs;
    }

    long openedAtMs() {
        return openedAtMs;
    }

    long joinedAtMs() {
        return joinedAtMs;
    }

    /** Latest time at which anything happened to it. */
    long touchedAtMs() {
        return Math.max(joinedAtMs, toldAtMs);
    }

    /** A page told all that is in it now. */
    void told(long nowMs) {
        calls += callsAnew() ? 1 : 0;
        pages++;
        acknowledgementUntold = false;
        acknowledgementOver = false;
        toldSeverity = severity();
        toldAtMs = nowMs;
        failingSinceMs = 0;
        members.values().forEach(member -> member.told = true);
        unkept = true;
    }

    /** The receiver was sent what it had been told before, so that it does not forget. */
    void toldAgain(long nowMs) {
        toldAtMs = nowMs;
    }

    /** A receiver could not be reached; returns since when that has been so. */
    long failed(long nowMs) {
        if (failingSinceMs == 0) {
            failingSinceMs = nowMs;
            unkept = true;
        }
        return failingSinceMs;
    }

    long failingSinceMs() {
        return failingSinceMs;
    }

    boolean isFailing() {
        return failingSinceMs != 0;
    }

    byte[] encode() {
        ByteArrayOutputStream to = new ByteArrayOutputStream(bytes + 256);
        try (DataOutputStream out = new DataOutputStream(to)) {
            out.writeByte(VERSION);
            out.writeUTF(key);
            writeText(out, group);
            out.writeLong(openedAtMs);
            out.writeLong(joinedAtMs);
            out.writeInt(pages);
            out.writeUTF(toldSeverity == null ? "" : toldSeverity.name());
            out.writeLong(toldAtMs);
            out.writeLong(failingSinceMs);
            out.writeInt(calls);
            out.writeUTF(acknowledged == null ? "" : acknowledged.name());
            out.writeLong(acknowledgedAtMs);
            out.writeBoolean(acknowledgementUntold);
            out.writeBoolean(acknowledgementOver);
            out.writeInt(members.size());
            for (Member member : members.values()) {
                out.writeBoolean(member.told);
                out.writeBoolean(member.whole);
                byte[] alert = SingleObjectCodec.alerts().encode(member.alert);
                out.writeInt(alert.length);
                out.write(alert);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return to.toByteArray();
    }

    /**
     * Reads what {@link #encode} wrote.
     *
     * @throws IOException if it is of another version or damaged
     */
    static Incident decode(byte[] from) throws IOException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(from))) {
            byte version = in.readByte();
            if (version < 1 || version > VERSION) {
                throw new IOException("version " + version + ", this program reads 1 to " + VERSION);
            }
            String key = in.readUTF();
            Incident incident = new Incident(key, readText(in), in.readLong());
            incident.joinedAtMs = in.readLong();
            incident.pages = in.readInt();
            incident.toldSeverity = severity(in.readUTF());
            incident.toldAtMs = in.readLong();
            incident.failingSinceMs = in.readLong();
            incident.calls = version == 1 ? Math.min(1, incident.pages) : in.readInt();
            if (version > 1) {
                incident.acknowledged = severity(in.readUTF());
                incident.acknowledgedAtMs = in.readLong();
                incident.acknowledgementUntold = in.readBoolean();
                incident.acknowledgementOver = in.readBoolean();
            }
            int count = in.readInt();
            for (int i = 0; i < count; i++) {
                boolean told = in.readBoolean();
                boolean whole = in.readBoolean();
                byte[] encoded = in.readNBytes(Math.min(in.readInt(), 1 << 20));
                Alert alert = SingleObjectCodec.alerts().decode(encoded);
                incident.members.put(alert.getAlertId(), new Member(alert, told, whole, encoded.length));
                incident.bytes += encoded.length;
            }
            incident.unkept = false;
            return incident;
        } catch (UndecodableException | IllegalArgumentException e) {
            throw new IOException(e);
        }
    }

    private static @Nullable Severity severity(String name) {
        return name.isEmpty() ? null : Severity.valueOf(name);
    }

    private static void writeText(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static String readText(DataInputStream in) throws IOException {
        return new String(in.readNBytes(Math.min(in.readInt(), 1 << 16)), StandardCharsets.UTF_8);
    }
}
