package io.trainwatch.monitor.notify;

import java.time.Instant;
import java.time.LocalTime;
import java.time.ZoneId;

/**
 * Hours of the day in which only what is critical is told; the rest waits until they end.
 *
 * @param from first minute
 * @param to first minute after them; earlier than {@code from} for hours over midnight
 * @param zone where the clock hangs
 */
public record QuietHours(LocalTime from, LocalTime to, ZoneId zone) {

    boolean contains(long nowMs) {
        LocalTime now = Instant.ofEpochMilli(nowMs).atZone(zone).toLocalTime();
        return from.isBefore(to) ? !now.isBefore(from) && now.isBefore(to) : !now.isBefore(from) || now.isBefore(to);
    }
}
