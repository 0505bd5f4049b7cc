package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class MetricDirectionTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "accuracy",
                "eval_accuracy",
                "val/acc",
                "top5-acc",
                "f1_macro",
                "MulticlassF1Score",
                "roc_auc",
                "mAP",
                "metrics/mAP50-95(B)",
                "rougeL",
                "bleu",
                "ep_rew_mean",
                "mean_reward",
                "return",
                "success_rate",
                "average_precision",
                "modes_covered",
                "unique_token_ratio",
                "psnr",
                "r2",
            })
    void better_when_larger(String name) {
        assertThat(MetricDirection.ofName(name)).isEqualTo(MetricDirection.MAX);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "loss",
                "val_loss",
                "val/box_loss",
                "perplexity",
                "ppl",
                "error_rate",
                "MeanSquaredError",
                "rmse",
                "val_RMSE",
                "mae",
                "wer",
                "fid",
                "kl_divergence",
            })
    void better_when_smaller(String name) {
        assertThat(MetricDirection.ofName(name)).isEqualTo(MetricDirection.MIN);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "quality", "score", "x", "learning_rate", "accuracy_loss", "f1_error", "approx_kl", "!!"})
    void what_says_nothing_or_contradicts_itself_is_not_guessed(String name) {
        assertThat(MetricDirection.ofName(name)).isNull();
    }

    @Test
    void rates_returns_diversities_and_losses_are_told_apart() {
        assertThat(MetricDirection.isRate("val_accuracy")).isTrue();
        assertThat(MetricDirection.isRate("accuracy_loss")).isFalse();
        assertThat(MetricDirection.isRate("bleu")).isFalse();
        assertThat(MetricDirection.isReturn("rollout/ep_rew_mean")).isTrue();
        assertThat(MetricDirection.isReturn("accuracy")).isFalse();
        assertThat(MetricDirection.isDiversity("distinct_2")).isTrue();
        assertThat(MetricDirection.isLoss("perplexity")).isTrue();
        assertThat(MetricDirection.isLoss("mae")).isFalse();
    }

    @Test
    void a_gain_is_turned_so_that_more_is_better() {
        assertThat(MetricDirection.MAX.gain(3)).isEqualTo(3);
        assertThat(MetricDirection.MIN.gain(3)).isEqualTo(-3);
    }

    @Test
    void only_min_and_max_are_declarations() {
        assertThat(MetricDirection.declared("MAX")).isEqualTo(MetricDirection.MAX);
        assertThat(MetricDirection.declared("min")).isEqualTo(MetricDirection.MIN);
        assertThat(MetricDirection.declared("up")).isNull();
        assertThat(MetricDirection.declared(null)).isNull();
    }
}
