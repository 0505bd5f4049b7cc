package io.trainwatch.attach.cli;

import io.trainwatch.attach.follow.Agent;
import io.trainwatch.attach.follow.Attachment;
import io.trainwatch.attach.follow.Job;
import io.trainwatch.attach.follow.Spool;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Runs a job and reads what it prints. */
@Command(
        name = "run",
        mixinStandardHelpOptions = true,
        description = {
            "Runs a job and watches it by what it prints: its output passes through unchanged, and so do its exit code and",
            "the signals INT, TERM, HUP, USR1 and USR2 (by which Slurm says that a job is about to be preempted).",
            ""
        },
        footer = {
            "",
            "The run is called like the script, with date and time behind it, unless --run-id says otherwise.",
            "",
            "Examples:",
            "  trainwatch run --to kafka:localhost:9092 -- python train.py",
            "  trainwatch run --run-id gpt-7 --project llm -- torchrun --nproc-per-node 8 train.py",
            "",
            "The job never waits for the monitor: what it prints goes to a temporary file first. PYTHONUNBUFFERED=1 is set",
            "for it, unless it is set already, since Python holds lines back that go into a pipe.",
            "",
            "Exit codes: that of the job, 128 + the signal if one ended it; 127 if it could not be started"
        })
public final class RunCommand implements Callable<Integer> {
    private static final int NOT_STARTED = 127;
    private static final int CHUNK_BYTES = 64 * 1024;
    private static final long DELIVER_SECONDS = 30;
    private static final List<String> ENDING = List.of("INT", "TERM", "HUP");
    private static final List<String> OTHERS = List.of("USR1", "USR2");

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Target target;

    @Parameters(paramLabel = "COMMAND", arity = "1..*", description = "The job and its arguments, behind --.")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    List<String> command;

    private final AtomicReference<@Nullable Integer> signal = new AtomicReference<>();

