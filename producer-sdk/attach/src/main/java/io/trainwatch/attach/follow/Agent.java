package io.trainwatch.attach.follow;

import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.LogFormats;
import io.trainwatch.attach.LogInput;
import io.trainwatch.attach.Split;
import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Follows logs, and finds them in directories: at the start and whenever new ones appear. Of several logs that tell of one
 * run in the same folder, such as the table and the TensorBoard file of Lightning, one is read. Logs that nobody has written
 * to for long are left alone; importing reads those.
 */
public final class Agent implements AutoCloseable {
    /** Logs that are followed at the same time; each has a thread. */
    public static final int MAX_LOGS = 1_000;

    /** Files that are looked at in one directory. */
    static final int MAX_FILES = 100_000;

    private static final int MAX_DEPTH = 16;

    /** Logs whose past is read at the same time: one core for reading, one for the training. */
    private static final int BACKFILLS = 2;

    /** Text has no form by which it is surely known: in directories it must be called like a log. */
    private static final Pattern TEXT_LOG =
            Pattern.compile("(?i).*\\.(?:log|out|err|stdout|stderr|txt)(?:\\.gz)?|[^.]*(?:log|out|stdout|stderr)[^.]*");

    private static final Pattern CHECKPOINT = Pattern.compile("(?i)checkpoint-\\d+");

    private final Settings settings;
    private final Duration ofLast;
    private final Duration searchEvery;
    private final Consumer<String> say;
    private final CountDownLatch stop = new CountDownLatch(1);
    private final Semaphore backfills = new Semaphore(BACKFILLS);
    private final Map<Path, Followed> logs = new LinkedHashMap<>();
    private final Map<Path, Long> unknown = new HashMap<>();
    private final Map<String, Followed> runs = new HashMap<>();
    private final List<Path> directories = new ArrayList<>();
    private long skippedOld;
    private boolean tooMany;

    private final class Followed implements Attachment.Listener {
        final Attachment attachment;
        final Thread thread;
        final CountDownLatch past = new CountDownLatch(1);

        Followed(Path path, Settings how, Job job, boolean isNew) {
            attachment = new Attachment(path, how, job, isNew, this);
            thread = new Thread(attachment, "attach " + path.getFileName());
            thread.setDaemon(true);
        }

        @Override
        public void say(String message) {
            say.accept(message);
        }

        @Override
        public @Nullable String claim(String wanted, Path path, LogFormat format) throws InterruptedException {
            return Agent.this.claim(this, wanted, path, format);
        }

        @Override
        public void live() {
            past.countDown();
            backfills.release();
        }
    }

    /**
     * An agent that follows nothing yet.
     *
     * @param ofLast logs in directories to which nothing was written for longer are left alone
     * @param searchEvery time between two searches for new logs in directories
     * @param say takes one line for people
     */
    public Agent(Settings settings, Duration ofLast, Duration searchEvery, Consumer<String> say) {
        this.settings = settings;
        this.ofLast = ofLast;
        this.searchEvery = searchEvery;
        this.say = say;
    }

    /** Follows a log, or all logs that there are and will be in a directory. */
    public void attach(Path path, Job job) throws InterruptedException {
        if (Files.isDirectory(path)) {
            directories.add(path);
            search(path, false);
        } else {
            follow(path, settings, job, false);
        }
    }

    /** Follows what comes through a pipe, of which nothing is remembered. */
    public void attach(Spool spool, Job job) throws InterruptedException {
        follow(spool.path(), settings.withState(null).withTimes(Spool.INTERVAL, settings.settleAfter()), job, true);
    }

    private void follow(Path path, Settings how, Job job, boolean isNew) throws InterruptedException {
        Path absolute = path.toAbsolutePath().normalize();
        if (logs.containsKey(absolute)) {
            return;
        }
        if (logs.size() >= MAX_LOGS && !settings.once()) {
            if (!tooMany) {
                tooMany = true;
                say.accept("more than " + MAX_LOGS + " logs: the others are left alone; attach to fewer directories");
            }
            return;
        }
        Followed followed = new Followed(absolute, how, job, isNew);
        logs.put(absolute, followed);
        backfills.acquire();
        followed.thread.start();
    }

    /** Works until it is stopped, or until nothing is left to follow. */
    public void run() throws InterruptedException {
        while (!settings.once() && !stop.await(searchEvery.toNanos(), TimeUnit.NANOSECONDS)) {
            for (Path directory : directories) {
                search(directory, true);
            }
            if (directories.isEmpty() && logs.values().stream().noneMatch(log -> log.thread.isAlive())) {
                break;
            }
        }
        if (stop.getCount() == 0) {
            logs.values().forEach(log -> log.attachment.stop());
        }
        for (Followed log : logs.values()) {
            log.thread.join();
        }
    }

    /** Lets everything be read that is there by now, and {@link #run} return. */
    public void stop() {
        stop.countDown();
    }

    /** The logs, whether they could be followed or not. */
    public List<Attachment> attachments() {
        return logs.values().stream().map(log -> log.attachment).toList();
    }

    /** Logs in directories that were left alone because nobody writes to them any more. */
    public long leftAlone() {
        return skippedOld;
    }

    @Override
    public void close() {
        stop();
        for (Followed log : logs.values()) {
            log.attachment.stop();
            log.thread.interrupt();
        }
    }

    // --- directories

