package io.trainwatch.monitor.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainwatch.monitor.notify.CommandSettings.Policy;
import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.notify.SinkSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NotifySectionTest {
    private static final Path README = Path.of("../README.md");
    private static final Map<String, String> SECRETS = Map.of(
            "PAGERDUTY_ROUTING_KEY", "k".repeat(32),
            "SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/x",
            "HOOK_SECRET", "0123456789abcdef",
            "SMTP_PASSWORD", "secret",
            "APPROVAL_SECRET", "0123456789abcdef0123456789abcdef");

    @TempDir
    Path dir;

    @Test
    void by_default_nobody_is_told_and_no_trainer_is_commanded() {
        assertThat(Configuration.defaults().notifySettings()).isEqualTo(NotifySettings.NOBODY);
    }

    @Test
    void every_example_of_the_readme_can_be_used() throws Exception {
        String section = Files.readString(README);
        section = section.substring(section.indexOf("\n## Be paged"));
        section = section.substring(0, section.indexOf("\n## ", 5));
        Matcher examples = Pattern.compile("```yaml\n(.*?)```", Pattern.DOTALL).matcher(section);
        int found = 0;
        while (examples.find()) {
            NotifySettings settings = read(examples.group(1));
            assertThat(settings.sinks().isEmpty() && settings.commands().on().isEmpty())
                    .isFalse();
            found++;
        }
        assertThat(found).isGreaterThanOrEqualTo(3);
    }

    @Test
    void sinks_routes_and_commands_are_read() throws Exception {
        NotifySettings settings = read("""
                notify:
                  base_url: https://monitor.example
                  sinks:
                    - {name: oncall, type: pagerduty, routing_key_env: PAGERDUTY_ROUTING_KEY}
                    - {name: mail, type: email, host: smtp.example.com, from: a@example.com, to: [b@example.com, c@example.com]}
                  routes:
                    - {match: {severity: critical, labels: {team: vision}}, sinks: [oncall, mail]}
                    - {match: {project: "scratch-*"}, sinks: []}
                  quiet_hours: {from: "22:00", to: "07:00", zone: Europe/Berlin}
                  give_up_after: 2h
                commands:
                  on: {non_finite_loss: checkpoint_then_stop, loss_divergence: ask}
                  approval_secret_env: APPROVAL_SECRET
                """);

        assertThat(settings.sinks()).extracting(SinkSettings::name).containsExactly("oncall", "mail");
        assertThat(settings.sinks()).extracting(SinkSettings::type).containsExactly("pagerduty", "email");
        assertThat(settings.routes().routes()).hasSize(2);
        assertThat(settings.routes().routes().get(1).sinks()).isEmpty();
        assertThat(settings.giveUpAfter()).isEqualTo(Duration.ofHours(2));
        assertThat(settings.commands().on())
                .containsEntry("non_finite_loss", Policy.CHECKPOINT_THEN_STOP)
                .containsEntry("loss_divergence", Policy.ASK);
        assertThat(settings.toString()).doesNotContain("kkkk", "0123456789abcdef");
    }

    @Test
    void a_secret_may_be_in_a_file() throws Exception {
        Path secret = Files.writeString(dir.resolve("slack"), "https://hooks.slack.com/services/T/B/x\n");

        NotifySettings settings = read("notify: {sinks: [{name: team, type: slack, url_file: " + secret + "}]}");

        assertThat(settings.sinks()).hasSize(1);
    }

    @Test
    void what_cannot_be_used_is_named_with_its_line_and_the_remedy() {
        refuses(
                "notify: {sinks: [{name: a, type: pigeon}]}",
                "notify.sinks[0].type: 'pigeon' is not allowed here: alertmanager,");
        refuses("notify: {sinks: [{name: a}]}", "notify.sinks[0]: needs a type: alertmanager,");
        refuses("notify: {sinks: [{type: log}]}", "notify.sinks[0]: needs a name");
        refuses("notify: {sinks: [{name: A B, type: log}]}", "1 to 40 lower-case letters");
        refuses("notify: {sinks: [{name: a, type: log}, {name: a, type: log}]}", "'a' is the name of two sinks");
        refuses("notify: {sinks: [{name: a, type: slack}]}", "notify.sinks[0]: needs url_file or url_env");
        refuses("notify: {sinks: [{name: a, type: slack, url_env: NOPE}]}", "the environment has no variable NOPE");
        refuses(
                "notify: {sinks: [{name: a, type: slack, url_file: /no/such}]}",
                "cannot read /no/such: there is no such file");
        refuses(
                "notify: {sinks: [{name: a, type: slack, url: x}]}",
                "notify.sinks[0].url: unknown key; allowed under notify.sinks[0]: name, type, url_env, url_file");
        refuses(
                "notify: {sinks: [{name: a, type: webhook, url: 'ftp://x'}]}",
                "'ftp://x' is not allowed here: an http or https address");
        refuses(
                "notify: {sinks: [{name: a, type: email, host: h, from: nobody, to: b@c.d}]}",
                "from: 'nobody' is no mail address");
        refuses("notify: {sinks: [log]}", "a list of sections, each like");
        refuses("notify: {routes: [{sinks: [nobody]}]}", "'nobody' is no sink; there are: none");
        refuses(
                "notify: {routes: [{match: {severity: info}, sinks: []}]}",
                "'info' is not allowed here: warning, critical");
        refuses("notify: {routes: [{match: {project: a}}]}", "notify.routes[0]: needs sinks");
        refuses("notify: {quiet_hours: {from: '22:00'}}", "notify.quiet_hours: needs from and to");
        refuses("notify: {quiet_hours: {from: '22:00', to: '25:00'}}", "'25:00' is not allowed here: a time of day");
        refuses("notify: {quiet_hours: {from: '22:00', to: '07:00', zone: Mars}}", "'Mars' is no time zone");
        refuses(
                "notify: {heartbeat: {sink: a}, sinks: [{name: a, type: log}]}",
                "'a' is no sink of type alertmanager or webhook");
        refuses("commands: {on: {loss_spkie: stop}}", "commands.on.loss_spkie: no detector has this name");
        refuses("commands: {on: {loss_spike: explode}}", "'explode' is not allowed here: notify, checkpoint,");
        refuses("commands: {on: {loss_spike: ask}}", "'ask' needs commands.approval_secret_file");
    }

    private void refuses(String yaml, String message) {
        assertThatThrownBy(() -> read(yaml))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(message);
    }

    private NotifySettings read(String yaml) throws IOException, ConfigurationException {
        Path file = Files.writeString(dir.resolve("trainwatch.yaml"), yaml);
        return Configuration.read(file, new HashMap<>(SECRETS), Map.of()).notifySettings();
    }
}
