package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Severity;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes pages to the log of the monitor, as one line each. */
final class LogSink implements Sink {
    private static final Logger LOG = LoggerFactory.getLogger("trainwatch.page");

    @Override
    public Receipt tell(Page page) {
        String line = PlainText.line(
                page.severity() + " " + page.title() + ": " + page.summary() + " (" + page.kind() + ", " + page.key()
                        + ")",
                2_000);
        if (page.severity() == Severity.critical && !page.isResolved()) {
            LOG.error("{}", line);
        } else {
            LOG.warn("{}", line);
        }
        return Receipt.TOLD;
    }

    @Override
    public String target() {
        return "the log of the monitor";
    }
}
