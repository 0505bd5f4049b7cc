package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class StateBytesTest {

    private enum Colour {
        RED,
        GREEN
    }

    @Test
    void every_type_comes_back_as_it_was_written() {
        StateWriter out = new StateWriter();
        out.writeBoolean(true);
        out.writeBoolean(false);
        out.writeInt(Integer.MIN_VALUE);
        out.writeLong(Long.MAX_VALUE);
        out.writeFloat(Float.NaN);
        out.writeDouble(-0.0);
        out.writeDoubles(new double[] {1, 2, 3}, 2);
        out.writeString("größer 🙂");
        out.writeString("");
        out.writeEnum(Colour.GREEN);
        out.writeEnum(null);
        out.writeBytes(new byte[] {1, 2});
        StateReader in = new StateReader(out.toByteArray());

        assertThat(in.remaining()).isEqualTo(out.position());
        assertThat(in.readBoolean()).isTrue();
        assertThat(in.readBoolean()).isFalse();
        assertThat(in.readInt()).isEqualTo(Integer.MIN_VALUE);
        assertThat(in.readLong()).isEqualTo(Long.MAX_VALUE);
        assertThat(in.readFloat()).isNaN();
        assertThat(Double.doubleToRawLongBits(in.readDouble())).isEqualTo(Double.doubleToRawLongBits(-0.0));
        double[] values = {9, 9, 9};
        in.readDoubles(values, 2);
        assertThat(values).containsExactly(1, 2, 9);
        assertThat(in.readString()).isEqualTo("größer 🙂");
        assertThat(in.readString()).isEmpty();
        assertThat(in.readEnum(Colour.class)).isEqualTo(Colour.GREEN);
        assertThat(in.readEnum(Colour.class)).isNull();
        assertThat(in.readBytes()).containsExactly(1, 2);
        assertThat(in.remaining()).isZero();
    }

    @Test
    void a_writer_grows_and_is_reused() {
        StateWriter out = new StateWriter();
        byte[] large = new byte[100_000];
        large[99_999] = 7;
        out.writeInt(1);
        out.writeBytes(large);
        byte[] first = out.toByteArray();
        out.reset();
        out.writeInt(2);

        StateReader in = new StateReader(first);
        assertThat(in.readInt()).isEqualTo(1);
        assertThat(in.readBytes()).isEqualTo(large);
        assertThat(out.toByteArray()).containsExactly(0, 0, 0, 2);
    }

    @Test
    void a_length_can_be_written_once_it_is_known() {
        StateWriter out = new StateWriter();
        int at = out.position();
        out.writeInt(0);
        out.writeString("abc");
        out.writeIntAt(at, out.position() - at - Integer.BYTES);

        assertThat(new StateReader(out.toByteArray()).readInt()).isEqualTo(7);
    }

    @Test
    void a_slice_ends_where_it_ends_and_the_reader_goes_on_behind_it() {
        StateWriter out = new StateWriter();
        out.writeInt(1);
        out.writeInt(2);
        StateReader in = new StateReader(out.toByteArray());
        StateReader slice = in.slice(4);

        assertThat(slice.readInt()).isEqualTo(1);
        assertUnreadable(slice, StateReader::readBoolean, "1 bytes expected, 0 left");
        assertThat(in.readInt()).isEqualTo(2);
    }

    @Test
    void truncated_bytes_are_unreadable_at_every_type() {
        assertUnreadable(bytes(0), StateReader::readBoolean, "1 bytes expected, 0 left");
        assertUnreadable(bytes(3), StateReader::readInt, "4 bytes expected, 3 left");
        assertUnreadable(bytes(3), in -> in.readCount(10), "4 bytes expected, 3 left");
        assertUnreadable(bytes(7), StateReader::readLong, "8 bytes expected, 7 left");
        assertUnreadable(bytes(3), StateReader::readFloat, "4 bytes expected, 3 left");
        assertUnreadable(bytes(7), StateReader::readDouble, "8 bytes expected, 7 left");
        assertUnreadable(bytes(15), in -> in.readDoubles(new double[2], 2), "16 bytes expected, 15 left");
        assertUnreadable(bytes(3), StateReader::readString, "4 bytes expected, 3 left");
        assertUnreadable(bytes(3), StateReader::readBytes, "4 bytes expected, 3 left");
        assertUnreadable(bytes(3), in -> in.readEnum(Colour.class), "4 bytes expected, 3 left");
    }

    @ParameterizedTest
    @ValueSource(ints = {5, Integer.MAX_VALUE})
    void a_length_beyond_the_bytes_is_unreadable_before_any_memory_is_taken(int length) {
        assertUnreadable(ofInt(length), StateReader::readBytes, length + " bytes expected, 0 left");
        assertUnreadable(ofInt(length), StateReader::readString, length + " bytes expected, 0 left");
    }

    @Test
    void a_negative_length_is_unreadable() {
        assertUnreadable(ofInt(-1), StateReader::readBytes, "a length of -1");
        assertUnreadable(ofInt(-1), in -> in.readCount(10), "a count of -1 where at most 10 is possible");
        assertUnreadable(bytes(9), in -> in.slice(-1), "a slot of -1 bytes where 9 are left");
    }

    @Test
    void a_count_beyond_what_is_possible_is_unreadable() {
        assertThat(ofInt(10).readCount(10)).isEqualTo(10);
        assertUnreadable(ofInt(11), in -> in.readCount(10), "a count of 11 where at most 10 is possible");
        assertUnreadable(bytes(9), in -> in.slice(10), "a slot of 10 bytes where 9 are left");
    }

    @Test
    void a_constant_that_the_enum_does_not_have_is_unreadable() {
        StateWriter out = new StateWriter();
        out.writeString("BLUE");

        assertUnreadable(new StateReader(out.toByteArray()), in -> in.readEnum(Colour.class), "BLUE is no Colour");
    }

    private static StateReader bytes(int length) {
        return new StateReader(new byte[length]);
    }

    private static StateReader ofInt(int value) {
        StateWriter out = new StateWriter();
        out.writeInt(value);
        return new StateReader(out.toByteArray());
    }

    private static void assertUnreadable(StateReader in, Consumer<StateReader> read, String message) {
        assertThatThrownBy(() -> read.accept(in))
                .isInstanceOf(UnreadableStateException.class)
                .hasMessage(message);
    }
}
