package io.trainwatch.monitor.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.board.RunBoard;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The live page as a person sees it: Chromium shows what a server serves of runs that were really judged. */
class PageTest {
    private static final Path PICTURES = Path.of("target", "page");
    private static final long MINUTE_MS = 60_000;

    private static final RunBoard board = new RunBoard();
    private static final JudgedFleet fleet = new JudgedFleet(board);
    private static final List<String> asked = new CopyOnWriteArrayList<>();
    private static WebServer server;
    private static Browser browser;

    @BeforeAll
    static void start() throws Exception {
        browser = Browser.start();
        server = serve(0);
        fleet.play(
                "healthy-cosine",
                2_000,
                run -> run.started(declared -> {
                            declared.setProject("vision");
                            declared.setModelName("resnet-50");
                            declared.setMaxSteps(10_000L);
                            declared.setGlobalBatchSize(256L);
                        })
                        .steps(4_000));
        fleet.play(
                "nan-after-warmup",
                3 * MINUTE_MS,
                run -> run.started(declared -> {
                            declared.setProject("language");
                            declared.setModelName("gpt-125m");
                            declared.setMaxSteps(20_000L);
                            declared.setGlobalBatchSize(512L);
                            declared.setSequenceLength(1024);
                        })
                        .steps(600)
                        .gradNorm(step -> 40 * Math.exp(0.1 * (step - 600)))
                        .steps(30)
                        .step(Double.NaN)
                        .step(Double.NaN)
                        .steps(40, (body, at) -> {
                            body.setLoss(Double.NaN);
                            body.setGradNorm(Double.NaN);
                        }));
        fleet.play(
                "spiky",
                20_000,
                run -> run.started(declared -> {
                            declared.setProject("language");
                            declared.setModelName("gpt-350m");
                        })
                        .steps(900)
                        .step(9.5)
                        .steps(400)
                        .checkpointSaved("/checkpoints/spiky/1300")
                        .resumeAt(1_200)
                        .steps(300)
                        .phaseChanged("sequence length 1024 to 4096")
                        .steps(200));
        fleet.play("overfits", 5_000, PageTest::overfits);
        fleet.play("layers-die", 8_000, PageTest::layersDie);
        fleet.play(
                "done-long-ago",
                40 * MINUTE_MS,
                run -> run.started(declared -> declared.setProject("vision"))
                        .steps(500)
                        .finished(FinishStatus.completed));
        fleet.play(
                "out-of-memory",
                12 * MINUTE_MS,
                run -> run.started(declared -> declared.setProject("vision"))
                        .steps(80)
                        .finished(FinishStatus.failed));
    }

    private static void overfits(RunStream run) {
        run.started(declared -> {
            declared.setProject("vision");
            declared.setModelName("vit-small");
            declared.setMaxSteps(6_000L);
        });
        for (int i = 1; i <= 40; i++) {
            double validation = i < 14 ? 2.2 - 0.05 * i : 1.5 + 0.03 * (i - 14);
            double accuracy = i < 14 ? 0.4 + 0.02 * i : 0.68 - 0.004 * (i - 14);
            run.loss(step -> 0.2 + 2.3 * Math.exp(-step / 900.0) + run.noise(0.01))
                    .steps(100, (body, at) -> body.setMetrics(Map.of("accuracy", 1 - Math.exp(-at / 1_500.0))))
                    .evaluation(Map.of("loss", validation + run.noise(0.004), "accuracy", accuracy), body -> {});
        }
    }

    private static void layersDie(RunStream run) {
        run.started(declared -> declared.setProject("vision"));
        for (int i = 1; i <= 30; i++) {
            List<TensorSummary> tensors = new ArrayList<>();
            for (int layer = 0; layer < 12; layer++) {
                double dead = i < 15 ? 0.02 : Math.min(1, 0.1 * (i - 15) * (1 - layer / 14.0));
                tensors.add(tensor("blocks." + layer + ".relu", TensorKind.activation, 0, dead));
                double norm = Math.exp(-0.2 * layer - (i < 15 ? 0 : 0.4 * (i - 15) * (1 - layer / 12.0)));
                tensors.add(tensor("blocks." + layer + ".fc.weight", TensorKind.gradient, norm, Double.NaN));
            }
            run.steps(50).tensors(tensors);
        }
    }

    private static TensorSummary tensor(String name, TensorKind kind, double norm, double dead) {
        TensorSummary tensor = new TensorSummary();
        tensor.setName(name);
        tensor.setKind(kind);
        tensor.setCount(4_096L);
        if (kind == TensorKind.activation) {
            tensor.setDeadUnitFraction(dead);
            tensor.setDeadWindowBatches(50);
        } else {
            tensor.setL2Norm(norm);
        }
        return tensor;
    }

