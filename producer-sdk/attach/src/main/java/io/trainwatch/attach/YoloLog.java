package io.trainwatch.attach;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What YOLO prints (Ultralytics, and YOLOv5 and v7 before it): a table of which each epoch has a header and a row with a bar.
 *
 * <pre>
 *       Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size
 *       1/100      2.61G      1.153      1.398      1.192         81        640: 100%|####| 8/8 [00:01&lt;00:00,  4.08it/s]
 *                  Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%|####| 4/4 [00:01&lt;00:00]
 *                    all        128        929      0.688      0.506       0.61      0.446
 * </pre>
 *
 * <p>A row counts when its bar is full, since it shows the mean so far; steps are epochs. Of the evaluation the line of all
 * classes counts. {@code results.csv} says the same and more.
 */
final class YoloLog implements LogFormat {
    private static final Pattern HEADER = Pattern.compile(
            "^\\s*Epoch\\s+(?i:gpu_mem)\\s+([a-zA-Z_0-9 ]{1,200}?)\\s+(?:Instances|labels|targets|total)\\b.*");
    private static final Pattern ROW = Pattern.compile(
            "^\\s*(\\d{1,9})/(\\d{1,9})\\s+[\\d.]{1,10}[KMG]?\\s+([-+\\d.eEnaif \\t]{1,400}):\\s*100%.*");
    private static final Pattern CLASSES = Pattern.compile("^\\s*Class\\s+Images\\s+(?:Instances|Labels)\\s+.*");
    private static final Pattern ALL =
            Pattern.compile("^\\s*all\\s+\\d{1,12}\\s+\\d{1,12}\\s+(\\S+)\\s+(\\S+)\\s+(\\S+)\\s+(\\S+).*");
    private static final List<String> SCORES = List.of("precision", "recall", "mAP50", "mAP50-95");

    @Override
    public String name() {
        return "yolo";
    }

    @Override
    public String description() {
        return "what YOLO prints, Ultralytics and YOLOv5 (any text)";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        return input.head().lines().anyMatch(line -> HEADER.matcher(line).matches() && line.contains("box"))
                ? Optional.of("a header with \"Epoch\", \"GPU_mem\" and \"box\"")
                : Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader extends LineReader {
        private final Journal journal = new Journal(events());
        private List<String> columns = List.of();
        private boolean evaluating;
        private long epoch = -1;

        Reader(LogInput input) throws IOException {
            super(input, Lines.andProgress(input.once(), MAX_LINE_BYTES), new RunEvents(input));
            events().facts().setFramework("ultralytics");
        }

        @Override
        void line(String text) {
            if (text.length() > FreeText.MAX_LINE_CHARACTERS) {
                ignored++;
                return;
            }
            Matcher header = HEADER.matcher(text);
            Matcher row = ROW.matcher(text);
            Matcher all = ALL.matcher(text);
            if (header.matches()) {
                columns = List.of(header.group(1).strip().split("\\s+", -1));
            } else if (row.matches()) {
                row(row);
            } else if (CLASSES.matcher(text).matches()) {
                evaluating = true;
            } else if (evaluating && all.matches()) {
                evaluating = false;
                evaluation(all);
            }
        }

        private void row(Matcher match) {
            long number = Long.parseLong(match.group(1));
            if (number == epoch) {
                return; // the full bar once more, with its end
            }
            List<String> values = List.of(match.group(3).strip().split("\\s+", -1));
            MetricRow row = new MetricRow();
            for (int i = 0; i < columns.size() && i < values.size(); i++) {
                Double value = Numbers.parse(values.get(i));
                String column = columns.get(i);
                if (value != null) {
                    row.put(MetricNames.of(column.contains("loss") ? column : column + "_loss"), value, false);
                }
            }
            if (!row.saysSomething()) {
                return;
            }
            epoch = number;
            row.epoch = (double) number;
            row.maxEpochs = Double.valueOf(match.group(2));
            ignored += row.left();
            journal.add(row, line(), offset(), null);
        }

        private void evaluation(Matcher all) {
            MetricRow row = new MetricRow();
            for (int i = 0; i < SCORES.size(); i++) {
                Double value = Numbers.parse(all.group(i + 1));
                if (value != null) {
                    row.put(MetricNames.of("val/" + SCORES.get(i)), value, false);
                }
            }
            row.epoch = epoch < 0 ? null : (Double) (double) epoch;
            ignored += row.left();
            journal.add(row, line(), offset(), null);
        }
    }
}
