package io.trainwatch.monitor.web;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * How far a client was told what happens, of the instance that it asks and of each other one, as it is in the ids of {@link
 * LiveApi}: {@code ID} or {@code ID,HOST:PORT=ID,...}.
 *
 * @param own of the instance that is asked
 * @param others by their addresses
 */
record Place(String own, Map<String, String> others) {

    static Place of(String id) {
        String[] parts = id.split(",", -1);
        Map<String, String> others = new LinkedHashMap<>();
        for (int i = 1; i < parts.length; i++) {
            int equals = parts[i].indexOf('=');
            if (equals > 0) {
                others.put(parts[i].substring(0, equals), parts[i].substring(equals + 1));
            }
        }
        return new Place(parts[0], others);
    }

    @Override
    public String toString() {
        return Stream.concat(
                        Stream.of(own),
                        others.entrySet().stream().map(other -> other.getKey() + '=' + other.getValue()))
                .collect(Collectors.joining(","));
    }
}
