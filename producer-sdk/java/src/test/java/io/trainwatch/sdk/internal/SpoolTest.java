package io.trainwatch.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpoolTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path directory;

    private static Outgoing event(int id, Importance importance) {
        byte[] bytes = ByteBuffer.allocate(100).putInt(id).array();
        return new Outgoing(bytes, importance, 0);
    }

    private static Outgoing event(int id) {
        return event(id, Importance.ROUTINE);
    }

    private static int id(Outgoing event) {
        return ByteBuffer.wrap(event.bytes).getInt();
    }

    private static List<Integer> readAll(Spool spool) {
        List<Integer> ids = new ArrayList<>();
        for (Outgoing next = spool.next(); next != null; next = spool.next()) {
            ids.add(id(next));
            spool.acknowledge(next.segment);
        }
        return ids;
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(Files::isRegularFile)
                    .filter(f -> f.toString().endsWith(".events"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void a_spool_that_is_not_needed_leaves_no_trace() throws IOException {
        Spool spool = Spool.open(directory.resolve("spool"), "run", "s1", MIB);
        assertThat(spool.hasUnread()).isFalse();
        assertThat(spool.next()).isNull();
        spool.close();
        assertThat(directory.resolve("spool")).doesNotExist();
    }

    @Test
    void events_come_back_in_order_and_what_is_acknowledged_leaves_the_disk() throws IOException {
        Spool spool = Spool.open(directory, "run", "s1", MIB);
        List<Integer> ids = IntStream.range(0, 5_000).boxed().toList();
        ids.forEach(id -> assertThat(spool.append(event(id))).isEqualTo(Spool.Outcome.KEPT));
        assertThat(spool.waiting()).isEqualTo(5_000);
        assertThat(files()).hasSizeGreaterThan(10);

        assertThat(readAll(spool)).isEqualTo(ids);
        assertThat(spool.waiting()).isZero();
        assertThat(files()).isEmpty();

        spool.append(event(1));
        assertThat(readAll(spool)).containsExactly(1);
        spool.close();
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void what_is_read_but_not_acknowledged_stays_on_disk() throws IOException {
        Spool first = Spool.open(directory, "run", "s1", MIB);
        IntStream.range(0, 10).forEach(id -> first.append(event(id)));
        while (first.next() != null) {
            // never acknowledged
        }
        first.close();

        Spool second = Spool.open(directory, "run", "s2", MIB);
        assertThat(readAll(second)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        second.close();
    }

    @Test
    void events_that_are_on_their_way_are_kept_but_not_read_again() {
        Spool spool = Spool.open(directory, "run", "s1", MIB);
        Outgoing sent = event(1);
        spool.appendHandedOut(sent);
        assertThat(spool.hasUnread()).isFalse();
        spool.append(event(2));
        assertThat(readAll(spool)).containsExactly(2);
        spool.close();

        Spool second = Spool.open(directory, "run", "s2", MIB);
        assertThat(readAll(second)).startsWith(1);
        second.close();
    }

    @Test
    void earlier_sessions_of_the_run_are_read_first_and_other_runs_are_left_alone() throws IOException {
        Spool first = Spool.open(directory, "run/../../etc", "s1", MIB);
        Spool second = Spool.open(directory, "run/../../etc", "s2", MIB);
        second.append(event(2));
        first.append(event(1));
        first.close();
        second.close();
        Spool other = Spool.open(directory, "other", "s3", MIB);
        other.append(event(3));
        Spool mine = Spool.open(directory, "run/../../etc", "s4", MIB);
        mine.append(event(4));
        assertThat(readAll(mine)).containsExactly(1, 2, 4);
        mine.close();
        assertThat(readAll(other)).containsExactly(3);
        other.close();
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void a_session_that_still_lives_is_not_touched() {
        Spool living = Spool.open(directory, "run", "s1", MIB);
        living.append(event(1));
        Spool second = Spool.open(directory, "run", "s2", MIB);
        assertThat(second.hasUnread()).isFalse();
        second.close();
        assertThat(readAll(living)).containsExactly(1);
        living.close();
    }

    @Test
    void a_torn_tail_is_cut_and_counted_and_the_next_segment_is_read() throws IOException {
        Spool killed = Spool.open(directory, "run", "s1", MIB);
        IntStream.range(0, 1_000).forEach(id -> killed.append(event(id)));
        killed.close();
        Path first = files().get(0);
        long frame = 109;
        long frames = Files.size(first) / frame;
        try (FileChannel file = FileChannel.open(first, StandardOpenOption.WRITE)) {
            file.truncate(frames * frame - 50);
        }
        Spool second = Spool.open(directory, "run", "s2", MIB);
        List<Integer> expected =
                IntStream.range(0, 1_000).filter(id -> id != frames - 1).boxed().toList();
        assertThat(readAll(second)).isEqualTo(expected);
        assertThat(second.corruptSegments()).isEqualTo(1);
        second.close();
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void a_flipped_bit_ends_its_segment() throws IOException {
        Spool killed = Spool.open(directory, "run", "s1", MIB);
        IntStream.range(0, 20).forEach(id -> killed.append(event(id)));
        killed.close();
        byte[] bytes = Files.readAllBytes(files().get(0));
        bytes[10 * 109 + 60] ^= 4;
        Files.write(files().get(0), bytes);
        Spool second = Spool.open(directory, "run", "s2", MIB);
        assertThat(readAll(second)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        assertThat(second.corruptSegments()).isEqualTo(1);
        second.close();
    }

    @Test
    void a_full_spool_drops_the_oldest_plain_steps_first_and_counts_them() {
        Spool spool = Spool.open(directory, "run", "s1", 65_536);
        assertThat(spool.append(event(0, Importance.BOUNDARY))).isEqualTo(Spool.Outcome.KEPT);
        for (int id = 1; id < 5_000; id++) {
            spool.append(event(id, id % 100 == 0 ? Importance.ALARMING : Importance.ROUTINE));
        }
        List<Integer> kept = readAll(spool);
        assertThat(kept).isSorted().startsWith(0, 100, 200, 300).endsWith(4_998, 4_999);
        assertThat(kept)
                .containsAll(IntStream.range(1, 50).map(i -> i * 100).boxed().toList());
        assertThat(kept.size() + spool.dropped()).isEqualTo(5_000);
        assertThat(spool.waiting()).isZero();
        spool.close();
    }

    @Test
    void a_spool_full_of_vital_events_drops_the_new_plain_step() {
        Spool spool = Spool.open(directory, "run", "s1", 65_536);
        for (int id = 0; id < 590; id++) {
            spool.append(event(id, Importance.ALARMING));
        }
        while (spool.append(event(1_000, Importance.ALARMING)) == Spool.Outcome.KEPT && spool.dropped() == 0) {
            // fill up
        }
        long before = spool.dropped();
        assertThat(spool.append(event(2_000, Importance.BOUNDARY))).isEqualTo(Spool.Outcome.KEPT);
        while (spool.append(event(3_000, Importance.ROUTINE)) == Spool.Outcome.KEPT) {
            // until the room that was made is used
        }
        assertThat(spool.dropped()).isGreaterThan(before);
        assertThat(readAll(spool)).contains(2_000);
        spool.close();
    }

    @Test
    void an_event_larger_than_the_spool_is_dropped() {
        Spool spool = Spool.open(directory, "run", "s1", 65_536);
        Outgoing huge = new Outgoing(new byte[70_000], Importance.BOUNDARY, 0);
        assertThat(spool.append(huge)).isEqualTo(Spool.Outcome.DROPPED);
        assertThat(spool.dropped()).isEqualTo(1);
        spool.close();
    }

    @Test
    void a_directory_that_cannot_be_written_refuses_events_and_never_throws() throws IOException {
        Path file = Files.createFile(directory.resolve("a-file"));
        Spool spool = Spool.open(file, "run", "s1", MIB);
        assertThat(spool.isWritable()).isTrue();
        assertThat(spool.append(event(1))).isEqualTo(Spool.Outcome.FAILED);
        assertThat(spool.isWritable()).isFalse();
        assertThat(spool.append(event(2))).isEqualTo(Spool.Outcome.FAILED);
        assertThat(spool.next()).isNull();
        spool.close();
    }
}
