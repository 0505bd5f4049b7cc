package io.trainwatch.attach.follow;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.attach.follow.SlurmJob.Answer;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What Slurm's programs print, by their manuals, and what it says of a job. */
class SlurmJobTest {
    @Test
    void a_job_that_runs_lives() {
        assertThat(job("RUNNING\n", 0, "").life()).isEqualTo(Job.Life.LIVES);
        assertThat(job("COMPLETING\n", 0, "").life()).isEqualTo(Job.Life.LIVES);
    }

    @Test
    void a_job_that_waits_or_a_controller_that_does_not_answer_says_nothing() {
        assertThat(job("PENDING\n", 0, "").life()).isEqualTo(Job.Life.UNSEEN);
        assertThat(job("slurm_load_jobs error: Unable to contact slurm controller\n", 1, "")
                        .life())
                .isEqualTo(Job.Life.UNSEEN);
        assertThat(new SlurmJob("7", command -> Optional.empty()).life()).isEqualTo(Job.Life.UNSEEN);
    }

    @Test
    void a_job_that_is_not_in_the_queue_has_ended() {
        assertThat(job("", 0, "").life()).isEqualTo(Job.Life.ENDED);
        assertThat(job("slurm_load_jobs error: Invalid job id specified\n", 1, "")
                        .life())
                .isEqualTo(Job.Life.ENDED);
    }

    @Test
    void accounting_says_how() {
        assertThat(job("", 0, "COMPLETED|0:0\n").ending().getStatus()).hasToString("completed");
        assertThat(job("", 0, "FAILED|1:0\n").ending()).satisfies(end -> {
            assertThat(end.getStatus()).hasToString("failed");
            assertThat(end.getExitCode()).isEqualTo(1);
        });
        assertThat(job("", 0, "CANCELLED by 1000|0:15\n").ending()).satisfies(end -> {
            assertThat(end.getStatus()).hasToString("killed");
            assertThat(end.getErrorMessage()).isEqualTo("Slurm says CANCELLED");
        });
        assertThat(job("", 0, "").ending()).isNull();
    }

    private static SlurmJob job(String squeue, int code, String sacct) {
        Map<String, Answer> answers = Map.of("squeue", new Answer(code, squeue), "sacct", new Answer(0, sacct));
        return new SlurmJob("7", command -> Optional.ofNullable(answers.get(command.get(0))));
    }
}
