package io.trainwatch.monitor.config;

import java.nio.file.Path;
import java.time.Duration;

/**
 * How the topology runs.
 *
 * @param applicationId consumer group and prefix of the changelog topics: instances with the same one share the work
 * @param stateDir where the state of the runs is kept on this machine
 * @param threads threads that judge
 * @param guarantee what a crash may do
 * @param commitInterval longest time between commits; an alert is committed at once
 */
public record StreamsSettings(
        String applicationId, Path stateDir, int threads, Guarantee guarantee, Duration commitInterval) {

    /** What a crash may do to alerts. */
    public enum Guarantee {
        /** Nothing lost, nothing twice. */
        EXACTLY_ONCE,
        /** Nothing lost; an alert may be published again under the same id. */
        AT_LEAST_ONCE
    }

    public static final StreamsSettings DEFAULT = new StreamsSettings(
            "trainwatch", Path.of("trainwatch-state"), 1, Guarantee.EXACTLY_ONCE, Duration.ofSeconds(1));
}
