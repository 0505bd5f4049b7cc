package io.trainwatch.monitor.intake;

import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.trainwatch.monitor.web.Problem;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Locale;
import java.util.zip.ZipException;
import org.eclipse.jetty.http.GZIPContentDecoder;
import org.eclipse.jetty.io.RetainableByteBuffer;
import org.jspecify.annotations.Nullable;

/** Reads the body of a request, plain or gzip: bounded in bytes, packed and unpacked, and in time. */
final class RequestBody {
    /** A trainer that needs longer for a body hangs, or wants to hold the thread. */
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private static final int BUFFER_BYTES = 1 << 14;

    /** Unpacked at once: deflate makes at most 1032 bytes of one. */
    private static final int PACKED_AT_ONCE = 1 << 10;

    private RequestBody() {}

    /**
     * Reads it all.
     *
     * @throws Problem if it is longer than {@code maxBytes}, packed or unpacked (413), of another encoding (415), broken (400)
     *     or slow (408)
     */
    static byte[] read(Context context, int maxBytes) throws Problem, IOException {
        return read(context.req().getInputStream(), context.header("Content-Encoding"), maxBytes);
    }

    static byte[] read(InputStream in, @Nullable String encoding, int maxBytes) throws Problem {
        String coding = encoding == null ? "" : encoding.strip().toLowerCase(Locale.ROOT);
        return switch (coding) {
            case "", "identity" -> plain(in, maxBytes);
            case "gzip", "x-gzip" -> unpacked(plain(in, maxBytes), maxBytes);
            default ->
                throw Problem.of(
                        HttpStatus.UNSUPPORTED_MEDIA_TYPE,
                        "Content-Encoding is '" + shown(coding) + "', allowed are gzip and identity");
        };
    }

    private static byte[] plain(InputStream in, int maxBytes) throws Problem {
        long endNanos = System.nanoTime() + LIMIT.toNanos();
        ByteArrayOutputStream body = new ByteArrayOutputStream(BUFFER_BYTES);
        byte[] buffer = new byte[BUFFER_BYTES];
        for (int read = read(in, buffer); read >= 0; read = read(in, buffer)) {
            if (body.size() + read > maxBytes) {
                throw tooLarge(maxBytes);
            }
            if (System.nanoTime() - endNanos > 0) {
                throw Problem.of(
                        HttpStatus.REQUEST_TIMEOUT, "the body did not arrive within " + LIMIT.toSeconds() + " seconds");
            }
            body.write(buffer, 0, read);
        }
        return body.toByteArray();
    }

    private static int read(InputStream in, byte[] buffer) throws Problem {
        try {
            return in.read(buffer);
        } catch (IOException e) {
            throw Problem.badRequest("the body broke off");
        }
    }

    private static byte[] unpacked(byte[] packed, int maxBytes) throws Problem {
        ByteArrayOutputStream body = new ByteArrayOutputStream(BUFFER_BYTES);
        GZIPContentDecoder decoder = new GZIPContentDecoder(BUFFER_BYTES);
        try {
            for (int start = 0; start < packed.length; start += PACKED_AT_ONCE) {
                ByteBuffer slice = ByteBuffer.wrap(packed, start, Math.min(PACKED_AT_ONCE, packed.length - start));
                while (slice.hasRemaining()) {
                    RetainableByteBuffer chunk = decoder.decode(slice);
                    ByteBuffer bytes = chunk.getByteBuffer();
                    if (body.size() + bytes.remaining() > maxBytes) {
                        throw tooLarge(maxBytes);
                    }
                    byte[] copy = new byte[bytes.remaining()];
                    bytes.get(copy);
                    body.writeBytes(copy);
                    chunk.release();
                }
            }
            if (packed.length == 0 || !decoder.isFinished()) {
                throw Problem.badRequest("the body is not gzip as its Content-Encoding says: it breaks off");
            }
            return body.toByteArray();
        } catch (RuntimeException e) {
            if (e.getCause() instanceof ZipException broken) {
                throw Problem.badRequest("the body is not gzip as its Content-Encoding says: " + broken.getMessage());
            }
            throw e;
        } finally {
            decoder.destroy();
        }
    }

    private static Problem tooLarge(int maxBytes) {
        return Problem.of(
                HttpStatus.CONTENT_TOO_LARGE,
                "the body has more than " + maxBytes + " bytes: send it in parts, or raise intake.max_body_bytes");
    }

    /** On one line and short, whatever it holds. */
    static String shown(String text) {
        String start = text.length() > 100 ? text.substring(0, 100) + "..." : text;
        return start.replaceAll("[\\p{Cc}\\p{Cf}\\p{Cs}\\u2028\\u2029]", "?");
    }
}
