package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import java.net.URI;
import java.util.List;

/**
 * What a person is told, composed once by {@link PageText} for every sink. All text is one line, bounded and free of
 * control and format characters, but not escaped for any sink.
 *
 * @param key the same for every page of one incident through one sink, also after a restart: 32 hexadecimal digits
 * @param kind what happened to the incident
 * @param number counts the pages of the incident from 1; a page that arrives twice has the same key and number
 * @param severity of the worst open episode, or of what was told last where none is open
 * @param title at most 140 characters, e.g. {@code non_finite_loss in resnet-7}
 * @param summary at most 1,000 characters
 * @param facts what is known, the most useful first, at most 12
 * @param causes likely causes, best first, at most 3
 * @param links where to look next
 * @param sinceMs when the first episode was opened, epoch milliseconds
 * @param atMs when this page was composed, epoch milliseconds
 * @param runs how many runs it concerns, at least 1
 * @param lead the episode that the page is mainly about
 * @param episodes all episodes of the incident, at most 20 of them, open ones first
 * @param before severity that an earlier page told, where it has changed since; the same as {@code severity} otherwise
 * @param call counts how often people were called because of the incident, from 1: at its beginning, each time that it grew
 *     worse, and when the time of whoever looked after it is over
 * @param calls whether this page calls people, and does not only tell them more
 * @param test true for a message that only tries the way
 */
record Page(
        String key,
        Kind kind,
        int number,
        Severity severity,
        String title,
        String summary,
        List<Fact> facts,
        List<Likely> causes,
        List<Link> links,
        long sinceMs,
        long atMs,
        int runs,
        Alert lead,
        List<Alert> episodes,
        Severity before,
        int call,
        boolean calls,
        boolean test) {

    /** What happened to an incident. */
    enum Kind {
        OPENED,
        UPDATED,
        /** Somebody looks after it. */
        ACKNOWLEDGED,
        RESOLVED
    }

    /**
     * A line of the page.
     *
     * @param name at most 40 characters
     * @param value at most 300 characters, with unit
     */
    record Fact(String name, String value) {}

    /**
     * A likely cause.
     *
     * @param title one line
     * @param why what speaks for it
     * @param fix what to do, first things first
     */
    record Likely(String title, List<String> why, List<String> fix) {}

    /**
     * A link.
     *
     * @param name what it leads to
     * @param address an absolute http or https address
     */
    record Link(String name, URI address) {}

    Page {
        facts = List.copyOf(facts);
        causes = List.copyOf(causes);
        links = List.copyOf(links);
        episodes = List.copyOf(episodes);
    }

    /** Whether the incident is over. */
    boolean isResolved() {
        return kind == Kind.RESOLVED;
    }
}
