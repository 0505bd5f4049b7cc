package io.trainwatch.monitor.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.board.RunBoard;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
    private static WebServer server;
    private static Browser browser;

    @BeforeAll
    static void start() throws Exception {
        browser = Browser.start();
        server = serve(0);
        fleet.play("healthy-cosine", 2_000, run -> run.started(declared -> {
                    declared.setProject("vision");
                    declared.setModelName("resnet-50");
                    declared.setMaxSteps(10_000L);
                    declared.setGlobalBatchSize(256L);
                })
                .steps(4_000));
        fleet.play("nan-after-warmup", 3 * MINUTE_MS, run -> run.started(declared -> {
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
        fleet.play("spiky", 20_000, run -> run.started(declared -> {
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
        fleet.play("done-long-ago", 40 * MINUTE_MS, run -> run.started(declared -> declared.setProject("vision"))
                .steps(500)
                .finished(FinishStatus.completed));
        fleet.play("out-of-memory", 12 * MINUTE_MS, run -> run.started(declared -> declared.setProject("vision"))
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

    private static WebServer serve(int port) throws IOException {
        return WebServer.start(
                new HttpSettings("127.0.0.1", port, null),
                board,
                new PrometheusRegistry(),
                Optional::empty,
                List.of());
    }

    @AfterAll
    static void stop() throws IOException {
        server.close();
        browser.close();
    }

    @BeforeEach
    void desktop() {
        browser.size(1440, 900, false);
        browser.scheme("light");
        browser.forgetProblems();
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
        photograph("/", "fleet", device, scheme, "document.querySelectorAll('.rows .row').length > 3");
        photograph(
                "/#/run/nan-after-warmup", "run-nan", device, scheme, "document.querySelectorAll('canvas').length > 3");
        photograph("/#/run/overfits", "run-overfits", device, scheme, "document.querySelectorAll('canvas').length > 3");
        photograph("/#/run/spiky", "run-spiky", device, scheme, "document.querySelectorAll('canvas').length > 3");
        photograph(
                "/#/compare?run=healthy-cosine&run=overfits&run=spiky",
                "compare",
                device,
                scheme,
                "document.querySelectorAll('table.runs tbody td b, table.runs tbody tr').length === 3");
        photograph("/#/alerts", "alerts", device, scheme, "document.querySelectorAll('article').length > 1");
    }

    private static void photograph(String page, String name, String device, String scheme, String ready)
            throws IOException {
        browser.open(server.url() + page);
        browser.until(ready);
        browser.photograph(PICTURES.resolve(name + "-" + device + "-" + scheme + ".png"));
    }
}
