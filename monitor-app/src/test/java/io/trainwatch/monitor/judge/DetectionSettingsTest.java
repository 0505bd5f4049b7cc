package io.trainwatch.monitor.judge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Moment;
import io.trainwatch.monitor.RunStream.Scenario;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.run.NotChecked;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class DetectionSettingsTest {
    private static final DetectionRule GANS = new DetectionRule(
            new Glob("gan-*"), null, Map.of(), Map.of("not_learning.severity", "info", "loss_spike.enabled", "false"));

    /** A loss that never falls, which is told at step 500, then NaN. */
    private static Scenario flat(String project) {
        return run -> run.started(body -> body.setProject(project))
                .loss(step -> 2.3 + run.noise(0.05))
                .steps(600)
                .loss(step -> Double.NaN)
                .steps(20);
    }

    private static List<Alert> judge(RunJudge judge, Scenario scenario) {
        JudgedRun run = judge.newRun("run");
        List<Alert> changes = new ArrayList<>();
        for (Moment moment : Judging.moments("run", scenario)) {
            changes.addAll(judge(judge, run, moment));
        }
        return changes;
    }

    private static List<Alert> judge(RunJudge judge, JudgedRun run, Moment moment) {
        return moment.event() == null
                ? judge.tick(run, moment.atMs())
                : judge.judge(run, moment.event(), moment.atMs());
    }

    private static Map<String, Severity> highest(List<Alert> changes) {
        return changes.stream()
                .collect(Collectors.toMap(
                        Alert::getDetector, Alert::getSeverity, (a, b) -> a.compareTo(b) >= 0 ? a : b));
    }

    private static JudgedRun run(RunJudge judge, Scenario scenario) {
        JudgedRun run = judge.newRun("run");
        Judging.moments("run", scenario).forEach(moment -> judge(judge, run, moment));
        return run;
    }

    private static Map<String, String> notChecked(RunJudge judge, JudgedRun run) {
        return judge.status(run).getNotChecked().stream()
                .collect(Collectors.toMap(NotChecked::getDetector, NotChecked::getMissing));
    }

    @Test
    void what_equals_the_defaults_changes_nothing_down_to_the_version() {
        Map<String, String> defaults = new HashMap<>();
        DetectorCatalogue.settings().forEach((key, setting) -> defaults.put(key, setting.standardText()));
        RunJudge spelled = new RunJudge(new DetectionSettings(defaults, List.of()));

        List<Alert> alerts = judge(spelled, flat("a"));
        assertThat(alerts).isNotEmpty().isEqualTo(Judging.of(flat("a")).changes());
        assertThat(alerts)
                .extracting(Alert::getConfigVersion)
                .allMatch(version -> version.matches("[0-9a-f]{16}"))
                .containsOnly(alerts.get(0).getConfigVersion());
    }

    @Test
    void a_rule_judges_the_runs_of_one_project_otherwise_and_no_others() {
        RunJudge judge = new RunJudge(new DetectionSettings(Map.of(), List.of(GANS)));

        List<Alert> plain = judge(judge, flat("llm"));
        List<Alert> gan = judge(judge, flat("gan-7"));
        assertThat(highest(plain)).containsEntry("not_learning", Severity.warning);
        assertThat(highest(gan)).containsEntry("not_learning", Severity.info);
        assertThat(plain.get(0).getConfigVersion())
                .isEqualTo(Judging.of(flat("llm")).changes().get(0).getConfigVersion())
                .isNotEqualTo(gan.get(0).getConfigVersion());
    }

    @Test
    void of_two_rules_the_later_one_counts_and_what_the_run_asks_for_counts_most() {
        DetectionRule team = new DetectionRule(
                null, null, Map.of("team", new Glob("vis*")), Map.of("not_learning.first_check", "200"));
        DetectionRule all = new DetectionRule(null, new Glob("*"), Map.of(), Map.of("not_learning.first_check", "300"));
        RunJudge judge =
                new RunJudge(new DetectionSettings(Map.of("not_learning.first_check", "100"), List.of(team, all)));

        assertThat(openedAt(judge, null, Map.of(), Map.of())).isEqualTo(100);
        assertThat(openedAt(judge, null, Map.of("team", "vision"), Map.of())).isEqualTo(200);
        assertThat(openedAt(judge, "r", Map.of("team", "vision"), Map.of())).isEqualTo(300);
        assertThat(openedAt(judge, "r", Map.of("team", "vision"), Map.of("not_learning.first_check", "400")))
                .isEqualTo(400);
    }

    private static long openedAt(
            RunJudge judge, String name, Map<String, String> labels, Map<String, String> settings) {
        return judge(
                        judge,
                        run -> run.started(body -> {
                                    body.setRunName(name);
                                    body.setLabels(labels);
                                    body.setSettings(settings);
                                })
                                .loss(step -> 2.3 + run.noise(0.05))
                                .steps(600))
                .get(0)
                .getOpenedStep();
    }

    @Test
    void what_a_run_asks_for_in_vain_is_told_and_bounded_and_harms_nothing() {
        RunJudge judge = new RunJudge();
        Map<String, String> hostile = new HashMap<>();
        for (int i = 0; i < 10_000; i++) {
            hostile.put("z".repeat(i % 300) + i, "1");
        }
        JudgedRun run = run(
                judge,
                stream -> stream.started(body -> body.setSettings(Map.of(
                                "loss_plateau.severity", "loud",
                                "loss_plateu.severity", "info",
                                "loss_spike.enabled", "false")))
                        .steps(10));
        assertThat(notChecked(judge, run))
                .containsEntry(
                        RunJudge.RUN_SETTINGS,
                        "ignored: loss_plateau.severity cannot be 'loud', only info, warning, critical;"
                                + " loss_plateu.severity is no setting")
                .containsEntry("loss_spike", RunJudge.SWITCHED_OFF);

        JudgedRun flooded = run(
                judge,
                stream -> stream.started(body -> body.setSettings(hostile)).steps(10));
        assertThat(notChecked(judge, flooded).get(RunJudge.RUN_SETTINGS)).endsWith("; 9997 more");
        assertThat(new JudgedRunCodec(judge).encode(flooded).length)
                .isLessThan(new JudgedRunCodec(judge).encode(run).length + 20_000);
    }

    @Test
    void a_detector_that_is_switched_off_says_so_and_stays_silent() {
        RunJudge judge = new RunJudge(new DetectionSettings(Map.of("not_learning.enabled", "false"), List.of()));

        assertThat(highest(judge(judge, flat("a"))).keySet()).containsExactly("non_finite_loss");
        assertThat(notChecked(judge, run(judge, flat("a")))).containsEntry("not_learning", RunJudge.SWITCHED_OFF);
    }

    @Test
    void a_severity_that_is_held_down_still_explains_what_follows_from_it() {
        // NaN keeps the loss from being judged as anything else: held at info it must not stop doing so.
        Scenario spikes = run -> run.steps(300)
                .steps(40, (body, step) -> body.setLoss(step % 2 == 0 ? Double.NaN : 9.0))
                .steps(100);
        Map<String, Severity> before = highest(Judging.of(spikes).changes());
        Map<String, Severity> held = highest(judge(
                new RunJudge(new DetectionSettings(Map.of("non_finite_loss.severity", "info"), List.of())), spikes));

        assertThat(before).containsEntry("non_finite_loss", Severity.critical);
        Map<String, Severity> expected = new HashMap<>(before);
        expected.put("non_finite_loss", Severity.info);
        assertThat(held).isEqualTo(expected);
    }

    @Test
    void a_state_of_other_settings_is_read_and_judged_by_those_that_count_now() {
        List<Moment> moments = Judging.moments("run", flat("gan-7"));
        RunJudge before = new RunJudge();
        RunJudge after = new RunJudge(new DetectionSettings(Map.of("not_learning.enabled", "false"), List.of(GANS)));
        JudgedRun run = before.newRun("run");
        moments.subList(0, 560).forEach(moment -> judge(before, run, moment));
        assertThat(before.status(run).getOpenAlerts()).containsKey("not_learning");

        JudgedRun restored = new JudgedRunCodec(after).decode(new JudgedRunCodec(before).encode(run));
        assertThat(restored.slotsLost()).isZero();
        List<Alert> changes = judge(after, restored, moments.get(560));
        assertThat(changes).hasSize(1).first().satisfies(alert -> {
            assertThat(alert.getDetector()).isEqualTo("not_learning");
            assertThat(alert.getState()).isEqualTo(AlertState.resolved);
            assertThat(alert.getResolvedStep()).isNull();
            assertThat(alert.getMessage()).endsWith("; switched off by configuration");
            assertThat(alert.getSeverity()).isEqualTo(Severity.info);
        });
        assertThat(notChecked(after, restored))
                .containsEntry("not_learning", RunJudge.SWITCHED_OFF)
                .containsEntry("loss_spike", RunJudge.SWITCHED_OFF);

        // And back: the rule matched by what the state remembers of the declaration.
        JudgedRun again = new JudgedRunCodec(before).decode(new JudgedRunCodec(after).encode(restored));
        assertThat(again.slotsLost()).isZero();
        assertThat(notChecked(before, again)).doesNotContainValue(RunJudge.SWITCHED_OFF);
    }

    @Test
    void a_declaration_amid_a_run_changes_how_it_is_judged_from_there_on() {
        RunJudge judge = new RunJudge(new DetectionSettings(Map.of(), List.of(GANS)));
        List<Alert> changes = judge(
                judge,
                run -> run.loss(step -> 2.3 + run.noise(0.05))
                        .steps(550)
                        .started(body -> body.setProject("gan-1"))
                        .steps(10));
        assertThat(highest(changes)).containsEntry("not_learning", Severity.warning);
        JudgedRun run = run(
                judge,
                stream -> stream.loss(step -> 2.3 + stream.noise(0.05))
                        .steps(550)
                        .started(body -> body.setProject("gan-1"))
                        .steps(10));
        assertThat(judge.status(run).getOpenAlerts()).containsEntry("not_learning", "info");
    }

    @Test
    void settings_that_no_detector_has_are_refused() {
        assertThatThrownBy(() -> new DetectionSettings(Map.of("loss_plateau.patience", "3"), List.of()))
                .hasMessage("loss_plateau.patience cannot be 3");
        assertThatThrownBy(() -> new DetectionSettings(Map.of("loss_spike.sigmas", "1"), List.of()))
                .hasMessage("loss_spike.sigmas cannot be 1");
    }

    @Test
    void every_setting_of_a_detector_makes_another_detector_and_another_version() {
        TreeSet<String> same = new TreeSet<>();
        DetectorCatalogue.settings().forEach((key, setting) -> {
            String other = List.of("false", "info", "7", "0.6", "3h", "17", "60", "0.07", "0.001", "x").stream()
                    .filter(text -> setting.canonical(text).isPresent()
                            && !setting.canonical(text).get().equals(setting.standardText()))
                    .findFirst()
                    .orElseThrow(() -> new AssertionError("no other value for " + key));
            String version = new Panel(DetectorCatalogue.with(Map.of(key, other)), Map.of(key, other)).terms.version();
            if (version.equals(new Panel(DetectorCatalogue.defaults(), Map.of()).terms.version())) {
                same.add(key);
            }
            boolean generic = setting == DetectorCatalogue.ENABLED || setting == DetectorCatalogue.SEVERITY;
            if (!generic && DetectorCatalogue.with(Map.of(key, other)).equals(DetectorCatalogue.defaults())) {
                same.add(key);
            }
        });
        assertThat(same).isEmpty();
    }
}