    private static WebServer serve(int port) throws IOException {
        return serve(port, board, Peers.Directory.ALONE);
    }

    private static WebServer serve(int port, RunBoard of, Peers.Directory directory) throws IOException {
        return WebServer.start(
                new HttpSettings("127.0.0.1", port, null),
                of,
                new PrometheusRegistry(),
                Optional::empty,
                directory,
                List.of(PageTest::silences));
    }

    /** As far as the page needs them: it shows its buttons where there is something behind them. */
    private static void silences(RoutesConfig routes) {
        routes.get(
                "/api/v1/silences",
                context -> context.result(
                                "{\"silences\":[{\"id\":\"0123456789abcdef\",\"run_id\":\"noisy-*\",\"comment\":\"known\","
                                        + "\"created_by\":\"anna\",\"expires_at_ms\":1800000000000}]}")
                        .contentType("application/json"));
        routes.get(
                "/api/v1/acknowledgements",
                context -> context.result("{\"acknowledgements\":[]}").contentType("application/json"));
        routes.post("/api/v1/silences", context -> answer(context, context.body()));
        routes.delete("/api/v1/silences/{id}", context -> answer(context, "end " + context.pathParam("id")));
        routes.post(
                "/api/v1/alerts/{id}/acknowledge",
                context -> answer(context, context.pathParam("id") + " " + context.body()));
    }

    private static void answer(Context context, String what) {
        asked.add(what);
        context.result("{}").contentType("application/json");
    }

