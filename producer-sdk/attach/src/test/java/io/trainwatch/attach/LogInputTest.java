package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogInputTest {
    private static final String LOG = "step,loss\n1,2.5\n";

    @TempDir
    private Path folder;

    @Test
    void what_is_compressed_is_read_as_what_is_in_it() throws Exception {
        assertThat(read(LogInput.of("stdin", new ByteArrayInputStream(gzip(Samples.bytes(LOG))))))
                .containsExactly("run_started", "step_completed \"step\":1,\"loss\":2.5");
        assertThat(read(LogInput.of(Files.write(folder.resolve("run.csv.gz"), gzip(Samples.bytes(LOG))))))
                .containsExactly(
                        "run_started \"run_id\":\"run\"", "step_completed \"run_id\":\"run\" \"step\":1,\"loss\":2.5");
    }

    @Test
    void so_is_what_has_to_be_read_twice() throws Exception {
        byte[] state = gzip(Samples.bytes("{\"log_history\":[{\"step\":1,\"loss\":2.5}]}"));

        assertThat(read(LogInput.of(Files.write(folder.resolve("state.json.gz"), state))))
                .hasSize(2);
    }

    @Test
    void utf_16_with_its_mark_is_text_too() throws Exception {
        String log = "\ufeff" + LOG.replace("loss", "loss,\ud83d\ude00").replace("2.5", "2.5,1");

        assertThat(read(LogInput.of("stdin", new ByteArrayInputStream(log.getBytes(StandardCharsets.UTF_16LE)))))
                .containsExactly(
                        "run_started", "step_completed \"step\":1,\"loss\":2.5,\"metrics\":{\"\ud83d\ude00\":1.0}");
        assertThat(read(LogInput.of(
                        Files.write(folder.resolve("stdin.csv"), gzip(log.getBytes(StandardCharsets.UTF_16BE))))))
                .hasSize(2);
    }

    @Test
    void bytes_that_are_no_utf_8_are_passed_over_where_they_stand() throws Exception {
        byte[] log = "note,step,loss\n\u00fc,1,2.5\n".getBytes(StandardCharsets.ISO_8859_1);

        assertThat(read(LogInput.of("stdin", new ByteArrayInputStream(log))))
                .containsExactly("run_started", "step_completed \"step\":1,\"loss\":2.5");
    }

    private static byte[] gzip(byte[] bytes) throws IOException {
        ByteArrayOutputStream compressed = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(compressed)) {
            out.write(bytes);
        }
        return compressed.toByteArray();
    }

    private static List<String> read(LogInput input) throws IOException {
        try (input;
                LogReader reader =
                        LogFormats.detect(input).orElseThrow().format().open(input)) {
            return Reading.rest(reader).stream().map(Reading::shown).toList();
        }
    }
}
