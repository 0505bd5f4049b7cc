package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * State of a detector that watches several things of a run alike: one {@code T} per scope, at most a bounded number, with
 * names of at most {@value #MAX_NAME} characters, as series have.
 */
final class PerScope<T extends Persistent> implements DetectorState {
    static final int MAX_NAME = 128;

    private final int version;
    private final int capacity;
    private final Supplier<T> factory;
    /** Made for the first scope: most detectors of most runs have none. */
    private Map<String, T> states = Map.of();

    /** The latest scope asked for, nearly always the only one: a look-up costs several cache misses. */
    private @Nullable String latestScope;

    private @Nullable T latest;

    PerScope(int version, int capacity, Supplier<T> factory) {
        this.version = version;
        this.capacity = capacity;
        this.factory = factory;
    }

    /** The state of the scope, made at the first call; null if its name is too long or there are too many. */
    @Nullable
    T of(String scope) {
        if (scope.equals(latestScope)) {
            return latest;
        }
        T state = states.get(scope);
        if (state == null) {
            if (states.size() >= capacity || scope.length() > MAX_NAME) {
                return null;
            }
            state = factory.get();
            put(scope, state);
        }
        latestScope = scope;
        latest = state;
        return state;
    }

    /** The state of the scope; null if it has none. */
    @Nullable
    T find(String scope) {
        return states.get(scope);
    }

    /** A new state for the scope, in place of the one that it has. */
    T renew(String scope) {
        T state = factory.get();
        put(scope, state);
        latestScope = null;
        return state;
    }

    private void put(String scope, T state) {
        if (states.isEmpty()) {
            states = new LinkedHashMap<>(4);
        }
        states.put(scope, state);
    }

    void forEach(BiConsumer<String, T> action) {
        states.forEach(action);
    }

    boolean isEmpty() {
        return states.isEmpty();
    }

    Collection<T> all() {
        return states.values();
    }

    @Override
    public int version() {
        return version;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(states.size());
        states.forEach((scope, state) -> {
            out.writeString(scope);
            state.write(out);
        });
    }

    @Override
    public void read(StateReader in) {
        states = Map.of();
        latestScope = null;
        int count = in.readCount(capacity);
        for (int i = 0; i < count; i++) {
            String scope = in.readString();
            T state = factory.get();
            state.read(in);
            put(scope, state);
        }
    }
}
