package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StalledRunTest implements DetectorContract {
    private static final String STALLED_RUN = "stalled_run";

    @Override
    public String detector() {
        return STALLED_RUN;
    }

    /** A step a second, heartbeats, the usual evaluation of 50 s. */
    @Override
    public Scenario healthy() {
        return run -> {
            for (int i = 0; i < 10; i++) {
                run.steps(20).heartbeat("train").silence(49).evaluation(2).silence(5);
            }
            run.finished(FinishStatus.completed).silence(10_000);
        };
    }

    @Override
    public Scenario fault() {
        return run -> run.steps(100).heartbeat("train").silence(200).steps(10);
    }

    @Test
    void silence_after_heartbeats_is_a_lost_process() {
        Judging.Episode lost = Judging.of(fault()).only(STALLED_RUN);
        assertThat(lost.openedStep()).isEqualTo(100);
        assertThat(lost.highest()).isEqualTo(Severity.critical);
        // The heartbeat came one second after the last step, the deadline is the shortest.
        assertThat(lost.first().getOpenedAtMs() - lost.last().getOpenedAtMs()).isZero();
        assertThat(lost.message())
                .isEqualTo(
                        "lost: no progress for 60 s and no heartbeat for 59 s after step 100: the process, its host or"
                                + " the network is gone (expected within 60 s)");
        assertThat(lost.resolved()).isTrue();
        assertThat(lost.last().getResolvedStep()).isEqualTo(101);
    }

    @Test
    void heartbeats_without_steps_are_a_hang_until_they_stop_too() {
        Judging.Episode hang = Judging.of(run -> {
                    run.steps(100);
                    for (int i = 0; i < 10; i++) {
                        run.heartbeat("train").silence(9);
                    }
                    run.silence(60);
                })
                .only(STALLED_RUN);
        assertThat(hang.first().getSeverity()).isEqualTo(Severity.warning);
        assertThat(hang.message())
                .startsWith("hang: no progress for 60 s after step 100, but heartbeats go on in phase train");
        assertThat(hang.highest()).isEqualTo(Severity.critical);
    }

    @Test
    void a_host_of_several_that_goes_silent_with_the_progress_is_named_and_critical() {
        Judging.Episode lost = Judging.of(run -> {
                    run.steps(95);
                    beatOfHosts(run, "gpu-1", "gpu-2", "gpu-3");
                    run.steps(5);
                    for (int i = 0; i < 10; i++) {
                        beatOfHosts(run, "gpu-1", "gpu-3");
                        run.silence(9);
                    }
                })
                .only(STALLED_RUN);

        assertThat(lost.first().getSeverity()).isEqualTo(Severity.critical);
        assertThat(lost.message())
                .startsWith("host lost: no heartbeat from gpu-2 for 6")
                .contains(" s, while 2 of 3 hosts go on, and no progress for 60 s after step 100: that host, its network or"
                        + " the processes there are gone");
    }

    @Test
    void hosts_that_left_while_the_run_went_on_or_that_all_go_on_are_no_loss() {
        Judging.Episode hang = Judging.of(run -> {
                    run.steps(50);
                    beatOfHosts(run, "left", "stays");
                    for (int i = 0; i < 5; i++) {
                        run.steps(10);
                        beatOfHosts(run, "stays", "late");
                    }
                    for (int i = 0; i < 8; i++) {
                        beatOfHosts(run, "stays", "late");
                        run.silence(9);
                    }
                })
                .only(STALLED_RUN);

        assertThat(hang.highest()).isEqualTo(Severity.warning);
        assertThat(hang.message()).startsWith("hang: no progress for 60 s after step 100");
    }

    @Test
    void all_hosts_are_named_where_all_are_lost() {
        assertThat(Judging.of(run -> {
                            run.steps(100);
                            beatOfHosts(run, "a", "b", "c", "d", "e", "f");
                            run.silence(100);
                        })
                        .only(STALLED_RUN)
                        .message())
                .contains("the process, its host (a, b, c, d and 2 more) or the network is gone");
    }

    /** One heartbeat of each, at the same moment. */
    private static void beatOfHosts(RunStream run, String... hosts) {
        for (int rank = 0; rank < hosts.length; rank++) {
            Heartbeat body = new Heartbeat();
            body.setPhase("train");
            body.setIntervalSeconds(10.0);
            String host = hosts[rank];
            if (rank == 0) {
                run.sends(event -> {
                    event.setHost(host);
                    event.setBody(body);
                });
            } else {
                run.ofRank(rank, event -> {
                    event.setHost(host);
                    event.setBody(body);
                });
            }
        }
    }

    @Test
    void without_heartbeats_it_cannot_be_told_and_is_a_warning() {
        Judging.Episode silent = Judging.of(run -> run.steps(100).silence(100)).only(STALLED_RUN);
        assertThat(silent.highest()).isEqualTo(Severity.warning);
        assertThat(silent.message()).startsWith("silent: no event for 60 s after step 100, and no run_finished");
    }

    @Test
    void the_deadline_is_five_times_the_longest_gap_slowly_forgotten() {
        Judging judging =
                Judging.of(run -> run.steps(5).silence(39).steps(5).silence(190).steps(5));
        assertThat(judging.episodes(STALLED_RUN)).isEmpty();
        assertThat(Judging.of(run -> run.steps(5).silence(39).steps(5).silence(201))
                        .episodes(STALLED_RUN))
                .hasSize(1);
    }

    @Test
    void a_run_that_never_took_a_step_has_twenty_minutes() {
        assertThat(Judging.of(run -> run.started(body -> {}).silence(1199)).episodes())
                .isEmpty();
        assertThat(Judging.of(run -> run.started(body -> {}).silence(1200))
                        .only(STALLED_RUN)
                        .message())
                .isEqualTo("not started: no step within 20 min of the first event (expected within 20 min)");
    }

    private static void beating(RunStream run, String phase, int seconds) {
        for (int i = 0; i < seconds / 10; i++) {
            run.heartbeat(phase).silence(9);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"evaluation", "checkpoint", "compile", "init"})
    void the_first_pause_of_a_kind_has_twenty_minutes_while_heartbeats_go_on(String phase) {
        assertThat(Judging.of(run -> beating(run.steps(100), phase, 1190)).episodes())
                .isEmpty();
        Judging.Episode hang =
                Judging.of(run -> beating(run.steps(100), phase, 1300)).only(STALLED_RUN);
        assertThat(hang.message())
                .isEqualTo("hang: no progress for 20 min after step 100, but heartbeats go on in phase " + phase
                        + " (expected within 20 min)");
    }

    @Test
    void later_pauses_of_a_kind_have_five_times_the_longest_of_that_kind_and_do_not_lengthen_the_trainings_own() {
        Judging.Episode hang = Judging.of(run -> {
                    beating(run.steps(100), "evaluation", 200);
                    run.evaluation(2).steps(10);
                    beating(run, "evaluation", 900);
                    run.evaluation(2).steps(10);
                    beating(run, "train", 100);
                })
                .only(STALLED_RUN);
        assertThat(hang.openedStep()).isEqualTo(120);
        assertThat(hang.message())
                .isEqualTo("hang: no progress for 60 s after step 120, but heartbeats go on in phase train"
                        + " (expected within 60 s)");
        assertThat(Judging.of(run -> {
                            beating(run.steps(100), "evaluation", 200);
                            run.evaluation(2).steps(10);
                            beating(run, "evaluation", 1100);
                        })
                        .only(STALLED_RUN)
                        .message())
                .endsWith("in phase evaluation (expected within 17 min)");
    }

    @Test
    void a_run_that_says_it_is_idle_is_left_alone_until_its_heartbeats_stop() {
        assertThat(Judging.of(run -> beating(run.steps(100), "idle", 5000)).episodes())
                .isEmpty();
        assertThat(Judging.of(run -> {
                            beating(run.steps(100), "idle", 5000);
                            run.silence(60);
                        })
                        .only(STALLED_RUN)
                        .message())
                .startsWith("lost: ");
    }

    @Test
    void another_rank_cannot_declare_a_pause_for_the_run() {
        Judging.Episode hang = Judging.of(run -> {
                    run.steps(100);
                    for (int i = 0; i < 10; i++) {
                        Heartbeat idle = new Heartbeat();
                        idle.setPhase("idle");
                        run.heartbeat("train").ofRank(3, run.step(), idle).silence(9);
                    }
                })
                .only(STALLED_RUN);
        assertThat(hang.message()).startsWith("hang: no progress for 60 s");
    }

    @Test
    void a_run_that_begins_anew_three_times_and_never_comes_further_is_a_replay_loop() {
        Judging.Episode loop = Judging.of(run -> {
                    run.steps(1000);
                    for (int i = 0; i < 4; i++) {
                        run.restartAt(900).steps(100);
                    }
                    run.restartAt(900).steps(200);
                })
                .only(STALLED_RUN);
        assertThat(loop.scope()).isEqualTo("replay");
        assertThat(loop.highest()).isEqualTo(Severity.warning);
        assertThat(loop.message())
                .isEqualTo(
                        "replay loop: the run began anew 3 times, the last time at step 900, and never came beyond step"
                                + " 1000");
        assertThat(loop.last().getResolvedStep()).isEqualTo(1001);
    }

    @Test
    void resumes_that_come_further_each_time_are_none() {
        assertThat(Judging.of(run -> {
                            run.steps(1000);
                            for (int i = 0; i < 6; i++) {
                                run.restartAt(run.step() - 100).steps(101);
                            }
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void several_runs_in_one_log_are_none() {
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 6; i++) {
                                run.resumeAt(0).steps(300);
                            }
                        })
                        .episodes(STALLED_RUN))
                .isEmpty();
    }

    @Test
    void it_fires_once_for_each_stall() {
        Judging judging = Judging.of(run -> run.steps(50).silence(70).steps(400).silence(4000));
        assertThat(judging.episodes(STALLED_RUN)).hasSize(2);
        assertThat(judging.episodes(STALLED_RUN).get(0).resolved()).isTrue();
    }

    @Test
    void offline_there_is_no_clock() {
        assertThat(Judging.of(run -> run.steps(10)).notChecked(STALLED_RUN))
                .isEqualTo("a clock: offline, silence cannot be seen");
        assertThat(Judging.of(run -> run.steps(10).finished(FinishStatus.failed))
                        .notChecked(STALLED_RUN))
                .isEmpty();
    }
}
