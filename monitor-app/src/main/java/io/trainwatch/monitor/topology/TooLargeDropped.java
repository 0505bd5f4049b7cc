package io.trainwatch.monitor.topology;

import java.util.Map;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.streams.errors.ErrorHandlerContext;
import org.apache.kafka.streams.errors.ProductionExceptionHandler;
import org.jspecify.annotations.Nullable;

/** Drops and counts a record that the broker finds too large, retries what can be retried, and fails on all else. */
public final class TooLargeDropped implements ProductionExceptionHandler {
    static final String COUNTERS = "trainwatch.counters";

    private @Nullable MonitorCounters counters;

    @Override
    public void configure(Map<String, ?> configs) {
        counters = configs.get(COUNTERS) instanceof MonitorCounters shared ? shared : null;
    }

    @Override
    public Response handleError(
            ErrorHandlerContext context, ProducerRecord<byte[], byte[]> record, Exception exception) {
        if (exception instanceof RecordTooLargeException) {
            if (counters != null) {
                counters.outcomeDropped();
            }
            return Response.resume();
        }
        return exception instanceof RetriableException ? Response.retry() : Response.fail();
    }
}
