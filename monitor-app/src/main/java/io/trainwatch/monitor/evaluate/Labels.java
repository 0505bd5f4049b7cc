package io.trainwatch.monitor.evaluate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.alert.Severity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is right for each log of a corpus: a JSON object by file name.
 *
 * <pre>
 * {"a.jsonl": {"must": [{"detectors": ["loss_spike"], "from_step": 600, "to_step": 606, "severity": "warning",
 *                        "causes": ["bad_batch"]}],
 *              "allow": ["exploding_gradient"]},
 *  "b.csv":   {"must": [], "allow": []},
 *  "c.log":   {"ignore": true}}
 * </pre>
 *
 * <p>{@code must}: any one of the detectors has to be raised, at {@code warning} or above or at the lower severity that is
 * named, with an episode opened between the steps where they are given. {@code allow}: may be raised besides. Anything
 * else at warning or above is a false alarm. A log without {@code must} is healthy.
 */
final class Labels {

    /** Something that has to be raised. */
    record Must(Set<String> detectors, long fromStep, long toStep, Severity severity, List<String> causes) {
        boolean hasFrom() {
            return fromStep > Long.MIN_VALUE;
        }
    }

    /** What is right for one log. */
    record Label(List<Must> must, Set<String> allowed) {
        boolean healthy() {
            return must.isEmpty();
        }
    }

    private final Map<String, Label> byFile = new LinkedHashMap<>();

    private Labels() {}

    /**
     * Reads the labels.
     *
     * @param causesFile right causes by the beginning of file names, for labels that name none; or null
     * @throws IOException if it cannot be read or is not what it should be; the message says where
     */
    static Labels read(Path file, @Nullable Path causesFile) throws IOException {
        Map<String, List<String>> causes = new LinkedHashMap<>();
        if (causesFile != null) {
            object(causesFile).properties().forEach(entry -> causes.put(entry.getKey(), words(entry.getValue())));
        }
        JsonNode root = object(file);
        Labels labels = new Labels();
        for (Map.Entry<String, JsonNode> entry : root.properties()) {
            JsonNode label = entry.getValue();
            if (!label.path("ignore").asBoolean(false)) {
                List<String> known = causes.entrySet().stream()
                        .filter(cause -> entry.getKey().startsWith(cause.getKey()))
                        .map(Map.Entry::getValue)
                        .findFirst()
                        .orElse(List.of());
                labels.byFile.put(entry.getKey(), label(file + ": " + entry.getKey(), label, known));
            }
        }
        return labels;
    }

    private static JsonNode object(Path file) throws IOException {
        JsonNode root;
        try {
            root = new ObjectMapper().readTree(Files.readString(file));
        } catch (JsonProcessingException e) {
            throw new IOException(file + ": not JSON: " + e.getOriginalMessage(), e);
        }
        if (root == null || !root.isObject()) {
            throw new IOException(file + ": an object by file name is expected");
        }
        return root;
    }

    private static Label label(String where, JsonNode node, List<String> knownCauses) throws IOException {
        if (!node.path("must").isArray()) {
            throw new IOException(where + ": \"must\" is missing: a list, empty for a healthy run");
        }
        List<Must> must = new ArrayList<>();
        Set<String> allowed = new LinkedHashSet<>(words(node.path("allow")));
        for (JsonNode one : node.path("must")) {
            Set<String> detectors = new LinkedHashSet<>(words(one.path("detectors")));
            if (detectors.isEmpty()) {
                throw new IOException(where + ": an entry of \"must\" without detectors");
            }
            allowed.addAll(detectors);
            must.add(new Must(
                    detectors,
                    one.path("from_step").asLong(Long.MIN_VALUE),
                    one.path("to_step").asLong(Long.MAX_VALUE),
                    severity(where, one.path("severity").asText("warning")),
                    one.has("causes") ? words(one.path("causes")) : knownCauses));
        }
        return new Label(List.copyOf(must), Set.copyOf(allowed));
    }

    private static Severity severity(String where, String name) throws IOException {
        for (Severity severity : Severity.values()) {
            if (severity.name().equals(name)) {
                return severity;
            }
        }
        throw new IOException(where + ": severity \"" + name + "\": info, warning or critical is expected");
    }

    private static List<String> words(JsonNode list) {
        List<String> words = new ArrayList<>();
        list.forEach(word -> words.add(word.asText()));
        return words;
    }

    /** The label of a file by its name, null if it has none or is to be ignored. */
    @Nullable
    Label of(String fileName) {
        return byFile.get(fileName);
    }

    /** Names of the files that have a label, in the order of the file. */
    Set<String> files() {
        return byFile.keySet();
    }
}
