package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.notify.Page.Kind;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What one sink has to tell: turns alerts into incidents, and says which of them is due when. It knows no clock and no
 * receiver, so what is due follows from what is: nothing is queued, and however long a receiver is away, it hears once of
 * how things are now.
 *
 * <table>
 * <caption>Where an episode goes that is new and fires</caption>
 * <tr><th>its run is in an open incident</th><td>there</td></tr>
 * <tr><td>it is the {@code fleetRuns}th run of its detector within {@code fleetWindow}</td><td>to the fleet incident of the
 *     detector</td></tr>
 * <tr><td>otherwise</td><td>to a new incident of the run</td></tr>
 * </table>
 *
 * <table>
 * <caption>When an incident is told</caption>
 * <tr><th>told before</th><th>what is</th><th>page</th></tr>
 * <tr><td>no</td><td>an episode is open and nothing holds it ({@link Hold})</td><td>opened, at once</td></tr>
 * <tr><td>no</td><td>over, because the receiver was away</td><td>opened, then resolved</td></tr>
 * <tr><td>no</td><td>over, because it was held</td><td>none, counted</td></tr>
 * <tr><td>yes</td><td>severity rose</td><td>updated, at once: people are called anew</td></tr>
 * <tr><td>yes</td><td>episodes joined</td><td>updated, {@code updateInterval} after the last page; of a fleet 1, 2, 4 ... 60
 *     minutes after it</td></tr>
 * <tr><td>yes</td><td>somebody looks after it</td><td>acknowledged, at once, where the receiver has a word for it; then none up
 *     to the severity that they knew of, and what is held is counted</td></tr>
 * <tr><td>yes</td><td>whoever looked after it has had their time, and it is still open</td><td>updated, at once: people are
 *     called anew</td></tr>
 * <tr><td>yes</td><td>over</td><td>resolved, at once, and the incident is closed</td></tr>
 * </table>
 *
 * <p>Where a sink forwards ({@code forwards}), because its receiver groups by itself, each episode is an incident of its
 * own, each change is told at once, and what is open is told again before the receiver forgets it. Who looks after one
 * episode of a run there looks after the run.
 *
 * <p>Not thread-safe.
 */
final class Incidents {
    static final String OF_RUN = "run:";
    static final String OF_FLEET = "fleet:";
    static final String OF_EPISODE = "episode:";

    /** Open incidents; the ones after them are not told, and counted. */
    static final int MAX_OPEN = 20_000;

    private static final Duration FIRST_FLEET_UPDATE = Duration.ofMinutes(1);
    private static final Duration LONGEST_FLEET_UPDATE = Duration.ofHours(1);
    /** A fleet that nobody joined for so many windows is complete: what comes later has another cause. */
    private static final int FLEET_PATIENCE = 10;
    /** An incident in which nothing happens for so long is forgotten: its runs have long been. */
    private static final Duration FORGOTTEN_AFTER = Duration.ofDays(8);

    /** What is due of an incident. */
    record Due(Incident incident, Kind kind) {}

    /** What a change of an incident means for those who keep it. */
    interface Ledger {
        /** A page is held back that otherwise would be told now; once for each time that it begins. */
        void held(Hold reason);

        /** An incident ended without having been told. */
        void endedUntold(Hold reason);

        /** There are too many incidents for one more. */
        void overflowed();
    }

    private final String sink;
    private final Grouping grouping;
    private final @Nullable QuietHours quietHours;
    private final @Nullable Duration forwardsEvery;
    private final boolean acknowledges;
    private final Muting muting;
    private final Ledger ledger;
    private final RateLimit.Bucket bucket;
    private final Map<String, Incident> open = new LinkedHashMap<>();
    private final Map<String, Incident> byEpisode = new HashMap<>();
    private final Map<String, Incident> byRun = new HashMap<>();
    private final Map<String, Incident> fleets = new HashMap<>();
    private final Map<String, Deque<Failing>> failing = new HashMap<>();
    /** Where the sink forwards: runs that somebody looks after, and up to which severity. */
    private final Map<String, Severity> acknowledgedRuns = new HashMap<>();

    private final List<Incident> closed = new ArrayList<>();

