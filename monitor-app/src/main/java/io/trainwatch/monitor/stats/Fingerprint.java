package io.trainwatch.monitor.stats;

/**
 * A 64-bit hash of text and numbers (FNV-1a, numbers as one unit each): tells apart what need not be kept. Chance gives one
 * collision among a thousand names in some 4e13 cases; whoever forges one harms the run that it names alone.
 */
public final class Fingerprint {
    /** Of nothing: where every fingerprint begins. */
    public static final long EMPTY = 0xcbf29ce484222325L;

    private static final long PRIME = 0x100000001b3L;

    private Fingerprint() {}

    public static long of(String text) {
        long hash = EMPTY;
        for (int i = 0; i < text.length(); i++) {
            hash = with(hash, text.charAt(i));
        }
        return hash;
    }

    /** The fingerprint of a text by one character more. */
    public static long with(long fingerprint, char next) {
        return (fingerprint ^ next) * PRIME;
    }

    /** The fingerprint by one number more; every NaN is the same, 0 and -0 are not. */
    public static long with(long fingerprint, double next) {
        long mixed = (fingerprint ^ Double.doubleToLongBits(next)) * PRIME;
        // FNV moves bits upwards alone, and the digits of a number are in its low ones and high ones.
        return mixed ^ (mixed >>> 32);
    }
}
