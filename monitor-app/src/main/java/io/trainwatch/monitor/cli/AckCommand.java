package io.trainwatch.monitor.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
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
        description = {
            "Says that somebody looks after an alert. What is no worse in the same run, or in the runs that are paged with"
                    + " it, is told to nobody until the time is over; what is worse is, and so is the end. What is still open"
                    + " when the time is over is told again.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  trainwatch ack --run resnet-7 --by anna --for 8h",
            "  trainwatch ack 5f0c8a1d2b3e4f506172839405162738",
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

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Answer answer;

    @ArgGroup(multiplicity = "1")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    What what;

    /** One of two ways to say which alerts. */
    static final class What {
        @Parameters(
                paramLabel = "ALERT_ID",
                description = "The alert_id, 32 hexadecimal digits, as pages and /api/v1/alerts show it.")
        @Nullable
        String alertId;

        @Option(names = "--run", paramLabel = "RUN_ID", description = "All alerts that are open in this run.")
        @Nullable
        String run;
    }

    @Option(names = "--by", paramLabel = "NAME", description = "Who looks after it.")
    @Nullable
    String by;

    @Option(names = "--for", paramLabel = "TIME", description = "How long, 1m to 30d, e.g. 4h (default: 4h).")
    @Nullable
    String time;

    @Override
    public Integer call() throws Exception {
        String id = what.alertId;
        if (id != null) {
            acknowledge(id, "alert " + id);
            return 0;
        }
        String run = String.valueOf(what.run);
        String path =
                "/api/v1/runs/" + URLEncoder.encode(run, StandardCharsets.UTF_8).replace("+", "%20") + "/alerts";
        int open = 0;
        for (JsonNode alert : Answer.read(monitor.ask("GET", path, null)).path("alerts")) {
            if (!alert.path("state").asText().equals("resolved")
                    && !alert.path("severity").asText().equals("info")) {
                open++;
                acknowledge(
                        alert.path("alert_id").asText(), alert.path("detector").asText() + " in run " + run);
            }
        }
        if (open == 0) {
            throw new CommandFailedException("nothing that pages is open in run '" + run + "'");
        }
        return 0;
    }

    private void acknowledge(String alertId, String what) throws CommandFailedException, InterruptedException {
        ObjectNode body = new ObjectMapper().createObjectNode();
        if (by != null) {
            body.put("by", by);
        }
        if (time != null) {
            body.put("for", time);
        }
        String id = alertId.replaceAll("[^A-Za-z0-9]", "_");
        answer.print(
                spec,
                monitor.ask("POST", "/api/v1/alerts/" + id + "/acknowledge", body.toString()),
                said -> (said.path("by").asText().isEmpty()
                                ? "Somebody"
                                : said.path("by").asText())
                        + " looks after " + what + " until " + Answer.time(said.path("expires_at_ms"))
                        + ": only what is worse is told until then, and its end.");
    }
}
