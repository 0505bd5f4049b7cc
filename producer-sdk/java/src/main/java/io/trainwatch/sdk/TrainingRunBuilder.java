package io.trainwatch.sdk;

import io.trainwatch.event.RunStarted;
import io.trainwatch.sdk.internal.LiveRun;
import io.trainwatch.sdk.internal.Location;
import io.trainwatch.sdk.internal.NoopRun;
import io.trainwatch.sdk.internal.RunSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Describes a run and how its events travel. Everything is optional; what the monitor is not told, it reports as not
 * checked. Settings are checked by {@link #start(String)}.
 */
public final class TrainingRunBuilder {
    /** Environment variable with the location of {@link #start()}. */
    public static final String LOCATION_VARIABLE = "TRAINWATCH_LOCATION";

    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");

    private final String runId;
    private final Map<String, String> environment;
    private final Map<String, String> labels = new HashMap<>();
    private RunStarted details = new RunStarted();
    private @Nullable String project;
    private @Nullable String runName;
    private @Nullable String model;
    private @Nullable String task;
    private @Nullable Long maxSteps;
    private @Nullable Double learningRatePeak;
    private @Nullable Long warmupSteps;
    private @Nullable String precision;
    private @Nullable String referenceRun;
    private @Nullable Integer attempt;
    private @Nullable Integer rank;
    private @Nullable Integer worldSize;
    private int queueCapacity = 8_192;
    private @Nullable Path spoolDirectory;
    private long spoolBytes = 256L << 20;
    private Duration closeTimeout = Duration.ofSeconds(5);
    private Duration heartbeatInterval = Duration.ofSeconds(10);

    TrainingRunBuilder(String runId, Map<String, String> environment) {
        this.runId = runId;
        this.environment = environment;
    }

    /** Group of runs that share alerts and dashboards; default none. A metric label: keep the number of projects low. */
    public TrainingRunBuilder project(String name) {
        project = name;
        return this;
    }

    /** Name for people; default is the run id. */
    public TrainingRunBuilder runName(String name) {
        runName = name;
        return this;
    }

    /** Model or architecture; default none. */
    public TrainingRunBuilder model(String name) {
        model = name;
        return this;
    }

    /**
     * Kind of training: "classification", "regression", "language_modeling", "gan", "rl", "contrastive", ...; default
     * none. Decides what a healthy loss looks like: that of a GAN need not fall.
     */
    public TrainingRunBuilder task(String name) {
        task = name;
        return this;
    }

    /** Optimizer steps that the run will take, at least 1; default unknown, and then nothing is judged by progress. */
    public TrainingRunBuilder maxSteps(long steps) {
        maxSteps = steps;
        return this;
    }

    /** Largest learning rate of the schedule, finite, at least 0; default unknown. */
    public TrainingRunBuilder learningRatePeak(double rate) {
        learningRatePeak = rate;
        return this;
    }

    /** Optimizer steps of learning-rate warm-up, at least 0; default unknown. Detectors are patient during warm-up. */
    public TrainingRunBuilder warmupSteps(long steps) {
        warmupSteps = steps;
        return this;
    }

    /** "fp32", "tf32", "bf16", "fp16" or "fp8"; default unknown. */
    public TrainingRunBuilder precision(String name) {
        precision = name;
        return this;
    }

    /** Run to compare this one with, of any project; default none. Its loss at equal step is what this one is held against. */
    public TrainingRunBuilder referenceRun(String referenceRunId) {
        referenceRun = referenceRunId;
        return this;
    }

    /**
     * 0 for the first start of the run, one more at each restart; default from TORCHELASTIC_RESTART_COUNT or
     * SLURM_RESTART_COUNT, else 0. A restart under the same attempt looks like steps going back.
     */
    public TrainingRunBuilder attempt(int number) {
        attempt = number;
        return this;
    }

    /** Rank of this process, 0 to worldSize - 1; default from RANK or SLURM_PROCID, else 0. Ranks are judged together. */
    public TrainingRunBuilder rank(int number) {
        rank = number;
        return this;
    }

    /** Processes that train together, at least 1; default from WORLD_SIZE or SLURM_NTASKS, else unknown. */
    public TrainingRunBuilder worldSize(int processes) {
        worldSize = processes;
        return this;
    }

    /** A free label for routing alerts and for configuration rules; at most 32 in all. */
    public TrainingRunBuilder label(String name, String value) {
        labels.put(name, value);
        return this;
    }

    /** Everything else that can be said of a run at its start; what is also set on this builder wins. */
    public TrainingRunBuilder details(RunStarted started) {
        details = started;
        return this;
    }

    /**
     * Events that may wait in memory, 64 to 1048576, rounded up to a power of two; default 8192: 64 bytes each, and
     * 0.4 s of 20,000 steps per second. A full queue drops events and counts them; it never makes the trainer wait.
     */
    public TrainingRunBuilder queueCapacity(int events) {
        queueCapacity = events;
        return this;
    }

    /**
     * Directory for events that wait for the broker; default {@code trainwatch/spool} in XDG_CACHE_HOME or
     * {@code ~/.cache}. Untouched while the broker answers; the next start of the run with the same directory sends first
     * what a killed process has left there.
     */
    public TrainingRunBuilder spoolDirectory(Path directory) {
        spoolDirectory = directory;
        return this;
    }

    /**
     * Bytes of the spool, 0 for none, or at least 65536; default 256 MiB: two million plain steps. A full spool drops the
     * oldest plain steps and bulky statistics first.
     */
    public TrainingRunBuilder spoolBytes(long bytes) {
        spoolBytes = bytes;
        return this;
    }

    /** Longest time that {@link TrainingRun#close} takes, 0 to 600 s; default 5 s. What is not sent by then is spooled. */
    public TrainingRunBuilder closeTimeout(Duration timeout) {
        closeTimeout = timeout;
        return this;
    }

    /**
     * Time between heartbeats, 0.1 to 3600 s; default 10 s. The monitor takes a run for stalled after some missed ones.
     */
    public TrainingRunBuilder heartbeatInterval(Duration interval) {
        heartbeatInterval = interval;
        return this;
    }

    /**
     * Starts the run at the location in the environment variable TRAINWATCH_LOCATION; without it, nothing is recorded.
     *
     * @throws IllegalArgumentException as {@link #start(String)}
     */
    public TrainingRun start() {
        String location = environment.get(LOCATION_VARIABLE);
        if (location == null || location.isBlank()) {
            settings();
            log.info("{} is not set: run {} is not watched", LOCATION_VARIABLE, runId);
            return NoopRun.INSTANCE;
        }
        return start(location);
    }

    /**
     * Starts the run. Never waits for the receiver, and never fails because it cannot be reached.
     *
     * @param location {@code kafka:HOST:PORT[,HOST:PORT...]} with {@code ?topic=NAME} (default trainwatch.events) and
     *     {@code config=FILE} (a properties file with further settings of the Kafka client, e.g. security);
     *     {@code http://HOST:PORT} or {@code https://...} of a monitor, whose token is in the environment variable
     *     TRAINWATCH_TOKEN or in the file of {@code ?token_file=FILE}; {@code console:} and {@code file:PATH} for JSON Lines; {@code memory:NAME}, read with {@link Trainwatch#memory};
     *     {@code noop:} for nothing
     * @throws IllegalArgumentException if the location or a setting is illegal: names it, its value and what is allowed
     */
    public TrainingRun start(String location) {
        Location where = Location.parse(location);
        RunSettings settings = settings();
        return where instanceof Location.Noop ? NoopRun.INSTANCE : LiveRun.start(settings, where);
    }

    /** Field by field: the generated builder loads nested classes by name, which Avro forbids unless the JVM trusts them. */
    private static RunStarted copyOf(RunStarted details) {
        RunStarted copy = new RunStarted();
        for (int field = 0; field < details.getSchema().getFields().size(); field++) {
            copy.put(field, details.get(field));
        }
        return copy;
    }

    private RunSettings settings() {
        RunStarted started = copyOf(details);
        if (project != null) {
            started.setProject(project);
        }
        if (runName != null) {
            started.setRunName(runName);
        }
        if (model != null) {
            started.setModelName(model);
        }
        if (task != null) {
            started.setTask(task);
        }
        if (maxSteps != null) {
            started.setMaxSteps(maxSteps);
        }
        if (learningRatePeak != null) {
            started.setLearningRatePeak(learningRatePeak);
        }
        if (warmupSteps != null) {
            started.setWarmupSteps(warmupSteps);
        }
        if (precision != null) {
            started.setPrecision(precision);
        }
        if (referenceRun != null) {
            started.setReferenceRunId(referenceRun);
        }
        if (!labels.isEmpty()) {
            Map<String, String> all = new HashMap<>(started.getLabels() == null ? Map.of() : started.getLabels());
            all.putAll(labels);
            started.setLabels(all);
        }
        int ownRank = rank != null ? rank : orElse(fromEnvironment("RANK", "SLURM_PROCID"), 0);
        Integer processes = worldSize;
        if (processes == null) {
            processes = fromEnvironment("WORLD_SIZE", "SLURM_NTASKS");
            if (processes != null && processes <= ownRank) {
                log.warn(
                        "run {}: the environment tells of {} processes, but this is rank {}",
                        runId,
                        processes,
                        ownRank);
                processes = null;
            }
        }
        return new RunSettings(
                runId,
                attempt != null
                        ? attempt
                        : orElse(fromEnvironment("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"), 0),
                ownRank,
                processes,
                hostName(),
                started,
                queueCapacity,
                spoolDirectory != null ? spoolDirectory : defaultSpoolDirectory(),
                spoolBytes,
                closeTimeout,
                heartbeatInterval);
    }

    private static int orElse(@Nullable Integer value, int otherwise) {
        return value == null ? otherwise : value;
    }

    /** Returns the first of the variables that is set; what is no count is ignored, since a launcher set it, not the user. */
    private @Nullable Integer fromEnvironment(String... names) {
        for (String name : names) {
            String value = environment.get(name);
            if (value != null && !value.isBlank()) {
                if (value.matches("\\d{1,9}")) {
                    return Integer.valueOf(value);
                }
                log.warn("run {}: environment variable {} is no count: \"{}\"", runId, name, value);
            }
        }
        return null;
    }

    /** Returns the name of this host without asking the network, which may take long; null if nothing tells it. */
    private @Nullable String hostName() {
        String name = environment.getOrDefault("HOSTNAME", environment.get("COMPUTERNAME"));
        if (name != null && !name.isBlank()) {
            return name;
        }
        try {
            return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException | SecurityException e) {
            return null;
        }
    }

    private Path defaultSpoolDirectory() {
        String cache = environment.get("XDG_CACHE_HOME");
        Path base = cache != null && !cache.isBlank()
                ? Path.of(cache)
                : Path.of(System.getProperty("user.home", "."), ".cache");
        return base.resolve("trainwatch").resolve("spool");
    }
}
