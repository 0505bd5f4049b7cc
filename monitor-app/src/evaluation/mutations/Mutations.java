import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * Breaks the rule of each detector on purpose and says which test sees it: {@code java -cp LIBRARIES Mutations.java CLASSES
 * [DETECTOR...]}.
 *
 * <p>Of each row of {@code mutations.tsv} the class is compiled with one text replaced by another, to a directory of its own that
 * comes before all else, and the test class of the detector runs against it. The sources stay as they are. Prints a Markdown
 * table; exit code 1 if a mutation survives.
 *
 * <p>CLASSES: classes and test classes of the module. LIBRARIES: its dependencies and junit-platform-console-standalone.
 */
final class Mutations {
    private record Mutation(String detector, String type, String from, String to, String meaning) {
        /** learning_rate_too_low is tested by LearningRateTooLowTest. */
        String test() {
            StringBuilder name = new StringBuilder();
            for (String word : detector.split("_")) {
                name.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
            }
            return "io.trainwatch.monitor.detect." + name + "Test";
        }
    }

    public static void main(String[] args) throws IOException, ReflectiveOperationException {
        Path here = Path.of("src/evaluation/mutations");
        List<String> wanted = List.of(args).subList(1, args.length);
        int survivors = 0;
        System.out.println("| detector | its rule | broken to | which means | tests that fail |\n|---|---|---|---|---|");
        List<String> rows = Files.readAllLines(here.resolve("mutations.tsv"));
        for (String row : rows.subList(1, rows.size())) {
            String[] cells = row.split("\t");
            Mutation mutation = new Mutation(cells[0], cells[1], cells[2], cells[3], cells[4]);
            if (wanted.isEmpty() || wanted.contains(mutation.detector)) {
                List<String> failed = run(mutation, args[0]);
                survivors += failed.isEmpty() ? 1 : 0;
                System.out.println("| " + mutation.detector + " | `" + mutation.from + "` | `" + mutation.to + "` | "
                        + mutation.meaning + " | " + told(failed) + " |");
            }
        }
        System.exit(survivors == 0 ? 0 : 1);
    }

    private static String told(List<String> failed) {
        return failed.isEmpty()
                ? "**none: it survives**"
                : failed.get(0) + (failed.size() > 1 ? " and " + (failed.size() - 1) + " more" : "");
    }

    private static List<String> run(Mutation mutation, String classpath) throws IOException, ReflectiveOperationException {
        Path source = Path.of("src/main/java/io/trainwatch/monitor/detect", mutation.type + ".java");
        String text = Files.readString(source);
        if (text.split(Pattern.quote(mutation.from), -1).length != 2) {
            throw new IOException(source + ": \"" + mutation.from + "\" is not there exactly once; mend mutations.tsv");
        }
        Path work = Files.createTempDirectory("mutation");
        Path broken = work.resolve(mutation.type + ".java");
        Path classes = Files.createDirectory(work.resolve("classes"));
        Files.writeString(broken, text.replace(mutation.from, mutation.to));
        int compiled = ToolProvider.getSystemJavaCompiler()
                .run(null, null, null, "-proc:none", "-nowarn", "-cp",
                        classpath + File.pathSeparator + System.getProperty("java.class.path"), "-d", classes.toString(), broken.toString());
        if (compiled != 0) {
            throw new IOException(mutation.detector + ": the mutation does not compile");
        }
        List<URL> urls = new ArrayList<>();
        urls.add(classes.toUri().toURL());
        for (String path : classpath.split(File.pathSeparator)) {
            urls.add(Path.of(path).toUri().toURL());
        }
        SummaryGeneratingListener listener = new SummaryGeneratingListener();
        ClassLoader outer = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader = new URLClassLoader(urls.toArray(URL[]::new), Mutations.class.getClassLoader())) {
            Thread.currentThread().setContextClassLoader(loader);
            LauncherFactory.create()
                    .execute(
                            LauncherDiscoveryRequestBuilder.request()
                                    .selectors(DiscoverySelectors.selectClass(loader.loadClass(mutation.test())))
                                    .build(),
                            listener);
        } finally {
            Thread.currentThread().setContextClassLoader(outer);
        }
        if (listener.getSummary().getTestsStartedCount() == 0) {
            throw new IOException(mutation.test() + ": no test ran");
        }
        return listener.getSummary().getFailures().stream()
                .map(failure -> failure.getTestIdentifier().getSource().orElse(null))
                .map(place -> place instanceof MethodSource method ? method.getMethodName() : "(setup)")
                .distinct()
                .toList();
    }
}
