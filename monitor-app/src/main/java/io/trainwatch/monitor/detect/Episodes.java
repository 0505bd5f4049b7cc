package io.trainwatch.monitor.detect;

/**
 * What the detectors of a run found so far, for one whose rule is about what others found. Only alarms count: episodes that
 * reached a warning. Of a detector that judges earlier, what it said at this event is in it.
 */
public interface Episodes {

    /** Whether the detector has an alarm open, in any scope. */
    boolean isAlarming(String detector);

    /** Alarms of the detector, in all scopes, that were opened at {@code step} or later, as far as they are remembered. */
    int alarmsSince(String detector, long step);
}
