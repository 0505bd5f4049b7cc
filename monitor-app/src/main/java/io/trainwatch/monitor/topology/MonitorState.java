package io.trainwatch.monitor.topology;

/** Whether the monitor does its work. */
public enum MonitorState {
    /** Joins its group and restores run states. */
    STARTING,
    /** Judges. */
    RUNNING,
    /** Tries to judge, and something is in its way: the brokers do not answer, or a thread died a short while ago. */
    DEGRADED,
    /** Was closed. */
    STOPPED
}
