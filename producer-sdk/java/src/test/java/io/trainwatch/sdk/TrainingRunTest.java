package io.trainwatch.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.awaitility.Awaitility.await;

import io.trainwatch.codec.EventJson;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.Layer;
import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

class TrainingRunTest {
    private final String sink;
    private final String location;

    TrainingRunTest(TestInfo test) {
        sink = test.getDisplayName();
        location = "memory:" + sink;
    }

    @AfterEach
    void forget() {
        Trainwatch.forgetMemory(sink);
    }

    private List<TrainingEvent> events() {
        return Trainwatch.memory(sink);
    }

    private <T> List<T> bodies(Class<T> type) {
        return events().stream()
                .map(TrainingEvent::getBody)
                .filter(type::isInstance)
                .map(type::cast)
                .toList();
    }

    @Test
    void metrics_and_layers_are_declared_and_the_details_stay_as_they_were() {
        RunStarted details = new RunStarted();
        details.setMetrics(List.of(new MetricDeclaration("accuracy", "max", true, 0.0, 1.0, "val", 0.9)));
        details.setLayers(List.of(new Layer("head", 3, "output", true, 64, null)));
        new TrainingRunBuilder("r1", Map.of())
                .project("vision")
                .details(details)
                .start(location)
                .close();

        RunStarted started = (RunStarted) events().get(0).getBody();
        assertThat(started.getProject()).isEqualTo("vision");
        assertThat(started.getMetrics()).extracting(MetricDeclaration::getName).containsExactly("accuracy");
        assertThat(started.getLayers()).extracting(Layer::getName).containsExactly("head");
        assertThat(details.getProject()).isNull();
    }

    @Test
    void a_run_begins_and_ends_and_says_so() {
        TrainingRunBuilder run = new TrainingRunBuilder("r1", Map.of())
                .project("vision")
                .model("resnet")
                .maxSteps(10)
                .attempt(2)
                .rank(1)
                .worldSize(4)
                .label("team", "a")
                .details(RunStarted.newBuilder()
                        .setProject("overridden")
                        .setSeed(7L)
                        .build());
        long before = System.currentTimeMillis();
        run.start(location).close();

        List<TrainingEvent> events = events();
        assertThat(events).hasSize(2);
        assertThat(events).allSatisfy(event -> {
            assertThat(event.getRunId()).isEqualTo("r1");
            assertThat(event.getAttempt()).isEqualTo(2);
            assertThat(event.getRank()).isEqualTo(1);
            assertThat(event.getSession()).isNotEmpty().isEqualTo(events.get(0).getSession());
            assertThat(event.getTimestampMs()).isBetween(before, System.currentTimeMillis());
        });
        assertThat(events).extracting(TrainingEvent::getSeq).containsExactly(1L, 2L);
        assertThat(events.get(0).getWorldSize()).isEqualTo(4);
        RunStarted started = (RunStarted) events.get(0).getBody();
        assertThat(started.getProject()).isEqualTo("vision");
        assertThat(started.getModelName()).isEqualTo("resnet");
        assertThat(started.getMaxSteps()).isEqualTo(10);
        assertThat(started.getSeed()).isEqualTo(7);
        assertThat(started.getLabels()).containsExactly(Map.entry("team", "a"));
        RunFinished finished = (RunFinished) events.get(1).getBody();
        assertThat(finished.getStatus()).isEqualTo(FinishStatus.completed);
        assertThat(finished.getDroppedEvents()).isZero();
    }

    @Test
    void steps_arrive_as_they_were_called_non_finite_and_backwards_included() {
        try (TrainingRun run = Trainwatch.run("r").start(location)) {
            run.step(1, 2.5);
            run.step(2, Double.NaN, Double.POSITIVE_INFINITY, 1e-3);
            run.step(1, 0.5, 0, 0);
            run.step(-5, 0.5);
            StepCompleted details = new StepCompleted();
            details.setMetrics(Map.of("accuracy", 0.25));
            run.step(3, details);
        }
        assertThat(events().subList(1, 6)).extracting(TrainingEvent::getStep).containsExactly(1L, 2L, 1L, -5L, 3L);
        List<StepCompleted> steps = bodies(StepCompleted.class);
        assertThat(steps.get(0).getLoss()).isEqualTo(2.5);
        assertThat(steps.get(0).getGradNorm()).isNull();
        assertThat(steps.get(0).getLearningRate()).isNull();
        assertThat(steps.get(1).getLoss()).isNaN();
        assertThat(steps.get(1).getGradNorm()).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(steps.get(1).getLearningRate()).isEqualTo(1e-3);
        assertThat(steps.get(2).getGradNorm()).isZero();
        assertThat(steps.get(4).getMetrics()).containsExactly(Map.entry("accuracy", 0.25));
    }

