package io.trainwatch.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.TrainingEvent;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SingleObjectCodecTest {
    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();

    @ParameterizedTest
    @MethodSource("io.trainwatch.codec.RandomEvents#one_of_each_type")
    void every_type_of_event_survives_encoding_and_decoding(TrainingEvent event) throws Exception {
        assertThat(codec.decode(codec.encode(event))).isEqualTo(event);
    }
}
