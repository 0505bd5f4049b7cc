package io.trainwatch.monitor;

import java.util.Random;
import java.util.function.LongToDoubleFunction;

/** Kinds of noise that healthy losses have, each of unit scale and seeded. */
public enum Noise {
    GAUSSIAN {
        @Override
        LongToDoubleFunction of(Random random) {
            return step -> random.nextGaussian();
        }
    },
    AR_09 {
        @Override
        LongToDoubleFunction of(Random random) {
            return autoregressive(random, 0.9);
        }
    },
    AR_099 {
        @Override
        LongToDoubleFunction of(Random random) {
            return autoregressive(random, 0.99);
        }
    },
    STUDENT_T3 {
        @Override
        LongToDoubleFunction of(Random random) {
            return step -> {
                double chi = 0;
                for (int i = 0; i < 3; i++) {
                    double z = random.nextGaussian();
                    chi += z * z;
                }
                return random.nextGaussian() / Math.sqrt(chi / 3);
            };
        }
    },
    LOG_NORMAL {
        @Override
        LongToDoubleFunction of(Random random) {
            return step -> Math.exp(random.nextGaussian()) - 1;
        }
    },
    /** Two networks that hold each other in balance: a slow wave under the noise. */
    SINE {
        @Override
        LongToDoubleFunction of(Random random) {
            return step -> 2 * Math.sin(step / 80.0) + 0.5 * random.nextGaussian();
        }
    },
    /** A log with few digits. */
    QUANTISED {
        @Override
        LongToDoubleFunction of(Random random) {
            return step -> Math.rint(random.nextGaussian());
        }
    },
    /** A loss that jumps down when an epoch begins and creeps up within it. */
    EPOCH_SAW_TOOTH {
        @Override
        LongToDoubleFunction of(Random random) {
            return step -> (step % 500) / 250.0 - 1 + 0.5 * random.nextGaussian();
        }
    };

    abstract LongToDoubleFunction of(Random random);

    /** The noise, by step. */
    public LongToDoubleFunction seeded(long seed) {
        return of(new Random(seed));
    }

    private static LongToDoubleFunction autoregressive(Random random, double memory) {
        double fresh = Math.sqrt(1 - memory * memory);
        double[] state = {random.nextGaussian()};
        return step -> {
            state[0] = memory * state[0] + fresh * random.nextGaussian();
            return state[0];
        };
    }
}
