package io.trainwatch.monitor.run;

/**
 * Something that happened to a run.
 *
 * @param attempt attempt of the run
 * @param step step at which it happened; -1 before the first
 * @param atMs when it happened by the trainer, epoch milliseconds
 * @param text what happened, for people: at most 256 characters, from the trainer and so not to be trusted
 */
public record Milestone(Kind kind, int attempt, long step, long atMs, String text) {

    /** What a milestone is; those that say more about the run outlive the others where there are too many. */
    public enum Kind {
        /** The run or an attempt of it began. */
        STARTED("started", 3),
        /** Checks before training. */
        PREFLIGHT("preflight_completed", 2),
        /** Steps that were completed before are done again. */
        RESUMED("resumed", 2),
        PHASE_CHANGED("phase_changed", 2),
        CHECKPOINT_LOADED("checkpoint_loaded", 2),
        /** The first checkpoint, and the latest. */
        CHECKPOINT_SAVED("checkpoint_saved", 1),
        /** The best evaluation so far, one for each loss and metric. */
        BEST_EVALUATION("best_evaluation", 1),
        /** What the trainer did about a command. */
        COMMAND("command_acknowledged", 2),
        /** The run or an attempt of it ended. */
        FINISHED("finished", 3);

        private final String label;
        private final int weight;

        Kind(String label, int weight) {
            this.label = label;
            this.weight = weight;
        }

        /** As the API names it. */
        public String label() {
            return label;
        }

        int weight() {
            return weight;
        }
    }
}
