package io.trainwatch.monitor.web;

import io.javalin.http.Context;
import io.javalin.http.HttpStatus;

/** Why a request was not answered, as RFC 9457 has it. */
public final class Problem extends Exception {
    private static final long serialVersionUID = 1L;
    /** Media type of the answer. */
    public static final String CONTENT_TYPE = "application/problem+json";

    private final HttpStatus status;

    private Problem(HttpStatus status, String detail) {
        super(detail, null, false, false);
        this.status = status;
    }

    /** A request that is answered with {@code status}; the detail is one line for people. */
    public static Problem of(HttpStatus status, String detail) {
        return new Problem(status, detail);
    }

    /** There is nothing at this address: the detail says what there is. */
    public static Problem notFound(String detail) {
        return new Problem(HttpStatus.NOT_FOUND, detail);
    }

    /** The request cannot be meant: the detail names what, its value and what is allowed. */
    public static Problem badRequest(String detail) {
        return new Problem(HttpStatus.BAD_REQUEST, detail);
    }

    /** Answers with it. */
    public void answer(Context context) {
        answer(context, status, String.valueOf(getMessage()));
    }

    /** Answers with a status and a detail. */
    public static void answer(Context context, HttpStatus status, String detail) {
        context.status(status);
        context.result(json(status.getCode(), status.getMessage(), detail)).contentType(CONTENT_TYPE);
    }

    static String json(int status, String title, String detail) {
        return Json.text(out -> {
            out.writeStartObject();
            out.writeStringField("title", title);
            out.writeNumberField("status", status);
            out.writeStringField("detail", detail);
            out.writeEndObject();
        });
    }
}
