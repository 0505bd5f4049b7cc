package io.trainwatch.monitor.judge;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** A {@link JudgedRun} to bytes and back, for the state store and its changelog. Thread-confined. */
public final class JudgedRunCodec {

    public byte[] encode(JudgedRun run) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeUTF(run.runId);
            out.writeLong(run.events);
            out.writeLong(run.stepsJudged);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    public JudgedRun decode(byte[] bytes) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            JudgedRun run = new JudgedRun(in.readUTF());
            run.events = in.readLong();
            run.stepsJudged = in.readLong();
            return run;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
