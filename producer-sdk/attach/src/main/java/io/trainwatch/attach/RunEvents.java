package io.trainwatch.attach;

import io.trainwatch.codec.EventJson;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The events of a log that has neither run id nor clock of its own, in order, and the problems between them.
 *
 * <p>{@code run_started} comes before the first event of a run, with what is known by then. A run that starts again from the
 * beginning in the same log, because a second training was appended to it, is a run of its own: its id ends in {@code #2},
 * {@code #3} and so on. A step that goes back and not to the beginning is a resume, and stays in its run.
 *
 * <p>Timestamps that the log does not give are those of {@link LogInput#timeOf}; the sequence number
 * counts the events of the log, so that reading it again gives the same events.
 */
final class RunEvents {
    private static final Pattern ENDING = Pattern.compile("(?<=.)\\.[A-Za-z][A-Za-z0-9]{0,9}$");

    /** Names of files and folders that say nothing about the run: the folder above does. */
    private static final Pattern GENERIC = Pattern.compile(
            "(?:metrics|results|progress|logs?|main|trainer_log|trainer_state|training|train|output|stdout|history|loss|result"
                    + "|(?:\\d+\\.)?monitor|events\\.out\\.tfevents\\..*|version_\\d+|checkpoint-\\d+|train\\d+|exp\\d*"
                    + "|validation|val|eval|test|log-rank\\d+|logs-rank\\d+)",
            Pattern.CASE_INSENSITIVE);

    private final LogInput input;
    private final String fileRunId;
    private final Deque<LogEntry> entries;
    private String runId;
    private RunStarted facts = new RunStarted();
    private boolean started;
    private boolean finished;
    private int runs = 1;
    private long seq;
    private int rank;

    RunEvents(LogInput input) {
        this(input, runId(input));
    }

    RunEvents(LogInput input, String runId) {
        this(input, bounded(runId), new ArrayDeque<>());
    }

    private RunEvents(LogInput input, String runId, Deque<LogEntry> entries) {
        this.input = input;
        fileRunId = runId;
        this.entries = entries;
        this.runId = runId;
    }

    /**
     * The name of the file without its ending, led by the folders above for as long as all of it is a name that many runs
     * have, e.g. {@code lightning_logs/version_3}; for a stream its name.
     */
    static String runId(LogInput input) {
        Path path = input.path() == null ? null : input.path().toAbsolutePath().normalize();
        String id = input.name();
        if (path != null && path.getFileName() != null) {
            id = path.getFileName().toString();
            if (id.endsWith(".gz")) {
                id = id.substring(0, id.length() - 3);
            }
            String stem =
                    GENERIC.matcher(id).matches() ? id : ENDING.matcher(id).replaceFirst("");
            String whole = "";
            Path folder = path.getParent();
            boolean generic = GENERIC.matcher(stem).matches();
            while (generic && folder != null && folder.getFileName() != null && whole.length() < 100) {
                String name = folder.getFileName().toString();
                whole = whole.isEmpty() ? name : name + "/" + whole;
                generic = GENERIC.matcher(name).matches();
                folder = folder.getParent();
            }
            id = whole.isEmpty() ? stem : whole;
        }
        return bounded(id.isEmpty() ? "run" : id);
    }

    private static String bounded(String id) {
        String printable = id.replaceAll("\\p{Cntrl}", "_");
        return printable.length() > EventJson.MAX_RUN_ID_CHARACTERS - 8
                ? printable.substring(0, EventJson.MAX_RUN_ID_CHARACTERS - 8)
                : printable;
    }

    /** A run of a log that names its runs, whose events come in one order with those of the others. */
    static RunEvents of(LogInput input, String runId, Deque<LogEntry> entries) {
        return new RunEvents(input, bounded(runId), entries);
    }

    /** Another run of the same log, whose events come in one order with those of this one. */
    RunEvents beside(String run) {
        return new RunEvents(input, bounded(fileRunId + ":" + run), entries);
    }

    /** What {@code run_started} will say of the run; once it was said, changes say nothing. */
    RunStarted facts() {
        return facts;
    }

    boolean started() {
        return started;
    }

    /** From here on the events are of another training in the same log, whose facts are to be set anew. */
    void nextRun() {
        runs++;
        runId = fileRunId + "#" + runs;
        facts = new RunStarted();
        started = false;
    }

    /** The run says once more what it is, as it does at each restart. */
    void restarted(RunStarted restart) {
        facts = restart;
        started = false;
    }

    void rank(int rank) {
        this.rank = rank;
    }

    /** An event without a time of its own. */
    void add(long line, long offset, @Nullable Long step, @Nullable Double epoch, Object body) {
        add(line, offset, null, step, epoch, body);
    }

    void add(
            long line,
            long offset,
            @Nullable Long timestampMs,
            @Nullable Long step,
            @Nullable Double epoch,
            Object body) {
        boolean end = body instanceof RunFinished;
        if (end && (finished || !started)) {
            return; // said before, or nothing began
        }
        finished = end;
        if (!started) {
            started = true;
            entries.add(new LogEntry.Event(line, offset, event(offset, timestampMs, null, null, facts)));
        }
        entries.add(new LogEntry.Event(line, offset, event(offset, timestampMs, step, epoch, body)));
    }

    private TrainingEvent event(
            long offset, @Nullable Long timestampMs, @Nullable Long step, @Nullable Double epoch, Object body) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(runId);
        event.setRank(rank);
        event.setSession("");
        event.setSeq(++seq);
        event.setTimestampMs(timestampMs != null ? timestampMs : input.timeOf(seq, offset));
        event.setStep(step);
        event.setEpoch(epoch);
        event.setBody(body);
        return event;
    }

    void problem(long line, long offset, String message) {
        entries.add(new LogEntry.Problem(line, offset, message));
    }

    /** Takes all. */
    List<LogEntry> drain() {
        List<LogEntry> all = List.copyOf(entries);
        entries.clear();
        return all;
    }

    @Nullable
    LogEntry poll() {
        return entries.poll();
    }

    boolean isEmpty() {
        return entries.isEmpty();
    }

    /** Forgets what was not taken. */
    void clear() {
        entries.clear();
    }

    /** On one line and short, whatever it holds. */
    static String shown(String text) {
        return shown(text, 64);
    }

    static String shown(String text, int characters) {
        String start = text.length() > characters ? text.substring(0, characters) + "..." : text;
        return start.replaceAll("[\\p{Cc}\\p{Cf}\\p{Cs}\\u2028\\u2029]", "\ufffd");
    }
}
