package io.trainwatch.sdk;

import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.internal.Location;
import io.trainwatch.sdk.internal.MemoryTransport;
import io.trainwatch.sdk.internal.TransportForwarder;
import java.util.List;

/** Where a trainer begins: {@code Trainwatch.run("resnet-7").start("kafka:localhost:9092")}. */
public final class Trainwatch {
    private Trainwatch() {}

    /**
     * Describes a run, to be started.
     *
     * @param runId identifies the run over all its attempts and ranks: 1 to 256 characters
     */
    public static TrainingRunBuilder run(String runId) {
        return new TrainingRunBuilder(runId, System.getenv());
    }

    /**
     * Opens a way for events that exist already, e.g. those of a log. Does not wait for the receiver.
     *
     * @param location as {@link TrainingRunBuilder#start(String)} has it
     * @throws IllegalArgumentException if it is none: the message lists what is allowed
     */
    public static Forwarder forward(String location) {
        return TransportForwarder.open(Location.parse(location));
    }

    /** Returns what has arrived at {@code memory:NAME} in this JVM, oldest first: a sink for tests. */
    public static List<TrainingEvent> memory(String name) {
        return MemoryTransport.events(name);
    }

    /** Forgets what has arrived at {@code memory:NAME}. */
    public static void forgetMemory(String name) {
        MemoryTransport.forget(name);
    }
}
