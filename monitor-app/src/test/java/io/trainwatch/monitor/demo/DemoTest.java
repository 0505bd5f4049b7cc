package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.web.Browser;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.errors.InterruptException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * The whole way: real trainings, the SDK, a real broker, the real topology, the alerts topic, and what a person sees of them in
 * Chromium meanwhile. Takes a good minute; pictures are in {@code target/page}.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DemoTest {
    private static final Path PICTURES = Path.of("target", "page");
    private static final String TOO_HIGH = "learning-rate-too-high";

    /** The row of a run in the fleet. */
    private static final String ROW = "[...document.querySelectorAll('.rows .row')].find((row) =>"
            + " row.querySelector('.name').textContent === '%s')";

    private static final StringWriter told = new StringWriter();

    @TempDir
    static Path dir;

    private static Thread demo;
    private static Browser browser;
    private static String page;

    @BeforeAll
    static void start() throws Exception {
        browser = Browser.start();
        demo = new Thread(DemoTest::play, "demo");
        demo.start();
        page = told("page +(\\S+)");
    }

    private static void play() {
        try {
            new Demo(
                            new PrintWriter(told),
                            Ink.PLAIN,
                            new HttpSettings("127.0.0.1", 0, null),
                            NotifySettings.NOBODY,
                            "test")
                    .forever();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException | InterruptException e) {
            // As it is ended.
        }
    }

    /** What stands in a line of the demonstration, as soon as it is there. */
    private static String told(String pattern) {
        return await().atMost(Duration.ofMinutes(4))
                .until(() -> Pattern.compile(pattern).matcher(told.toString()), Matcher::find)
                .group(1);
    }

    @AfterAll
    static void stop() throws Exception {
        demo.interrupt();
        demo.join();
        browser.close();
    }

    @BeforeEach
    void desktop() {
        browser.desktop();
    }

    @AfterEach
    void nothing_went_wrong_in_the_browser() {
        assertThat(browser.problems()).isEmpty();
    }

    @Test
    @Order(1)
    void a_run_that_appears_and_turns_nan_is_shown_without_a_reload() throws Exception {
        browser.open(page);
        browser.until("document.getElementById('connection').dataset.state === 'live'");
        browser.value("window.stays = 'here'");
        // What a person sees is asked at every change of the page, and not when this test comes round to it.
        browser.value("""
                (() => {
                  window.seen = {};
                  new MutationObserver(() => {
                    const row = %s;
                    if (row) {
                      window.seen.appeared ??= Date.now();
                      if (row.classList.contains('critical') && row.querySelector('.loss').textContent === 'NaN') {
                        window.seen.sick ??= Date.now();
                      }
                    }
                  }).observe(document.getElementById('page'),
                      { subtree: true, childList: true, attributes: true, characterData: true });
                })()""".formatted(ROW.formatted("newcomer")));
        try (TrainingRun run = Trainwatch.run("newcomer")
                .project("demo")
                .spoolDirectory(dir)
                .start("kafka:" + told("--bootstrap-servers (\\S+)"))) {
            long begunMs = System.currentTimeMillis();
            run.step(1, 2.3);
            browser.until("window.seen.appeared !== undefined");
            for (int step = 2; step <= 80; step++) {
                run.step(step, 2.3 / Math.sqrt(step));
            }
            browser.until(ROW.formatted("newcomer") + ".querySelector('.step').textContent === 'step 80'");
            long brokenMs = System.currentTimeMillis();
            run.step(81, Double.NaN);
            browser.until("window.seen.sick !== undefined");

            assertThat(browser.text(".rows .row.critical .what")).startsWith("loss is NaN");
            assertThat(browser.value("window.stays").asText()).isEqualTo("here");
            System.out.printf(
                    "on the screen: a new run after %d ms, its NaN after %d ms%n",
                    browser.value("window.seen.appeared").asLong() - begunMs,
                    browser.value("window.seen.sick").asLong() - brokenMs);
        }
    }

    @Test
    @Order(2)
    void the_fleet_shows_the_sick_runs_first_and_what_is_wrong_with_each() throws IOException {
        browser.open(page);
        browser.until("document.querySelectorAll('.rows .row:is(.critical, .warning)').length >= 3");

        assertThat(browser.texts(".rows .row").subList(0, 3))
                .allMatch(row -> row.matches("(critical|warning|failed|silent)for \\d+ .*likely: .*"));
        assertThat(browser.text(".sentence")).matches("\\d+ of \\d+ runs are sick.*");
        photograph("#/", "fleet", "document.querySelectorAll('.rows .row').length > 3");
    }

    @Test
    @Order(3)
    void a_run_shows_what_is_wrong_why_and_since_when_beside_its_curves() throws IOException {
        browser.open(page);
        browser.until(ROW.formatted(TOO_HIGH) + "?.querySelector('.loss').textContent === 'NaN'");
        browser.go("#/run/" + TOO_HIGH);
        browser.until("document.querySelectorAll('canvas').length >= 4");

        assertThat(browser.text(".heading h1")).isEqualTo(TOO_HIGH);
        assertThat(browser.value("document.querySelector('.chart[aria-label=loss] .log').ariaPressed")
                        .asText())
                .as("a loss that exploded is drawn on a logarithmic axis")
                .isEqualTo("true");
        assertThat(browser.texts(".episodes .detector")).contains("non_finite_loss");
        assertThat(browser.texts(".episodes .when")).anyMatch(when -> when.contains("from step 6"));
        browser.until("[...document.querySelectorAll('.episodes .head[aria-expanded=false]')].every((head) =>"
                + " (head.click(), true)) && document.querySelector('.episodes .fix') !== null");
        assertThat(browser.texts(".episodes .cause h3"))
                .anyMatch(cause -> cause.startsWith("likely: The learning rate is too high"));
        photograph("#/run/" + TOO_HIGH, "run", "document.querySelectorAll('canvas').length >= 4");
        photograph(
                "#/run/input-rescaled",
                "run-features",
                "document.querySelectorAll('.heat canvas').length === 1"
                        + " && (document.querySelector('.heat').scrollIntoView(), true)");
    }

    @Test
    @Order(4)
    void runs_are_compared_and_alerts_listed() throws IOException {
        browser.open(page);
        String compared = "#/compare?run=healthy-constant-rate&run=corrupt-batches&run=input-rescaled";
        String drawn = "document.querySelectorAll('table.runs tbody tr').length === 3"
                + " && document.querySelectorAll('canvas').length === 1";
        photograph(compared, "compare", drawn);
        assertThat(browser.texts("table.runs tbody a"))
                .containsExactly("healthy-constant-rate", "corrupt-batches", "input-rescaled");

        photograph("#/alerts", "alerts", "document.querySelectorAll('article').length > 0");
        browser.value("(() => { const box = document.querySelector('select[aria-label=State]');"
                + " box.value = ''; box.dispatchEvent(new Event('change')); })()");
        browser.until("document.querySelectorAll('article').length > 4");
        assertThat(browser.texts("article .detector")).contains("non_finite_loss", "feature_drift train");
    }

    @Test
    @Order(5)
    void played_once_it_finds_every_planted_fault_and_nothing_in_the_healthy_runs() {
        told("(The healthy trainings go on)");

        assertThat(told.toString()).contains("Every planted fault was raised and the healthy runs stayed quiet.");
        assertThat(told.toString().lines().filter(line -> line.startsWith("found ")))
                .hasSize(8);
        assertThat(told.toString().lines().filter(line -> line.startsWith("quiet ")))
                .hasSize(2);
        assertThat(told.toString()).doesNotContain("false alarm");
    }

    /** On a desk and on a phone, light and dark. */
    private static void photograph(String place, String name, String ready) throws IOException {
        for (String device : List.of("phone", "desktop")) {
            boolean phone = device.equals("phone");
            browser.size(phone ? 390 : 1440, phone ? 844 : 900, phone);
            for (String scheme : List.of("dark", "light")) {
                browser.scheme(scheme);
                browser.open(page + place);
                browser.until(ready);
                browser.photograph(PICTURES.resolve("demo-%s-%s-%s.png".formatted(name, device, scheme)));
            }
        }
    }
}