    @Test
    void every_kind_of_event_arrives_in_its_place() {
        try (TrainingRun run = Trainwatch.run("r").start(location)) {
            run.preflight(new PreflightCompleted(List.of()));
            run.checkpointLoaded(5, "/models/5");
            run.phase(6, "long", "sequence_length");
            run.batchStats(6, new BatchStats());
            run.tensorStats(6, new TensorStats(List.of()));
            run.evaluation(7, Map.of("loss", 0.5));
            run.checkpointSaved(8, "/models/8");
        }
        assertThat(events())
                .extracting(event -> event.getBody().getClass().getSimpleName())
                .containsExactly(
                        "RunStarted",
                        "PreflightCompleted",
                        "CheckpointLoaded",
                        "PhaseChanged",
                        "BatchStats",
                        "TensorStats",
                        "EvaluationCompleted",
                        "CheckpointSaved",
                        "RunFinished");
        assertThat(events())
                .extracting(TrainingEvent::getPhaseId)
                .containsExactly(null, null, null, "long", "long", "long", "long", "long", "long");
        assertThat(bodies(PhaseChanged.class).get(0).getReason()).isEqualTo("sequence_length");
        assertThat(bodies(EvaluationCompleted.class).get(0).getMetrics()).containsExactly(Map.entry("loss", 0.5));
        assertThat(bodies(CheckpointSaved.class).get(0).getPath()).isEqualTo("/models/8");
    }

    @Test
    void a_metrics_map_may_be_changed_after_the_call() {
        try (TrainingRun run = Trainwatch.run("r").start(location)) {
            Map<String, Double> metrics = new HashMap<>(Map.of("loss", 1.0));
            run.evaluation(1, metrics);
            metrics.put("loss", 2.0);
            run.evaluation(2, metrics);
            metrics.clear();
        }
        assertThat(bodies(EvaluationCompleted.class))
                .extracting(EvaluationCompleted::getMetrics)
                .containsExactly(Map.of("loss", 1.0), Map.of("loss", 2.0));
    }

    @Test
    void a_failed_run_says_what_went_wrong() {
        TrainingRun run = Trainwatch.run("r").start(location);
        run.failed(new IllegalStateException("out of memory\nsecond line"));
        run.close();
        RunFinished finished = bodies(RunFinished.class).get(0);
        assertThat(finished.getStatus()).isEqualTo(FinishStatus.failed);
        assertThat(finished.getErrorType()).isEqualTo("IllegalStateException");
        assertThat(finished.getErrorMessage()).isEqualTo("out of memory");
    }

    @Test
    void close_works_once_and_what_is_called_later_is_ignored_and_counted() {
        TrainingRun run = Trainwatch.run("r").start(location);
        run.close();
        run.step(1, 1.0);
        run.evaluation(1, Map.of());
        run.close();
        assertThat(events()).hasSize(2);
        assertThat(run.delivery()).isEqualTo(new Delivery(2, 2, 0, 0, 2));
    }

    @Test
    void a_trainer_that_hangs_still_beats() {
        try (TrainingRun run =
                Trainwatch.run("r").heartbeatInterval(Duration.ofMillis(100)).start(location)) {
            await().untilAsserted(() -> assertThat(bodies(Heartbeat.class)).hasSizeGreaterThan(2));
            Heartbeat first = bodies(Heartbeat.class).get(0);
            assertThat(first.getPhase()).isEqualTo("init");
            assertThat(first.getLastStep()).isNull();
            assertThat(first.getIntervalSeconds()).isEqualTo(0.1);
            assertThat(first.getDroppedEvents()).isZero();
            assertThat(first.getSpooledEvents()).isZero();

            run.step(41, 1.0);
            await().untilAsserted(() -> {
                List<Heartbeat> beats = bodies(Heartbeat.class);
                Heartbeat last = beats.get(beats.size() - 1);
                assertThat(last.getLastStep()).isEqualTo(41);
                assertThat(last.getPhase()).isEqualTo("train");
                assertThat(last.getUptimeSeconds()).isGreaterThan(first.getUptimeSeconds());
            });
        }
    }

