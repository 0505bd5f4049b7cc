package io.trainwatch.attach;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What part of the data a folder of logs is about, told by its name: Keras writes {@code train} beside {@code validation}. */
public enum Split {
    TRAINING,
    EVALUATION;

    private static final Set<String> TRAINING_NAMES = Set.of("train", "training");
    private static final Set<String> EVALUATION_NAMES = Set.of("validation", "val", "valid", "eval", "test", "dev");

    /** What a folder of this name is about; null if that is not told. */
    public static @Nullable Split ofFolder(@Nullable Path folder) {
        Path path = folder == null ? null : folder.getFileName();
        String name = path == null ? "" : path.toString().toLowerCase(Locale.ROOT);
        return TRAINING_NAMES.contains(name) ? TRAINING : EVALUATION_NAMES.contains(name) ? EVALUATION : null;
    }
}
