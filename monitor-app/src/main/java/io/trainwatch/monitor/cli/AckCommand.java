package io.trainwatch.monitor.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainwatch.attach.cli.Printable;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says that somebody looks after an alert. */
@Command(
        name = "ack",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {"Acknowledges an alert: nobody is told of it again until it ends, or until the time is over.", ""
        },
        footer = {
            "",
            "Example:",
            "  trainwatch ack 5f0c… --by anna --for 8h",
            "",
            "Exit codes:",
            "  0  done",
            "  2  the monitor was not reached or refuses; the message says why"
        })
final class AckCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    MonitorAddress monitor;

    @Parameters(
            paramLabel = "ALERT_ID",
            description = "The alert_id, 32 hexadecimal digits, as pages and /api/v1/alerts show it.")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    String alertId;

    @Option(names = "--by", paramLabel = "NAME", description = "Who looks after it.")
    @Nullable
    String by;

    @Option(names = "--for", paramLabel = "TIME", description = "How long, 1m to 30d, e.g. 4h (default: 4h).")
    @Nullable
    String time;

    @Override
    public Integer call() throws Exception {
        ObjectNode body = new ObjectMapper().createObjectNode();
        if (by != null) {
            body.put("by", by);
        }
        if (time != null) {
            body.put("for", time);
        }
        String id = alertId.replaceAll("[^A-Za-z0-9]", "_");
        String answer = monitor.ask("POST", "/api/v1/alerts/" + id + "/acknowledge", body.toString());
        spec.commandLine().getOut().println(Printable.of(answer));
        spec.commandLine().getOut().flush();
        return 0;
    }
}
