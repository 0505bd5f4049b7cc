package io.trainwatch.monitor.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/** Files of the repository that other programs read. */
final class Documents {
    /** The root of the repository. */
    static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

    private static final ObjectMapper JSON = new ObjectMapper();

    private Documents() {}

    static JsonNode json(Path file) throws IOException {
        return JSON.readTree(file.toFile());
    }

    static JsonNode yaml(Path file) throws IOException {
        return yamls(Files.readString(file)).get(0);
    }

    /** The documents of a text, parted by {@code ---}; anchors and merge keys are resolved. */
    static List<JsonNode> yamls(String text) {
        return StreamSupport.stream(
                        new Yaml(new SafeConstructor(new LoaderOptions()))
                                .loadAll(text)
                                .spliterator(),
                        false)
                .map(document -> JSON.<JsonNode>valueToTree(document))
                .toList();
    }

    static Stream<JsonNode> elements(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false);
    }

    /** Every file in a folder with a name that ends so, sorted. */
    static List<Path> files(Path folder, String ending) throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(file -> file.toString().endsWith(ending)).sorted().toList();
        }
    }

    /** Copies the files of a folder that has no folders in it. */
    static void copy(Path folder, Path to) throws IOException {
        Files.createDirectory(to);
        for (Path file : files(folder, "")) {
            Files.copy(file, to.resolve(file.getFileName()));
        }
    }

    /** The rules of Prometheus, recording and alerting. */
    static List<JsonNode> rules() throws IOException {
        Stream<JsonNode> rules = Stream.of();
        for (Path file : files(ROOT.resolve("docker/prometheus/rules"), ".yml")) {
            rules = Stream.concat(
                    rules, elements(yaml(file).get("groups")).flatMap(group -> elements(group.get("rules"))));
        }
        return rules.toList();
    }

    /** Names of the alerting rules of Prometheus. */
    static List<String> alerts() throws IOException {
        return rules().stream()
                .filter(rule -> rule.has("alert"))
                .map(rule -> rule.get("alert").textValue())
                .toList();
    }
}
