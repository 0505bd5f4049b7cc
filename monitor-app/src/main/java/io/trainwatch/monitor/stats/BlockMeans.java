package io.trainwatch.monitor.stats;

/**
 * A whole series as 32 to 64 means over blocks of equally many points, however long it is: when 64 blocks are full, each
 * two become one.
 */
public final class BlockMeans implements Persistent {
    public static final int MAX_BLOCKS = 64;

    private final double[] means = new double[MAX_BLOCKS];
    private int closed;
    private long pointsPerBlock = 1;
    private double sum;
    private long inBlock;

    /** Adds a finite point; true if it closed a block. */
    public boolean add(double x) {
        sum += x;
        if (++inBlock < pointsPerBlock) {
            return false;
        }
        if (closed == MAX_BLOCKS) {
            halve();
            if (inBlock < pointsPerBlock) {
                return false;
            }
        }
        means[closed++] = sum / inBlock;
        sum = 0;
        inBlock = 0;
        return true;
    }

    private void halve() {
        for (int i = 0; i < MAX_BLOCKS / 2; i++) {
            means[i] = (means[2 * i] + means[2 * i + 1]) / 2;
        }
        closed = MAX_BLOCKS / 2;
        pointsPerBlock *= 2;
    }

    /** Closed blocks. */
    public int closed() {
        return closed;
    }

    /** Points in each closed block. */
    public long pointsPerBlock() {
        return pointsPerBlock;
    }

    /** Mean of a closed block. */
    public double mean(int block) {
        return means[block];
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(closed);
        out.writeDoubles(means, closed);
        out.writeLong(pointsPerBlock);
        out.writeDouble(sum);
        out.writeLong(inBlock);
    }

    @Override
    public void read(StateReader in) {
        closed = in.readCount(MAX_BLOCKS);
        in.readDoubles(means, closed);
        pointsPerBlock = in.readLong();
        sum = in.readDouble();
        inBlock = in.readLong();
    }
}
