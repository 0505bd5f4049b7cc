package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.LocalOutputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ParquetLogTest {
    private static final MessageType NEPTUNE = MessageTypeParser.parseMessageType("""
            message schema {
              optional binary project_id (STRING);
              optional binary run_id (STRING);
              optional binary attribute_path (STRING);
              optional binary attribute_type (STRING);
              optional fixed_len_byte_array(8) step (DECIMAL(18,6));
              optional int64 timestamp (TIMESTAMP(MILLIS,true));
              optional double float_value;
              optional group histogram_value { optional group edges (LIST) { repeated group list { optional double element; } } }
            }
            """);

    private static final MessageType WANDB = MessageTypeParser.parseMessageType("""
            message schema {
              optional int64 _step;
              optional double _timestamp;
              optional float train_loss;
              optional double val_loss;
              optional binary note (STRING);
            }
            """);

    @TempDir
    Path dir;

    @Test
    void numbers_of_neptune_become_steps_and_evaluations_of_their_run_with_all_parts_of_it() throws Exception {
        Path first = dir.resolve("RUN-7_part_0.parquet");
        try (ParquetWriter<Group> rows = writer(first, NEPTUNE)) {
            rows.write(text("sys/name"));
            rows.write(point("train/loss", 1, 1_700_000_000_000L, 2.5));
            rows.write(point("train/loss", 2, 1_700_000_060_000L, Double.NaN));
        }
        try (ParquetWriter<Group> rows = writer(dir.resolve("RUN-7_part_1.parquet"), NEPTUNE)) {
            rows.write(point("val/loss", 2, 1_700_000_060_500L, 2.25));
        }

        assertThat(read(first))
                .containsExactly(
                        "run_started \"run_id\":\"RUN-7\"",
                        "step_completed \"run_id\":\"RUN-7\" \"step\":1,\"loss\":2.5",
                        "step_completed \"run_id\":\"RUN-7\" \"step\":2,\"loss\":\"NaN\"",
                        "evaluation_completed \"run_id\":\"RUN-7\" \"step\":2,\"split\":\"val\",\"metrics\":{\"loss\":2.25}");
        assertThat(detected(first)).isEqualTo("parquet");
        assertThat(detected(dir.resolve("RUN-7_part_1.parquet")))
                .as("read with the first part")
                .isEqualTo("unknown");
    }

    @Test
    void a_history_of_wandb_is_read_step_by_step() throws Exception {
        Path history = dir.resolve("history.parquet");
        SimpleGroupFactory groups = new SimpleGroupFactory(WANDB);
        try (ParquetWriter<Group> rows = writer(history, WANDB)) {
            rows.write(groups.newGroup()
                    .append("_step", 1L)
                    .append("_timestamp", 1_700_000_000.5)
                    .append("train_loss", 0.5f)
                    .append("note", "warm-up"));
            rows.write(groups.newGroup()
                    .append("_step", 2L)
                    .append("_timestamp", 1_700_000_001.5)
                    .append("val_loss", 0.75));
        }

        assertThat(detected(history)).isEqualTo("parquet");
        assertThat(read(history)).hasSize(3).satisfies(events -> {
            assertThat(events.get(1)).contains("step_completed", "\"step\":1", "\"loss\":0.5");
            assertThat(events.get(2)).contains("evaluation_completed", "\"step\":2", "\"loss\":0.75");
        });
    }

    @Test
    void a_table_of_a_dataset_is_no_log() throws Exception {
        MessageType samples =
                MessageTypeParser.parseMessageType("message schema { optional double loss; optional int64 step; }");
        Path table = dir.resolve("train.parquet");
        try (ParquetWriter<Group> rows = writer(table, samples)) {
            rows.write(new SimpleGroupFactory(samples)
                    .newGroup()
                    .append("loss", 1.0)
                    .append("step", 1L));
        }
        assertThat(detected(table)).isEqualTo("unknown");
    }

    @Test
    void a_stream_says_what_to_do() throws Exception {
        assertThat(Reading.shown("parquet", "PAR1"))
                .containsExactly("!1 stdin is a stream, but Parquet is read from its end: name the file");
    }

    @Test
    void a_file_that_is_cut_anywhere_or_broken_says_so_and_gives_what_stood_before() throws Exception {
        Path whole = dir.resolve("RUN-8_part_0.parquet");
        try (ParquetWriter<Group> rows = writer(whole, NEPTUNE)) {
            for (int step = 1; step <= 200; step++) {
                rows.write(point("train/loss", step, 1_700_000_000_000L + step, 1.0 / step));
            }
        }
        byte[] bytes = Files.readAllBytes(whole);
        Path broken = dir.resolve("RUN-9_part_0.parquet");
        for (int length = 0; length < bytes.length; length++) {
            Files.write(broken, Arrays.copyOf(bytes, length));
            assertThat(detected(broken)).isEqualTo("unknown");
            assertThat(read(broken)).singleElement().asString().startsWith("!1 RUN-9_part_0.parquet cannot be read");
        }
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 2_000; i++) {
            byte[] other = bytes.clone();
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                other[random.nextInt(other.length)] = (byte) random.nextInt(256);
            }
            Files.write(broken, other);
            detected(broken);
            assertThat(read(broken)).hasSizeLessThanOrEqualTo(202);
        }
    }

    private static ParquetWriter<Group> writer(Path path, MessageType type) throws IOException {
        return ExampleParquetWriter.builder(new LocalOutputFile(path))
                .withConf(new PlainParquetConfiguration())
                .withType(type)
                .withCompressionCodec(CompressionCodecName.SNAPPY)
                .build();
    }

    private static Group point(String name, long step, long timestampMs, double value) {
        byte[] decimal = new byte[8];
        long micros = step * 1_000_000;
        for (int i = 7; i >= 0; i--, micros >>= 8) {
            decimal[i] = (byte) micros;
        }
        return text(name)
                .append("step", Binary.fromConstantByteArray(decimal))
                .append("timestamp", timestampMs)
                .append("float_value", value);
    }

    private static Group text(String name) {
        return new SimpleGroupFactory(NEPTUNE)
                .newGroup()
                .append("project_id", "team/vision")
                .append("run_id", "RUN-7")
                .append("attribute_path", name);
    }

    private static String detected(Path path) throws IOException {
        try (LogInput input = LogInput.of(path)) {
            return LogFormats.detect(input).map(found -> found.format().name()).orElse("unknown");
        }
    }

    private static List<String> read(Path path) throws IOException {
        try (LogInput input = LogInput.of(path);
                LogReader reader = LogFormats.named("parquet").open(input)) {
            return Reading.rest(reader).stream().map(Reading::shown).toList();
        }
    }
}
