package io.trainwatch.attach.follow;

import io.trainwatch.attach.LogFormat;
import io.trainwatch.sdk.Forwarder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * How logs are followed.
 *
 * @param forwarders opens a way to the monitor
 * @param format what the logs are, null to find out
 * @param runId run id of the one log, null to take it from the log
 * @param project project of the runs, null for none
 * @param labels labels of the runs
 * @param stateDirectory where positions are kept, null to remember nothing
 * @param interval time between two looks at a log, at least 10 ms
 * @param settleAfter silence of a log after which a row of several lines is taken as it is, at least {@code interval}
 * @param once whether to read what is there and leave
 * @param complete whether what is there is all: unfinished lines at its end are read, too, and the run is over
 */
public record Settings(
        Supplier<Forwarder> forwarders,
        @Nullable LogFormat format,
        @Nullable String runId,
        @Nullable String project,
        Map<String, String> labels,
        @Nullable Path stateDirectory,
        Duration interval,
        Duration settleAfter,
        boolean once,
        boolean complete) {

    /** Time between two looks at a log: TensorBoard writes every two minutes, a terminal at once. */
    public static final Duration INTERVAL = Duration.ofSeconds(1);

    /** Ten times the longest pause within a row that trainers print in several writes. */
    public static final Duration SETTLE_AFTER = Duration.ofSeconds(10);

    /** Follows with the defaults and remembers nothing. */
    public static Settings to(Supplier<Forwarder> forwarders) {
        return new Settings(forwarders, null, null, null, Map.of(), null, INTERVAL, SETTLE_AFTER, false, false);
    }

    public Settings withFormat(@Nullable LogFormat one) {
        return new Settings(
                forwarders, one, runId, project, labels, stateDirectory, interval, settleAfter, once, complete);
    }

    public Settings withRun(@Nullable String id, @Nullable String ofProject, Map<String, String> withLabels) {
        return new Settings(
                forwarders, format, id, ofProject, withLabels, stateDirectory, interval, settleAfter, once, complete);
    }

    public Settings withState(@Nullable Path directory) {
        return new Settings(
                forwarders, format, runId, project, labels, directory, interval, settleAfter, once, complete);
    }

    public Settings withTimes(Duration lookEvery, Duration settle) {
        return new Settings(
                forwarders, format, runId, project, labels, stateDirectory, lookEvery, settle, once, complete);
    }

    /** Reads what is there and leaves; {@code all} says that nothing more will come. */
    public Settings onlyOnce(boolean all) {
        return new Settings(
                forwarders, format, runId, project, labels, stateDirectory, interval, settleAfter, true, all);
    }
}
