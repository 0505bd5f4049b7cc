package io.trainwatch.monitor.stats;

/** The rule that the claims on false alarms rest on: 3 of the last 5 scores above t5 or 2 of the last 3 above t8. */
final class SpikeRule {
    private int above5;
    private int above8;
    private boolean open;
    private int alarms;

    void add(double score, double t5, double t8) {
        above5 = ((above5 << 1) | (score > t5 ? 1 : 0)) & 0b11111;
        above8 = ((above8 << 1) | (score > t8 ? 1 : 0)) & 0b111;
        boolean excess = Integer.bitCount(above5) >= 3 || Integer.bitCount(above8) >= 2;
        if (excess && !open) {
            alarms++;
        }
        open = excess;
    }

    int alarms() {
        return alarms;
    }
}
