package io.trainwatch.sdk.internal;

import io.trainwatch.event.RunStarted;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a run is started with, checked: the constructor throws {@link IllegalArgumentException} with the name and the value
 * of the first illegal setting.
 */
public record RunSettings(
        String runId,
        int attempt,
        int rank,
        @Nullable Integer worldSize,
        @Nullable String host,
        RunStarted details,
        int queueCapacity,
        Path spoolDirectory,
        long spoolBytes,
        Duration closeTimeout,
        Duration heartbeatInterval) {

    private static final int MAX_RUN_ID_LENGTH = 256;
    private static final int MAX_LABELS = 32;
    private static final Set<String> PRECISIONS = Set.of("fp32", "tf32", "bf16", "fp16", "fp8");

    public RunSettings {
        if (runId.isBlank() || runId.length() > MAX_RUN_ID_LENGTH) {
            String shown = runId.length() > 40 ? runId.substring(0, 40) + "..." : runId;
            throw new IllegalArgumentException("run id must have 1 to " + MAX_RUN_ID_LENGTH + " characters, was \""
                    + shown + "\" with " + runId.length());
        }
        check("attempt", attempt, attempt >= 0, "at least 0");
        check("worldSize", worldSize, worldSize == null || worldSize >= 1, "at least 1");
        check(
                "rank",
                rank,
                rank >= 0 && (worldSize == null || rank < worldSize),
                worldSize == null ? "at least 0" : "0 to worldSize - 1, which is " + (worldSize - 1));
        check("queueCapacity", queueCapacity, queueCapacity >= 64 && queueCapacity <= 1 << 20, "64 to 1048576 events");
        check(
                "spoolBytes",
                spoolBytes,
                spoolBytes == 0 || spoolBytes >= 65_536,
                "0 (no spool) or at least 65536 bytes");
        check("closeTimeout", closeTimeout, isWithin(closeTimeout, 0, 600_000), "0 to 600 s");
        check("heartbeatInterval", heartbeatInterval, isWithin(heartbeatInterval, 100, 3_600_000), "0.1 s to 3600 s");
        Long maxSteps = details.getMaxSteps();
        check("maxSteps", maxSteps, maxSteps == null || maxSteps >= 1, "at least 1");
        Long warmupSteps = details.getWarmupSteps();
        check("warmupSteps", warmupSteps, warmupSteps == null || warmupSteps >= 0, "at least 0");
        Double peak = details.getLearningRatePeak();
        check("learningRatePeak", peak, peak == null || (peak >= 0 && Double.isFinite(peak)), "finite and at least 0");
        String precision = details.getPrecision();
        check(
                "precision",
                precision,
                precision == null || PRECISIONS.contains(precision),
                "one of fp32 tf32 bf16 fp16 fp8");
        int labels = details.getLabels() == null ? 0 : details.getLabels().size();
        check("number of labels", labels, labels <= MAX_LABELS, "at most " + MAX_LABELS);
    }

    private static boolean isWithin(Duration duration, long minMillis, long maxMillis) {
        return duration.compareTo(Duration.ofMillis(minMillis)) >= 0
                && duration.compareTo(Duration.ofMillis(maxMillis)) <= 0;
    }

    private static void check(String name, @Nullable Object value, boolean legal, String allowed) {
        if (!legal) {
            throw new IllegalArgumentException(name + " must be " + allowed + ", was " + value);
        }
    }
}