    /** A run that began to fail. */
    private record Failing(String runId, long atMs) {}

    /**
     * Begins without incidents.
     *
     * @param forwardsEvery how often what is open is told again where the sink forwards, null where it does not
     * @param acknowledges whether the receiver is told that somebody looks after an incident
     */
    Incidents(
            String sink,
            Grouping grouping,
            RateLimit rate,
            @Nullable QuietHours quietHours,
            @Nullable Duration forwardsEvery,
            boolean acknowledges,
            Muting muting,
            Ledger ledger,
            long nowMs) {
        this.sink = sink;
        this.grouping = grouping;
        this.quietHours = quietHours;
        this.forwardsEvery = forwardsEvery;
        this.acknowledges = acknowledges;
        this.muting = muting;
        this.ledger = ledger;
        bucket = new RateLimit.Bucket(rate, nowMs);
    }

    /** Forgets everything and takes in what was kept, the oldest first. */
    void restore(Collection<Incident> kept) {
        open.clear();
        byEpisode.clear();
        byRun.clear();
        fleets.clear();
        failing.clear();
        closed.clear();
        kept.forEach(this::add);
    }

    private void add(Incident incident) {
        open.put(incident.key(), incident);
        for (Alert alert : incident.episodes()) {
            index(incident, alert);
        }
        if (incident.group().startsWith(OF_FLEET)) {
            fleets.put(incident.group(), incident);
        } else if (incident.group().startsWith(OF_RUN)) {
            incident.episodes().stream()
                    .findFirst()
                    .ifPresent(first -> failing.computeIfAbsent(first.getDetector(), detector -> new ArrayDeque<>())
                            .add(new Failing(first.getRunId(), incident.openedAtMs())));
        }
    }

    private void index(Incident incident, Alert alert) {
        byEpisode.put(alert.getAlertId(), incident);
        if (forwardsEvery == null) {
            byRun.put(alert.getRunId(), incident);
        }
    }

    /**
     * Takes in one change of an episode; the same one again changes nothing.
     *
     * @param isRouted whether this sink is to hear of it; one that it heard of before, it hears of further
     */
    void take(Alert alert, boolean isRouted, long nowMs) {
        Incident known = byEpisode.get(alert.getAlertId());
        if (known != null) {
            known.put(alert, nowMs);
            return;
        }
        if (Incident.isResolved(alert) || !isRouted) {
            return;
        }
        Incident place = place(alert, nowMs);
        if (place != null) {
            place.put(alert, nowMs);
            index(place, alert);
        }
    }

    /** An open episode of a detector in a run, if it is known here. */
    Optional<Alert> openEpisode(String runId, String detector) {
        return open.values().stream()
                .flatMap(Incident::open)
                .filter(alert -> alert.getRunId().equals(runId) && alert.getDetector().equals(detector))
                .findFirst();
    }

    private @Nullable Incident place(Alert alert, long nowMs) {
        if (forwardsEvery != null) {
            return begin(OF_EPISODE + alert.getAlertId(), alert, nowMs);
        }
        Incident ofRun = byRun.get(alert.getRunId());
        if (ofRun != null && ofRun.hasRoom()) {
            return ofRun;
        }
        boolean many = failingTogether(alert, nowMs) >= grouping.fleetRuns();
        String group = OF_FLEET + alert.getDetector();
        Incident fleet = fleets.get(group);
        if (fleet != null && fleet.hasRoom() && (many || isGrowing(fleet, nowMs))) {
            return fleet;
        }
        if (!many) {
            return begin(OF_RUN + alert.getRunId(), alert, nowMs);
        }
        Incident begun = begin(group, alert, nowMs);
        if (begun != null) {
            fleets.put(group, begun);
        }
        return begun;
    }

    private boolean isGrowing(Incident fleet, long nowMs) {
        return nowMs - fleet.joinedAtMs()
                <= FLEET_PATIENCE * grouping.fleetWindow().toMillis();
    }

