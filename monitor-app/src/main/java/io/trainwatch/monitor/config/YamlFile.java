package io.trainwatch.monitor.config;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * A YAML file as flat keys ({@code http.port}), each value with its line. A list of plain values is joined with commas; a
 * list of sections numbers them from 0 ({@code detection.rules[0].match.project}); a key without a value counts as absent.
 */
final class YamlFile {
    private static final long MAX_BYTES = 1 << 20;
    private static final int MAX_DEPTH = 8;

    private final String name;
    private final Map<String, SettingValues.Value> values = new LinkedHashMap<>();
    private final List<String> problems = new ArrayList<>();

    private YamlFile(String name) {
        this.name = name;
    }

    static Map<String, SettingValues.Value> read(Path path) throws ConfigurationException {
        YamlFile file = new YamlFile(path.toString());
        try {
            if (Files.size(path) > MAX_BYTES) {
                throw new ConfigurationException(List.of(path + ": larger than 1 MiB: is this the right file?"));
            }
            LoaderOptions options = new LoaderOptions();
            Node root = new Yaml(new SafeConstructor(options))
                    .compose(new StringReader(Files.readString(path, StandardCharsets.UTF_8)));
            if (root != null && !isNull(root)) {
                file.flatten("", root, 0);
            }
        } catch (NoSuchFileException e) {
            file.problems.add(path + ": there is no such file");
        } catch (AccessDeniedException e) {
            file.problems.add(path + ": no permission to read it");
        } catch (CharacterCodingException e) {
            file.problems.add(path + ": not UTF-8 text");
        } catch (MarkedYAMLException e) {
            int line = e.getProblemMark() == null ? 1 : e.getProblemMark().getLine() + 1;
            file.problems.add(path + ":" + line + ": not YAML: " + oneLine(e.getProblem()));
        } catch (YAMLException e) {
            file.problems.add(path + ": not YAML: " + oneLine(String.valueOf(e.getMessage())));
        } catch (IOException e) {
            file.problems.add(path + ": cannot be read: " + oneLine(e.toString()));
        }
        if (!file.problems.isEmpty()) {
            throw new ConfigurationException(file.problems);
        }
        return file.values;
    }

    private void flatten(String key, Node node, int depth) {
        String origin = name + ":" + (node.getStartMark().getLine() + 1);
        if (depth > MAX_DEPTH) {
            problems.add(origin + ": " + key + ": nested too deeply");
        } else if (node instanceof MappingNode mapping) {
            for (NodeTuple entry : mapping.getValue()) {
                if (entry.getKeyNode() instanceof ScalarNode scalar) {
                    flatten(key.isEmpty() ? scalar.getValue() : key + "." + scalar.getValue(), entry, depth);
                } else {
                    problems.add(origin + ": " + key + ": a key must be a plain word");
                }
            }
        } else if (key.isEmpty()) {
            problems.add(origin + ": expected keys with values, e.g. 'http:', at the top");
        } else if (node instanceof SequenceNode list
                && !list.getValue().isEmpty()
                && list.getValue().stream().allMatch(MappingNode.class::isInstance)) {
            int number = 0;
            for (Node item : list.getValue()) {
                flatten(key + "[" + number++ + "]", item, depth + 1);
            }
        } else if (node instanceof SequenceNode list) {
            List<String> items = new ArrayList<>();
            for (Node item : list.getValue()) {
                if (item instanceof ScalarNode scalar && !isNull(scalar)) {
                    items.add(scalar.getValue());
                } else {
                    problems.add(origin + ": " + key + ": a list of plain values is expected here");
                    return;
                }
            }
            values.put(key, new SettingValues.Value(String.join(",", items), origin));
        } else if (node instanceof ScalarNode scalar) {
            values.put(key, new SettingValues.Value(scalar.getValue(), origin));
        }
    }

    private void flatten(String key, NodeTuple entry, int depth) {
        int line = entry.getKeyNode().getStartMark().getLine() + 1;
        SettingValues.Value before = values.get(key);
        if (before != null) {
            problems.add("%s:%d: %s: given twice, first at %s".formatted(name, line, key, before.origin()));
        } else if (!isNull(entry.getValueNode())) {
            flatten(key, entry.getValueNode(), depth + 1);
        }
    }

    private static boolean isNull(Node node) {
        return Tag.NULL.equals(node.getTag());
    }

    private static String oneLine(String text) {
        return String.valueOf(text).replaceAll("\\s+", " ").strip();
    }
}
