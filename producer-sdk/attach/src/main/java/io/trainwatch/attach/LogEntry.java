package io.trainwatch.attach;

import io.trainwatch.event.TrainingEvent;

/** What stood at one place of a log: an event, or something that could not be read as one. */
public sealed interface LogEntry {
    /** Line at which it begins, counted from 1. */
    long line();

    /** Byte at which it begins, counted from 0. */
    long offset();

    /** An event. */
    record Event(long line, long offset, TrainingEvent event) implements LogEntry {}

    /** One line for people: what is wrong there. File and line are not in it. */
    record Problem(long line, long offset, String message) implements LogEntry {}
}
