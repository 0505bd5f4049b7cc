package io.trainwatch.monitor.judge;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Moment;
import io.trainwatch.monitor.run.ReferenceCurve;
import java.util.List;
import org.junit.jupiter.api.Test;

class LogVerdictTest {
    private static final String WORSE = "worse_than_reference";

    private final RunJudge judge = new RunJudge();

    private static List<Moment> run(String runId, String reference, double factor) {
        return Judging.moments(runId, run -> {
            var healthy = run.healthyLoss();
            run.started(body -> body.setReferenceRunId(reference))
                    .loss(step -> factor * healthy.applyAsDouble(step))
                    .steps(1000);
        });
    }

    private static void read(LogVerdict verdict, List<Moment> moments) {
        moments.forEach(moment -> verdict.event(moment.event()));
    }

    private static List<String> worse(LogVerdict verdict) {
        return verdict.runs().stream()
                .filter(run -> run.episodes().stream()
                        .anyMatch(episode -> episode.last().getDetector().equals(WORSE)))
                .map(run -> run.status().getRunId())
                .toList();
    }

    @Test
    void a_run_is_compared_with_the_run_of_the_same_log_that_it_names() {
        LogVerdict verdict = new LogVerdict(judge);
        read(verdict, run("good", null, 1));
        read(verdict, run("alike", "good", 1));
        read(verdict, run("worse", "good", 1.2));
        assertThat(worse(verdict)).containsExactly("worse");
    }

    @Test
    void of_a_reference_that_runs_beside_it_longer_and_longer_copies_are_taken() {
        LogVerdict verdict = new LogVerdict(judge);
        List<Moment> good = run("good", null, 1);
        List<Moment> worse = run("worse", "good", 1.2);
        for (int i = 0; i < good.size(); i++) {
            verdict.event(good.get(i).event());
            if (i >= 100) {
                verdict.event(worse.get(i - 100).event());
            }
        }
        assertThat(worse(verdict)).containsExactly("worse");
    }

    @Test
    void a_given_reference_is_that_of_all_runs() {
        LogVerdict other = new LogVerdict(judge);
        read(other, Judging.moments("good", run -> run.steps(1000)));
        ReferenceCurve good = other.curves().get(0);
        LogVerdict verdict = new LogVerdict(judge, new References() {
            @Override
            public ReferenceCurve find(String runId) {
                return null;
            }

            @Override
            public ReferenceCurve byDefault() {
                return good;
            }
        });
        read(verdict, run("bad", null, 1.2));
        read(verdict, run("as bad", "bad", 1.2));
        read(verdict, run("alike", null, 1));
        assertThat(worse(verdict)).containsExactly("bad", "as bad");
    }

    @Test
    void a_run_that_names_none_or_itself_is_compared_with_nothing() {
        LogVerdict verdict = new LogVerdict(judge);
        read(verdict, run("good", null, 1));
        read(verdict, run("none", null, 1.5));
        read(verdict, run("itself", "itself", 1.5));
        assertThat(worse(verdict)).isEmpty();
    }
}
