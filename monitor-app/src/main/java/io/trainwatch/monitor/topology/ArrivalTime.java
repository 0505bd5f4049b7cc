package io.trainwatch.monitor.topology;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.processor.TimestampExtractor;

/**
 * When the event reached the broker, epoch milliseconds. A topic that keeps the clocks of producers may say anything: a
 * time before 2001 or more than a day ahead is replaced by that of the record before, or by now.
 */
final class ArrivalTime implements TimestampExtractor {
    private static final long EARLIEST_MS = 978_307_200_000L;
    private static final long DAY_MS = 86_400_000;

    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTimeMs) {
        long timestamp = record.timestamp();
        long now = System.currentTimeMillis();
        if (timestamp >= EARLIEST_MS && timestamp <= now + DAY_MS) {
            return timestamp;
        }
        return partitionTimeMs >= EARLIEST_MS ? partitionTimeMs : now;
    }
}
