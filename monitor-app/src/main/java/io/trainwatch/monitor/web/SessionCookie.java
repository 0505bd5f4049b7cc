package io.trainwatch.monitor.web;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;

/**
 * Lets a browser in that knows the token: {@code POST /login} with {@code {"token":"..."}} swaps it for a cookie that no
 * script can read and no other site can use; {@code POST /logout} takes it back.
 *
 * <p>The cookie is the second until which it holds and a signature of it with the token as the key: nothing is kept, it
 * outlives a restart of the monitor, and another token makes every cookie void.
 */
final class SessionCookie {
    static final String NAME = "trainwatch_session";

    /** A wall screen should not ask for the token every morning; a lost laptop should not know it for ever. */
    static final Duration LIFETIME = Duration.ofDays(30);

    private static final int MAX_TOKEN_CHARACTERS = 1_024;
    private static final JsonFactory JSON = new JsonFactory();

    private final BearerToken token;
    private final InstantSource clock;

    SessionCookie(BearerToken token, InstantSource clock) {
        this.token = token;
        this.clock = clock;
    }

    void addTo(RoutesConfig routes) {
        routes.post("/login", this::login);
        routes.post("/logout", SessionCookie::logout);
    }

    /** Whether the request carries a cookie that holds. */
    boolean opens(Context context) {
        String value = context.cookie(NAME);
        int dot = value == null ? -1 : value.indexOf('.');
        if (value == null || dot < 0) {
            return false;
        }
        String until = value.substring(0, dot);
        try {
            return token.signed(until, value.substring(dot + 1))
                    && Instant.ofEpochSecond(Long.parseLong(until)).isAfter(clock.instant());
        } catch (NumberFormatException e) {
            return false;
        }
    }

    private void login(Context context) throws Problem {
        Query.of(context);
        String given = tokenOf(context.bodyAsBytes());
        if (given == null) {
            throw Problem.badRequest("the body is not {\"token\":\"...\"}");
        }
        if (!token.is(given)) {
            Problem.answer(
                    context,
                    HttpStatus.FORBIDDEN,
                    "this is not the token of this monitor; it is in TRAINWATCH_HTTP_TOKEN or the file http.token_file");
            return;
        }
        String until = Long.toString(clock.instant().plus(LIFETIME).getEpochSecond());
        set(context, until + '.' + token.sign(until), LIFETIME);
    }

    private static void logout(Context context) {
        set(context, "", Duration.ZERO);
    }

    private static void set(Context context, String value, Duration lifetime) {
        String secure = context.scheme().equals("https") ? "; Secure" : "";
        context.header(
                "Set-Cookie",
                NAME + '=' + value + "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + lifetime.toSeconds() + secure);
        context.status(HttpStatus.NO_CONTENT);
    }

    private static @Nullable String tokenOf(byte[] body) {
        try (JsonParser in = JSON.createParser(body)) {
            if (in.nextToken() == JsonToken.START_OBJECT
                    && "token".equals(in.nextFieldName())
                    && in.nextToken() == JsonToken.VALUE_STRING
                    && in.getTextLength() <= MAX_TOKEN_CHARACTERS) {
                return in.getText();
            }
            return null;
        } catch (IOException e) {
            return null;
        }
    }
}
