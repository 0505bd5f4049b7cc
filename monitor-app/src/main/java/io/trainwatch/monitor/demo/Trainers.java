package io.trainwatch.monitor.demo;

import io.trainwatch.monitor.demo.Scenario.Ending;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs trainings, each on a daemon thread of its own; one that is to be killed, in a process of its own. */
final class Trainers implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Trainers.class);
    private static final long STOP_MS = 6_000;

    private final String location;
    private final Path spoolDirectory;
    private final boolean obey;
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final List<Process> processes = new CopyOnWriteArrayList<>();
    private final CountDownLatch closing = new CountDownLatch(1);

    /**
     * Runs nothing yet.
     *
     * @param location where the events go, as the SDK spells it
     * @param spoolDirectory where they wait for a broker that is away
     * @param obey whether trainings ask for commands
     */
    Trainers(String location, Path spoolDirectory, boolean obey) {
        this.location = location;
        this.spoolDirectory = spoolDirectory;
        this.obey = obey;
    }

    /**
     * Starts a training and returns at once.
     *
     * @param faultReached called from its thread as soon as it has reached its fault
     * @param finished called from its thread after it has closed its run, unless it was ended early
     */
    void start(Scenario scenario, String runId, long seed, Runnable faultReached, Runnable finished) {
        Thread thread = new Thread(
                () -> {
                    try {
                        if (scenario.ending() == Ending.IS_KILLED) {
                            trainInOwnProcess(scenario, runId, seed, faultReached);
                        } else {
                            train(scenario, runId, seed, faultReached, finished);
                        }
                    } catch (IOException | RuntimeException e) {
                        LOG.error("Training {} ended early", runId, e);
                    }
                },
                "trainer-" + runId);
        thread.setDaemon(true);
        threads.add(thread);
        thread.start();
    }

    private void train(Scenario scenario, String runId, long seed, Runnable faultReached, Runnable finished) {
        Training training = scenario.training().apply(seed);
        Scenario.Fault fault = scenario.fault();
        boolean ended;
        try (TrainingRun run = open(training, runId, location, spoolDirectory)) {
            training.run(run, scenario.stepsPerSecond(), step -> {
                if (fault != null && step == Math.max(1, fault.step() - 1)) {
                    faultReached.run();
                }
                return !scenario.leavesAfter(step) && closing.getCount() > 0 && !(obey && run.shouldStop());
            });
            if (scenario.ending() == Ending.HANGS) {
                closing.await();
            }
            ended = closing.getCount() > 0;
            if (!ended) {
                run.failed(new CancellationException("the demonstration ended"));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return;
        }
        if (ended) {
            finished.run();
        }
    }

    /** Trains in a child that is killed as soon as it has taken the step before its fault. */
    private void trainInOwnProcess(Scenario scenario, String runId, long seed, Runnable faultReached)
            throws IOException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx128m",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        TrainerProcess.class.getName(),
                        scenario.name(),
                        runId,
                        Long.toString(seed),
                        location,
                        spoolDirectory.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        processes.add(process);
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                if (line.equals(TrainerProcess.READY_TO_DIE)) {
                    process.destroyForcibly();
                    faultReached.run();
                    return;
                }
            }
        }
        if (closing.getCount() > 0) {
            throw new IOException("The process of training " + runId + " ended by itself");
        }
    }

    static TrainingRun open(Training training, String runId, String location, Path spoolDirectory) {
        return Trainwatch.run(runId)
                .project("demo")
                .details(training.declaration())
                .attempt(0)
                .rank(0)
                .spoolDirectory(spoolDirectory)
                .spoolBytes(16 << 20)
                .closeTimeout(Duration.ofSeconds(5))
                .start(location);
    }

    /** Ends what still trains, within about six seconds. */
    @Override
    public void close() {
        closing.countDown();
        processes.forEach(Process::destroyForcibly);
        long deadline = System.nanoTime() + STOP_MS * 1_000_000;
        try {
            for (Thread thread : threads) {
                thread.join(Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
