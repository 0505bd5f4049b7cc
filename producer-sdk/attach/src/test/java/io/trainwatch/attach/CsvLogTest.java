package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CsvLogTest {
    @Test
    void sparse_rows_of_lightning_become_steps_and_evaluations() throws Exception {
        assertThat(Reading.shown("csv", Samples.LIGHTNING))
                .containsExactly(
                        "run_started \"metrics\":[{\"name\":\"acc\",\"mode\":\"max\",\"primary\":false}]",
                        "step_completed \"step\":49,\"epoch\":0.0,\"loss\":0.75",
                        "step_completed \"step\":49,\"epoch\":0.0,\"learning_rate\":0.001",
                        "step_completed \"step\":99,\"epoch\":0.0,\"loss\":0.5",
                        "evaluation_completed \"step\":99,\"epoch\":0.0,\"split\":\"val\",\"metrics\":{\"acc\":0.875,\"loss\":0.625}",
                        "step_completed \"step\":99,\"epoch\":0.0,\"metrics\":{\"loss_epoch\":0.6}");
    }

    @Test
    void a_mean_over_the_epoch_is_the_loss_where_the_steps_are_not_logged() throws Exception {
        assertThat(Reading.shown("csv", "epoch,step,train_loss_epoch\n0,9,2.5\n"))
                .contains("step_completed \"step\":9,\"epoch\":0.0,\"loss\":2.5");
    }

    @Test
    void epochs_are_steps_where_nothing_else_counts_and_what_is_missing_is_left_out() throws Exception {
        assertThat(Reading.shown("csv", Samples.KERAS))
                .containsExactly(
                        "run_started \"metrics\":[{\"name\":\"accuracy\",\"mode\":\"max\",\"primary\":false}],\"steps_per_epoch\":1",
                        "step_completed \"step\":0,\"epoch\":0.0,\"loss\":1.5,\"learning_rate\":0.01,\"metrics\":{\"accuracy\":0.5}",
                        "evaluation_completed \"step\":0,\"epoch\":0.0,\"split\":\"val\",\"metrics\":{\"accuracy\":0.45,\"loss\":1.6}",
                        "step_completed \"step\":1,\"epoch\":1.0,\"loss\":0.8,\"learning_rate\":0.01,\"metrics\":{\"accuracy\":0.75}");
    }

    @Test
    void the_loss_of_yolo_is_the_sum_of_its_components() throws Exception {
        assertThat(Reading.shown("csv", Samples.YOLO).subList(1, 3))
                .containsExactly(
                        "step_completed \"step\":0,\"epoch\":0.0,\"loss\":0.375,\"losses\":{\"box_loss\":0.125,\"obj_loss\":0.25,\"cls_loss\":0.0},"
                                + "\"learning_rate\":0.08,\"learning_rates\":{\"x/lr0\":0.0025,\"x/lr2\":0.08}",
                        "evaluation_completed \"step\":0,\"epoch\":0.0,\"split\":\"val\",\"metrics\":{\"precision\":0.00125,\"mAP_0.5\":0.0625,"
                                + "\"box_loss\":0.0625,\"obj_loss\":0.0625,\"cls_loss\":0.5,\"loss\":0.625}");
    }

    @Test
    void episodes_stand_at_the_steps_and_times_of_their_environment() throws Exception {
        assertThat(Reading.all("csv", Samples.MONITOR))
                .extracting(entry -> io.trainwatch.codec.EventJson.write(((LogEntry.Event) entry).event()))
                .containsExactly("""
                        {"event_type":"run_started","run_id":"stdin","attempt":0,"rank":0,"session":"","seq":1,\
                        "timestamp_ms":1600000001000,"task":"rl","metric_profile":"rl","framework":"stable-baselines",\
                        "labels":{"env_id":"CartPole-v1"}}""", """
                        {"event_type":"step_completed","run_id":"stdin","attempt":0,"rank":0,"session":"","seq":2,\
                        "timestamp_ms":1600000001000,"step":10,"metrics":{"episode_return":10.0,"episode_length":10.0}}""", """
                        {"event_type":"step_completed","run_id":"stdin","attempt":0,"rank":0,"session":"","seq":3,\
                        "timestamp_ms":1600000001750,"step":30,"metrics":{"episode_return":20.5,"episode_length":20.0}}""");
    }

    @Test
    void tabs_separate_too() throws Exception {
        assertThat(Reading.shown("csv", Samples.FLAIR))
                .containsExactly(
                        "run_started \"metrics\":[{\"name\":\"F1\",\"mode\":\"max\",\"primary\":false}],\"steps_per_epoch\":1",
                        "step_completed \"step\":1,\"epoch\":1.0,\"loss\":0.75,\"learning_rate\":0.1",
                        "evaluation_completed \"step\":1,\"epoch\":1.0,\"split\":\"val\",\"metrics\":{\"loss\":0.625,\"F1\":0.5}",
                        "step_completed \"step\":2,\"epoch\":2.0,\"loss\":0.5,\"learning_rate\":0.1",
                        "evaluation_completed \"step\":2,\"epoch\":2.0,\"split\":\"val\",\"metrics\":{\"loss\":0.5,\"F1\":0.75}");
    }

    @Test
    void an_export_of_one_run_is_that_run_and_one_of_several_is_several() throws Exception {
        assertThat(Reading.shown("csv", """
                "Step","20:06 a - loss","20:06 a - loss__MIN","20:06 a - loss__MAX"
                "4","12.5","12.25","12.75"
                """)).containsExactly("run_started", "step_completed \"step\":4,\"loss\":12.5");
        assertThat(Reading.shown("csv", """
                "Step","a - train/loss","b - train/loss"
                "4","12.5","11.5"
                "8","","11.25"
                """))
                .containsExactly(
                        "run_started \"run_id\":\"stdin:a\"",
                        "step_completed \"run_id\":\"stdin:a\" \"step\":4,\"loss\":12.5",
                        "run_started \"run_id\":\"stdin:b\"",
                        "step_completed \"run_id\":\"stdin:b\" \"step\":4,\"loss\":11.5",
                        "step_completed \"run_id\":\"stdin:b\" \"step\":8,\"loss\":11.25");
    }

    @Test
    void a_training_appended_from_the_beginning_is_a_run_of_its_own_and_a_resume_is_not() throws Exception {
        assertThat(Reading.shown("csv", """
                step,loss
                1,3
                2,2
                3,1
                step,loss
                2,2
                3,1
                step,loss
                1,3
                """))
                .containsExactly(
                        "run_started",
                        "step_completed \"step\":1,\"loss\":3.0",
                        "step_completed \"step\":2,\"loss\":2.0",
                        "step_completed \"step\":3,\"loss\":1.0",
                        "step_completed \"step\":2,\"loss\":2.0",
                        "step_completed \"step\":3,\"loss\":1.0",
                        "run_started \"run_id\":\"stdin#2\"",
                        "step_completed \"run_id\":\"stdin#2\" \"step\":1,\"loss\":3.0");
    }

    @Test
    void a_new_header_in_the_middle_is_taken() throws Exception {
        assertThat(Reading.shown("csv", "step,loss\n1,3\nstep,lr,loss\n2,0.5,2\n"))
                .endsWith("step_completed \"step\":2,\"loss\":2.0,\"learning_rate\":0.5");
    }

    @Test
    void what_is_not_finite_stays_so() throws Exception {
        assertThat(Reading.shown("csv", "step,loss,grad_norm\n1,nan,inf\n"))
                .endsWith("step_completed \"step\":1,\"loss\":\"NaN\",\"grad_norm\":\"Infinity\"");
    }

    @Test
    void commas_are_decimal_where_semicolons_separate() throws Exception {
        assertThat(Reading.shown("csv", "epoch;loss\n1;0,5\n"))
                .endsWith("step_completed \"step\":1,\"epoch\":1.0,\"loss\":0.5");
    }

    @Test
    void a_broken_line_is_a_problem_and_the_rest_goes_on() throws Exception {
        assertThat(Reading.shown("csv", "step,loss,note\n1,high,x\n2\n3,\"2.5,x\n4,2.5,x\n5,2"))
                .containsExactly(
                        "!2 loss is \"high\", but must be a number or empty; the line is passed over",
                        "!3 the line has 1 fields, but the header names 3",
                        "!4 a quote is not closed, or the line has more than 4096 fields",
                        "run_started",
                        "step_completed \"step\":4,\"loss\":2.5",
                        "!6 the line has 2 fields, but the header names 3; it is not finished");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n\n", "# only a comment\n"})
    void a_log_without_a_header_says_so(String log) throws Exception {
        assertThat(Reading.shown("csv", log))
                .containsExactly("!1 no header was found: the log is empty, or holds only blank lines and comments");
    }

    @Test
    void a_table_of_something_else_says_what_is_missing_once() throws Exception {
        assertThat(Reading.shown("csv", "a,b\n1,2\n3,4\n"))
                .containsExactly(
                        "!1 the first line is \"a,b\", but must be a header that names a loss, a metric or a reward");
    }

    @Test
    void a_line_over_1_MiB_is_a_problem_and_the_rest_goes_on() throws Exception {
        assertThat(Reading.shown("csv", "step,loss\n1," + "2".repeat(1 << 20) + "\n2,2.5\n"))
                .containsExactly(
                        "!2 the line has more than 1048576 bytes",
                        "run_started",
                        "step_completed \"step\":2,\"loss\":2.5");
    }

    @Test
    void no_more_names_than_an_event_may_carry_are_kept() throws Exception {
        StringBuilder header = new StringBuilder("step,loss");
        StringBuilder row = new StringBuilder("1,2.5");
        for (int i = 0; i < 2000; i++) {
            header.append(",custom").append(i);
            row.append(",1");
        }
        try (LogReader reader = LogFormats.named("csv").open(Reading.input(header + "\n" + row + "\n"))) {
            assertThat(Reading.shown(Reading.rest(reader).get(1)).split(":1.0", -1))
                    .hasSize(1001);
            assertThat(reader.ignoredFields()).isEqualTo(1000);
        }
    }
}
