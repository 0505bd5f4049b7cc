package io.trainwatch.monitor.topology;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** A monitor in a JVM of its own, which can be killed. Ends by itself when its standard input does. */
public final class MonitorProcess {
    private final Process process;

    private MonitorProcess(Process process) {
        this.process = process;
    }

    static MonitorProcess start(String bootstrapServers, Path stateDir, int partitions) throws IOException {
        return new MonitorProcess(new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx1g",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        MonitorProcess.class.getName(),
                        bootstrapServers,
                        stateDir.toString(),
                        Integer.toString(partitions)))
                .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    /** SIGKILL: nothing is flushed, nothing is closed. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    public static void main(String[] args) throws Exception {
        MonitorSettings settings = MonitorSettings.forBroker(args[0], Path.of(args[1]))
                .withPartitions(Integer.parseInt(args[2]))
                .withThreads(2)
                .withCommitInterval(Duration.ofMillis(500));
        try (Monitor monitor = Monitor.start(settings)) {
            while (System.in.read() >= 0) {
                // Nothing is ever sent: the end of the stream is the end of the parent.
                assert monitor.state() != MonitorState.STOPPED;
            }
        }
    }
}
