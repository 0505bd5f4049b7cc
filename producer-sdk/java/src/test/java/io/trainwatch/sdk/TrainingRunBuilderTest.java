package io.trainwatch.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.trainwatch.event.TrainingEvent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingRunBuilderTest {
    private final String sink;

    TrainingRunBuilderTest(TestInfo test) {
        sink = test.getDisplayName();
    }

    private static TrainingRunBuilder run() {
        return new TrainingRunBuilder("r", Map.of());
    }

    private TrainingEvent firstEventWith(Map<String, String> environment) {
        new TrainingRunBuilder("r", environment).start("memory:" + sink).close();
        TrainingEvent first = Trainwatch.memory(sink).get(0);
        Trainwatch.forgetMemory(sink);
        return first;
    }

    @Test
    void a_run_id_has_1_to_256_characters() {
        run().start("noop:").close();
        new TrainingRunBuilder("r".repeat(256), Map.of()).start("noop:").close();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TrainingRunBuilder("", Map.of()).start("noop:"))
                .withMessage("run id must have 1 to 256 characters, was \"\" with 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TrainingRunBuilder("r".repeat(10_000), Map.of()).start("noop:"))
                .withMessage("run id must have 1 to 256 characters, was \"" + "r".repeat(40) + "...\" with 10000");
    }

    @Test
    void an_illegal_setting_is_named_with_its_value_and_what_is_allowed() {
        assertIllegal(run().maxSteps(0), "maxSteps must be at least 1, was 0");
        assertIllegal(run().warmupSteps(-1), "warmupSteps must be at least 0, was -1");
        assertIllegal(run().learningRatePeak(Double.NaN), "learningRatePeak must be finite and at least 0, was NaN");
        assertIllegal(run().precision("int3"), "precision must be one of fp32 tf32 bf16 fp16 fp8, was int3");
        assertIllegal(run().attempt(-1), "attempt must be at least 0, was -1");
        assertIllegal(run().rank(-1), "rank must be at least 0, was -1");
        assertIllegal(run().rank(4).worldSize(4), "rank must be 0 to worldSize - 1, which is 3, was 4");
        assertIllegal(run().worldSize(0), "worldSize must be at least 1, was 0");
        assertIllegal(run().queueCapacity(1), "queueCapacity must be 64 to 1048576 events, was 1");
        assertIllegal(run().spoolBytes(1), "spoolBytes must be 0 (no spool) or at least 65536 bytes, was 1");
        assertIllegal(run().closeTimeout(Duration.ofSeconds(-1)), "closeTimeout must be 0 to 600 s, was PT-1S");
        assertIllegal(run().heartbeatInterval(Duration.ZERO), "heartbeatInterval must be 0.1 s to 3600 s, was PT0S");
    }

    private static void assertIllegal(TrainingRunBuilder run, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> run.start("noop:"))
                .withMessage(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ftp://localhost:8080 | scheme \"ftp\" is unknown",
                "http://:8280 | HOST[:PORT] is missing or has no port of 1 to 65535",
                "http:monitor | HOST[:PORT] is missing or has no port of 1 to 65535",
                "http://monitor:99999 | HOST[:PORT] is missing or has no port of 1 to 65535",
                "http://a b:1 | it is no URL: Illegal character in authority",
                "https://monitor?token=x | parameter \"token\" is unknown",
                "https://monitor?token_file= | a value for \"token_file\" is missing",
                "https://monitor#x | a fragment means nothing here",
                "localhost:9092 | scheme \"localhost\" is unknown",
                "kafka: | HOST:PORT is missing",
                "kafka:localhost | \"localhost\" is not HOST:PORT with a port of 1 to 65535",
                "kafka:a:1,b:99999 | \"b:99999\" is not HOST:PORT with a port of 1 to 65535",
                "kafka:a:1?topic=a/b | topic \"a/b\" is not 1 to 249 characters of A-Z a-z 0-9 . _ -",
                "kafka:a:1?acks=0 | parameter \"acks\" is unknown",
                "file: | a path is missing",
                "memory: | a name is missing",
            })
    void an_illegal_location_is_refused_with_what_is_allowed(String location, String why) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> run().start(location))
                .withMessage("location \"" + location + "\": " + why + "; allowed are kafka:HOST:PORT[,HOST:PORT...]"
                        + "[?topic=NAME&config=FILE], http[s]://HOST[:PORT][?token_file=FILE], console:, file:PATH,"
                        + " memory:NAME, noop:");
    }

    @Test
    void a_password_in_a_location_is_refused_and_not_repeated() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> run().start("https://user:secret@monitor"))
                .withMessage("a location holds no user and password: set TRAINWATCH_TOKEN or token_file=FILE");
    }

    @Test
    void without_a_location_in_the_environment_nothing_is_recorded() {
        TrainingRun run = run().start();
        run.step(1, 1.0);
        run.close();
        assertThat(run.delivery()).isEqualTo(Delivery.NONE);
    }

    @Test
    void the_location_may_come_from_the_environment() {
        new TrainingRunBuilder("r", Map.of("TRAINWATCH_LOCATION", "memory:" + sink))
                .start()
                .close();
        assertThat(Trainwatch.memory(sink)).hasSize(2);
    }

    @Test
    void rank_world_size_and_attempt_come_from_the_launcher() {
        TrainingEvent plain = firstEventWith(Map.of());
        assertThat(plain.getRank()).isZero();
        assertThat(plain.getAttempt()).isZero();
        assertThat(plain.getWorldSize()).isNull();

        TrainingEvent torchrun =
                firstEventWith(Map.of("RANK", "3", "WORLD_SIZE", "8", "TORCHELASTIC_RESTART_COUNT", "2"));
        assertThat(torchrun.getRank()).isEqualTo(3);
        assertThat(torchrun.getWorldSize()).isEqualTo(8);
        assertThat(torchrun.getAttempt()).isEqualTo(2);

        TrainingEvent slurm =
                firstEventWith(Map.of("SLURM_PROCID", "1", "SLURM_NTASKS", "2", "SLURM_RESTART_COUNT", "1"));
        assertThat(slurm.getRank()).isEqualTo(1);
        assertThat(slurm.getWorldSize()).isEqualTo(2);
        assertThat(slurm.getAttempt()).isEqualTo(1);
    }

    @Test
    void a_launcher_that_contradicts_itself_does_not_stop_the_training() {
        TrainingEvent event = firstEventWith(Map.of("RANK", "3", "WORLD_SIZE", "2", "SLURM_RESTART_COUNT", "x"));
        assertThat(event.getRank()).isEqualTo(3);
        assertThat(event.getWorldSize()).isNull();
        assertThat(event.getAttempt()).isZero();
    }

    @Test
    void further_settings_of_the_kafka_client_come_from_a_file_that_must_be_readable(@TempDir Path directory)
            throws Exception {
        Path config = directory.resolve("client.properties");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> run().start("kafka:127.0.0.1:1?config=" + config))
                .withMessageContaining("cannot read config")
                .withMessageContaining(config.toString());
        Files.writeString(config, "security.protocol=PLAINTEXT\n");
        run().spoolBytes(0)
                .closeTimeout(Duration.ofMillis(100))
                .start("kafka:127.0.0.1:1?config=" + config)
                .close();
    }
}
