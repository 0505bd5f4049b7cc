package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.Installed;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The curl lines of the README, run as a reader would. */
class DocumentedRequestsTest {
    @TempDir
    Path dir;

    @Test
    void every_request_of_the_readme_is_taken() throws Exception {
        String readme = Files.readString(Path.of("..", "README.md"));
        String section = readme.substring(readme.indexOf("\n## Send over HTTP"));
        List<String> requests = Pattern.compile("```sh\n(curl .*?)```", Pattern.DOTALL)
                .matcher(section.substring(0, section.indexOf("\n## ", 1)))
                .results()
                .map(result -> result.group(1))
                .toList();
        assertThat(requests).hasSize(3);
        Path curl = Installed.program("curl", "curl");
        try (IntakeRig rig = new IntakeRig(dir, IntakeSettings.DEFAULT)) {
            List<String> answers = new ArrayList<>();
            for (String request : requests) {
                answers.add(run(request.replace("http://127.0.0.1:8280", rig.web.url())
                        .replaceFirst("^curl", curl.toString())));
            }

            assertThat(answers.get(0)).isEqualTo("{\"accepted\":3,\"rejected\":[],\"commands\":[]}");
            assertThat(answers.get(1)).contains("\"run_name\":\"by hand\"", "\"status\":\"RUNNING\"");
            assertThat(answers.get(2)).isEqualTo("{}");
            assertThat(rig.lines("by-hand")).hasSize(3);
            assertThat(rig.lines("by-otel")).hasSize(2);
        }
    }

    private static String run(String command) throws Exception {
        Process shell = new ProcessBuilder("sh", "-c", command)
                .redirectErrorStream(true)
                .start();
        String said = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(shell.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(shell.exitValue()).as(said).isZero();
        return said;
    }
}
