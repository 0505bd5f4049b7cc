package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.judge.EpisodeDifference;

/**
 * What other settings make of an episode of a log.
 *
 * @param file the log
 */
record LogDifference(String file, EpisodeDifference episode) {}
