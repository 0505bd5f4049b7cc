package io.trainwatch.monitor.notify;

import java.util.ArrayList;
import java.util.List;

/** One way to tell people. Belongs to one thread; no call takes longer than {@link Http#LIMIT} for each page. */
interface Sink extends AutoCloseable {
    /** Tells one page. */
    Receipt tell(Page page) throws InterruptedException;

    /** Tells pages in order and returns a receipt for each; after one that found nobody there, the others wait too. */
    default List<Receipt> tellAll(List<Page> pages) throws InterruptedException {
        List<Receipt> receipts = new ArrayList<>(pages.size());
        for (Page page : pages) {
            boolean away = !receipts.isEmpty() && receipts.get(receipts.size() - 1) instanceof Receipt.Unavailable;
            receipts.add(away ? receipts.get(receipts.size() - 1) : tell(page));
        }
        return receipts;
    }

    /** How many pages one request carries. */
    default int batch() {
        return 1;
    }

    /** Whether its receiver has a word for an incident that somebody looks after; only then is it told one. */
    default boolean acknowledges() {
        return false;
    }

    /** Where it tells, without secrets. */
    String target();

    @Override
    default void close() {}
}
