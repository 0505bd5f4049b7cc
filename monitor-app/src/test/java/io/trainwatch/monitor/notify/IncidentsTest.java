package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.T0;
import static io.trainwatch.monitor.notify.Alerts.alert;
import static io.trainwatch.monitor.notify.Alerts.nan;
import static io.trainwatch.monitor.notify.Alerts.resolved;
import static io.trainwatch.monitor.notify.Alerts.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.notify.Incidents.Due;
import io.trainwatch.monitor.notify.Page.Kind;
import java.io.IOException;
import java.time.Duration;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;

class IncidentsTest {
    private static final long SECOND = 1_000;
    private static final long MINUTE = 60 * SECOND;
    private static final long HOUR = 60 * MINUTE;

    private final Counts counts = new Counts();
    private final Set<String> silenced = new HashSet<>();
    private final Map<String, Long> acknowledged = new HashMap<>();
    private Incidents incidents = incidents(RateLimit.DEFAULT, null, null);

    @Test
    void nothing_is_due_while_nothing_fires() {
        assertThat(tell(T0)).isEmpty();
    }

    @Test
    void an_alert_that_is_not_routed_here_is_never_told() {
        incidents.take(nan("r"), false, T0);

        assertThat(tell(T0)).isEmpty();
        assertThat(incidents.size()).isZero();
    }

    @Test
    void the_first_alert_of_a_run_is_told_at_once_and_the_same_record_again_changes_nothing() {
        take(T0, nan("r"));
        assertThat(tell(T0)).containsExactly("OPENED r non_finite_loss");

        take(T0 + SECOND, nan("r"));
        assertThat(tell(T0 + HOUR)).isEmpty();
    }

    @Test
    void later_detectors_of_the_run_join_as_one_update_and_the_end_of_all_of_them_resolves_it() {
        Alert first = nan("r");
        Alert second = alert("r", "exploding_gradient", Severity.warning);
        Alert third = alert("r", "dead_units", Severity.warning);
        take(T0, first);
        tell(T0);
        take(T0 + SECOND, second);
        take(T0 + 2 * SECOND, third);

        assertThat(tell(T0 + 29 * SECOND)).isEmpty();
        assertThat(tell(T0 + 30 * SECOND)).containsExactly("UPDATED r non_finite_loss exploding_gradient dead_units");

        take(T0 + MINUTE, resolved(first), resolved(second));
        assertThat(tell(T0 + MINUTE)).isEmpty();
        take(T0 + 2 * MINUTE, resolved(third));
        assertThat(tell(T0 + 2 * MINUTE)).containsExactly("RESOLVED r non_finite_loss exploding_gradient dead_units");
        assertThat(incidents.size()).isZero();
    }

    @Test
    void a_severity_that_rises_is_told_at_once() {
        Alert warning = alert("r", "loss_spike", Severity.warning);
        take(T0, warning);
        tell(T0);

        take(T0 + SECOND, with(warning, alert -> {
            alert.setState(AlertState.updated);
            alert.setSeverity(Severity.critical);
            alert.setChangedAtMs(T0 + SECOND);
        }));

        assertThat(tell(T0 + SECOND)).containsExactly("UPDATED r loss_spike");
    }

    @Test
    void an_episode_that_ended_before_it_could_be_told_is_told_and_then_resolved() {
        take(T0, nan("r"), resolved(nan("r")));

        assertThat(tell(T0)).containsExactly("OPENED r non_finite_loss");
        assertThat(tell(T0)).containsExactly("RESOLVED r non_finite_loss");
        assertThat(tell(T0)).isEmpty();
    }

    @Test
    void the_key_of_an_incident_is_the_same_when_the_alerts_are_read_again_and_another_one_for_the_next_episode() {
        take(T0, nan("r"));
        String key = incidents.due(T0).get(0).incident().key();
        incidents = incidents(RateLimit.DEFAULT, null, null);
        take(T0 + HOUR, nan("r"));
        assertThat(incidents.due(T0 + HOUR).get(0).incident().key())
                .isEqualTo(key)
                .matches("[0-9a-f]{32}");

        incidents = incidents(RateLimit.DEFAULT, null, null);
        take(T0 + HOUR, with(nan("r"), alert -> alert.setAlertId("f".repeat(32))));
        assertThat(incidents.due(T0 + HOUR).get(0).incident().key()).isNotEqualTo(key);
    }

