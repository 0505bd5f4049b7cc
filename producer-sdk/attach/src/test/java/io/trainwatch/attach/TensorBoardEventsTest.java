package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardEventsTest {
    @TempDir
    private Path folder;

    @Test
    void scalars_of_a_step_are_one_event_whether_simple_or_tensors() throws Exception {
        assertThat(read(Samples.tensorBoard()))
                .containsExactly(
                        "run_started",
                        "step_completed \"step\":5,\"loss\":2.5,\"grad_norm\":1.0",
                        "evaluation_completed \"step\":5,\"split\":\"val\",\"metrics\":{\"loss\":2.0}",
                        "step_completed \"step\":6,\"loss\":\"NaN\"");
    }

    @Test
    void timestamps_and_places_are_those_of_the_file() throws Exception {
        List<LogEntry> entries = entries(Samples.tensorBoard());

        assertThat(((LogEntry.Event) entries.get(1)).event().getTimestampMs()).isEqualTo(1_600_000_000_500L);
        assertThat(entries.get(1).line()).isEqualTo(2);
        assertThat(entries.get(3).line()).isEqualTo(5);
    }

    @Test
    void the_bytes_are_those_that_torch_writes() throws Exception {
        byte[] written = HexFormat.of()
                .parseHex(
                        "1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d"
                                + "200000000000000029eda9500900004040fc54d94110052a130a110a0a747261696e2f6c6f737315000020400299151a");

        assertThat(read(written)).containsExactly("run_started", "step_completed \"step\":5,\"loss\":2.5");
    }

    @Test
    void the_folder_says_the_split_of_the_run_above_it() throws Exception {
        Path file = folder.resolve("run-7/validation/events.out.tfevents.1.host.1.0");
        Files.createDirectories(file.getParent());
        Files.write(file, Samples.scalar(3, "epoch_loss", 0.5f));

        try (LogInput input = LogInput.of(file);
                LogReader reader =
                        LogFormats.detect(input).orElseThrow().format().open(input)) {
            assertThat(Reading.rest(reader))
                    .extracting(Reading::shown)
                    .containsExactly(
                            "run_started \"run_id\":\"run-7\"",
                            "evaluation_completed \"run_id\":\"run-7\" \"step\":3,\"split\":\"val\",\"metrics\":{\"loss\":0.5}");
        }
    }

    @Test
    void an_unfinished_record_is_where_the_writer_stands() throws Exception {
        byte[] whole = Samples.tensorBoard();

        assertThat(read(Arrays.copyOf(whole, whole.length - 1))).hasSize(3);
    }

    @Test
    void a_broken_record_is_a_problem_and_the_next_is_read() throws Exception {
        byte[] broken = Samples.tensorBoard();
        int second = broken.length - Samples.scalar(6, "train/loss", 1f).length - 10;
        broken[second] ^= 1;

        assertThat(read(broken)).hasSize(4).anyMatch(line -> line.startsWith("!4 the checksum of record 4 is wrong"));
    }

    @Test
    void behind_a_broken_length_nothing_can_be_read() throws Exception {
        byte[] broken = Samples.tensorBoard();
        broken[0] ^= 1;

        assertThat(read(broken))
                .containsExactly("!1 the checksum of the length of record 1 is wrong: nothing behind can be read");
        assertThat(read(new byte[0])).containsExactly("!1 the file has no whole record, but must begin with one");
    }

    private static List<String> read(byte[] file) throws IOException {
        return entries(file).stream().map(Reading::shown).toList();
    }

    private static List<LogEntry> entries(byte[] file) throws IOException {
        try (LogReader reader =
                LogFormats.named("tfevents").open(LogInput.of("stdin", new ByteArrayInputStream(file)))) {
            return Reading.rest(reader);
        }
    }
}
