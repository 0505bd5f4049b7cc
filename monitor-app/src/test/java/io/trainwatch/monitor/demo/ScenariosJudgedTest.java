package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.judge.JudgedRun;
import io.trainwatch.monitor.judge.RunJudge;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The judge, without Kafka around it, finds each planted fault and leaves the healthy trainings alone. */
class ScenariosJudgedTest {
    private final RunJudge judge = new RunJudge();

    static List<Scenario> all() {
        return Scenarios.all();
    }

    @ParameterizedTest
    @MethodSource("all")
    void what_is_planted_is_raised_and_nothing_else(Scenario scenario) {
        Scoreboard board = new Scoreboard(List.of(scenario));
        JudgedRun run = judge.newRun(scenario.name());
        long now = 0;
        for (TrainingEvent event : RecordedRun.of(scenario, Scenarios.SEED).events(scenario)) {
            now = event.getTimestampMs();
            tell(board, judge.judge(run, event, now), now);
        }
        if (scenario.goesSilent()) {
            board.faultReached(scenario.name(), now);
            for (int second = 1; second <= 120; second++) {
                tell(board, judge.tick(run, now + second * 1_000L), now + second * 1_000L);
            }
        }
        assertThat(board.missing()).isEmpty();
        assertThat(board.falseAlarms()).isEmpty();
    }

    private static void tell(Scoreboard board, List<Alert> alerts, long atMs) {
        alerts.forEach(alert -> board.raised(alert, atMs));
    }
}
