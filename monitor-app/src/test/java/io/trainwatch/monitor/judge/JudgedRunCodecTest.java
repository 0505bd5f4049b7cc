package io.trainwatch.monitor.judge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Moment;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.stats.UnreadableStateException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class JudgedRunCodecTest {
    private final RunJudge judge = new RunJudge();
    private final JudgedRunCodec codec = new JudgedRunCodec(judge);
    private final byte[] bytes = Judging.of(RunJudgeTest.EVENTFUL).encoded();

    @Test
    void what_was_written_is_read() {
        JudgedRun run = codec.decode(bytes);
        assertThat(run.runId()).isEqualTo("run");
        assertThat(run.slotsLost()).isZero();
        assertThat(run.finished()).isTrue();
        assertThat(codec.encode(run)).isEqualTo(bytes);
    }

    @Test
    void another_format_is_unreadable() {
        byte[] other = bytes.clone();
        ByteBuffer.wrap(other).putInt(0, 2);
        assertThatThrownBy(() -> codec.decode(other))
                .isInstanceOf(UnreadableStateException.class)
                .hasMessage("state of format 2 where this version reads 1");
        assertThatThrownBy(() -> codec.decode(new byte[0])).isInstanceOf(UnreadableStateException.class);
    }

    @Test
    void a_slot_of_another_version_begins_anew_alone() {
        JudgedRun run = codec.decode(withVersion("detector/loss_spike", 99));
        assertThat(run.slotsLost()).isEqualTo(1);
        assertThat(run.events()).isEqualTo(codec.decode(bytes).events());
        assertThat(judge.snapshot(run).alerts()).isNotEmpty();
    }

    @Test
    void alerts_of_another_version_begin_anew_alone() {
        JudgedRun run = codec.decode(withVersion("alerts", 99));
        assertThat(run.slotsLost()).isEqualTo(1);
        assertThat(judge.snapshot(run).alerts()).isEmpty();
        assertThat(run.events()).isPositive();
    }

    @Test
    void without_its_run_slot_all_of_it_begins_anew() {
        JudgedRun run = codec.decode(withVersion("run", 99));
        assertThat(run.slotsLost()).isEqualTo(1);
        assertThat(run.runId()).isEqualTo("run");
        assertThat(run.events()).isZero();
    }

    @Test
    void alerts_that_break_off_leave_nothing_half_read() {
        byte[] damaged = bytes.clone();
        int at = slot("alerts") + Integer.BYTES;
        int length = ByteBuffer.wrap(bytes).getInt(at);
        // The last alert of the slot loses its marker.
        Arrays.fill(damaged, at + Integer.BYTES + length - 20, at + Integer.BYTES + length, (byte) 0xFF);
        JudgedRun run = codec.decode(damaged);
        assertThat(run.slotsLost()).isEqualTo(1);
        assertThat(judge.snapshot(run).alerts()).isEmpty();
    }

    @Test
    void a_slot_of_a_detector_that_is_no_more_is_ignored_and_a_new_detector_begins() {
        List<Detector<?>> fewer = new ArrayList<>(DetectorCatalogue.defaults());
        fewer.remove(3);
        JudgedRunCodec older = new JudgedRunCodec(new RunJudge(fewer));
        JudgedRun run = older.decode(bytes);
        assertThat(run.slotsLost()).isZero();
        assertThat(codec.decode(older.encode(run)).slotsLost()).isEqualTo(1);
    }

    @Test
    void wherever_the_bytes_break_off_it_is_unreadable_or_the_rest_begins_anew() {
        for (int length = 0; length < bytes.length; length += 50) {
            byte[] broken = Arrays.copyOf(bytes, length);
            try {
                JudgedRun run = codec.decode(broken);
                assertThat(run.runId()).isEqualTo("run");
                assertThat(run.slotsLost()).as("cut at %d", length).isPositive();
                goesOn(run);
            } catch (UnreadableStateException e) {
                assertThat(length).isLessThan(50);
            }
        }
    }

    @Test
    void damaged_bytes_are_never_another_exception_neither_now_nor_at_the_next_events() {
        SplittableRandom random = new SplittableRandom(5);
        for (int round = 0; round < 600; round++) {
            byte[] damaged = bytes.clone();
            int at = random.nextInt(damaged.length - 8);
            for (int i = 0; i < 1 + round % 8; i++) {
                damaged[at + i] = (byte) (round % 3 == 0 ? 0xFF : random.nextInt());
            }
            try {
                goesOn(codec.decode(damaged));
            } catch (UnreadableStateException e) {
                assertThat(e).hasMessageNotContaining("null");
            } catch (RuntimeException e) {
                throw new AssertionError("damaged at " + at + " in round " + round, e);
            }
        }
    }

    private void goesOn(JudgedRun run) {
        for (Moment moment :
                Judging.moments("run", stream -> stream.restartAt(50).steps(40).evaluation(1))) {
            judge.judge(run, moment.event(), moment.atMs());
        }
        judge.tick(run, Long.MAX_VALUE / 2);
        judge.snapshot(run);
        codec.decode(codec.encode(run));
    }

    private byte[] withVersion(String slot, int version) {
        byte[] changed = bytes.clone();
        ByteBuffer.wrap(changed).putInt(slot(slot), version);
        return changed;
    }

    /** Where the slots begin: format, run_id "run", two counts, the number of slots. */
    private static final int HEADER = 4 + 7 + 16 + 4;

    /** Where the version of the slot stands. */
    private int slot(String name) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        byte[] length = ByteBuffer.allocate(Integer.BYTES).putInt(name.length()).array();
        int at = text.indexOf(new String(length, StandardCharsets.ISO_8859_1) + name, HEADER);
        assertThat(at).as("slot " + name).isPositive();
        return at + Integer.BYTES + name.length();
    }
}
