package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** By the wording of one line, the numbers of the next are what they are without it. */
class WordingTest {
    private static final int ROUNDS = 300;

    @Test
    void the_numbers_may_be_others_and_of_other_length() {
        assertThat(by("step 9 | loss 2.5000 | 31.20%", "step 10000 | loss -1e-05 | 7%"))
                .isEqualTo(TextNumbers.in("step 10000 | loss -1e-05 | 7%", true).found())
                .hasSize(3);
    }

    @Test
    void a_date_may_be_another_one() {
        assertThat(by("2026-11-29 12:00:01,250 INFO step 9 loss 2.5", "2027-01-02 23:59:59,999 INFO step 10 loss 2.25"))
                .extracting(TextNumbers.Found::value)
                .containsExactly(999.0, 10.0, 2.25);
    }

    @Test
    void other_words_are_another_wording() {
        assertThat(by("step 9 loss 2.5", "step 9 loss_g 2.5")).isNull();
        assertThat(by("step 9 loss 2.5", "step 9 loss 2.5 lr")).isNull();
        assertThat(by("step 9 loss 2.5", "step 9")).isNull();
        assertThat(by("step 9 loss 2.5", "step 9 loss ")).isNull();
        assertThat(by("step 9 loss 2.5", "")).isNull();
        assertThat(by("epoch 1/10 loss 2.5", "epoch 2/20 loss 2.5")).isNull();
    }

    @Test
    void what_is_no_plain_number_is_another_wording() {
        assertThat(by("step 9 loss 2.5", "step 9 loss nan")).isNull();
        assertThat(by("step 9 loss 2.5", "step 9 loss .5")).isNull();
        assertThat(by("step 9 loss 2.5", "step 1,009 loss 2.5")).isNull();
        assertThat(by("step 9 loss 2.5", "step 9 loss 1e999")).isNull();
        assertThat(TextNumbers.in("step 9 loss nan", true).wording()).isNull();
        assertThat(TextNumbers.in("step 1,009 loss 2.5", true).wording()).isNull();
        assertThat(TextNumbers.in("step 9 loss 2.", false).wording()).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "iter 100: loss 3.2345, time 123.45ms, mfu 31.20%",
                "step     9/900000 | loss 3.250000 (+0.12z)| norm 1.5000 (-0.34z)| lr 1.00e-04 | 312.34 ms | 167890 tok/s",
                "Epoch: [0][ 10/5005]\tTime 0.5 (0.6)\tLoss 6.9100e+00 (6.95e+00)\tAcc@1 0.1 (0.2)",
                "Epoch 1:  10%|# | 10/100 [00:01<00:09, 9.9it/s, loss=2.3, v_num=3]",
                "{'loss': 2.3, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.01}",
                "2026-11-29 12:00:01,250 - root - INFO - step: 7, train_loss=0.5, eta 1:02:03, v1.2.3, 10.0.0.1:80",
                "[2026-11-29 12:00:01] INFO top-5 acc 0.75 in 3 of 4 files run-12/model_3.pt 12x34 5e 7s",
                " 12/100 [==>...] - ETA: 1:23 - loss: 0.5 - accuracy: 0.25 1/ 20 3 / 4. 5.",
            })
    void any_line_has_the_numbers_that_it_has_without_a_wording(String line) {
        SplittableRandom random = new SplittableRandom(7);
        int understood = 0;
        Wording wording = TextNumbers.in(line, true).wording();
        assertThat(wording).isNotNull();
        for (int round = 0; round < ROUNDS; round++) {
            String other = changed(line, random);
            List<TextNumbers.Found> found = wording.in(other);
            if (found != null) {
                understood++;
                TextNumbers numbers = TextNumbers.in(other, true);
                assertThat(found).as(other).isEqualTo(numbers.found());
            }
        }
        assertThat(understood).isPositive();
    }

    /** Other digits, more of them or fewer, and now and then something else. */
    private static String changed(String line, SplittableRandom random) {
        StringBuilder changed = new StringBuilder();
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            boolean digit = c >= '0' && c <= '9';
            if (digit && random.nextInt(3) == 0) {
                changed.append((char) ('0' + random.nextInt(10)));
            } else if (!digit || random.nextInt(40) > 0) {
                changed.append(c);
            }
            if (digit && random.nextInt(30) == 0) {
                changed.append(random.nextInt(100));
            }
            if (random.nextInt(400) == 0) {
                changed.append("-+.,:/% e|(xn".charAt(random.nextInt(13)));
            }
        }
        return changed.toString();
    }

    private static List<TextNumbers.Found> by(String line, String other) {
        return TextNumbers.in(line, true).wording().in(other);
    }
}
