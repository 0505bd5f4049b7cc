package io.trainwatch.monitor.notify;

import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.topology.MonitorSettings;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;

/** A notifier with one webhook in a JVM of its own, which can be killed. Ends by itself when its standard input does. */
public final class NotifierProcess {
    private final Process process;

    private NotifierProcess(Process process) {
        this.process = process;
    }

    static NotifierProcess start(MonitorSettings settings, URI webhook) throws IOException {
        return new NotifierProcess(new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        NotifierProcess.class.getName(),
                        settings.bootstrapServers(),
                        settings.topicPrefix(),
                        webhook.toString()))
                .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    /** SIGKILL: nothing is flushed, nothing is closed. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    public static void main(String[] args) throws Exception {
        NotifySettings settings = NotifySettings.NOBODY.withSinks(
                List.of(new SinkSettings("hook", new SinkSettings.Webhook(URI.create(args[2]), null))));
        MonitorSettings monitor =
                MonitorSettings.forBroker(args[0], Path.of("unused")).withTopicPrefix(args[1]);
        try (Notifier notifier = Notifier.start(settings, monitor, new OpenCommands(InstantSource.system()), null)) {
            while (System.in.read() >= 0) {
                // Nothing is ever sent: the end of the stream is the end of the parent.
                assert notifier.settings() != null;
            }
        }
    }
}
