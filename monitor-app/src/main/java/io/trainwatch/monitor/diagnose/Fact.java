package io.trainwatch.monitor.diagnose;

/**
 * Something that is true of a run around the onset of an episode.
 *
 * @param name lower snake case: a detector that raised an episode, or a name of {@link Facts}
 * @param strength how clearly it holds, above 0 up to 1
 * @param step since when, -1 if it holds of the run as a whole
 * @param words what a person gets to read
 */
record Fact(String name, double strength, long step, String words) {}
