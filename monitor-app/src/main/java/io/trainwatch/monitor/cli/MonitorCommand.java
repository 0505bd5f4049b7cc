package io.trainwatch.monitor.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(name = "monitor")
final class MonitorCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        return 0;
    }
}
