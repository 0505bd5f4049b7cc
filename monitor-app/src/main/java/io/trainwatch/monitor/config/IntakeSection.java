package io.trainwatch.monitor.config;

import io.trainwatch.monitor.intake.IntakeSettings;
import java.util.regex.Pattern;

/** The section {@code intake} of the file. */
final class IntakeSection {
    private IntakeSection() {}

    static IntakeSettings read(SettingValues values) {
        IntakeSettings defaults = IntakeSettings.DEFAULT;
        return new IntakeSettings(
                Boolean.parseBoolean(values.matching(
                        "intake.enabled",
                        Pattern.compile("true|false"),
                        "true, false",
                        Boolean.toString(defaults.enabled()))),
                values.integer(
                        "intake.max_body_bytes",
                        IntakeSettings.MIN_BODY_BYTES,
                        IntakeSettings.MAX_BODY_BYTES,
                        defaults.maxBodyBytes()),
                values.integer("intake.max_requests", 1, IntakeSettings.MAX_REQUESTS, defaults.maxRequests()),
                values.integer(
                        "intake.max_unacknowledged_bytes",
                        IntakeSettings.MIN_UNACKNOWLEDGED_BYTES,
                        IntakeSettings.MAX_UNACKNOWLEDGED_BYTES,
                        defaults.maxUnacknowledgedBytes()),
                values.duration(
                        "intake.broker_limit",
                        IntakeSettings.MIN_BROKER_LIMIT,
                        IntakeSettings.MAX_BROKER_LIMIT,
                        defaults.brokerLimit()));
    }
}