    @AfterAll
    static void stop() throws IOException {
        server.close();
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

    @ParameterizedTest
    @CsvSource({"desktop,light", "desktop,dark", "phone,light", "phone,dark"})
    void every_page_is_photographed(String device, String scheme) throws IOException {
        boolean phone = device.equals("phone");
        browser.size(phone ? 390 : 1440, phone ? 844 : 900, phone);
        browser.scheme(scheme);
        browser.open(server.url());
        photograph("#/", "fleet", device, scheme, "document.querySelectorAll('.rows .row').length > 3");
        photograph(
                "#/run/nan-after-warmup", "run-nan", device, scheme, "document.querySelectorAll('canvas').length > 3");
        photograph("#/run/overfits", "run-overfits", device, scheme, "document.querySelectorAll('canvas').length > 3");
        photograph(
                "#/run/layers-die",
                "run-layers",
                device,
                scheme,
                "document.querySelectorAll('.heat canvas').length === 2"
                        + " && (document.querySelector('.heat').scrollIntoView(), true)");
        photograph("#/run/spiky", "run-spiky", device, scheme, "document.querySelectorAll('canvas').length > 3");
        photograph(
                "#/compare?run=healthy-cosine&run=overfits&run=spiky",
                "compare",
                device,
                scheme,
                "document.querySelectorAll('table.runs tbody td b, table.runs tbody tr').length === 3");
        photograph("#/alerts", "alerts", device, scheme, "document.querySelectorAll('article').length > 1");
        browser.open(server.url() + "/runbook/non_finite_loss");
        browser.photograph(PICTURES.resolve("runbook-" + device + "-" + scheme + ".png"));
    }

    @Test
    void the_fleet_says_first_which_run_is_sick_for_how_long_and_why() {
        browser.open(server.url());
        browser.until("document.querySelectorAll('.rows .row').length > 3");

        assertThat(browser.text(".sentence"))
                .matches("4 of \\d+ runs are sicknan-after-warmup critical for \\d mingradient norm is 48.86, .*");
        assertThat(browser.value("document.title").asText()).isEqualTo("(4 sick) trainwatch");
        assertThat(browser.texts(".rows .row.critical .name")).containsExactly("nan-after-warmup", "layers-die");
        assertThat(browser.text(".rows .row.critical .what"))
                .isEqualTo("gradient norm is 48.86, 97.13 times its median of 0.503");
        assertThat(browser.text(".rows .row.critical .loss")).isEqualTo("NaN");
        assertThat(browser.texts(".rows .row.failed .name")).containsExactly("out-of-memory");
        assertThat(browser.texts(".rows .row.warning .name")).containsExactly("overfits");
    }

    @Test
    void a_run_that_appears_and_turns_nan_is_shown_within_a_second_and_without_a_reload() {
        browser.open(server.url());
        browser.until("document.querySelectorAll('.rows .row').length > 3");
        browser.value("window.stays = 'here'");
        String row = "[...document.querySelectorAll('.rows .row')].find((row) =>"
                + " row.querySelector('.name').textContent === 'newcomer')";

        RunStream run = fleet.live("newcomer");
        run.steps(1);
        long appearedMs = millisUntil(row + " !== undefined");
        run.steps(80).step(Double.NaN).step(Double.NaN);
        long turnedMs = millisUntil(row + "?.classList.contains('critical')" + " && " + row
                + ".querySelector('.what').textContent.startsWith('loss is NaN')");

        System.out.println("appeared after " + appearedMs + " ms, turned critical after " + turnedMs + " ms");
        assertThat(appearedMs).isLessThan(1_000);
        assertThat(turnedMs).isLessThan(1_000);
        assertThat(browser.value("window.stays").asText()).isEqualTo("here");
        fleet.remove("newcomer");
        browser.until(row + " === undefined");
    }

    @Test
    void a_run_shows_its_curves_its_episodes_their_causes_and_what_was_not_checked() {
        browser.open(server.url() + "/#/run/nan-after-warmup");
        browser.until("document.querySelectorAll('canvas').length > 3");

        assertThat(browser.text(".heading h1")).isEqualTo("nan-after-warmup");
        assertThat(browser.text(".verdict b")).matches("critical for \\d min");
        assertThat(browser.texts(".episodes .detector"))
                .containsExactlyInAnyOrder("exploding_gradient", "non_finite_loss", "non_finite_gradient");
        assertThat(browser.text(".episodes .cause h3")).startsWith("likely: The learning rate is too high");
        assertThat(browser.text(".episodes .fix")).contains("Lower the learning rate");
        assertThat(browser.text("details summary")).matches("Not checked: \\d+ detectors");
        assertThat(browser.texts(".chart h2"))
                .containsExactly("loss", "gradient norm", "learning rate", "throughput, steps/s");
        browser.click("[data-axis=tokens]");
        browser.until("document.querySelector('[data-axis=tokens]').getAttribute('aria-pressed') === 'true'");
        browser.press("j");
        browser.until("document.querySelector('.episodes .selected') !== null");
        browser.press("Escape");
        browser.press("Escape");
        browser.until("location.hash === '#/'");
    }

    @Test
    void training_and_validation_are_in_one_chart_and_a_metric_of_both_too() {
        browser.open(server.url() + "/#/run/overfits");
        browser.until("document.querySelectorAll('canvas').length > 4");

        assertThat(browser.texts(".chart[aria-label=loss] .legend bdi")).containsExactly("train", "val");
        assertThat(browser.texts(".chart[aria-label=accuracy] .legend bdi")).containsExactly("train", "val");
    }

    @Test
    void layers_are_heat_maps() {
        browser.open(server.url() + "/#/run/layers-die");
        browser.until("document.querySelectorAll('.heat canvas').length === 2");

        assertThat(browser.texts(".heat h2")).containsExactly("gradient norm by layer", "dead units by layer");
    }

    @Test
    void runs_are_marked_with_keys_and_compared() {
        browser.open(server.url());
        browser.until("document.querySelectorAll('.rows .row').length > 3");
        browser.press("j");
        browser.press("x");
        browser.press("j");
        browser.press("x");
        browser.press("c");
        browser.until("document.querySelectorAll('table.runs tbody tr').length === 2");
        browser.until("document.querySelectorAll('canvas').length === 1");
        assertThat(browser.texts("table.runs tbody a")).containsExactly("nan-after-warmup", "layers-die");
        browser.press("f");
        browser.until("document.querySelectorAll('.rows .row').length > 3");
        browser.press("x");
        browser.press("k");
        browser.press("x");
    }

    @Test
    void a_search_and_a_state_narrow_the_fleet_and_escape_widens_it_again() {
        browser.open(server.url());
        browser.until("document.querySelectorAll('.rows .row').length > 3");
        browser.press("/");
        browser.send("Input.insertText", Map.of("text", "vit-small"));
        browser.until("document.querySelectorAll('.rows .row').length === 1");
        assertThat(browser.text(".rows .name")).isEqualTo("overfits");
        browser.press("Escape");
        browser.press("Escape");
        browser.until("document.querySelectorAll('.rows .row').length > 3");
        browser.click(".tile.warning");
        browser.until("document.querySelectorAll('.rows .row').length === 1");
        browser.press("Escape");
        browser.press("?");
        browser.until("document.querySelector('dialog')?.open");
        browser.press("Escape");
        browser.until("document.querySelector('dialog') === null");
    }

    @Test
    void alerts_are_filtered_acknowledged_and_silenced() {
        browser.open(server.url() + "/#/alerts");
        browser.until("document.querySelectorAll('article').length === 5");
        assertThat(browser.texts("article .detector"))
                .containsExactly(
                        "non_finite_gradient",
                        "non_finite_loss",
                        "exploding_gradient",
                        "dead_units",
                        "train_val_divergence val");

        browser.value("(() => { const box = document.querySelector('select[aria-label=Severity]');"
                + " box.value = 'critical'; box.dispatchEvent(new Event('change')); })()");
        browser.until("document.querySelectorAll('article').length === 4");
        browser.until("document.querySelector('article .actions').hidden === false");
        String alert =
                browser.value("document.querySelector('article').dataset.alert").asText();
        browser.click("article .actions button");
        browser.until(
                "document.querySelector('article .actions [role=status]').textContent === 'acknowledged for 4 h'");
        browser.click("article .actions button:nth-of-type(2)");
        browser.until("document.querySelector('article .actions [role=status]').textContent === 'silenced for 1 h'");
        browser.until("document.querySelector('.silences li')?.textContent.includes('run noisy-* (anna: known)')");
        browser.click(".silences button");
        Awaitility.await().until(() -> asked.size() == 3);
        assertThat(asked)
                .containsExactly(
                        alert + " {\"for\":\"4h\"}",
                        "{\"run_id\":\"nan-after-warmup\",\"for\":\"1h\",\"comment\":\"from the page\"}",
                        "end 0123456789abcdef");
    }

    @Test
    void a_hostile_name_is_text_everywhere() {
        List<String> names = List.of(
                "<img src=x onerror=\"document.title='stolen'\">",
                "\"'`${alert(1)}</script><script>document.title='stolen'</script>",
                "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
                "javascript:alert(1)",
                "a/b?c=d#e&f%2Fg",
                "very long " + "x".repeat(246));
        for (String name : names) {
            fleet.play(
                    name,
                    0,
                    run -> run.started(declared -> {
                                declared.setProject(name);
                                declared.setModelName(name);
                                declared.setRunName(name);
                            })
                            .steps(
                                    80,
                                    (body, at) -> body.setMetrics(
                                            Map.of(name.substring(0, Math.min(100, name.length())), 1.0)))
                            .step(Double.NaN)
                            .step(Double.NaN));
        }
        browser.open(server.url());
        browser.until("document.querySelectorAll('.rows .row').length > 6");
        assertThat(browser.texts(".rows .name")).containsAll(names);
        for (String name : names) {
            String path = URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
            browser.go("#/run/" + path);
            browser.until("document.querySelectorAll('canvas').length > 3");
            assertThat(browser.text(".heading h1")).isEqualTo(name);
            assertThat(browser.texts(".chart h2")).contains(name.substring(0, Math.min(100, name.length())));
            browser.go("#/compare?run=" + path);
            browser.until("document.querySelectorAll('table.runs tbody tr').length === 1");
            assertThat(browser.texts("table.runs tbody a")).containsExactly(name);
        }
        browser.go("#/alerts");
        browser.until("document.querySelectorAll('article').length > 6");
        assertThat(browser.texts("article .of > bdi")).containsAll(names);
        assertThat(browser.value("document.querySelectorAll('img, body script').length")
                        .asInt())
                .isZero();
        assertThat(browser.value("document.title").asText()).doesNotContain("stolen");
        assertThat(browser.value("document.documentElement.scrollWidth <= innerWidth")
                        .asBoolean())
                .as("they make the page no wider")
                .isTrue();
        names.forEach(fleet::remove);
    }

    @Test
    void after_a_restart_of_the_server_the_page_goes_on_by_itself() throws IOException {
        browser.open(server.url());
        browser.until("document.getElementById('connection').dataset.state === 'live'");
        browser.value("window.stays = 'here'");
        int port = server.port();
        server.close();
        browser.until("document.getElementById('connection').dataset.state === 'lost'");
        fleet.live("while-away").steps(1);
        server = serve(port);
        browser.until("document.getElementById('connection').dataset.state === 'live'");
        browser.until(
                "[...document.querySelectorAll('.rows .name')].some((name) => name.textContent === 'while-away')");
        assertThat(browser.value("window.stays").asText()).isEqualTo("here");
        fleet.remove("while-away");
        assertThat(browser.problems())
                .allMatch(problem -> problem.contains("ERR_CONNECTION_REFUSED")
                        || problem.contains("ERR_INCOMPLETE_CHUNKED_ENCODING")
                        || problem.contains("503"));
        browser.forgetProblems();
    }

    @Test
    void the_page_of_one_instance_shows_the_runs_of_all_and_says_which_does_not_answer() throws IOException {
        RunBoard elsewhere = new RunBoard();
        JudgedFleet others = new JudgedFleet(elsewhere);
        RunStream run = others.live("elsewhere");
        run.steps(80);
        String row = "[...document.querySelectorAll('.rows .row')].find((row) =>"
                + " row.querySelector('.name').textContent === 'elsewhere')";
        WebServer other = serve(0, elsewhere, Peers.Directory.ALONE);
        String address = "127.0.0.1:" + other.port();
        try (WebServer here = serve(0, board, alsoAt(address))) {
            browser.open(here.url());
            browser.until(row + " !== undefined && document.querySelectorAll('.rows .row').length > 4");
            run.step(Double.NaN).step(Double.NaN);
            browser.until(row + ".classList.contains('critical')");
            browser.go("#/run/elsewhere");
            browser.until("document.querySelectorAll('canvas').length > 2");
            assertThat(browser.texts(".episodes .detector")).contains("non_finite_loss");
            browser.go("#/");
            other.close();
            browser.until("document.getElementById('trouble').textContent"
                    + " === 'The instance at " + address
                    + " does not answer; its runs are shown as they last were.'");
            assertThat(browser.value(row + " !== undefined").asBoolean()).isTrue();
        } finally {
            other.close();
        }
        browser.open("about:blank#");
        browser.forgetProblems();
    }

    private static Peers.Directory alsoAt(String address) {
        return new Peers.Directory() {
            @Override
            public Optional<String> judgeOf(String runId) {
                return Optional.of(address);
            }

            @Override
            public Set<String> others() {
                return Set.of(address);
            }
        };
    }

    @Test
    void a_page_of_a_guarded_monitor_asks_for_the_token() throws IOException {
        String token = "0123456789abcdef0123456789abcdef";
        try (WebServer guarded = WebServer.start(
                new HttpSettings("127.0.0.1", 0, new BearerToken(token)),
                board,
                new PrometheusRegistry(),
                Optional::empty,
                List.of(PageTest::silences))) {
            browser.open(guarded.url() + "/");
            browser.until("document.getElementById('token') !== null");
            browser.photograph(PICTURES.resolve("login-desktop-light.png"));
            browser.value("document.getElementById('token').value = 'not-this-one-surely'");
            browser.click("form button");
            browser.until("document.querySelector('form .wrong').textContent.startsWith('this is not the token')");
            browser.value("document.getElementById('token').value = '" + token + "'");
            browser.click("form button");
            browser.until("document.querySelectorAll('.rows .row').length > 3");
            assertThat(browser.value("document.cookie").asText()).isEmpty();
            assertThat(browser.problems()).allMatch(problem -> problem.contains("401") || problem.contains("403"));
            browser.forgetProblems();
            browser.open("about:blank#");
        }
    }

    @Test
    void the_page_fits_the_narrowest_phone_and_moves_nothing_while_it_lives() {
        browser.size(360, 740, true);
        browser.open(server.url());
        browser.until("document.querySelectorAll('.rows .row').length > 3");
        browser.value("(() => { window.shift = 0; new PerformanceObserver((list) => list.getEntries().forEach((one) =>"
                + " window.shift += one.value)).observe({ type: 'layout-shift', buffered: false }); })()");
        for (String page : List.of("#/run/overfits", "#/compare?run=overfits", "#/alerts", "#/")) {
            browser.go(page);
            browser.until("document.querySelectorAll('canvas, article, .rows .row').length > 0");
            assertThat(browser.value("document.documentElement.scrollWidth").asInt())
                    .as(page)
                    .isLessThanOrEqualTo(360);
        }
        double before = browser.value("window.shift").asDouble();
        fleet.live("healthy-live").steps(50);
        browser.until(
                "[...document.querySelectorAll('.rows .name')].some((name) => name.textContent === 'healthy-live')");
        assertThat(browser.value("window.shift").asDouble() - before).isLessThan(0.02);
        fleet.remove("healthy-live");
    }

    private static long millisUntil(String expression) {
        long start = System.nanoTime();
        browser.until(expression);
        return (System.nanoTime() - start) / 1_000_000;
    }

    private static void photograph(String page, String name, String device, String scheme, String ready)
            throws IOException {
        browser.go(page);
        browser.until(ready);
        browser.photograph(PICTURES.resolve(name + "-" + device + "-" + scheme + ".png"));
    }
}