    private void search(Path directory, boolean again) throws InterruptedException {
        Map<Path, BasicFileAttributes> files = new TreeMap<>();
        try {
            Files.walkFileTree(
                    directory, EnumSet.of(FileVisitOption.FOLLOW_LINKS), MAX_DEPTH, new SimpleFileVisitor<>() {
                        @Override
                        public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                            return isHidden(folder) && !folder.equals(directory)
                                    ? FileVisitResult.SKIP_SUBTREE
                                    : FileVisitResult.CONTINUE;
                        }

                        @Override
                        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                            if (attributes.isRegularFile() && !isHidden(file)) {
                                files.put(file, attributes);
                            }
                            return files.size() < MAX_FILES ? FileVisitResult.CONTINUE : FileVisitResult.TERMINATE;
                        }

                        @Override
                        public FileVisitResult visitFileFailed(Path file, IOException e) {
                            return FileVisitResult.CONTINUE; // gone, or not for us
                        }
                    });
        } catch (IOException e) {
            say.accept(directory + ": cannot be searched: " + e.getMessage());
            return;
        }
        Set<Path> whole = new HashSet<>();
        files.keySet().stream().filter(Agent::speaksForItsFolder).forEach(file -> whole.add(file.getParent()));
        long oldest = System.currentTimeMillis() - ofLast.toMillis();
        // What a run was trained on first: its evaluations refer to it.
        List<Map.Entry<Path, BasicFileAttributes>> inOrder = files.entrySet().stream()
                .sorted(Comparator.comparing(file -> isOfEvaluation(file.getKey())))
                .toList();
        for (Map.Entry<Path, BasicFileAttributes> file : inOrder) {
            if (stop.getCount() == 0) {
                return;
            }
            Path path = real(file.getKey());
            if (isSpokenFor(file.getKey(), whole)) {
                continue;
            }
            long bytes = file.getValue().size();
            if (logs.containsKey(path) || bytes == 0 || Long.valueOf(bytes).equals(unknown.get(path))) {
                continue;
            }
            if (file.getValue().lastModifiedTime().toMillis() < oldest) {
                skippedOld += unknown.put(path, bytes) == null && isLog(path) ? 1 : 0;
            } else if (isLog(path)) {
                unknown.remove(path);
                follow(path, settings, Job.writerOf(path), again);
            } else if (unknown.size() < MAX_FILES) {
                unknown.put(path, bytes);
            }
        }
    }

    /** Through links, since some tools link to the latest run. */
    private static Path real(Path path) {
        try {
            return path.toRealPath();
        } catch (IOException e) {
            return path.toAbsolutePath().normalize();
        }
    }

    /** The logs of W&B and MLflow: what else lies in the folder of the run, such as its output, is of the same run. */
    private static boolean speaksForItsFolder(Path file) {
        String name = String.valueOf(file.getFileName());
        return name.endsWith(".wandb")
                || (name.equals("meta.yaml") && Files.isDirectory(file.resolveSibling("metrics")));
    }

    private static boolean isSpokenFor(Path file, Set<Path> whole) {
        boolean speaks = speaksForItsFolder(file);
        for (Path folder = file.getParent(); folder != null; folder = folder.getParent()) {
            if (whole.contains(folder)) {
                return !speaks;
            }
        }
        return false;
    }

    private static boolean isHidden(Path path) {
        Path name = path.getFileName();
        return name != null && name.toString().startsWith(".");
    }

    private boolean isLog(Path path) {
        try (LogInput input = LogInput.of(path)) {
            LogFormat format = settings.format();
            if (format == null) {
                format = LogFormats.detect(input)
                        .map(LogFormats.Detection::format)
                        .orElse(null);
            } else if (format.recognise(input).isEmpty()) {
                format = null;
            }
            Path name = path.getFileName();
            return format != null
                    && (!format.name().equals("text")
                            || (name != null
                                    && TEXT_LOG.matcher(name.toString()).matches()));
        } catch (IOException e) {
            return false;
        }
    }

    // --- runs

    private @Nullable String claim(Followed log, String wanted, Path path, LogFormat format)
            throws InterruptedException {
        Followed owner;
        String id = wanted;
        synchronized (runs) {
            owner = runs.get(id);
            for (Path folder = path.getParent();
                    owner != null && owner != log && !isBeside(owner.attachment.path(), path);
                    owner = runs.get(id)) {
                // Another run of the same name, elsewhere.
                if (folder == null || folder.getFileName() == null) {
                    return null;
                }
                id = folder.getFileName() + "/" + id;
                folder = folder.getParent();
            }
            if (owner == null || owner == log) {
                runs.put(id, log);
                return id;
            }
        }
        boolean continued = format.name().equals("tfevents")
                && owner.attachment.format().name().equals("tfevents");
        if (!continued) {
            say.accept(path + ": passed over, " + owner.attachment.path() + " tells of the same run " + id);
            return null;
        }
        owner.past.await(); // a file that TensorBoard goes on from: first what came first
        return id;
    }

    /** Whether two logs are of one run if they have one run id: in one folder, or in folders beside each other. */
    private static boolean isBeside(Path one, Path other) {
        Path a = one.getParent();
        Path b = other.getParent();
        if (a == null || b == null || a.equals(b)) {
            return true;
        }
        boolean parts = isPart(a) && isPart(b);
        return (parts && Objects.equals(a.getParent(), b.getParent())) || a.startsWith(b) || b.startsWith(a);
    }

    private static boolean isPart(Path folder) {
        Path name = folder.getFileName();
        return Split.ofFolder(folder) != null
                || (name != null && CHECKPOINT.matcher(name.toString()).matches());
    }

    private static boolean isOfEvaluation(Path file) {
        return Split.ofFolder(file.getParent()) == Split.EVALUATION;
    }
}