    @Test
    void four_runs_have_their_own_pages_and_the_thousand_after_them_are_one_that_is_updated_ever_more_seldom() {
        for (int i = 0; i < 4; i++) {
            take(T0 + i, nan("r" + i));
        }
        assertThat(tell(T0 + 4)).hasSize(4);

        for (int i = 4; i < 504; i++) {
            take(T0 + i, nan("r" + i));
        }
        List<Due> due = incidents.due(T0 + SECOND);
        assertThat(due).singleElement().satisfies(one -> {
            assertThat(one.kind()).isEqualTo(Kind.OPENED);
            assertThat(one.incident().runs()).hasSize(500);
        });
        tell(T0 + SECOND);

        List<Long> updates = new ArrayList<>();
        for (int minute = 1; minute <= 32; minute++) {
            long now = T0 + SECOND + minute * MINUTE;
            take(now, nan("late" + minute));
            if (!tell(now).isEmpty()) {
                updates.add((long) minute);
            }
        }
        // 1, 2, 4, 8 and 16 minutes after one another.
        assertThat(updates).containsExactly(1L, 3L, 7L, 15L, 31L);
    }

    @Test
    void a_run_of_a_fleet_that_fails_otherwise_too_makes_no_page_of_its_own() {
        for (int i = 0; i < 10; i++) {
            take(T0, nan("r" + i));
        }
        tell(T0);
        take(T0 + SECOND, alert("r9", "exploding_gradient", Severity.critical));

        assertThat(tell(T0 + SECOND)).isEmpty();
        assertThat(tell(T0 + MINUTE)).hasSize(1).first().asString().startsWith("UPDATED r4");
    }

    @Test
    void runs_that_fail_hours_apart_are_no_fleet() {
        for (int i = 0; i < 20; i++) {
            take(T0 + i * HOUR, nan("r" + i));
            assertThat(tell(T0 + i * HOUR)).containsExactly("OPENED r" + i + " non_finite_loss");
        }
    }

    @Test
    void what_exceeds_the_rate_is_held_counted_once_and_told_when_the_bucket_has_refilled() {
        incidents = incidents(new RateLimit(2, Duration.ofMinutes(10)), null, null);
        for (int i = 0; i < 4; i++) {
            take(T0 + i * HOUR / 10, alert("r" + i, "d" + i, Severity.warning));
        }

        assertThat(tell(T0 + HOUR)).containsExactly("OPENED r0 d0", "OPENED r1 d1");
        assertThat(tell(T0 + HOUR + SECOND)).isEmpty();
        assertThat(counts.held).containsExactly(Hold.RATE_LIMIT, Hold.RATE_LIMIT);
        assertThat(tell(T0 + HOUR + 5 * MINUTE)).containsExactly("OPENED r2 d2");
        take(T0 + HOUR + 6 * MINUTE, resolved(alert("r3", "d3", Severity.warning)));
        assertThat(tell(T0 + HOUR + 20 * MINUTE)).isEmpty();
        assertThat(counts.untold).containsExactly(Hold.RATE_LIMIT);
        assertThat(counts.held).hasSize(2);
    }

    @Test
    void a_warning_waits_for_the_end_of_the_quiet_hours_and_what_is_critical_does_not() {
        // T0 is 21:20 UTC.
        QuietHours night = new QuietHours(LocalTime.of(21, 0), LocalTime.of(7, 0), ZoneOffset.UTC);
        incidents = incidents(RateLimit.DEFAULT, night, null);
        take(T0, alert("r", "loss_spike", Severity.warning), nan("s"));

        assertThat(tell(T0)).containsExactly("OPENED s non_finite_loss");
        assertThat(counts.held).containsExactly(Hold.QUIET_HOURS);
        assertThat(tell(T0 + 9 * HOUR)).isEmpty();
        assertThat(tell(T0 + 10 * HOUR)).containsExactly("OPENED r loss_spike");
    }

    @Test
    void a_silenced_episode_is_told_when_the_silence_ends_and_it_still_fires() {
        silenced.add(nan("r").getAlertId());
        take(T0, nan("r"));
        assertThat(tell(T0)).isEmpty();
        assertThat(counts.held).containsExactly(Hold.SILENCED);

        silenced.clear();
        assertThat(tell(T0 + HOUR)).containsExactly("OPENED r non_finite_loss");
    }

    @Test
    void who_looks_after_an_incident_is_not_told_of_more_of_the_same_and_each_is_counted() {
        take(T0, nan("r"));
        tell(T0);
        acknowledged.put(nan("r").getAlertId(), T0 + 1);
        assertThat(tell(T0 + HOUR)).isEmpty();

        take(T0 + HOUR, alert("r", "dead_units", Severity.warning));
        assertThat(tell(T0 + HOUR)).isEmpty();
        take(T0 + HOUR, alert("r", "non_finite_gradient", Severity.critical));
        assertThat(tell(T0 + HOUR)).isEmpty();
        assertThat(tell(T0 + HOUR + SECOND)).isEmpty();
        assertThat(counts.held).containsExactly(Hold.ACKNOWLEDGED, Hold.ACKNOWLEDGED);

        take(
                T0 + HOUR,
                resolved(nan("r")),
                resolved(alert("r", "dead_units", Severity.warning)),
                resolved(alert("r", "non_finite_gradient", Severity.critical)));
        assertThat(tell(T0 + HOUR)).containsExactly("RESOLVED r non_finite_loss dead_units non_finite_gradient");
    }