    @Test
    void an_activity_is_told_before_the_next_regular_heartbeat_and_ends_with_the_next_step() {
        try (TrainingRun run =
                Trainwatch.run("r").heartbeatInterval(Duration.ofHours(1)).start(location)) {
            run.step(1, 1.0);
            run.activity(Activity.EVALUATION);
            await().untilAsserted(() -> assertThat(bodies(Heartbeat.class))
                    .extracting(Heartbeat::getPhase)
                    .containsExactly("evaluation"));
            assertThat(bodies(Heartbeat.class).get(0).getLastStep()).isEqualTo(1);
        }
    }

    @Test
    void several_threads_may_call_and_no_event_is_lost_or_repeated() throws Exception {
        int threads = 4;
        int steps = 20_000;
        TrainingRun run = Trainwatch.run("r").queueCapacity(1 << 17).start(location);
        List<Thread> callers = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            double id = t;
            Thread caller = new Thread(() -> LongStream.rangeClosed(1, steps).forEach(step -> run.step(step, id)));
            caller.start();
            callers.add(caller);
        }
        for (Thread caller : callers) {
            caller.join();
        }
        run.close();
        List<TrainingEvent> events = events();
        assertThat(events)
                .extracting(TrainingEvent::getSeq)
                .isEqualTo(LongStream.rangeClosed(1, threads * (long) steps + 2)
                        .boxed()
                        .toList());
        long[] last = new long[threads];
        for (TrainingEvent event : events) {
            if (event.getBody() instanceof StepCompleted step) {
                assertThat(event.getStep()).isEqualTo(++last[(int) (double) step.getLoss()]);
            }
        }
        assertThat(last).containsOnly(steps);
        assertThat(run.delivery().dropped()).isZero();
    }

    @Test
    void a_map_of_100_000_names_is_cut_to_1000() {
        Map<String, Double> metrics = new LinkedHashMap<>();
        for (int i = 0; i < 100_000; i++) {
            metrics.put("metric" + i, (double) i);
        }
        StepCompleted details = new StepCompleted();
        details.setMetrics(metrics);
        try (TrainingRun run = Trainwatch.run("r").start(location)) {
            run.evaluation(1, metrics);
            run.step(1, details);
            run.step(2, 1.0);
        }
        assertThat(bodies(EvaluationCompleted.class).get(0).getMetrics()).hasSize(1_000);
        assertThat(bodies(StepCompleted.class).get(0).getMetrics()).hasSize(1_000);
        assertThat(bodies(StepCompleted.class)).hasSize(2);
    }

    @Test
    void long_names_and_texts_are_cut_and_entries_without_value_left_out() {
        Map<String, Double> metrics = new HashMap<>();
        metrics.put("x".repeat(10_000), 1.0);
        metrics.put("none", null);
        try (TrainingRun run = Trainwatch.run("r").start(location)) {
            run.evaluation(1, metrics);
            run.checkpointSaved(1, "p".repeat(100_000));
            run.phase(2, "q".repeat(100_000), "because");
        }
        assertThat(bodies(EvaluationCompleted.class).get(0).getMetrics()).containsOnlyKeys("x".repeat(256));
        assertThat(bodies(CheckpointSaved.class).get(0).getPath()).hasSize(4_096);
        assertThat(events().get(3).getPhaseId()).hasSize(256);
    }

    @Test
    void an_event_too_large_to_send_is_dropped_and_counted_and_leaves_a_gap_in_seq() {
        List<TensorSummary> tensors = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            TensorSummary summary = new TensorSummary();
            summary.setName("layer" + i + "x".repeat(200));
            summary.setKind(io.trainwatch.event.TensorKind.gradient);
            tensors.add(summary);
        }
        TrainingRun run = Trainwatch.run("r").start(location);
        run.tensorStats(1, new TensorStats(tensors));
        run.step(1, 1.0);
        run.close();
        assertThat(events()).extracting(TrainingEvent::getSeq).containsExactly(1L, 3L, 4L);
        assertThat(run.delivery()).isEqualTo(new Delivery(4, 3, 0, 1, 0));
        assertThat(bodies(RunFinished.class).get(0).getDroppedEvents()).isEqualTo(1);
    }

    @Test
    void an_event_that_cannot_be_encoded_is_dropped_and_loses_nothing_else() {
        TrainingRun run = Trainwatch.run("r").start(location);
        run.tensorStats(1, new TensorStats());
        run.step(1, 1.0);
        run.close();
        assertThat(events()).extracting(TrainingEvent::getSeq).containsExactly(1L, 3L, 4L);
        assertThat(run.delivery().dropped()).isEqualTo(1);
    }

    @Test
    void null_arguments_never_throw() {
        try (TrainingRun run = Trainwatch.run("r").start(location)) {
            assertThatCode(() -> {
                        run.step(1, (StepCompleted) null);
                        run.evaluation(1, (Map<String, Double>) null);
                        run.phase(1, null, null);
                        run.activity(null);
                        run.checkpointSaved(1, (String) null);
                        run.failed(null);
                    })
                    .doesNotThrowAnyException();
        }
        assertThat(bodies(RunFinished.class)).hasSize(1);
    }

    @Test
    void noop_records_nothing() {
        TrainingRun run = Trainwatch.run("r").start("noop:");
        run.step(1, 1.0);
        run.close();
        assertThat(run.delivery()).isEqualTo(Delivery.NONE);
    }

    @Test
    void a_file_holds_one_json_line_per_event_and_is_appended_to(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("logs/run.jsonl");
        for (int attempt = 0; attempt < 2; attempt++) {
            try (TrainingRun run = Trainwatch.run("r").attempt(attempt).start("file:" + file)) {
                run.step(1, Double.NaN);
            }
        }
        List<TrainingEvent> events = new ArrayList<>();
        EventJson json = new EventJson();
        for (String line : Files.readAllLines(file)) {
            events.add(json.read(line));
        }
        assertThat(events).extracting(TrainingEvent::getAttempt).containsExactly(0, 0, 0, 1, 1, 1);
        assertThat(((StepCompleted) events.get(1).getBody()).getLoss()).isNaN();
    }

    @Test
    void the_console_gets_one_json_line_per_event() throws Exception {
        PrintStream before = System.out;
        ByteArrayOutputStream captured = new ByteArrayOutputStream();
        System.setOut(new PrintStream(captured, true, StandardCharsets.UTF_8));
        try (TrainingRun run = Trainwatch.run("r").start("console:")) {
            run.step(7, Double.POSITIVE_INFINITY);
        } finally {
            System.setOut(before);
        }
        List<String> lines = captured.toString(StandardCharsets.UTF_8).lines().toList();
        assertThat(lines).hasSize(3);
        TrainingEvent step = new EventJson().read(lines.get(1));
        assertThat(step.getStep()).isEqualTo(7);
        assertThat(((StepCompleted) step.getBody()).getLoss()).isEqualTo(Double.POSITIVE_INFINITY);
    }

    @Test
    void a_file_that_cannot_be_written_keeps_the_events_in_memory_until_it_can(@TempDir Path directory)
            throws Exception {
        Path blocked = Files.createFile(directory.resolve("blocked"));
        Path file = blocked.resolve("run.jsonl");
        TrainingRun run = Trainwatch.run("r").start("file:" + file);
        run.step(1, 1.0);
        await().untilAsserted(() -> assertThat(run.delivery().recorded()).isEqualTo(2));
        Files.delete(blocked);
        await().untilAsserted(() -> assertThat(run.delivery().delivered()).isEqualTo(2));
        run.close();
        assertThat(Files.readAllLines(file)).hasSize(3);
    }

    @Test
    void a_file_that_never_can_be_written_drops_the_oldest_steps_and_close_is_bounded(@TempDir Path directory)
            throws Exception {
        Path blocked = Files.createFile(directory.resolve("blocked"));
        TrainingRun run = Trainwatch.run("r")
                .queueCapacity(64)
                .closeTimeout(Duration.ofMillis(300))
                .start("file:" + blocked.resolve("run.jsonl"));
        for (int step = 1; step <= 1_000; step++) {
            run.step(step, step);
        }
        await().untilAsserted(() -> assertThat(run.delivery().recorded()).isEqualTo(1_001));
        assertThat(run.delivery().dropped()).isBetween(900L, 960L);
        run.close();
        assertThat(run.delivery().dropped()).isEqualTo(1_002);
        assertThat(run.delivery().recorded()).isEqualTo(1_002);
    }
}
