package io.trainwatch.monitor.notify;

import jakarta.mail.internet.AddressException;
import jakarta.mail.internet.InternetAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where and how mail is sent.
 *
 * @param host of the SMTP server
 * @param port its port, 1 to 65535, default 587
 * @param security default {@link Security#STARTTLS}
 * @param user name to log in with, null to send without
 * @param password for the user
 * @param from address of the sender
 * @param to addresses of the receivers, at least one
 */
public record EmailServer(
        String host,
        int port,
        Security security,
        @Nullable String user,
        @Nullable Secret password,
        String from,
        List<String> to) {

    /** How the connection is protected. */
    public enum Security {
        /** TLS, required, after a greeting in the clear. */
        STARTTLS,
        /** TLS from the first byte. */
        TLS,
        /** None: for a server on this machine. */
        NONE
    }

    /** Checks the addresses: @throws IllegalArgumentException if one is none */
    public EmailServer {
        to = List.copyOf(to);
        check("from", from);
        to.forEach(address -> check("to", address));
    }

    private static void check(String name, String address) {
        try {
            new InternetAddress(address, true).validate();
        } catch (AddressException e) {
            throw new IllegalArgumentException(name + ": '" + address + "' is no mail address", e);
        }
    }
}