    @Test
    void a_warning_that_somebody_looks_after_is_told_anew_when_something_critical_joins_or_it_becomes_critical_itself() {
        Alert spike = alert("r", "loss_spike", Severity.warning);
        Alert gradient = alert("s", "exploding_gradient", Severity.warning);
        take(T0, spike, gradient);
        tell(T0);
        acknowledged.put(spike.getAlertId(), T0 + 1);
        acknowledged.put(gradient.getAlertId(), T0 + 1);
        assertThat(tell(T0 + SECOND)).isEmpty();

        take(T0 + 2 * SECOND, nan("r"));
        take(T0 + 2 * SECOND, with(gradient, worse -> worse.setSeverity(Severity.critical)));
        List<Due> due = incidents.due(T0 + 2 * SECOND);
        assertThat(due).extracting(Due::kind).containsExactly(Kind.UPDATED, Kind.UPDATED);
        assertThat(due).extracting(one -> one.incident().callsAnew()).containsExactly(true, true);
        assertThat(tell(T0 + 2 * SECOND))
                .containsExactly("UPDATED r loss_spike non_finite_loss", "UPDATED s exploding_gradient");

        // They knew of the warning only: what is critical waits for somebody of its own.
        take(T0 + HOUR, alert("r", "non_finite_gradient", Severity.critical));
        assertThat(tell(T0 + HOUR)).containsExactly("UPDATED r loss_spike non_finite_loss non_finite_gradient");
        acknowledged.put(nan("r").getAlertId(), T0 + HOUR + 1);
        take(T0 + 2 * HOUR, alert("r", "loss_divergence", Severity.critical));
        assertThat(tell(T0 + 2 * HOUR)).isEmpty();
    }

    @Test
    void what_is_still_open_when_the_time_of_whoever_looked_after_it_is_over_calls_people_again_once() throws IOException {
        take(T0, nan("r"));
        tell(T0);
        acknowledged.put(nan("r").getAlertId(), T0 + 1);
        assertThat(tell(T0 + SECOND)).isEmpty();
        restart();

        acknowledged.clear();
        assertThat(incidents.due(T0 + 4 * HOUR))
                .singleElement()
                .satisfies(due -> assertThat(due.incident().callsAnew()).isTrue());
        assertThat(tell(T0 + 4 * HOUR)).containsExactly("UPDATED r non_finite_loss");
        assertThat(tell(T0 + 5 * HOUR)).isEmpty();
    }

    @Test
    void a_receiver_that_has_a_word_for_it_is_told_once_that_somebody_looks_after_an_incident() {
        incidents = incidents(RateLimit.DEFAULT, null, null, true);
        take(T0, nan("r"));
        tell(T0);
        acknowledged.put(nan("r").getAlertId(), T0 + 1);

        assertThat(tell(T0 + SECOND)).containsExactly("ACKNOWLEDGED r non_finite_loss");
        assertThat(tell(T0 + 2 * SECOND)).isEmpty();
        acknowledged.put(nan("r").getAlertId(), T0 + 3 * SECOND);
        assertThat(tell(T0 + 3 * SECOND)).containsExactly("ACKNOWLEDGED r non_finite_loss");

        // Nobody was called yet: there is nothing to acknowledge.
        acknowledged.put(nan("s").getAlertId(), T0);
        take(T0 + 4 * SECOND, nan("s"));
        assertThat(tell(T0 + 4 * SECOND)).isEmpty();
        assertThat(counts.held).containsExactly(Hold.ACKNOWLEDGED);
    }

    @Test
    void who_looks_after_a_run_is_not_told_of_more_of_the_same_by_a_sink_that_forwards() {
        incidents = incidents(RateLimit.DEFAULT, null, Duration.ofMinutes(1));
        Alert spike = alert("r", "loss_spike", Severity.warning);
        take(T0, spike);
        tell(T0);
        acknowledged.put(spike.getAlertId(), T0 + 1);
        take(T0 + SECOND, alert("r", "dead_units", Severity.warning), nan("r"), nan("other"));

        assertThat(tell(T0 + SECOND))
                .contains("OPENED r non_finite_loss", "OPENED other non_finite_loss")
                .doesNotContain("OPENED r dead_units");
        assertThat(counts.held).containsExactly(Hold.ACKNOWLEDGED);
    }

