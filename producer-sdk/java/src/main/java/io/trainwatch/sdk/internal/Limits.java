package io.trainwatch.sdk.internal;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificRecordBase;

/** Bounds on what one event may carry, so that no trainer can flood the monitor by mistake. What is beyond is cut. */
final class Limits {
    /** Entries of one map, e.g. metric names. */
    static final int MAX_NAMES = 1_000;

    /** Characters of a name in a map. */
    static final int MAX_NAME_LENGTH = 256;

    /** Entries of one list: 300 layers of 5 kinds of statistics are 1,500. */
    static final int MAX_ITEMS = 10_000;

    /** Characters of any other text. */
    static final int MAX_TEXT_LENGTH = 4_096;

    /** Bytes of one encoded event: a broker takes 1 MiB by default, and its batch has a frame. */
    static final int MAX_EVENT_BYTES = 1_000_000;

    private Limits() {}

    /** Cuts the record in place and returns how many entries and texts were cut; map entries without a value go too. */
    static long cut(SpecificRecordBase record) {
        long cut = 0;
        for (Schema.Field field : record.getSchema().getFields()) {
            Object value = record.get(field.pos());
            if (value instanceof SpecificRecordBase nested) {
                cut += cut(nested);
            } else if (value instanceof String text && text.length() > MAX_TEXT_LENGTH) {
                record.put(field.pos(), text.substring(0, MAX_TEXT_LENGTH));
                cut++;
            } else if (value instanceof Map<?, ?> map) {
                Map<Object, Object> kept = new HashMap<>();
                cut += cut(map, kept);
                record.put(field.pos(), kept);
            } else if (value instanceof List<?> list) {
                List<Object> kept = new ArrayList<>(Math.min(list.size(), MAX_ITEMS));
                cut += cut(list, kept);
                record.put(field.pos(), kept);
            }
        }
        return cut;
    }

    /** Copies what is allowed of {@code map} and returns how much was cut. */
    static long cut(Map<?, ?> map, Map<Object, Object> kept) {
        long cut = 0;
        int looked = 0;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (looked++ == MAX_NAMES) {
                return cut + map.size() - MAX_NAMES;
            }
            if (entry.getKey() == null || entry.getValue() == null) {
                cut++;
                continue;
            }
            Object name = entry.getKey();
            if (name instanceof String text && text.length() > MAX_NAME_LENGTH) {
                name = text.substring(0, MAX_NAME_LENGTH);
                cut++;
            }
            Object value = entry.getValue();
            if (value instanceof SpecificRecordBase nested) {
                cut += cut(nested);
            } else if (value instanceof String text && text.length() > MAX_TEXT_LENGTH) {
                value = text.substring(0, MAX_TEXT_LENGTH);
                cut++;
            }
            kept.put(name, value);
        }
        return cut;
    }

    private static long cut(List<?> list, List<Object> kept) {
        long cut = 0;
        for (Object item : list) {
            if (item == null || kept.size() == MAX_ITEMS) {
                cut++;
            } else {
                kept.add(item);
                if (item instanceof SpecificRecordBase nested) {
                    cut += cut(nested);
                }
            }
        }
        return cut;
    }
}
