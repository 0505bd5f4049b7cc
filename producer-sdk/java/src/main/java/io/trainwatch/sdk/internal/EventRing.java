package io.trainwatch.sdk.internal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Hands events from any number of callers to one sender. Callers copy numbers into preallocated slots of one cache line
 * each: no allocation, no lock, no wake-up of the sender, which polls. A ring that is full refuses the event and counts
 * it; the last eighth of the slots is kept for events that must not be lost.
 *
 * <p>A caller claims a position by compare-and-set on the tail, writes its slot and publishes it by storing the position
 * into the slot's turn. The sender reads a slot once its turn has come and moves the head behind it.
 */
final class EventRing {
    /** Stands for an absent step. */
    static final long NO_STEP = Long.MIN_VALUE;

    /** Which numbers of a plain step are present, as a sum of these. */
    static final int LOSS = 1;

    static final int GRAD_NORM = 2;
    static final int LEARNING_RATE = 4;

    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    private static final int SLOT_LONGS = 8;
    private static final int TURN = 0;
    private static final int STEP = 1;
    private static final int TIMESTAMP = 2;
    private static final int LOSS_BITS = 3;
    private static final int GRAD_NORM_BITS = 4;
    private static final int LEARNING_RATE_BITS = 5;
    private static final int NUMBERS = 6;

    /** Indexes into {@link #counters}; what callers write and what the sender writes lie 128 bytes apart. */
    private static final int TAIL = 16;

    private static final int ROUTINE_LIMIT = 17;
    private static final int REFUSED = 18;
    private static final int HEAD = 34;

    private final int capacity;
    private final int reserve;
    private final long[] slots;
    private final @Nullable Object[] bodies;
    private final long[] counters = new long[52];

    /** Makes a ring of at least {@code capacity} slots, rounded up to a power of two. */
    EventRing(int capacity) {
        this.capacity = Math.max(8, Integer.highestOneBit(capacity - 1) << 1);
        reserve = this.capacity / 8;
        slots = new long[this.capacity * SLOT_LONGS];
        bodies = new Object[this.capacity];
        counters[ROUTINE_LIMIT] = this.capacity - (long) reserve;
    }

    /** One event on its way out of the ring; a null body is a plain step. */
    static final class Taken {
        long step;
        long timestampMs;
        int numbers;
        double loss;
        double gradNorm;
        double learningRate;

        @Nullable
        Object body;

        boolean isFinite() {
            return Double.isFinite(loss) && Double.isFinite(gradNorm) && Double.isFinite(learningRate);
        }
    }

    /** Takes a plain step, or refuses it. */
    boolean offer(long step, long timestampMs, int numbers, double loss, double gradNorm, double learningRate) {
        boolean finite = Double.isFinite(loss) && Double.isFinite(gradNorm) && Double.isFinite(learningRate);
        long position = claim(finite ? reserve : 0);
        if (position < 0) {
            return false;
        }
        int slot = slotOf(position);
        slots[slot + LOSS_BITS] = Double.doubleToRawLongBits(loss);
        slots[slot + GRAD_NORM_BITS] = Double.doubleToRawLongBits(gradNorm);
        slots[slot + LEARNING_RATE_BITS] = Double.doubleToRawLongBits(learningRate);
        slots[slot + NUMBERS] = numbers;
        publish(position, slot, step, timestampMs);
        return true;
    }

    /** Takes anything but a plain step, or refuses it. */
    boolean offer(long step, long timestampMs, Importance importance, Object body) {
        long position = claim(importance.isVital() ? 0 : reserve);
        if (position < 0) {
            return false;
        }
        bodies[(int) position & (capacity - 1)] = body;
        publish(position, slotOf(position), step, timestampMs);
        return true;
    }

    /** Moves the oldest event into {@code taken}; false if there is none. For the sender alone. */
    boolean poll(Taken taken) {
        long head = counters[HEAD];
        int slot = slotOf(head);
        if ((long) LONGS.getAcquire(slots, slot + TURN) != head + 1) {
            return false;
        }
        int index = (int) head & (capacity - 1);
        taken.step = slots[slot + STEP];
        taken.timestampMs = slots[slot + TIMESTAMP];
        taken.body = bodies[index];
        if (taken.body == null) {
            taken.numbers = (int) slots[slot + NUMBERS];
            taken.loss = Double.longBitsToDouble(slots[slot + LOSS_BITS]);
            taken.gradNorm = Double.longBitsToDouble(slots[slot + GRAD_NORM_BITS]);
            taken.learningRate = Double.longBitsToDouble(slots[slot + LEARNING_RATE_BITS]);
        } else {
            bodies[index] = null;
        }
        LONGS.setRelease(counters, HEAD, head + 1);
        return true;
    }

    /** Events refused so far. */
    long refused() {
        return (long) LONGS.getAcquire(counters, REFUSED);
    }

    /** Whether every claimed slot has been polled. For the sender alone. */
    boolean isEmpty() {
        return (long) LONGS.getAcquire(counters, TAIL) == counters[HEAD];
    }

    int capacity() {
        return capacity;
    }

    /** Returns a position, or -1 if fewer than {@code spare} slots would stay free. */
    private long claim(int spare) {
        while (true) {
            long tail = (long) LONGS.getAcquire(counters, TAIL);
            if (tail >= (long) LONGS.getOpaque(counters, ROUTINE_LIMIT)) {
                long room = (long) LONGS.getAcquire(counters, HEAD) + capacity;
                LONGS.setOpaque(counters, ROUTINE_LIMIT, room - reserve);
                if (tail >= room - spare) {
                    LONGS.getAndAdd(counters, REFUSED, 1L);
                    return -1;
                }
            }
            if (LONGS.compareAndSet(counters, TAIL, tail, tail + 1)) {
                return tail;
            }
        }
    }

    private void publish(long position, int slot, long step, long timestampMs) {
        slots[slot + STEP] = step;
        slots[slot + TIMESTAMP] = timestampMs;
        LONGS.setRelease(slots, slot + TURN, position + 1);
    }

    private int slotOf(long position) {
        return ((int) position & (capacity - 1)) * SLOT_LONGS;
    }
}
