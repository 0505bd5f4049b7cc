package io.trainwatch.monitor.web;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** The secret that opens the HTTP interface, as {@code Authorization: Bearer ...} or by a cookie. Never printed. */
public final class BearerToken {
    /** Fewest characters: 16 random ones of 64 kinds hold 96 bits, beyond guessing over a network. */
    public static final int MIN_CHARACTERS = 16;

    private static final String SCHEME = "Bearer ";

    private final byte[] digest;

    /**
     * Keeps a digest of the secret.
     *
     * @throws IllegalArgumentException if it is shorter than {@value #MIN_CHARACTERS} characters or has any that cannot
     *     stand in a header
     */
    public BearerToken(String secret) {
        if (secret.length() < MIN_CHARACTERS) {
            throw new IllegalArgumentException("the token has " + secret.length() + " characters, it needs at least "
                    + MIN_CHARACTERS + ": make one with 'openssl rand -hex 24'");
        }
        if (!secret.chars().allMatch(c -> c > 0x20 && c < 0x7f)) {
            throw new IllegalArgumentException(
                    "the token has characters other than visible ASCII: make one with 'openssl rand -hex 24'");
        }
        digest = sha256(secret);
    }

    /** Whether the value of an {@code Authorization} header carries the secret; takes the same time however much matches. */
    boolean opens(String authorization) {
        return authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())
                && is(authorization.substring(SCHEME.length()).strip());
    }

    /** Whether the secret is this one; takes the same time however much matches. */
    boolean is(String secret) {
        return MessageDigest.isEqual(digest, sha256(secret));
    }

    /** A signature of the text that only who knows the secret can make. */
    String sign(String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(digest, "HmacSHA256"));
            return Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has HMAC with SHA-256", e);
        }
    }

    /** Whether the signature of the text is ours; takes the same time however much matches. */
    boolean signed(String text, String signature) {
        return MessageDigest.isEqual(
                sign(text).getBytes(StandardCharsets.UTF_8), signature.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    @Override
    public String toString() {
        return "BearerToken[hidden]";
    }
}
