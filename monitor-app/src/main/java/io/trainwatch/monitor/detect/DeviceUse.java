package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepProfile;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;

/**
 * How busy and how full the device of one rank is. All of it is info: it explains a throughput and is no fault by itself.
 *
 * <pre>
 * of 50 reports: 95 % below 70 % busy (idle) or 5 % below 10 % busy (in turns)         -&gt; info, scope gpu_utilization
 *                and 95 % of them fill less than 70 % of the memory: room for a larger batch
 * mean of 10 reports of memory above the lowest such mean by 5 % of the device         -&gt; info, scope gpu_memory
 * </pre>
 *
 * <p>SageMaker's LowGPUUtilization, BatchSize and GPUMemoryIncrease with their thresholds; the first mean of memory, in
 * which an allocator fills its cache, is left out.
 */
final class DeviceUse implements Persistent {
    static final String UTILIZATION = "gpu_utilization";
    static final String MEMORY = "gpu_memory";
    static final int REPORTS = 50;
    static final double IDLE = 0.7;
    static final double STALLED = 0.1;
    static final double MOST = 0.95;
    static final int MEMORY_REPORTS = 10;
    static final double GROWTH = 0.05;

    private int reports;
    private int idle;
    private int stalled;
    private int roomy;
    private int memoryReports;
    private double memoryMean;
    private long memoryMeans;
    private double lowestMean;
    private long lowestStep;

    /** Memory is used anew from here on. */
    void restart() {
        memoryReports = 0;
        memoryMeans = 0;
    }

    void add(RunView run, StepProfile profile, Verdicts verdicts) {
        Long used = profile.getGpuMemoryUsedBytes();
        Long total = profile.getGpuMemoryTotalBytes();
        double full = used == null || total == null || used < 0 || total <= 0 ? Double.NaN : (double) used / total;
        if (!Double.isNaN(full)) {
            memory(run, full, verdicts);
        }
        Double busy = profile.getGpuUtilizationFraction();
        if (busy == null || !(busy >= 0)) {
            return;
        }
        idle += busy < IDLE ? 1 : 0;
        stalled += busy < STALLED ? 1 : 0;
        roomy += full < IDLE ? 1 : 0;
        if (++reports < REPORTS) {
            return;
        }
        double idleShare = (double) idle / REPORTS;
        double stalledShare = (double) stalled / REPORTS;
        boolean room = roomy >= MOST * REPORTS;
        if (idleShare >= MOST || stalledShare > 1 - MOST) {
            verdicts.unhealthy(
                    UTILIZATION,
                    Severity.info,
                    run.lastStep(),
                    null,
                    () -> new Verdicts.Explanation(
                            "the device was less than " + Figures.percent(IDLE) + " busy in "
                                    + Figures.percent(idleShare) + " of " + REPORTS + " reports and less than "
                                    + Figures.percent(STALLED) + " in " + Figures.percent(stalledShare)
                                    + (room ? "; most of its memory is free, so a larger batch may fit" : ""),
                            List.of(Figures.evidence(
                                    "gpu_utilization_fraction",
                                    run.lastStep(),
                                    run.lastStep(),
                                    idleShare,
                                    Double.NaN,
                                    Double.NaN,
                                    "share of reports below " + IDLE))));
        } else {
            verdicts.healthy(UTILIZATION);
        }
        reports = 0;
        idle = 0;
        stalled = 0;
        roomy = 0;
    }

    private void memory(RunView run, double full, Verdicts verdicts) {
        memoryReports++;
        memoryMean = memoryReports == 1 ? full : memoryMean + (full - memoryMean) / memoryReports;
        if (memoryReports < MEMORY_REPORTS) {
            return;
        }
        memoryReports = 0;
        memoryMeans++;
        if (memoryMeans == 2 || (memoryMeans > 2 && memoryMean < lowestMean)) {
            lowestMean = memoryMean;
            lowestStep = run.lastStep();
        }
        if (memoryMeans > 2 && memoryMean > lowestMean + GROWTH) {
            double mean = memoryMean;
            verdicts.unhealthy(
                    MEMORY,
                    Severity.info,
                    lowestStep,
                    null,
                    () -> new Verdicts.Explanation(
                            "device memory has grown from " + Figures.percent(lowestMean) + " at step " + lowestStep
                                    + " to " + Figures.percent(mean),
                            List.of(Figures.evidence(
                                    "gpu_memory_used_fraction",
                                    lowestStep,
                                    run.lastStep(),
                                    mean,
                                    lowestMean,
                                    Double.NaN,
                                    "share of the device"))));
        } else {
            verdicts.healthy(MEMORY);
        }
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(reports);
        out.writeInt(idle);
        out.writeInt(stalled);
        out.writeInt(roomy);
        out.writeInt(memoryReports);
        out.writeDouble(memoryMean);
        out.writeLong(memoryMeans);
        out.writeDouble(lowestMean);
        out.writeLong(lowestStep);
    }

    @Override
    public void read(StateReader in) {
        reports = in.readInt();
        idle = in.readInt();
        stalled = in.readInt();
        roomy = in.readInt();
        memoryReports = in.readInt();
        memoryMean = in.readDouble();
        memoryMeans = in.readLong();
        lowestMean = in.readDouble();
        lowestStep = in.readLong();
    }
}
