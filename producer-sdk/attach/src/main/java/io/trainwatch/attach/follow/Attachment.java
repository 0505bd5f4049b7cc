package io.trainwatch.attach.follow;

import io.trainwatch.attach.LogEntry;
import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.LogFormats;
import io.trainwatch.attach.LogInput;
import io.trainwatch.attach.LogReader;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.Forwarder;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One log that is followed, on a thread of its own: reads it from its start, passes over what was delivered before, sends the
 * rest, and writes down how far that is. See {@link Position} for why that gives every event once.
 *
 * <p>What was there when the log was attached is marked historical. A file that takes the name of another (rotation), becomes
 * shorter or is written anew goes on with the run if its first step does; if it begins with the first step again, it is a run
 * of its own, {@code #2} and so on. One that was written anew and says the same as before, with more behind it, goes on.
 */
public final class Attachment implements Runnable {
    private static final long COMMIT_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final int MAX_COMPLAINTS = 5;
    private static final int MAX_HELD = 16;
    private static final int MAX_OPEN_RUNS = 10_000;
    private static final int LOOKS_AT_BROKEN = 5;
    private static final Pattern NUMBER = Pattern.compile("#(\\d{1,9})$");

    /** What is told while a log is followed. */
    public interface Listener {
        /** One line for people. */
        void say(String message);

        /**
         * The run id under which the events of a log go.
         *
         * @param wanted that of the log or of the user
         * @return another one where it is taken; null where this log says what another already does
         */
        @Nullable
        String claim(String wanted, Path path, LogFormat format) throws InterruptedException;

        /** The past is delivered, or there is none; called once. */
        default void live() {}
    }

    private final Path path;
    private final Settings settings;
    private final Listener listener;
    private final CountDownLatch stop = new CountDownLatch(1);
    private final String agentSession;
    private final Job job;
    private final boolean isNew;

    private Position position = Position.inMemory();
    private @Nullable Forwarder forwarder;
    private LogFormat format = LogFormats.all().get(0);
    private final Map<String, Long> problems = new TreeMap<>();

    // Of the file that is read now.
    private long count;
    private long digest;
    private int replayed;
    private boolean uncommitted;
    private long committedNanos = System.nanoTime();
    private long lastNewNanos = System.nanoTime();
    private @Nullable LogReader reader;
    private final List<TrainingEvent> held = new ArrayList<>();

    /** Runs whose end was not told, with their last step; the latest last. */
    private final Map<String, Long> openRuns = new LinkedHashMap<>(16, 0.75f, true);

    private volatile boolean passedOver;
    private boolean live;
    private boolean over;
    private long sent;
    private final Map<String, Long> agentSeqs = new TreeMap<>();
    private long beatNanos = System.nanoTime() - Job.HEARTBEAT.toNanos();
    private @Nullable String failure;

    /**
     * A log that is to be followed.
     *
     * @param isNew whether the log was not there before, so that nothing in it is past
     */
    public Attachment(Path path, Settings settings, Job job, boolean isNew, Listener listener) {
        this.path = path.toAbsolutePath().normalize();
        this.settings = settings;
        this.job = job;
        // What is imported twice must be known by its session and number, too.
        agentSession = "agent-" + (settings.complete() ? hash(name()) : UUID.randomUUID());
        this.isNew = isNew;
        this.listener = listener;
        if (settings.once()) {
            stop.countDown();
        }
    }

    /** Reads what is there by now, delivers it and ends. */
    public void stop() {
        stop.countDown();
    }

    public Path path() {
        return path;
    }

    /** Events that were sent in this life. */
    public long sent() {
        return sent;
    }

    /** Format by which it is read. */
    public LogFormat format() {
        return format;
    }

    /** Places that could not be read, by what is wrong there. */
    public Map<String, Long> problems() {
        return problems;
    }

    /** Why it could not be followed; null if it could. */
    public @Nullable String failure() {
        return failure;
    }

    /** Whether the run of this log is read from another one. */
    public boolean isPassedOver() {
        return passedOver;
    }

    @Override
    public void run() {
        FileChannel lock = null;
        try {
            lock = lock();
            position = positionFile() == null ? Position.inMemory() : Position.load(positionFile());
            follow();
        } catch (InterruptedException | InterruptedIOException e) {
            Thread.currentThread().interrupt();
        } catch (NoSuchFileException e) {
            fail("there is no such file");
        } catch (AccessDeniedException e) {
            fail("no permission to read it");
        } catch (IOException e) {
            fail(String.valueOf(e.getMessage()));
        } finally {
            live();
            if (forwarder != null) {
                forwarder.close();
            }
            unlock(lock);
        }
    }

    private static void unlock(@Nullable FileChannel lock) {
        try {
            if (lock != null) {
                lock.close();
            }
        } catch (IOException e) {
            // It goes with the process.
        }
    }

    private void fail(String why) {
        failure = why;
        listener.say(path + ": " + why);
    }

    private void live() {
        if (!live) {
            live = true;
            listener.live();
        }
    }

    // --- one file after another

    private void follow() throws IOException, InterruptedException {
        byte[] head = awaitRecognition();
        while (head != null) {
            boolean done;
            count = 0;
            digest = 0;
            replayed = 0;
            held.clear();
            try {
                done = format.isRewritten() ? readSnapshots() : readGrowing(head);
            } catch (OtherContentException e) {
                position.nextGeneration();
                done = false;
            }
            head = done ? null : awaitRecognition();
        }
    }

    /** Reads the file of this name until it is another one; says whether nobody wants more. */
    private boolean readGrowing(byte[] head) throws IOException, InterruptedException {
        Reading reading = new Reading();
        try (FollowedFile file = new FollowedFile(path, settings.interval(), isText(head), stop, reading)) {
            reading.file = file;
            try (LogReader open = format.open(input(head, file))) {
                reader = open;
                read(open, file);
            } finally {
                reader = null;
            }
            FollowedFile.End end = file.end();
            if (end == null || end == FollowedFile.End.STOPPED) {
                release();
                if (isOver()) {
                    tellEnd();
                }
                commit(file.identity(), file.position());
                return true;
            }
            commit(file.identity(), file.position());
            listener.say(path + ": "
                    + switch (end) {
                        case REPLACED -> "another file has its name";
                        case TRUNCATED -> "it became shorter";
                        default -> "it was written anew";
                    }
                    + "; read from its start");
            return false;
        }
    }

    /** Whether it is text in which a zero has no business, as it has in UTF-16. */
    private boolean isText(byte[] head) {
        boolean utf16 = head.length > 1 && (head[0] ^ head[1]) == 1 && (head[0] & 0xfe) == 0xfe;
        return format.isText() && !utf16;
    }

    private LogInput input(byte[] head, InputStream content) throws IOException {
        int start = 0;
        int end = head.length;
        while (start < end && head[start] == 0) {
            start++;
        }
        while (end > start && head[end - 1] == 0) {
            end--;
        }
        return LogInput.growing(path, Arrays.copyOfRange(head, start, end), content, this::timeOf);
    }

    private void read(LogReader open, FollowedFile file) throws IOException, InterruptedException {
        for (LogEntry entry = open.next(); entry != null; entry = open.next()) {
            if (file.end() == FollowedFile.End.STOPPED && !isOver()) {
                return; // what an unfinished line seems to say
            }
            take(entry, entry.offset() < position.historicalBytes);
            if (System.nanoTime() - committedNanos > COMMIT_NANOS) {
                commit(file.identity(), file.position());
            }
        }
    }

    /** Reads a file that is written as a whole each time, each time as a whole; until nobody wants more. */
    private boolean readSnapshots() throws IOException, InterruptedException {
        Snapshot before = null;
        long againAtMs = 0; // a reader may hold back what is not old enough to be whole
        int broken = 0;
        while (true) {
            Snapshot latest = Snapshot.latest(path);
            Snapshot snapshot = latest == null ? null : latest.with(format);
            long now = System.currentTimeMillis();
            if (snapshot != null && (!snapshot.equals(before) || (now > againAtMs && againAtMs > 0))) {
                boolean fresh =
                        now - snapshot.modifiedMs() < settings.settleAfter().toMillis();
                againAtMs =
                        fresh ? snapshot.modifiedMs() + settings.settleAfter().toMillis() : 0;
                boolean past = snapshot.modifiedMs() <= position.historicalToMs;
                List<LogEntry> entries = snapshot.read(format, this::timeOf);
                boolean whole = entries.stream().noneMatch(LogEntry.Problem.class::isInstance);
                if (whole || ++broken > LOOKS_AT_BROKEN || settings.once()) {
                    before = snapshot;
                    broken = 0;
                    count = 0;
                    digest = 0;
                    for (LogEntry entry : entries) {
                        take(entry, past);
                    }
                    release();
                    commit(snapshot.identity(), snapshot.bytes());
                }
            }
            if (stop.await(0, TimeUnit.NANOSECONDS)) {
                if (isOver()) {
                    tellEnd();
                }
                commit(position.identity, position.bytes);
                return true;
            }
            live();
            watch();
            commit(position.identity, position.bytes);
            boolean lastLook = stop.await(settings.interval().toNanos(), TimeUnit.NANOSECONDS);
            broken += lastLook ? LOOKS_AT_BROKEN : 0;
        }
    }

    /** Waits until the log says what it is; null if it is not to be read. */
    private byte @Nullable [] awaitRecognition() throws IOException, InterruptedException {
        boolean said = false;
        long past = isNew ? 0 : bytesNow();
        while (true) {
            String missing = "there is no such file yet";
            try {
                byte[] head = head();
                if (head.length > 0 && recognised(head, past)) {
                    return head;
                }
                if (passedOver || (settings.once() && head.length == 0)) {
                    return null;
                }
                if (head.length >= LogInput.HEAD_BYTES || settings.once()) {
                    fail("not recognised as any of " + String.join(", ", LogFormats.names())
                            + "; if it is one of them, name it with --format");
                    return null;
                }
                missing = "nothing yet by which its format is known";
            } catch (NoSuchFileException e) {
                if (settings.once()) {
                    throw e;
                }
            }
            if (!said && position.generation == 0) {
                said = true;
                listener.say(path + ": " + missing + "; waiting");
            }
            live();
            if (stop.await(settings.interval().toNanos(), TimeUnit.NANOSECONDS)) {
                return null;
            }
        }
    }

    /** Bytes that are there at the first look: those of the past. */
    private long bytesNow() throws IOException {
        try {
            return Files.size(current());
        } catch (NoSuchFileException e) {
            return 0;
        }
    }

    private byte[] head() throws IOException {
        try (InputStream in = Files.newInputStream(current())) {
            return in.readNBytes(position.headBytes > 0 ? position.headBytes : LogInput.HEAD_BYTES);
        }
    }

    /** The file itself; of those that are written for each checkpoint, the latest. */
    private Path current() throws IOException {
        Snapshot latest = Snapshot.latest(path);
        return latest == null ? path : latest.path();
    }

    private boolean recognised(byte[] head, long past) throws IOException, InterruptedException {
        if (position.isKnown()
                && !format(position.format).isRewritten()
                && position.identity.inode() != FileIdentity.inode(path)
                && Files.size(path) < position.bytes) {
            position.nextGeneration();
        }
        if (position.isKnown()) {
            format = settings.format() != null ? settings.format() : format(position.format);
            return claims(position.runId) != null;
        }
        String why = "";
        if (settings.format() != null) {
            format = settings.format();
        } else if (!position.format.isEmpty()) {
            format = format(position.format); // a later file of the same name
        } else {
            LogInput input = input(head, InputStream.nullInputStream());
            Optional<LogFormats.Detection> detection = LogFormats.detect(input);
            if (detection.isEmpty()) {
                return false;
            }
            format = detection.get().format();
            why = ", by " + detection.get().why();
        }
        if (position.generation == 0) {
            BasicFileAttributes attributes = Files.readAttributes(current(), BasicFileAttributes.class);
            position.historicalBytes = settings.complete() ? Long.MAX_VALUE : past;
            position.historicalToMs =
                    past == 0 ? 0 : attributes.lastModifiedTime().toMillis();
            position.historicalFromMs = Math.min(attributes.creationTime().toMillis(), position.historicalToMs);
            String wanted = settings.runId() != null
                    ? settings.runId()
                    : format.runId(input(head, InputStream.nullInputStream()));
            String claimed = claims(wanted);
            if (claimed == null) {
                return false;
            }
            position.runId = claimed;
            listener.say(path + ": read as " + format.name() + why + "; run " + claimed);
        }
        position.format = format.name();
        position.headBytes = head.length;
        position.session = session(head);
        // Before anything is sent: another life must read it in the same way.
        position.save(path);
        return true;
    }

    private @Nullable String claims(String runId) throws InterruptedException {
        String claimed = listener.claim(runId, path, format);
        passedOver = claimed == null;
        return claimed;
    }

    private static LogFormat format(String name) throws IOException {
        try {
            return LogFormats.named(name);
        } catch (IllegalArgumentException e) {
            throw new IOException("the position of it names a format that is not known: " + e.getMessage(), e);
        }
    }

    /** One name for one file, however often it is attached. */
    private String session(byte[] head) throws IOException {
        return "attach-"
                + hash(name() + "\n" + (format.isRewritten() ? 0 : FileIdentity.inode(path)) + "\n"
                        + HexFormat.of().formatHex(head, 0, format.isRewritten() ? 0 : Math.min(head.length, 256)))
                + "-" + position.generation;
    }

    private static String hash(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private long timeOf(long event, long offset) {
        long past = position.historicalBytes;
        if (offset >= past) {
            return System.currentTimeMillis();
        }
        double share = settings.complete() ? 1 : (double) offset / past;
        return position.historicalFromMs + (long) (share * (position.historicalToMs - position.historicalFromMs));
    }

    // --- what stands in it

    private void take(LogEntry entry, boolean past) throws IOException, InterruptedException {
        if (entry instanceof LogEntry.Problem problem) {
            complain(problem);
            return;
        }
        LogEntry.Event logged = (LogEntry.Event) entry;
        TrainingEvent event = logged.event();
        count++;
        digest = digest * 31 + digest(event);
        if (count <= position.delivered) {
            compare();
            return;
        }
        if (Long.bitCount(count) == 1) {
            position.digests.add(digest);
        }
        if (past) {
            event.setHistorical(true);
        }
        if (position.loggedRunId.isEmpty()) {
            position.loggedRunId = event.getRunId();
        }
        if (position.runsBefore < 0 && !decides(event)) {
            held.add(event);
            return;
        }
        release();
        send(event);
    }

    /** Whether the log still says what was delivered of it. */
    private void compare() throws OtherContentException {
        int place = Long.bitCount(count) == 1 ? Long.numberOfTrailingZeros(count) : -1;
        if (place >= 0 && place < position.digests.size() && position.digests.get(place) != digest) {
            throw new OtherContentException();
        }
    }

    private void complain(LogEntry.Problem problem) {
        if (count < position.delivered) {
            return; // was said before
        }
        String what = problem.message().replaceAll("\\d+", "N");
        long seen = problems.merge(problems.size() < 100 ? what : "other", 1L, Long::sum);
        if (seen <= MAX_COMPLAINTS) {
            listener.say("%s:%d: %s".formatted(path, problem.line(), problem.message()));
        }
    }

    /** What stays the same when a log is written anew with more columns or metrics. */
    private static long digest(TrainingEvent event) {
        long digest = event.getBody().getClass().getSimpleName().hashCode();
        digest = digest * 31 + (event.getStep() == null ? -1 : event.getStep());
        if (event.getBody() instanceof StepCompleted step && step.getLoss() != null) {
            digest = digest * 31 + Double.hashCode(step.getLoss());
        }
        return digest;
    }

    /** Whether the event says if a later file of this name goes on with the run, or begins another one. */
    private boolean decides(TrainingEvent event) {
        boolean steps = event.getBody() instanceof StepCompleted && event.getStep() != null;
        if (!steps && held.size() < MAX_HELD) {
            return false;
        }
        boolean anew = steps && position.firstStep >= 0 && event.getStep() <= position.firstStep;
        position.runsBefore = anew || position.runs == 0 ? position.runs : position.runs - 1;
        return true;
    }

    private void release() throws InterruptedException {
        if (position.runsBefore < 0 && !held.isEmpty()) {
            position.runsBefore = Math.max(0, position.runs - 1);
        }
        for (TrainingEvent event : held) {
            send(event);
        }
        held.clear();
    }

    private void send(TrainingEvent event) throws InterruptedException {
        boolean numbered = event.getSeq() != null
                && format.namesRuns()
                && !event.getSession().isEmpty();
        if (!numbered) {
            event.setSession(position.session);
            event.setSeq(event.getSeq() == null ? (Long) count : event.getSeq());
        }
        if (!format.namesRuns()) {
            event.setRunId(runId(event.getRunId()));
        }
        openRuns.put(event.getRunId(), event.getStep() == null ? -1L : event.getStep());
        if (event.getBody() instanceof RunFinished || openRuns.size() > MAX_OPEN_RUNS) {
            openRuns.remove(event.getRunId());
        }
        if (event.getBody() instanceof RunStarted started) {
            describe(started);
            position.finished = false;
        } else if (event.getBody() instanceof RunFinished) {
            position.finished = true;
        } else if (event.getBody() instanceof StepCompleted && event.getStep() != null) {
            position.firstStep = position.firstStep < 0 ? event.getStep() : position.firstStep;
            position.lastStep = event.getStep();
            position.finished = false;
        }
        forwarder().send(event);
        sent++;
        uncommitted = true;
        lastNewNanos = System.nanoTime();
    }

    /** The run in the monitor of a run in the log: the same name with the number that it has over all files. */
    private String runId(String logged) {
        String suffix = logged.startsWith(position.loggedRunId) ? logged.substring(position.loggedRunId.length()) : "";
        Matcher number = NUMBER.matcher(suffix);
        int training = 1;
        if (number.find()) {
            training = Integer.parseInt(number.group(1));
            suffix = suffix.substring(0, number.start());
        }
        training += position.runsBefore;
        if (training > position.runs) {
            position.runs = training;
            position.firstStep = -1;
        }
        return position.runId + suffix + (training > 1 ? "#" + training : "");
    }

    private void describe(RunStarted started) {
        if (settings.project() != null) {
            started.setProject(settings.project());
        }
        if (!settings.labels().isEmpty()) {
            Map<String, String> all = new TreeMap<>(started.getLabels() == null ? Map.of() : started.getLabels());
            all.putAll(settings.labels());
            started.setLabels(all);
        }
    }

    private Forwarder forwarder() {
        Forwarder open = forwarder;
        if (open == null) {
            open = settings.forwarders().get();
            forwarder = open;
        }
        return open;
    }

    private void commit(FileIdentity identity, long bytes) throws IOException, InterruptedException {
        committedNanos = System.nanoTime();
        if (!uncommitted || !held.isEmpty()) {
            return;
        }
        forwarder().flush();
        position.delivered = Math.max(count, position.delivered);
        position.identity = identity;
        position.bytes = bytes;
        position.save(path);
        uncommitted = false;
    }

    // --- the job behind it

    private void watch() throws InterruptedException {
        Job.Life life = job.life();
        if (life == Job.Life.ENDED && job.isOnlyOne()) {
            over = true; // what it wrote last is read before its end is told
            stop.countDown();
        } else if (life == Job.Life.ENDED) {
            tellEnd();
        } else if (life == Job.Life.LIVES
                && position.lastStep >= 0
                && System.nanoTime() - beatNanos >= Job.HEARTBEAT.toNanos()) {
            beatNanos = System.nanoTime();
            Heartbeat beat = new Heartbeat();
            beat.setLastStep(position.lastStep);
            beat.setIntervalSeconds(Job.HEARTBEAT.toMillis() / 1e3);
            say(latestRun(), position.lastStep, beat);
            uncommitted = true;
        }
    }

    /** Whether nothing more will be written. */
    private boolean isOver() {
        return over || settings.complete();
    }

    /** Says that the job has ended: of the latest run how, of those before that nobody knows. */
    private void tellEnd() throws InterruptedException {
        if (position.finished || position.delivered + count == 0) {
            return;
        }
        position.finished = true;
        if (openRuns.isEmpty()) {
            openRuns.put(latestRun(), position.lastStep);
        }
        int left = openRuns.size();
        for (Map.Entry<String, Long> run : openRuns.entrySet()) {
            RunFinished ending = --left == 0 ? job.ending() : null;
            ending = ending == null ? LastWords.unknown() : ending;
            ending = left == 0 ? LastWords.with(ending, path) : ending;
            say(run.getKey(), run.getValue(), ending);
            if (left == 0 && !settings.complete()) {
                listener.say(path + ": the job has ended: "
                        + ending.getStatus().name().toLowerCase(Locale.ROOT)
                        + (ending.getErrorMessage() == null ? "" : ", " + ending.getErrorMessage()));
            }
        }
        openRuns.clear();
        uncommitted = true;
    }

    private String latestRun() {
        return position.runId + (position.runs > 1 ? "#" + position.runs : "");
    }

    /** Says something of a run that does not stand in the log. */
    private void say(String run, long step, Object body) throws InterruptedException {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(run);
        event.setSession(agentSession);
        event.setSeq(agentSeqs.merge(run, 1L, Long::sum));
        event.setTimestampMs(settings.complete() ? position.historicalToMs : System.currentTimeMillis());
        event.setStep(step < 0 ? null : (Long) step);
        event.setHistorical(settings.complete() ? true : null);
        event.setBody(body);
        forwarder().send(event);
        sent++;
    }

    // --- positions

    private @Nullable Path positionFile() {
        Path directory = settings.stateDirectory();
        return directory == null ? null : directory.resolve(hash(name()) + ".position");
    }

    /** The path, for what is written into one folder after another without the number of the folder. */
    private String name() {
        return path.toString().replaceFirst("([/\\\\]checkpoint-)\\d+([/\\\\][^/\\\\]*)$", "$1N$2");
    }

    /** Keeps other agents from the same position; null if there is none. */
    private @Nullable FileChannel lock() throws IOException {
        Path file = positionFile();
        if (file == null) {
            return null;
        }
        Files.createDirectories(file.getParent() == null ? Path.of(".") : file.getParent());
        Path lockFile = file.resolveSibling(file.getFileName().toString().replace(".position", ".lock"));
        FileChannel channel = FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            lock = null;
        }
        if (lock == null) {
            channel.close();
            throw new IOException("another agent follows it, with its position in " + settings.stateDirectory()
                    + "; end that one, or give this one another --state");
        }
        return channel;
    }

    private static final class OtherContentException extends IOException {
        private static final long serialVersionUID = 1L;

        OtherContentException() {
            super("the log does not say any more what it said");
        }
    }

    /** What happens at the end of what is there so far. */
    private final class Reading implements FollowedFile.Reader {
        @Nullable
        FollowedFile file;

        private boolean lookedOnce;

        @Override
        public long nextSettling() {
            return replayed < position.settlings.size() ? position.settlings.get(replayed) : Long.MAX_VALUE;
        }

        @Override
        public void settle() throws IOException, InterruptedException {
            replayed++;
            takeSettled();
        }

        private void takeSettled() throws IOException, InterruptedException {
            LogReader open = reader;
            if (open != null) {
                for (LogEntry entry : open.settle()) {
                    take(entry, entry.offset() < position.historicalBytes);
                }
            }
        }

        @Override
        public void caughtUp(long at) throws IOException, InterruptedException {
            FollowedFile open = file;
            if (open == null) {
                return;
            }
            commit(open.identity(), open.position());
            boolean quiet =
                    System.nanoTime() - lastNewNanos > settings.settleAfter().toNanos();
            if ((quiet || settings.once()) && !isOver() && position.settlings.size() < Position.MAX_SETTLINGS) {
                settleHere(at, open);
            }
            live();
            if (lookedOnce) {
                watch(); // what its last look brings comes before the end of the job
                commit(open.identity(), open.position());
            }
            lookedOnce = true;
        }

        private void settleHere(long at, FollowedFile open) throws IOException, InterruptedException {
            LogReader settled = reader;
            List<LogEntry> entries = settled == null ? List.of() : settled.settle();
            if (entries.isEmpty()) {
                return;
            }
            // Before they go: in another life they must come of themselves, with the same numbers.
            position.settlings.add(at);
            replayed++;
            position.identity = open.identity();
            position.save(path);
            for (LogEntry entry : entries) {
                take(entry, entry.offset() < position.historicalBytes);
            }
            commit(open.identity(), open.position());
        }
    }
}
