package io.trainwatch.monitor.config;

import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.detect.Setting;
import io.trainwatch.monitor.judge.DetectionRule;
import io.trainwatch.monitor.judge.DetectionSettings;
import io.trainwatch.monitor.judge.Glob;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The part {@code detection} of the settings.
 *
 * <pre>
 * detection:
 *   detectors:
 *     loss_plateau: {severity: info}
 *   rules:
 *     - match: {project: "gan-*", run_name: "*-debug", labels: {team: vision}}
 *       detectors:
 *         loss_plateau: {enabled: false}
 * </pre>
 */
final class DetectionSection {
    private static final String DETECTORS = "detection.detectors";
    private static final String RULES = "detection.rules";
    private static final String PATTERN =
            "a name, or a pattern with * for any text and ? for one character; no comma: one rule for each pattern";
    private static final int MAX_RULES = 100;
    private static final int LINE = 118;

    private DetectionSection() {}

    static DetectionSettings read(SettingValues values) {
        Map<String, String> forAll = detectors(DETECTORS, values);
        List<DetectionRule> rules = new ArrayList<>();
        String list = values.text(
                RULES,
                "a list of rules, each with match and detectors",
                text -> text.isBlank() ? Optional.of(text) : Optional.empty());
        int count = list == null ? Math.min(values.sections(RULES), MAX_RULES + 1) : 0;
        if (count > MAX_RULES) {
            values.rejectSection(RULES + "[" + MAX_RULES + "]", "at most " + MAX_RULES + " rules");
        }
        if (!values.isEmpty(RULES)) {
            values.rejectSection(RULES, "a list of rules is expected, each beginning with '- match:'");
        }
        for (int i = 0; i < count; i++) {
            rules.add(rule(RULES + "[" + i + "]", values));
        }
        return new DetectionSettings(forAll, rules);
    }

    /** The part as {@code conf/trainwatch.yaml} has it, every setting at its default: its documentation. */
    static String document() {
        StringBuilder out = new StringBuilder();
        out.append("detection:\n");
        comment(
                out,
                "  ",
                "What is set of each detector, for all runs. Of several values the last counts: the default, what is here,"
                        + " the rules below that match, from first to last, and what a run asks for itself in"
                        + " run_started.settings, e.g. {\"loss_plateau.severity\": \"info\"}. 'trainwatch check --config FILE"
                        + " LOGS' shows what a change would have raised or silenced.");
        out.append("  #\n");
        out.append("  # Every detector has two:\n");
        for (Setting<?> setting : List.of(DetectorCatalogue.ENABLED, DetectorCatalogue.SEVERITY)) {
            comment(out, "  ", "  " + setting.name() + ": " + sentences(setting));
        }
        out.append("  detectors:\n");
        String detector = "";
        for (Map.Entry<String, Setting<?>> one : DetectorCatalogue.settings().entrySet()) {
            Setting<?> setting = one.getValue();
            String of = one.getKey().substring(0, one.getKey().indexOf('.'));
            if (!of.equals(detector)) {
                out.append(detector.isEmpty() ? "" : "\n")
                        .append("    ")
                        .append(of)
                        .append(":\n");
                detector = of;
            }
            if (setting != DetectorCatalogue.ENABLED && setting != DetectorCatalogue.SEVERITY) {
                comment(out, "      ", sentences(setting));
            }
            String value = setting.standardText();
            out.append("      ").append(setting.name()).append(": ");
            out.append(value.isEmpty() ? "[]" : value).append('\n');
        }
        out.append('\n');
        comment(
                out,
                "  ",
                "Settings for some runs, at most " + MAX_RULES
                        + " rules. A run matches where all that is under match does:"
                        + " project, run_name and labels, each " + PATTERN
                        + ". What a run does not declare in run_started"
                        + " matches nothing, and before run_started no rule does. For example");
        out.append("  #   - match: {project: \"gan-*\", labels: {team: vision}}\n");
        out.append("  #     detectors:\n");
        out.append("  #       loss_plateau: {enabled: false}\n");
        out.append("  #       loss_spike: {severity: info, sigmas: 8}\n");
        out.append("  rules: []\n");
        return out.toString();
    }

    private static String sentences(Setting<?> setting) {
        String allowed = setting.allowed();
        return setting.why() + " " + Character.toUpperCase(allowed.charAt(0)) + allowed.substring(1) + ".";
    }

    /** The text as lines of a comment. */
    private static void comment(StringBuilder out, String indent, String text) {
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ", -1)) {
            if (indent.length() + 2 + line.length() + 1 + word.length() > LINE
                    && !line.toString().isBlank()) {
                out.append(indent).append("# ").append(line).append('\n');
                line.setLength(0);
            }
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        out.append(indent).append("# ").append(line).append('\n');
    }

    private static DetectionRule rule(String key, SettingValues values) {
        Glob project = glob(values.text(key + ".match.project", PATTERN, DetectionSection::pattern));
        Glob runName = glob(values.text(key + ".match.run_name", PATTERN, DetectionSection::pattern));
        Map<String, Glob> labels = new LinkedHashMap<>();
        String labelsKey = key + ".match.labels";
        values.map(labelsKey, "patterns by label").forEach((label, text) -> {
            if (values.text(labelsKey + "." + label, PATTERN, DetectionSection::pattern) != null) {
                labels.put(label, new Glob(text));
            }
        });
        Map<String, String> detectors = detectors(key + ".detectors", values);
        if (values.isEmpty(key + ".match")) {
            values.rejectSection(
                    key, "matches no run: give match project, run_name or labels; what is for all is " + DETECTORS);
        } else if (values.isEmpty(key + ".detectors")) {
            values.rejectSection(key, "sets nothing: give detectors");
        }
        return new DetectionRule(project, runName, labels, detectors);
    }

    private static Optional<String> pattern(String text) {
        return text.isBlank() || text.indexOf(',') >= 0 ? Optional.empty() : Optional.of(text);
    }

    private static @Nullable Glob glob(@Nullable String pattern) {
        return pattern == null ? null : new Glob(pattern);
    }

    /** What is set under a key, by detector and setting. */
    private static Map<String, String> detectors(String key, SettingValues values) {
        Map<String, String> texts = new LinkedHashMap<>();
        for (Map.Entry<String, Setting<?>> one : DetectorCatalogue.settings().entrySet()) {
            Setting<?> setting = one.getValue();
            String text = values.text(key + "." + one.getKey(), setting.allowed(), setting::canonical);
            if (text != null) {
                texts.put(one.getKey(), text);
            }
        }
        return texts;
    }
}
