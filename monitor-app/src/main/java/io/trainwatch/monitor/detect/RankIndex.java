package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;

/**
 * Gives each rank of a run a place, from 0 in the order of their appearance, so that what is known of the ranks lies in
 * flat arrays as long as there are ranks, whatever their numbers. At most {@value #CAPACITY} ranks; no place for more, nor
 * for negative numbers.
 */
final class RankIndex implements Persistent {
    static final int CAPACITY = 16_384;
    static final int NO_PLACE = -1;

    private static final int FIRST_ROOM = 4;

    private int[] ranks = new int[0];
    private int[] ascending = new int[0];
    private int[] places = new int[0];
    private int size;

    /** The place of the rank, a new one at the first call; {@link #NO_PLACE} where there is none. */
    int of(int rank) {
        int at = Arrays.binarySearch(ascending, 0, size, rank);
        if (at >= 0) {
            return places[at];
        }
        if (rank < 0 || size == CAPACITY) {
            return NO_PLACE;
        }
        if (size == ranks.length) {
            int room = Math.max(FIRST_ROOM, 2 * size);
            ranks = Arrays.copyOf(ranks, room);
            ascending = Arrays.copyOf(ascending, room);
            places = Arrays.copyOf(places, room);
        }
        int insertion = -at - 1;
        System.arraycopy(ascending, insertion, ascending, insertion + 1, size - insertion);
        System.arraycopy(places, insertion, places, insertion + 1, size - insertion);
        ascending[insertion] = rank;
        places[insertion] = size;
        ranks[size] = rank;
        return size++;
    }

    /** The rank that has the place. */
    int rankAt(int place) {
        return ranks[place];
    }

    int size() {
        return size;
    }

    /** How long arrays have to be to hold every place, with room to grow. */
    int room() {
        return ranks.length;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(size);
        for (int i = 0; i < size; i++) {
            out.writeInt(ranks[i]);
        }
    }

    @Override
    public void read(StateReader in) {
        size = 0;
        int count = in.readCount(CAPACITY);
        for (int i = 0; i < count; i++) {
            of(in.readInt());
        }
    }
}
