package io.trainwatch.monitor.judge;

import io.trainwatch.event.RunStarted;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The labels of a run, whether it may page and the settings that it asks for, as it declared them: at most {@value #MAX_LABELS} and
 * {@value #MAX_SETTINGS}, the first by name. They are kept as they came, and what they mean is decided anew under the
 * settings of each start. A later declaration replaces what it has.
 */
final class DeclaredSettings implements Persistent {
    static final int MAX_LABELS = 32;
    static final int MAX_SETTINGS = 64;
    static final int MAX_TEXT = 128;

    private final Map<String, String> labels = new TreeMap<>();
    private final Map<String, String> settings = new TreeMap<>();
    private int dropped;
    private @Nullable String paging;

    void declare(RunStarted started) {
        if (started.getLabels() != null) {
            var unused = take(started.getLabels(), labels, MAX_LABELS);
        }
        if (fits(started.getPaging())) {
            paging = started.getPaging();
        }
        if (started.getSettings() != null) {
            dropped = take(started.getSettings(), settings, MAX_SETTINGS);
        }
    }

    private static int take(Map<String, String> said, Map<String, String> into, int most) {
        into.clear();
        int left = 0;
        for (Map.Entry<String, String> one : new TreeMap<>(said).entrySet()) {
            if (into.size() < most && fits(one.getKey()) && fits(one.getValue())) {
                into.put(one.getKey(), one.getValue());
            } else {
                left++;
            }
        }
        return left;
    }

    private static boolean fits(@Nullable String text) {
        return text != null && text.length() <= MAX_TEXT;
    }

    Map<String, String> labels() {
        return labels;
    }

    /** "on", "off", another word that nobody knows, or null where it did not say. */
    @Nullable
    String paging() {
        return paging;
    }

    Map<String, String> settings() {
        return settings;
    }

    /** Settings that were too many or too long to be kept. */
    int dropped() {
        return dropped;
    }

    @Override
    public void write(StateWriter out) {
        write(labels, out);
        write(settings, out);
        out.writeInt(dropped);
        out.writeBoolean(paging != null);
        if (paging != null) {
            out.writeString(paging);
        }
    }

    private static void write(Map<String, String> texts, StateWriter out) {
        out.writeInt(texts.size());
        texts.forEach((name, text) -> {
            out.writeString(name);
            out.writeString(text);
        });
    }

    @Override
    public void read(StateReader in) {
        read(labels, MAX_LABELS, in);
        read(settings, MAX_SETTINGS, in);
        dropped = in.readInt();
        paging = in.readBoolean() ? in.readString() : null;
    }

    private static void read(Map<String, String> texts, int most, StateReader in) {
        texts.clear();
        int count = in.readCount(most);
        for (int i = 0; i < count; i++) {
            texts.put(in.readString(), in.readString());
        }
    }
}
