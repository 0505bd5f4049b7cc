package io.trainwatch.monitor.deploy;

import static io.trainwatch.monitor.deploy.Documents.ROOT;
import static io.trainwatch.monitor.deploy.Documents.elements;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A dashboard as Grafana reads it.
 *
 * @param name its file without {@code .json}
 */
record Dashboard(String name, JsonNode json) {
    /**
     * What Grafana asks Prometheus.
     *
     * @param place dashboard and panel, variable or annotation, for people
     * @param expr with variables
     */
    record Query(String place, String expr) {
        /** The query that Grafana sends, with a value for each variable. */
        String with(Map<String, String> values) {
            String sent = expr;
            for (Map.Entry<String, String> value : values.entrySet()) {
                sent = sent.replace("$" + value.getKey(), value.getValue());
            }
            return sent;
        }
    }

    static List<Dashboard> all() throws IOException {
        List<Dashboard> all = new ArrayList<>();
        for (Path file : Documents.files(ROOT.resolve("grafana/dashboards"), ".json")) {
            all.add(new Dashboard(file.getFileName().toString().replace(".json", ""), Documents.json(file)));
        }
        return all;
    }

    String uid() {
        return json.get("uid").textValue();
    }

    /** Every panel but the rows, which only part them. */
    List<JsonNode> panels() {
        return elements(json.get("panels"))
                .filter(panel -> !panel.get("type").textValue().equals("row"))
                .toList();
    }

    Stream<JsonNode> variables() {
        return elements(json.at("/templating/list"));
    }

    List<Query> panelQueries() {
        return panels().stream()
                .flatMap(panel -> elements(panel.get("targets"))
                        .map(target -> new Query(
                                name + ": " + panel.get("title").textValue() + ", "
                                        + target.get("refId").textValue(),
                                target.get("expr").textValue())))
                .toList();
    }

    List<Query> annotationQueries() {
        return elements(json.at("/annotations/list"))
                .filter(annotation -> annotation.has("expr"))
                .map(annotation -> new Query(
                        name + ": annotation " + annotation.get("name").textValue(),
                        annotation.get("expr").textValue()))
                .toList();
    }

    /** The selector and the label of each {@code label_values(selector, label)}. */
    record LabelValues(String place, Query selector, String label) {}

    List<LabelValues> variableQueries() {
        return variables()
                .filter(variable -> variable.get("type").textValue().equals("query"))
                .map(variable -> {
                    String query = variable.at("/query/query").textValue();
                    if (!query.matches("label_values\\(.*, \\w+\\)")) {
                        throw new AssertionError(query + " is not label_values(selector, label)");
                    }
                    int comma = query.lastIndexOf(", ");
                    String place = name + ": variable " + variable.get("name").textValue();
                    return new LabelValues(
                            place,
                            new Query(place, query.substring("label_values(".length(), comma)),
                            query.substring(comma + 2, query.length() - 1));
                })
                .toList();
    }

    @Override
    public String toString() {
        return name;
    }
}
