package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.attach.MetricNames.Span;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MetricNamesTest {
    @ParameterizedTest
    @CsvSource(
            nullValues = "-",
            value = {
                "loss,LOSS,-",
                "train_loss,LOSS,train",
                "Training Loss,LOSS,train",
                "train/CrossEntropyLoss,LOSS,train",
                "Loss/train,LOSS,train",
                "loss/train/total,LOSS,train",
                "lm loss,LOSS,-",
                "Loss/tok,LOSS,-",
                "total_loss,LOSS,-",
                "val_loss,LOSS,val",
                "DEV_LOSS,LOSS,val",
                "eval/loss,LOSS,val",
                "Validation Loss,LOSS,val",
                "test_loss,LOSS,test",
                "train/box_loss,COMPONENT_LOSS,train",
                "g_loss,COMPONENT_LOSS,-",
                "loss_text_ce,COMPONENT_LOSS,-",
                "train/value_loss,COMPONENT_LOSS,train",
                "loss_scale,LOSS_SCALE,-",
                "loss scale,LOSS_SCALE,-",
                "grad_norm,GRAD_NORM,-",
                "optim/total_grad_norm,GRAD_NORM,-",
                "gnorm,GRAD_NORM,-",
                "grad_2.0_norm_total,GRAD_NORM,-",
                "grad_norm/layer1.weight,OTHER,-",
                "embedding_grad_l2_norm,OTHER,-",
                "lr,LEARNING_RATE,-",
                "learning_rate,LEARNING_RATE,-",
                "Learning Rate,LEARNING_RATE,-",
                "lr-AdamW/pg1,LEARNING_RATE,-",
                "x/lr0,LEARNING_RATE,-",
                "lr/pg2,LEARNING_RATE,-",
                "current_lr,LEARNING_RATE,-",
                "learningRate,LEARNING_RATE,-",
                "embedding_lr,OTHER,-",
                "step,STEP,-",
                "trainer/global_step,GLOBAL_STEP,-",
                "_step,STEP,-",
                "train_step,STEP,train",
                "current_steps,GLOBAL_STEP,-",
                "epoch,EPOCH,-",
                "train/epoch,EPOCH,train",
                "epoch_step,OTHER,-",
                "max_epoch,MAX_EPOCHS,-",
                "total_steps,MAX_STEPS,-",
                "accuracy,QUALITY,-",
                "Train-accuracy,QUALITY,train",
                "val/top_5_accuracy,QUALITY,val",
                "metrics/mAP50(B),QUALITY,val",
                "metrics/precision(B),QUALITY,val",
                "val_RMSE,QUALITY,val",
                "Acc@1,QUALITY,-",
                "rollout/ep_rew_mean,REWARD,-",
                "average reward score,REWARD,-",
                "tok/sec,TOKENS_PER_SECOND,-",
                "elapsed time per iteration (ms),STEP_TIME_MILLIS,-",
                "consumed samples,SAMPLES_SEEN,-",
                "train_time,NOTHING,train",
                "eval_runtime,NOTHING,val",
                "lrm,OTHER,-",
                "_timestamp,NOTHING,-",
                "hp_metric,NOTHING,-",
                "'',OTHER,-",
                "///,OTHER,-"
            })
    void a_name_says_what_its_number_is(String name, Role role, String split) {
        Metric metric = MetricNames.of(name);

        assertThat(metric.role()).isEqualTo(role);
        assertThat(metric.split()).isEqualTo(split);
        assertThat(metric.name()).isNotEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "train_loss_step,STEP,loss", "train_loss_epoch,EPOCH,loss", "dynamics_loss_epoch,EPOCH,dynamics_loss",
        "epoch_accuracy,EPOCH,accuracy", "batch_loss,STEP,loss", "val/box_loss,UNSAID,box_loss",
        "Validation-accuracy,UNSAID,accuracy", "metrics/mAP50(B),UNSAID,mAP50(B)", "loss/test/kl,UNSAID,loss/kl"
    })
    void what_is_left_of_it_is_the_name(String written, Span span, String name) {
        assertThat(MetricNames.of(written).span()).isEqualTo(span);
        assertThat(MetricNames.of(written).name()).isEqualTo(name);
    }

    @ParameterizedTest
    @CsvSource(
            nullValues = "-",
            value = {
                "accuracy,max",
                "mAP50(B),max",
                "ep_rew_mean,max",
                "BLEU,max",
                "F1,max",
                "FID,min",
                "perplexity,min",
                "wer,min",
                "box_loss,min",
                "lr,-",
                "grad_norm,-",
                "num_tokens,-"
            })
    void the_better_direction_of_what_is_well_known(String name, String direction) {
        assertThat(MetricNames.direction(name)).isEqualTo(direction);
    }

    @Test
    void losses_of_two_networks_are_those_of_a_gan_and_a_reward_without_a_loss_is_reinforcement() {
        assertThat(profile("step", "loss")).isNull();
        assertThat(profile("g_loss", "d_loss")).isEqualTo("gan");
        assertThat(profile("Loss/generator_loss", "Loss/discriminator_loss")).isEqualTo("gan");
        assertThat(profile("rollout/ep_rew_mean", "train/loss", "train/policy_gradient_loss"))
                .isEqualTo("rl");
        assertThat(profile("episode_reward")).isEqualTo("rl");
        assertThat(profile("loss", "reward")).isNull();
    }

    @Test
    void a_name_of_any_length_is_bounded() {
        assertThat(MetricNames.of("x".repeat(10_000)).name()).hasSize(MetricNames.MAX_NAME_CHARACTERS);
    }

    private static String profile(String... names) {
        List<Metric> metrics = Stream.of(names).map(MetricNames::of).toList();
        return MetricNames.profile(metrics);
    }

    @Test
    void episodes_beside_a_loss_are_those_of_a_policy_and_rewards_of_preferences_are_not() {
        assertThat(profile("rollout/ep_rew_mean", "rollout/exploration_rate", "train/loss"))
                .isEqualTo("rl");
        assertThat(profile("loss", "rewards/chosen", "rewards/rejected", "rewards/accuracies"))
                .isNull();
    }
}