    @Test
    void a_sink_that_forwards_hears_of_each_episode_by_itself_and_again_every_minute() {
        incidents = incidents(RateLimit.DEFAULT, null, Duration.ofMinutes(1));
        for (int i = 0; i < 10; i++) {
            take(T0, nan("r" + i));
        }
        take(T0, alert("r0", "dead_units", Severity.warning));

        assertThat(tell(T0)).hasSize(11).allMatch(told -> told.startsWith("OPENED "));
        keep();
        assertThat(tell(T0 + 59 * SECOND)).isEmpty();
        assertThat(tell(T0 + 60 * SECOND)).hasSize(11).allMatch(told -> told.startsWith("UPDATED "));
        take(T0 + 61 * SECOND, resolved(nan("r3")));
        assertThat(tell(T0 + 61 * SECOND)).containsExactly("RESOLVED r3 non_finite_loss");
    }

    @Test
    void after_a_restart_it_goes_on_from_what_was_kept() throws IOException {
        take(T0, nan("r"));
        tell(T0);
        take(T0 + SECOND, alert("r", "dead_units", Severity.warning));
        restart();

        take(T0 + SECOND, nan("r"));
        assertThat(tell(T0 + 31 * SECOND)).containsExactly("UPDATED r non_finite_loss dead_units");
        take(T0 + HOUR, resolved(nan("r")), resolved(alert("r", "dead_units", Severity.warning)));
        assertThat(tell(T0 + HOUR)).containsExactly("RESOLVED r non_finite_loss dead_units");
    }

    @Test
    void a_fleet_of_any_size_and_with_names_of_any_length_fits_a_record() throws IOException {
        for (int i = 0; i < 3_000; i++) {
            int number = i;
            take(T0, with(nan("é".repeat(250) + i), alert -> alert.setRunName("名".repeat(200) + number)));
        }

        int runs = 0;
        for (Due due : incidents.due(T0)) {
            assertThat(due.incident().encode().length).isLessThan(512 << 10);
            runs += due.incident().runs().size();
        }
        assertThat(runs).isEqualTo(3_000);
        assertThat(incidents.size()).isLessThan(20);
    }

    private Incidents incidents(RateLimit rate, QuietHours quiet, Duration forwards) {
        return incidents(rate, quiet, forwards, false);
    }

    private Incidents incidents(RateLimit rate, QuietHours quiet, Duration forwards, boolean acknowledges) {
        Muting muting = new Muting() {
            @Override
            public boolean isSilenced(Alert alert, long nowMs) {
                return silenced.contains(alert.getAlertId());
            }

            @Override
            public OptionalLong acknowledgedAtMs(Alert alert, long nowMs) {
                Long at = acknowledged.get(alert.getAlertId());
                return at == null ? OptionalLong.empty() : OptionalLong.of(at);
            }
        };
        return new Incidents(
                "team", Grouping.DEFAULT, rate, quiet, forwards, acknowledges, muting, counts, T0);
    }

    private void restart() throws IOException {
        List<Incident> kept = new ArrayList<>();
        for (Incident incident : incidents.unkept()) {
            kept.add(Incident.decode(incident.encode()));
        }
        incidents = incidents(RateLimit.DEFAULT, null, null);
        incidents.restore(kept);
    }

    private void take(long now, Alert... alerts) {
        for (Alert alert : alerts) {
            incidents.take(alert, true, now);
        }
    }

    /** Tells all that is due, and returns it: kind, first run, detectors. */
    private List<String> tell(long now) {
        List<String> told = new ArrayList<>();
        for (Due due : incidents.due(now)) {
            if (incidents.admit(due, now)) {
                StringBuilder text = new StringBuilder(
                        due.kind() + " " + due.incident().runs().iterator().next());
                due.incident().episodes().forEach(alert -> text.append(' ').append(alert.getDetector()));
                told.add(text.toString());
                incidents.told(due, now);
            }
        }
        return told;
    }

    private void keep() {
        incidents.unkept().forEach(incident -> incident.unkept = false);
    }

    private static final class Counts implements Incidents.Ledger {
        final List<Hold> held = new ArrayList<>();
        final List<Hold> untold = new ArrayList<>();

        @Override
        public void held(Hold reason) {
            held.add(reason);
        }

        @Override
        public void endedUntold(Hold reason) {
            untold.add(reason);
        }

        @Override
        public void overflowed() {
            throw new AssertionError("too many incidents");
        }
    }
}
