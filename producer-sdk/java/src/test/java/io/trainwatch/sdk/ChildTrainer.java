package io.trainwatch.sdk;

import java.nio.file.Path;
import java.time.Duration;

/** A trainer in a process of its own: takes 1,000 steps, says what is safe on disk, and then does as it is told. */
public final class ChildTrainer {
    private ChildTrainer() {}

    public static void main(String[] args) throws Exception {
        String location = args[0];
        Path spool = Path.of(args[1]);
        TrainingRun run = Trainwatch.run("child")
                .spoolDirectory(spool)
                .closeTimeout(Duration.ofMinutes(1))
                .start(location);
        for (int step = 1; step <= 1_000; step++) {
            run.step(step, 1.0 / step);
        }
        if (args[2].equals("leave")) {
            return;
        }
        while (run.delivery().spooled() < 1_001) {
            Thread.sleep(10);
        }
        System.out.println("spooled");
        Thread.sleep(60_000);
    }
}
