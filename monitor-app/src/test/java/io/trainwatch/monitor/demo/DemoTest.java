package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.web.HttpSettings;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

/** The whole way: real trainings, the SDK, a real broker, the real topology, the alerts topic. Takes a good minute. */
class DemoTest {

    @Test
    void played_once_it_finds_every_planted_fault_and_nothing_in_the_healthy_runs() throws Exception {
        StringWriter told = new StringWriter();
        boolean passed = new Demo(
                        new PrintWriter(told),
                        Ink.PLAIN,
                        new HttpSettings("127.0.0.1", 0, null),
                        NotifySettings.NOBODY,
                        "test")
                .once();
        assertThat(passed).as(told.toString()).isTrue();
        assertThat(told.toString().lines().filter(line -> line.startsWith("found ")))
                .hasSize(8);
        assertThat(told.toString().lines().filter(line -> line.startsWith("quiet ")))
                .hasSize(2);
        assertThat(told.toString()).doesNotContain("false alarm");
    }
}
