package io.trainwatch.monitor.cli;

import io.trainwatch.attach.cli.Printable;
import io.trainwatch.monitor.evaluate.LabelledCorpus;
import io.trainwatch.monitor.judge.RunJudge;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says how well the judgement does on labelled logs. */
@Command(
        name = "evaluate",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {
            "Judges labelled logs as 'check' does and counts: recall, precision, delay, and false alarms per 100,000"
                    + " healthy points with their exact Poisson interval, beside well-known rules on the same logs.",
            ""
        },
        footer = {
            "",
            "Labels are a JSON object by file name:",
            "  {\"a.jsonl\": {\"must\": [{\"detectors\": [\"loss_spike\"], \"from_step\": 600,",
            "                         \"to_step\": 606, \"causes\": [\"bad_batch\"]}],",
            "               \"allow\": [\"exploding_gradient\"]},",
            "   \"b.csv\":   {\"must\": [], \"allow\": []},",
            "   \"c.log\":   {\"ignore\": true}}",
            "Of each entry of 'must' one detector has to be raised between its steps; 'allow' may be raised besides;",
            "anything else at warning or above is a false alarm.",
            "",
            "Examples:",
            "  trainwatch evaluate --labels corpus/labels.json corpus/",
            "  trainwatch evaluate --labels labels.json --output json logs/ > accuracy.json",
            "",
            "Exit codes:",
            "  0  every labelled log was judged",
            "  2  one was missing or could not be read; the others count all the same"
        })
final class EvaluateCommand implements Callable<Integer> {

    /** How results are written. */
    enum Output {
        text,
        json
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Option(names = "--labels", required = true, paramLabel = "FILE", description = "What is right for each log.")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Path labels;

    @Option(
            names = "--causes",
            paramLabel = "FILE",
            description = "Right causes by the beginning of file names, for labels that name none:"
                    + " {\"nan-log-of-zero\": [\"undefined_operation\"]}.")
    @Nullable
    Path causes;

    @Parameters(paramLabel = "PATH", arity = "1..*", description = "The logs, or directories with them.")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    List<Path> paths;

    @Option(
            names = "--output",
            paramLabel = "OUTPUT",
            defaultValue = "text",
            description = "text: Markdown tables, or json (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Output output;

    @Override
    public Integer call() throws CommandFailedException {
        PrintWriter err = spec.commandLine().getErr();
        try {
            LabelledCorpus corpus = LabelledCorpus.find(labels, causes, paths);
            corpus.evaluate(new RunJudge(), spec.commandLine().getOut(), err, output == Output.json);
            corpus.problems().forEach(problem -> err.println("trainwatch: " + Printable.of(problem)));
            err.flush();
            return corpus.problems().isEmpty() ? 0 : Trainwatch.COULD_NOT;
        } catch (NoSuchFileException e) {
            throw new CommandFailedException(e.getFile() + ": there is no such file");
        } catch (IOException e) {
            throw new CommandFailedException(String.valueOf(e.getMessage()));
        }
    }
}
