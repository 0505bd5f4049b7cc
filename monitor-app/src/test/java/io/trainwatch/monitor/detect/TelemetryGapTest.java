package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TelemetryGapTest implements DetectorContract {
    private static final String TELEMETRY_GAP = "telemetry_gap";

    @Override
    public String detector() {
        return TELEMETRY_GAP;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(2500);
    }

    @Override
    public Scenario fault() {
        return run -> run.steps(200).lose(40).steps(1200);
    }

    @Test
    void a_gap_is_info_when_it_can_no_longer_be_filled_and_a_warning_beyond_one_percent() {
        Judging.Episode gap = Judging.of(fault()).only(TELEMETRY_GAP);
        // Number 201 leaves the window of 64 with number 265, the 25th that comes after the gap.
        assertThat(gap.openedStep()).isEqualTo(225);
        assertThat(gap.first().getSeverity()).isEqualTo(Severity.info);
        assertThat(gap.message())
                .isEqualTo(
                        "1 events missing of the last 1001, 1 in all; the trainer reports no drops, so they were lost on"
                                + " the way");
        assertThat(gap.stepOf(Severity.warning)).isEqualTo(225 + 10);
        assertThat(gap.resolved()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {999, 1000, 1001})
    void a_gap_that_is_certain_at_the_turn_of_a_stretch_is_not_lost(int turn) {
        Judging judging = Judging.of(run -> run.steps(turn - 64).lose(1).steps(200));
        assertThat(judging.only(TELEMETRY_GAP).openedStep()).isEqualTo(turn);
    }

    @Test
    void what_the_trainer_dropped_itself_is_told() {
        Judging judging = Judging.of(run -> {
            Heartbeat heartbeat = new Heartbeat();
            heartbeat.setDroppedEvents(100L);
            run.steps(200).lose(100).says(run.step(), heartbeat).steps(100);
        });
        assertThat(judging.only(TELEMETRY_GAP).last().getMessage())
                .endsWith("; the trainer says that it had to drop 100 in all (queue or spool full)");
    }

    @Test
    void late_events_fill_their_gap() {
        Judging judging = Judging.of(run -> {
            run.steps(200).lose(1).steps(50);
            run.sends(event -> {
                event.setSeq(201L);
                event.setBody(new Heartbeat());
            });
            run.steps(200);
        });
        // The late event took a number of the stream when it was sent: that one is missing instead.
        assertThat(judging.episodes(TELEMETRY_GAP)).hasSize(1);
        assertThat(judging.only(TELEMETRY_GAP).last().getMessage()).startsWith("1 events missing");
    }

    @Test
    void a_source_that_cannot_count_is_not_checked() {
        Judging judging = Judging.of(run -> run.sends(event -> {
            event.setSeq(null);
            event.setBody(new Heartbeat());
        }));
        assertThat(judging.notChecked(TELEMETRY_GAP)).isEqualTo("seq");
    }
}
