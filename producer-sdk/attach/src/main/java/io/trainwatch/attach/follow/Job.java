package io.trainwatch.attach.follow;

import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The program that writes a log, as far as it can be seen: by it death is told from silence. */
public interface Job {
    /** Time between two heartbeats of a job that lives: that of the SDK. */
    Duration HEARTBEAT = Duration.ofSeconds(10);

    /** What is known of it. */
    enum Life {
        /** Nobody can see it. */
        UNSEEN,
        LIVES,
        ENDED
    }

    Life life();

    /** How it ended, where something but its log says it; null otherwise. */
    default @Nullable RunFinished ending() {
        return null;
    }

    /** Whether its end is the end of the log, too: no other job goes on with it. */
    default boolean isOnlyOne() {
        return false;
    }

    /** What it is, for people. */
    String description();

    /** Nothing is known of the job. */
    Job UNSEEN = new Job() {
        @Override
        public Life life() {
            return Life.UNSEEN;
        }

        @Override
        public String description() {
            return "a job that cannot be seen";
        }
    };

    /** Whoever has the log open for writing on this host; looked for now and then. */
    static Job writerOf(Path log) {
        return WriterSearch.of(log);
    }

    /** A process of this host. Another one that gets its number later is not taken for it. */
    static Job process(ProcessHandle process) {
        Optional<Instant> began = process.info().startInstant();
        return new Job() {
            @Override
            public Life life() {
                boolean lives = process.isAlive()
                        && ProcessHandle.of(process.pid())
                                .flatMap(now -> now.info().startInstant())
                                .equals(began);
                return lives ? Life.LIVES : Life.ENDED;
            }

            @Override
            public boolean isOnlyOne() {
                return true;
            }

            @Override
            public String description() {
                return "process " + process.pid();
            }
        };
    }

    /**
     * A child process, whose exit code is known.
     *
     * @param output threads that take up what it prints: it has ended when they have
     * @param signal not null once a signal was handed on to it
     */
    static Job child(Process process, List<Thread> output, Supplier<@Nullable Integer> signal) {
        return new Job() {
            @Override
            public Life life() {
                return process.isAlive() || output.stream().anyMatch(Thread::isAlive) ? Life.LIVES : Life.ENDED;
            }

            @Override
            public @Nullable RunFinished ending() {
                if (process.isAlive()) {
                    return null;
                }
                int code = process.exitValue();
                boolean killed = code > 128 && code < 160;
                RunFinished finished = new RunFinished();
                finished.setExitCode(code);
                finished.setStatus(
                        code == 0
                                ? FinishStatus.completed
                                : killed || signal.get() != null ? FinishStatus.killed : FinishStatus.failed);
                finished.setErrorMessage(killed ? "signal " + (code - 128) : null);
                return finished;
            }

            @Override
            public boolean isOnlyOne() {
                return true;
            }

            @Override
            public String description() {
                return "process " + process.pid();
            }
        };
    }
}
