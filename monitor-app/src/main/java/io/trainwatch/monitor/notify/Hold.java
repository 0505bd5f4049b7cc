package io.trainwatch.monitor.notify;

import java.util.Locale;

/** Why a page is not told now. */
enum Hold {
    /** Somebody looks after what it is about, and it is no worse than what they knew of. */
    ACKNOWLEDGED,
    /** A silence covers it. */
    SILENCED,
    /** It is no matter for the night. */
    QUIET_HOURS,
    /** Too many pages were told lately. */
    RATE_LIMIT;

    String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
