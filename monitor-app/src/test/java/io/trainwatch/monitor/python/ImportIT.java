package io.trainwatch.monitor.python;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.monitor.AgentProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Past runs, as the libraries of others wrote them, become history of a real monitor, and baselines for new runs. */
class ImportIT {
    /** The loss of each run falls to 1; the one of Neptune in CSV breaks. Neptune's library writes to its server alone. */
    private static final String PAST_RUNS = """
            import os, sys
            os.chdir(sys.argv[1])
            os.environ.update(MLFLOW_ALLOW_FILE_STORE="true", WANDB_SILENT="true")

            def points():
                for step in range(1, 401):
                    yield step, 1 + 2.0 ** (1 - step / 50)

            import mlflow
            mlflow.set_tracking_uri("file:mlruns")
            mlflow.set_experiment("vision")
            with mlflow.start_run(run_name="of mlflow") as run:
                client = mlflow.MlflowClient()
                metric = mlflow.entities.Metric
                losses = [metric("loss", loss, 1_790_000_000_000 + step, step) for step, loss in points()]
                client.log_batch(run.info.run_id, losses)

            from tensorboardX import SummaryWriter
            for split, more in (("train", 0.0), ("validation", 0.25)):
                writer = SummaryWriter("runs/of-tensorboard/" + split)
                for step, loss in points():
                    if split == "train" or step % 20 == 0:
                        writer.add_scalar("epoch_loss", loss + more, step)
                writer.close()

            import wandb
            run = wandb.init(mode="offline", project="vision", id="of-wandb")
            for step, loss in points():
                run.log({"train/loss": loss}, step=step)
            run.finish()

            # As neptune-exporter has it: https://github.com/neptune-ai/neptune-exporter
            import datetime, decimal
            import pyarrow, pyarrow.parquet
            schema = pyarrow.schema([
                ("project_id", pyarrow.string()), ("run_id", pyarrow.string()),
                ("attribute_path", pyarrow.string()), ("attribute_type", pyarrow.string()),
                ("step", pyarrow.decimal128(18, 6)), ("timestamp", pyarrow.timestamp("ms", tz="UTC")),
                ("int_value", pyarrow.int64()), ("float_value", pyarrow.float64()), ("string_value", pyarrow.string()),
                ("bool_value", pyarrow.bool_()), ("datetime_value", pyarrow.timestamp("ms", tz="UTC")),
                ("string_set_value", pyarrow.list_(pyarrow.string())),
                ("file_value", pyarrow.struct([("path", pyarrow.string())])),
            ])
            row = {"project_id": "team/vision", "run_id": "of-exporter"}
            rows = [dict(row, attribute_path="parameters/lr", attribute_type="float", float_value=0.1)]
            rows += [
                dict(row, attribute_path="train/loss", attribute_type="float_series", float_value=loss,
                     step=decimal.Decimal(step).quantize(decimal.Decimal("0.000001")),
                     timestamp=datetime.datetime.fromtimestamp(1_790_000_000 + step, datetime.timezone.utc))
                for step, loss in points()
            ]
            os.makedirs("exports/data/team_vision")
            for part in range(2):
                table = pyarrow.Table.from_pylist(rows[part * 200 : (part + 1) * 200 + part], schema)
                pyarrow.parquet.write_table(
                    table, "exports/data/team_vision/of-exporter_part_%d.parquet" % part, compression="snappy")

            with open("neptune-export.csv", "w") as file:
                file.write("run_id,attribute_path,attribute_type,step,timestamp,float_value\\n")
                for step, loss in points():
                    value = "NaN" if step >= 200 else loss
                    file.write("of-neptune,train/loss,float_series,%d.0,2026-01-01T00:%02d:%02d.000Z,%s\\n"
                               % (step, step // 60, step % 60, value))
            """;

    private static final String WORSE_THAN_BEFORE = """
            import os, trainwatch
            with trainwatch.start("new", reference_run_id="of-wandb", close_timeout=60) as run:
                for step in range(1, 401):
                    run.step(step, 2 + 2.0 ** (1 - step / 50), grad_norm=1.0)
            """;

    @TempDir
    static Path dir;

    private static RunningMonitor monitor;
    private static Python python;

    @BeforeAll
    static void start() throws Exception {
        monitor = new RunningMonitor(dir);
        python = Python.available()
                .get(0)
                .with(
                        "import",
                        ".",
                        "wandb==0.31.0",
                        "tensorboardX==2.6.5",
                        "mlflow-skinny==3.17.2",
                        "pyarrow==26.0.1");
        Path past = Files.createDirectory(dir.resolve("past"));
        Path log = dir.resolve("past.log");
        int exit = python.run(log, Map.of(), "-c", PAST_RUNS, past.toString());
        assertThat(exit).as(Files.readString(log)).isZero();
    }

    @AfterAll
    static void stop() {
        monitor.close();
    }

    @Test
    void runs_of_others_become_history_once_and_a_new_run_is_compared_with_them() throws Exception {
        String said = importAll();

        assertThat(said).contains(" of 6 logs in ");
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(monitor.runs())
                        .extracting(run -> run.replaceFirst(" [a-z]+ (?=[0-9]+$)", " "))
                        .contains(
                                "of mlflow 400",
                                "of-wandb 400",
                                "of-tensorboard 400",
                                "of-neptune 400",
                                "of-exporter 400"));
        monitor.awaitAlerts(List.of("of-neptune non_finite_loss"));
        assertThat(monitor.alerts("historical"))
                .as("found in the past, and no reason to page")
                .contains("of-neptune non_finite_loss");

        long judged = monitor.count("of-wandb", "events");
        importAll();
        await().atMost(Duration.ofSeconds(30)).until(() -> monitor.count("of-wandb", "duplicates") >= 400);
        assertThat(monitor.count("of-wandb", "events")).as("the same again").isEqualTo(judged);

        Path log = dir.resolve("new.log");
        int exit = python.run(
                log,
                Map.of("TRAINWATCH_LOCATION", monitor.http(), "XDG_CACHE_HOME", dir.toString()),
                "-c",
                WORSE_THAN_BEFORE);
        assertThat(exit).as(Files.readString(log)).isZero();
        monitor.awaitAlerts(List.of("new worse_than_reference"));
    }

    private static String importAll() throws Exception {
        Path log = dir.resolve("import.log");
        Process process = AgentProcess.start(
                log,
                "import",
                "--to",
                monitor.kafka(),
                "--project",
                "history",
                dir.resolve("past").toString());
        assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
        String said = Files.readString(log);
        assertThat(process.exitValue()).as(said).isZero();
        return said;
    }
}
