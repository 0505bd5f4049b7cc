package io.trainwatch.monitor.detect;

import java.util.Map;

/** What is set of one detector: text by the name of the setting, where it is not the default. Immutable. */
public final class DetectorSettings {
    static final DetectorSettings DEFAULT = new DetectorSettings(Map.of());

    private final Map<String, String> texts;

    DetectorSettings(Map<String, String> texts) {
        this.texts = Map.copyOf(texts);
    }

    /** The value of a setting. */
    <T> T get(Setting<T> setting) {
        String text = texts.get(setting.name());
        return text == null ? setting.standard() : setting.parse(text).orElseThrow();
    }
}
