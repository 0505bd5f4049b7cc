import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;

/**
 * Breaks the rule of each detector on purpose and says which test sees it: {@code java Mutations.java CLASSPATH [DETECTOR...]}.
 *
 * <p>Of each row of {@code mutations.tsv} the class is compiled with one text replaced by another, to a directory of its own that
 * comes before all else, and the test class of the detector runs against it. The sources stay as they are. Prints a Markdown
 * table; exit code 1 if a mutation survives.
 *
 * <p>CLASSPATH: classes and test classes of the module, its dependencies and junit-platform-console-standalone.
 */
final class Mutations {
    private static final Pattern FAILED = Pattern.compile("JUnit Jupiter:\\w+:(\\w+)\\(");

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

    public static void main(String[] args) throws IOException, InterruptedException {
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

    private static List<String> run(Mutation mutation, String classpath) throws IOException, InterruptedException {
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
                .run(null, null, null, "-proc:none", "-nowarn", "-cp", classpath, "-d", classes.toString(), broken.toString());
        if (compiled != 0) {
            throw new IOException(mutation.detector + ": the mutation does not compile");
        }
        Process tests = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        classes + System.getProperty("path.separator") + classpath,
                        "org.junit.platform.console.ConsoleLauncher",
                        "execute",
                        "--disable-banner",
                        "--disable-ansi-colors",
                        "--details=summary",
                        "--select-class",
                        mutation.test())
                .redirectErrorStream(true)
                .start();
        String output = new String(tests.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        tests.waitFor();
        List<String> failed = new ArrayList<>();
        Matcher matcher = FAILED.matcher(output);
        while (matcher.find()) {
            failed.add(matcher.group(1));
        }
        if (failed.isEmpty() && !output.contains("[         0 tests failed          ]")) {
            throw new IOException(mutation.detector + ": the tests did not run:\n" + output);
        }
        return failed.stream().distinct().toList();
    }
}
