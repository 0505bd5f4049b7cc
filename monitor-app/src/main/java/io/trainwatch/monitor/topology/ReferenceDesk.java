package io.trainwatch.monitor.topology;

import io.trainwatch.monitor.run.ReferenceCurve;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Where the tasks of an instance ask each other for the curve of a run that left the board long ago: only the task that
 * keeps a run may read its store. At most {@value #MAX_ASKED} runs are asked for; a question that nobody repeats is
 * forgotten. Safe for many threads.
 */
final class ReferenceDesk {
    static final int MAX_ASKED = 256;
    static final long FORGOTTEN_MS = 60_000;

    private final ConcurrentHashMap<String, Question> questions = new ConcurrentHashMap<>();

    private record Question(long askedAtMs, @Nullable ReferenceCurve answer) {}

    /** The curve, if a task has answered; else notes that it is wanted. */
    @Nullable
    ReferenceCurve ask(String runId, long nowMs) {
        questions.values().removeIf(question -> nowMs - question.askedAtMs() > FORGOTTEN_MS);
        if (questions.size() >= MAX_ASKED && !questions.containsKey(runId)) {
            return null;
        }
        Question question =
                questions.compute(runId, (id, before) -> new Question(nowMs, before == null ? null : before.answer()));
        return question.answer();
    }

    /** The runs that are wanted and not answered. */
    List<String> unanswered() {
        return questions.entrySet().stream()
                .filter(entry -> entry.getValue().answer() == null)
                .map(entry -> entry.getKey())
                .toList();
    }

    void answer(ReferenceCurve curve) {
        questions.computeIfPresent(curve.runId(), (id, question) -> new Question(question.askedAtMs(), curve));
    }
}
