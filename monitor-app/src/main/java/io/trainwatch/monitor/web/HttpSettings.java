package io.trainwatch.monitor.web;

import java.net.InetAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/**
 * Where HTTP is served.
 *
 * @param host address or name of the interface to listen on; default 127.0.0.1: training data is nobody else's business
 *     until somebody says so
 * @param port TCP port, 0 for any free one; default 8280: free of the usual services
 * @param token what every request but those for {@code /health} must carry; null for none, which only a loopback host may
 *     have
 */
public record HttpSettings(String host, int port, @Nullable BearerToken token) {
    public static final String DEFAULT_HOST = "127.0.0.1";
    public static final int DEFAULT_PORT = 8280;
    public static final HttpSettings DEFAULT = new HttpSettings(DEFAULT_HOST, DEFAULT_PORT, null);

    /**
     * Checks the settings.
     *
     * @throws IllegalArgumentException if the port is none, the host is not known, or it is not loopback and there is no
     *     token
     */
    public HttpSettings {
        if (port < 0 || port > 65_535) {
            throw new IllegalArgumentException("port is " + port + ", allowed are 0 (any free one) to 65535");
        }
        if (token == null && !isLoopback(host)) {
            throw new IllegalArgumentException(
                    "'" + host + "' is reachable from other machines and there is no token: set"
                            + " http.token_file or TRAINWATCH_HTTP_TOKEN, or listen on 127.0.0.1");
        }
    }

    /** Whether only this machine reaches the host. @throws IllegalArgumentException if the host is not known */
    static boolean isLoopback(String host) {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("'" + host + "' is not a host that this machine knows", e);
        }
    }
}
