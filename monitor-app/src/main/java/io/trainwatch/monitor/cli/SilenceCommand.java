package io.trainwatch.monitor.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what is not to be told for a time. */
@Command(
        name = "silence",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {
            "Silences what matches, for a time: nobody is told. What still fires when the time is over is told then.",
            "",
            "Patterns: * stands for any text, ? for one character; all that are given must match.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  trainwatch silence --project 'scratch-*' --for 2h --comment 'trying things'",
            "  trainwatch silence --list",
            "  trainwatch silence --end 1f2e3d4c5b6a7988",
            "",
            "Exit codes:",
            "  0  done",
            "  2  the monitor was not reached or refuses; the message says why"
        })
final class SilenceCommand implements Callable<Integer> {
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

    /** One of three things to do. */
    static final class What {
        @ArgGroup(exclusive = false, multiplicity = "1")
        @Nullable
        Match match;

        @Option(names = "--list", description = "Show the silences that hold now.")
        boolean list;

        @Option(names = "--end", paramLabel = "ID", description = "End a silence.")
        @Nullable
        String end;
    }

    /** What a silence covers. */
    static final class Match {
        @Option(names = "--project", paramLabel = "PATTERN", description = "Runs of these projects.")
        @Nullable
        String project;

        @Option(names = "--run", paramLabel = "PATTERN", description = "These runs, by run_id.")
        @Nullable
        String run;

        @Option(names = "--detector", paramLabel = "PATTERN", description = "Alerts of these detectors.")
        @Nullable
        String detector;
    }

    @Option(names = "--for", paramLabel = "TIME", description = "How long, 1m to 30d, e.g. 2h (default: 4h).")
    @Nullable
    String time;

    @Option(names = "--by", paramLabel = "NAME", description = "Who says so.")
    @Nullable
    String by;

    @Option(names = "--comment", paramLabel = "TEXT", description = "Why.")
    @Nullable
    String comment;

    @Override
    public Integer call() throws Exception {
        Match match = what.match;
        String end = what.end;
        if (match != null) {
            ObjectNode body = new ObjectMapper().createObjectNode();
            put(body, "project", match.project);
            put(body, "run_id", match.run);
            put(body, "detector", match.detector);
            put(body, "for", time);
            put(body, "by", by);
            put(body, "comment", comment);
            answer.print(
                    spec,
                    monitor.ask("POST", "/api/v1/silences", body.toString()),
                    silence -> "Nobody is told of " + inWords(silence) + "; trainwatch silence --end "
                            + silence.path("id").asText() + " ends it sooner.");
        } else if (end != null) {
            monitor.ask("DELETE", "/api/v1/silences/" + end.replaceAll("[^A-Za-z0-9]", "_"), null);
            answer.print(
                    spec,
                    new ObjectMapper().createObjectNode().put("ended", end).toString(),
                    ended -> "Silence " + end + " is over: what still fires is told now.");
        } else {
            answer.print(spec, monitor.ask("GET", "/api/v1/silences", null), SilenceCommand::list);
        }
        return 0;
    }

    private static String list(JsonNode answer) {
        StringBuilder text = new StringBuilder();
        for (JsonNode silence : answer.path("silences")) {
            text.append(silence.path("id").asText())
                    .append("  ")
                    .append(inWords(silence))
                    .append('\n');
        }
        return text.isEmpty() ? "Nothing is silenced." : text.toString();
    }

    private static String inWords(JsonNode silence) {
        StringBuilder text = new StringBuilder(silence.path("detector").asText("alerts"));
        if (silence.path("run_id").isTextual()) {
            text.append(" in run ").append(silence.path("run_id").asText());
        }
        if (silence.path("project").isTextual()) {
            text.append(" in project ").append(silence.path("project").asText());
        }
        text.append(" until ").append(Answer.time(silence.path("expires_at_ms")));
        String by = silence.path("created_by").asText();
        String why = silence.path("comment").asText();
        return text.append(by.isEmpty() ? "" : ", said " + by)
                .append(why.isEmpty() ? "" : " (" + why + ")")
                .toString();
    }

    private static void put(ObjectNode body, String name, @Nullable String value) {
        if (value != null) {
            body.put(name, value);
        }
    }
}
