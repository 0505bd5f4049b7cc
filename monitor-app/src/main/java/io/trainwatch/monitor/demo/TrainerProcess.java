package io.trainwatch.monitor.demo;

import io.trainwatch.sdk.TrainingRun;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A training as a process of its own, for a parent that kills it: it says on standard output when it may die, which is
 * when it has reached its fault and the broker has most of what came before, trains on,
 * and halts by itself if its standard input ends, which is when the parent has died first.
 */
final class TrainerProcess {
    /** The line that it prints once it has taken the step before its fault. */
    static final String READY_TO_DIE = "ready to die";

    private TrainerProcess() {}

    /** Trains; the arguments are the name of the scenario, run id, seed, location, spool directory. */
    public static void main(String[] arguments) {
        endWithParent();
        Scenario scenario = Scenarios.all().stream()
                .filter(one -> one.name().equals(arguments[0]))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no scenario is named " + arguments[0]));
        Training training = scenario.training().apply(Long.parseLong(arguments[2]));
        try (TrainingRun run = Trainers.open(training, arguments[1], arguments[3], Path.of(arguments[4]))) {
            boolean[] told = {false};
            training.run(run, scenario.stepsPerSecond(), step -> {
                if (!told[0] && scenario.leavesAfter(step) && run.delivery().delivered() > step / 2) {
                    told[0] = true;
                    System.out.println(READY_TO_DIE);
                }
                return true;
            });
        }
    }

    private static void endWithParent() {
        Thread watch = new Thread(
                () -> {
                    try {
                        while (System.in.read() >= 0) {
                            // The parent never writes: only the end matters.
                        }
                    } catch (IOException e) {
                        // The pipe is gone, and so is the parent.
                    }
                    Runtime.getRuntime().halt(0);
                },
                "end-with-parent");
        watch.setDaemon(true);
        watch.start();
    }
}