    /** How many runs began to fail with this detector within the window, this one included. */
    private int failingTogether(Alert alert, long nowMs) {
        Deque<Failing> lately = failing.computeIfAbsent(alert.getDetector(), detector -> new ArrayDeque<>());
        lately.removeIf(one -> one.runId().equals(alert.getRunId()));
        lately.add(new Failing(alert.getRunId(), nowMs));
        long begin = nowMs - grouping.fleetWindow().toMillis();
        while (lately.size() > grouping.fleetRuns() || lately.getFirst().atMs() < begin) {
            lately.removeFirst();
        }
        return lately.size();
    }

    private @Nullable Incident begin(String group, Alert first, long nowMs) {
        if (open.size() >= MAX_OPEN) {
            ledger.overflowed();
            return null;
        }
        Incident incident = new Incident(key(group, first.getAlertId()), group, nowMs);
        open.put(incident.key(), incident);
        return incident;
    }

    /** The first episode makes it another one each time, and the same one when the alerts are read again. */
    private String key(String group, String firstAlertId) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String part : List.of(sink, group, firstAlertId)) {
                digest.update(part.getBytes(StandardCharsets.UTF_8));
                digest.update((byte) 0);
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }

    /** What is due now, the worst and oldest first. Counts what is held, and closes what ended untold. */
    List<Due> due(long nowMs) {
        List<Due> due = new ArrayList<>();
        acknowledgedRuns.clear();
        open.values().forEach(incident -> acknowledge(incident, nowMs));
        for (Incident incident : List.copyOf(open.values())) {
            kind(incident, nowMs).ifPresent(kind -> due.add(new Due(incident, kind)));
        }
        due.sort((one, other) -> {
            int worse = other.incident().severity().compareTo(one.incident().severity());
            return worse != 0
                    ? worse
                    : Long.compare(one.incident().openedAtMs(), other.incident().openedAtMs());
        });
        return due;
    }

    private void acknowledge(Incident incident, long nowMs) {
        if (!incident.isOver()) {
            // Also of those that are over: who looks after one looks after what it was a part of.
            OptionalLong latest = incident.episodes().stream()
                    .flatMapToLong(alert -> muting.acknowledgedAtMs(alert, nowMs).stream())
                    .max();
            incident.acknowledge(latest);
            if (forwardsEvery != null) {
                incident.acknowledged().ifPresent(upTo -> acknowledgedRuns.merge(
                        incident.lead().getRunId(), upTo, (one, other) -> one.compareTo(other) > 0 ? one : other));
            }
        }
    }

    /** Whether a page may go now that {@link #due} named: each one takes from what the rate leaves. */
    boolean admit(Due due, long nowMs) {
        if (due.kind() == Kind.RESOLVED
                || due.kind() == Kind.ACKNOWLEDGED
                || due.incident().isFailing() || forwardsEvery != null) {
            return true;
        }
        if (!bucket.hasOne(nowMs)) {
            hold(due.incident(), Hold.RATE_LIMIT);
            return false;
        }
        bucket.take();
        return true;
    }

    private Optional<Kind> kind(Incident incident, long nowMs) {
        if (incident.isOver()) {
            if (incident.wasTold()) {
                return Optional.of(Kind.RESOLVED);
            }
            if (incident.isFailing() || incident.hold == null) {
                return Optional.of(Kind.OPENED);
            }
            ledger.endedUntold(incident.hold);
            close(incident);
            return Optional.empty();
        }
        if (nowMs - incident.touchedAtMs() > FORGOTTEN_AFTER.toMillis()) {
            close(incident);
            return Optional.empty();
        }
        if (!incident.wasTold()) {
            return unlessHeld(incident, Kind.OPENED, nowMs);
        }
        Optional<Kind> news = hasNews(incident, nowMs) ? unlessHeld(incident, Kind.UPDATED, nowMs) : Optional.empty();
        return news.isEmpty() && acknowledges && incident.isAcknowledgementUntold()
                ? Optional.of(Kind.ACKNOWLEDGED)
                : news;
    }

    private Optional<Kind> unlessHeld(Incident incident, Kind kind, long nowMs) {
        Optional<Hold> hold = hold(incident, kind, nowMs);
        hold.ifPresent(reason -> hold(incident, reason));
        return hold.isPresent() ? Optional.empty() : Optional.of(kind);
    }

    private boolean hasNews(Incident incident, long nowMs) {
        if (incident.callsAnew()) {
            return true;
        }
        long sinceTold = nowMs - incident.toldAtMs();
        if (forwardsEvery != null) {
            return incident.unkept || sinceTold >= forwardsEvery.toMillis();
        }
        return sinceTold >= updateInterval(incident).toMillis()
                && incident.news().findAny().isPresent();
    }

    private Duration updateInterval(Incident incident) {
        if (!incident.group().startsWith(OF_FLEET)) {
            return grouping.updateInterval();
        }
        Duration widened = FIRST_FLEET_UPDATE.multipliedBy(1L << Math.min(10, Math.max(0, incident.pages() - 1)));
        return widened.compareTo(LONGEST_FLEET_UPDATE) < 0 ? widened : LONGEST_FLEET_UPDATE;
    }

    private Optional<Hold> hold(Incident incident, Kind kind, long nowMs) {
        List<Alert> news = incident.isAcknowledgementOver()
                ? List.of()
                : incident.news().toList();
        Hold muted = null;
        for (Alert alert : news.isEmpty() ? incident.open().toList() : news) {
            muted = muted(incident, alert, nowMs);
            if (muted == null) {
                break;
            }
        }
        if (muted != null) {
            // A receiver that groups by itself forgets what it does not hear of; that it was told stays true.
            return kind == Kind.UPDATED && forwardsEvery != null && muted == Hold.ACKNOWLEDGED
                    ? Optional.empty()
                    : Optional.of(muted);
        }
        boolean quiet = quietHours != null && quietHours.contains(nowMs);
        return quiet && incident.severity() != Severity.critical && !(kind == Kind.UPDATED && forwardsEvery != null)
                ? Optional.of(Hold.QUIET_HOURS)
                : Optional.empty();
    }

    private @Nullable Hold muted(Incident incident, Alert alert, long nowMs) {
        if (muting.isSilenced(alert, nowMs)) {
            return Hold.SILENCED;
        }
        Optional<Severity> acknowledged = forwardsEvery == null
                ? incident.acknowledged()
                : Optional.ofNullable(acknowledgedRuns.get(alert.getRunId()));
        return acknowledged
                .filter(upTo -> alert.getSeverity().compareTo(upTo) <= 0)
                .map(upTo -> Hold.ACKNOWLEDGED)
                .orElse(null);
    }

    private void hold(Incident incident, Hold reason) {
        if (incident.hold != reason) {
            incident.hold = reason;
            ledger.held(reason);
        }
    }

    /** A page of an incident was told, or was put aside for good. */
    void told(Due due, long nowMs) {
        Incident incident = due.incident();
        incident.hold = null;
        if (due.kind() == Kind.RESOLVED) {
            close(incident);
        } else if (due.kind() == Kind.ACKNOWLEDGED) {
            incident.acknowledgementTold();
        } else if (forwardsEvery != null && due.kind() == Kind.UPDATED && !incident.unkept) {
            incident.toldAgain(nowMs);
        } else {
            incident.told(nowMs);
        }
    }

    private void close(Incident incident) {
        open.remove(incident.key());
        fleets.remove(incident.group(), incident);
        for (Alert alert : incident.episodes()) {
            byEpisode.remove(alert.getAlertId(), incident);
            byRun.remove(alert.getRunId(), incident);
        }
        closed.add(incident);
    }

    /** Incidents that changed since they were last kept. */
    List<Incident> unkept() {
        return open.values().stream().filter(incident -> incident.unkept).toList();
    }

    /** Incidents that were closed since the last call. */
    List<Incident> drainClosed() {
        List<Incident> drained = List.copyOf(closed);
        closed.clear();
        return drained;
    }

    /** The end of these could not be kept yet. */
    void stayClosed(List<Incident> incidents) {
        closed.addAll(incidents);
    }

    /** Since when the receiver is away for an incident, the longest of all; 0 if it is not. */
    long waitingSinceMs() {
        return open.values().stream()
                .filter(Incident::isFailing)
                .mapToLong(Incident::failingSinceMs)
                .min()
                .orElse(0);
    }

    int size() {
        return open.size();
    }
}
