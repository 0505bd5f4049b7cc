package io.trainwatch.monitor.web;

import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.JudgedRun;
import io.trainwatch.monitor.judge.RunJudge;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Runs on a board, really judged: what a trainer says goes through every detector, as in the topology but at once. */
final class JudgedFleet {
    private final RunJudge judge = new RunJudge();
    private final RunBoard board;
    private final Map<String, JudgedRun> runs = new HashMap<>();

    JudgedFleet(RunBoard board) {
        this.board = board;
    }

    /** Lets a run happen, so that it ends {@code agoMs} before now, and puts it on the board. */
    void play(String runId, long agoMs, RunStream.Scenario scenario) {
        List<RunStream.Moment> moments = new ArrayList<>();
        scenario.accept(new RunStream(runId, moments::add));
        long shift = System.currentTimeMillis()
                - agoMs
                - moments.get(moments.size() - 1).atMs();
        moments.forEach(moment -> judge(runId, moment, shift));
        show(runId);
    }

    /** A stream of a run whose every event is judged and shown as it is said; time begins now. */
    RunStream live(String runId) {
        long shift = System.currentTimeMillis() - RunStream.BEGIN_MS;
        return new RunStream(runId, moment -> {
            judge(runId, moment, shift);
            show(runId);
        });
    }

    /** A stream of a run whose events are judged as they are said and not shown before {@link #show}; time begins now. */
    RunStream unseen(String runId) {
        long shift = System.currentTimeMillis() - RunStream.BEGIN_MS;
        return new RunStream(runId, moment -> judge(runId, moment, shift));
    }

    void remove(String runId) {
        runs.remove(runId);
        board.remove(runId);
    }

    private void judge(String runId, RunStream.Moment moment, long shift) {
        JudgedRun run = runs.computeIfAbsent(runId, judge::newRun);
        TrainingEvent event = moment.event();
        if (event == null) {
            judge.tick(run, moment.atMs() + shift);
            return;
        }
        event.setTimestampMs(event.getTimestampMs() + shift);
        judge.judge(run, event, moment.atMs() + shift);
    }

    void show(String runId) {
        board.publish(judge.snapshot(runs.get(runId)));
    }
}