    @Override
    public Integer call() throws Exception {
        var settings = target.settings();
        ProcessBuilder builder = new ProcessBuilder(command).redirectInput(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putIfAbsent("PYTHONUNBUFFERED", "1");
        String name = name();
        try (Spool spool = Spool.create(name + ".log");
                Agent agent = new Agent(
                        settings.runId() == null
                                ? settings.withRun(name + "-" + now(), settings.project(), settings.labels())
                                : settings,
                        Duration.ZERO,
                        Duration.ofMillis(200),
                        message -> say(message.replace(spool.path().toString(), name)))) {
            Process process;
            try {
                process = builder.start();
            } catch (IOException e) {
                say("cannot start " + command.get(0) + ": " + e.getMessage());
                return NOT_STARTED;
            }
            ENDING.forEach(one -> forward(one, process));
            OTHERS.forEach(one -> forward(one, process));
            Thread out = pass(process.getInputStream(), System.out, spool);
            Thread err = pass(process.getErrorStream(), System.err, spool);
            CountDownLatch delivered = new CountDownLatch(1);
            Job job = Job.child(process, List.of(out, err), signal::get);
            agent.attach(spool, job);
            Thread following = new Thread(
                    () -> {
                        try {
                            agent.run();
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        } finally {
                            delivered.countDown();
                        }
                    },
                    "attach");
            following.setDaemon(true);
            following.start();
            int code = process.waitFor();
            out.join();
            err.join();
            if (!delivered.await(DELIVER_SECONDS, TimeUnit.SECONDS)) {
                say("not everything that the job printed was delivered within " + DELIVER_SECONDS + " s of its end");
            }
            for (Attachment attachment : agent.attachments()) {
                if (attachment.sent() == 0) {
                    say("the job printed nothing that looks like a step of training: nothing was sent");
                }
            }
            return code;
        }
    }

    /** What the run is called if nobody says it: the script of an interpreter, else the program. */
    private String name() {
        String script = command.stream()
                .skip(1)
                .filter(word -> word.matches(".*\\.(?:py|sh|jl|R|lua|ipynb)"))
                .findFirst()
                .orElse(command.get(0));
        Path name = Path.of(script).getFileName();
        String stem = String.valueOf(name).replaceFirst("(?<=.)\\.[^.]*$", "");
        return stem.isBlank() ? "job" : stem;
    }

    /** Each time is a run of its own. */
    private static String now() {
        return LocalDateTime.now(ZoneId.systemDefault()).format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
    }

    private Thread pass(InputStream from, PrintStream to, Spool spool) {
        Thread passing = new Thread(new Passing(from, to, spool), "run-output");
        passing.setDaemon(true);
        passing.start();
        return passing;
    }

    /** Hands on what the job writes, as it is, and keeps whole lines of it for the agent. */
    private static final class Passing implements Runnable {
        private final InputStream from;
        private final OutputStream to;
        private final Spool spool;
        private boolean keeps = true;
        private boolean passes = true;

        Passing(InputStream from, OutputStream to, Spool spool) {
            this.from = from;
            this.to = to;
            this.spool = spool;
        }

        @Override
        public void run() {
            byte[] chunk = new byte[CHUNK_BYTES];
            int length = 0;
            try {
                while (true) {
                    int read = from.read(chunk, length, chunk.length - length);
                    if (read < 0) {
                        keep(chunk, 0, length);
                        return;
                    }
                    pass(chunk, length, read);
                    length += read;
                    int whole = length;
                    while (whole > 0 && chunk[whole - 1] != '\n' && chunk[whole - 1] != '\r') {
                        whole--;
                    }
                    if (whole == 0 && length == chunk.length) {
                        whole = length; // a line that is longer than any buffer
                    }
                    keep(chunk, 0, whole);
                    System.arraycopy(chunk, whole, chunk, 0, length - whole);
                    length -= whole;
                }
            } catch (IOException e) {
                // The job has closed it.
            }
        }

        private void pass(byte[] chunk, int start, int length) {
            if (passes) {
                try {
                    to.write(chunk, start, length);
                    to.flush();
                } catch (IOException e) {
                    passes = false; // nobody listens to us any more; the job need not know
                }
            }
        }

        private void keep(byte[] chunk, int start, int length) {
            if (keeps && length > 0) {
                try {
                    spool.write(chunk, start, length);
                } catch (IOException e) {
                    keeps = false; // a full disk ends the watching, not the job
                }
            }
        }
    }

    /**
     * Hands a signal on to the job. Where a terminal sends INT, the job has it already. By reflection: the class is a part of
     * every JDK, but not of Java.
     */
    private void forward(String name, Process process) {
        if (name.equals("INT") && isAtTerminal()) {
            return;
        }
        try {
            Class<?> signalClass = Class.forName("sun.misc.Signal");
            Class<?> handlerClass = Class.forName("sun.misc.SignalHandler");
            Object handler = Proxy.newProxyInstance(
                    handlerClass.getClassLoader(), new Class<?>[] {handlerClass}, (proxy, method, arguments) -> {
                        if (method.getName().equals("handle")) {
                            if (ENDING.contains(name)) {
                                signal.set(1);
                            }
                            send(name, process);
                            return null;
                        }
                        return method.getName().equals("hashCode")
                                ? (Object) name.hashCode()
                                : method.getName().equals("equals") ? (Object) (proxy == arguments[0]) : name;
                    });
            Object handled = signalClass.getConstructor(String.class).newInstance(name);
            signalClass.getMethod("handle", signalClass, handlerClass).invoke(null, handled, handler);
        } catch (ReflectiveOperationException e) {
            say("signal " + name + " cannot be handed on to the job: " + e);
        }
    }

    private static boolean isAtTerminal() {
        try {
            String input = Files.readSymbolicLink(Path.of("/proc/self/fd/0")).toString();
            return input.startsWith("/dev/pts/") || input.startsWith("/dev/tty");
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    private void send(String name, Process process) {
        try {
            new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid())
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            process.destroy();
        }
    }

    private void say(String message) {
        Terminal.line(spec.commandLine().getErr(), message);
    }
}
