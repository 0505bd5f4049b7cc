package io.trainwatch.monitor.web;

import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import io.javalin.http.HttpStatus;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.monitor.board.RunBoard;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.BindException;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * HTTP for Prometheus, probes, tools and people: {@code /metrics}, {@code /health/live}, {@code /health/ready}, {@code
 * /api/v1} (see {@link RunsApi} and {@link LiveApi}), the live page ({@link PageFiles}), and what other parts of the monitor
 * answer.
 *
 * <p>With a token, every request but those for {@code /health}, the files of the page and the runbook must carry it or the cookie that a
 * browser got for it ({@link SessionCookie}), or prove its right by itself ({@link Endpoints#admits}). Without one, requests must name a loopback
 * host, so that no page in a browser can read the runs by pointing its own name at this machine; and no page of another
 * site may change anything. Errors are RFC 9457 problem JSON and never tell of the inside.
 */
public final class WebServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(WebServer.class);

    /** Request line and headers together, in bytes; a run_id of 256 characters in UTF-8 and percent signs takes 3,072. */
    private static final int MAX_HEADER_BYTES = 8 * 1024;

    /** Nothing is uploaded. */
    private static final long MAX_BODY_BYTES = 16 * 1024;

    private static final int MAX_THREADS = 16;
    private static final long STOP_MS = 2_000;
    private static final long IDLE_MS = 30_000;
    private static final Set<String> LOOPBACK_NAMES = Set.of("localhost", "127.0.0.1", "[::1]");
    private static final Set<String> READING = Set.of("GET", "HEAD");

    private final HttpSettings settings;
    private final PrometheusRegistry metrics;
    private final Supplier<Optional<String>> notReady;
    private final List<Endpoints> more;
    private final ExpositionFormats formats = ExpositionFormats.init();
    private final Peers peers;
    private final LiveApi live;
    private final @Nullable SessionCookie session;
    private final Javalin javalin;

    private WebServer(
            HttpSettings settings,
            RunBoard board,
            PrometheusRegistry metrics,
            Supplier<Optional<String>> notReady,
            Peers.Directory directory,
            List<Endpoints> more) {
        this.settings = settings;
        this.metrics = metrics;
        this.notReady = notReady;
        this.peers = new Peers(board, directory);
        this.live = new LiveApi(board, notReady, peers);
        BearerToken token = settings.token();
        this.session = token == null ? null : new SessionCookie(token, InstantSource.system());
        this.more = List.copyOf(more);
        javalin = Javalin.create(config -> configure(config, board));
    }

    /** Starts to serve the runs of a monitor that has no other instance. */
    public static WebServer start(
            HttpSettings settings,
            RunBoard board,
            PrometheusRegistry metrics,
            Supplier<Optional<String>> notReady,
            List<Endpoints> more)
            throws IOException {
        return start(settings, board, metrics, notReady, Peers.Directory.ALONE, more);
    }

    /**
     * Starts to serve.
     *
     * @param notReady why this monitor cannot judge now, empty if it can
     * @param directory where the other instances of the monitor are
     * @param more what else answers, e.g. the intake of events
     * @throws IOException if the port is taken or the host is not one of this machine; the message says so
     */
    public static WebServer start(
            HttpSettings settings,
            RunBoard board,
            PrometheusRegistry metrics,
            Supplier<Optional<String>> notReady,
            Peers.Directory directory,
            List<Endpoints> more)
            throws IOException {
        WebServer server = new WebServer(settings, board, metrics, notReady, directory, more);
        try {
            server.javalin.start(settings.host(), settings.port());
        } catch (RuntimeException e) {
            server.close();
            throw new IOException(explain(settings, e), e);
        }
        return server;
    }

    /** The port that it listens on. */
    public int port() {
        return javalin.port();
    }

    /** Where people find it, e.g. {@code http://127.0.0.1:8280}. */
    public String url() {
        String host = settings.host().contains(":") ? "[" + settings.host() + "]" : settings.host();
        return "http://" + host + ":" + port();
    }

    /** Stops to serve, after at most two seconds. */
    @Override
    public void close() {
        live.close();
        javalin.stop();
    }

    private void configure(JavalinConfig config, RunBoard board) {
        config.startup.showJavalinBanner = false;
        config.startup.showOldJavalinVersionWarning = false;
        config.startup.startupWatcherEnabled = false;
        config.router.javaLangErrorHandler((response, error) -> {
            LOG.error("A request failed", error);
            response.setStatus(HttpStatus.INTERNAL_SERVER_ERROR.getCode());
        });
        config.http.maxRequestSize = MAX_BODY_BYTES;
        config.http.prefer405over404 = true;
        QueuedThreadPool threads = new QueuedThreadPool(MAX_THREADS, 2, 60_000);
        threads.setName("http");
        threads.setDaemon(true);
        config.jetty.threadPool = threads;
        config.jetty.modifyHttpConfiguration(WebServer::restrict);
        config.jetty.modifyServer(server -> {
            server.setStopTimeout(STOP_MS);
            server.setErrorHandler(new BareErrors());
        });
        config.jetty.modifyServletContextHandler(handler -> {
            handler.getServletHandler().setDecodeAmbiguousURIs(true);
            handler.setErrorHandler(new BareErrors());
        });

        config.routes.before(WebServer::secure);
        config.routes.before(this::authorize);
        PageFiles.addTo(config.routes);
        Runbook.addTo(config.routes);
        if (session != null) {
            session.addTo(config.routes);
        }
        config.routes.get("/metrics", this::scrape);
        config.routes.get(
                "/health/live", context -> context.result("{\"status\":\"up\"}").contentType("application/json"));
        config.routes.get("/health/ready", this::ready);
        RunsApi.addTo(config.routes, board);
        live.addTo(config.routes);
        peers.addTo(config.routes);
        more.forEach(part -> part.addTo(config.routes));

        config.routes.exception(Problem.class, Problem::answer);
        config.routes.exception(HttpResponseException.class, (e, context) -> {
            HttpStatus status = HttpStatus.forStatus(e.getStatus());
            e.getDetails().forEach((name, value) -> {
                if (name.equals("availableMethods")) {
                    context.header("Allow", value);
                }
            });
            Problem.answer(
                    context,
                    status,
                    status == HttpStatus.NOT_FOUND
                            ? "there is nothing at this address; / says what there is"
                            : status.getMessage().toLowerCase(Locale.ROOT));
        });
        config.routes.exception(Exception.class, (e, context) -> {
            LOG.error("HTTP {} {} failed", context.method(), Query.shown(context.path()), e);
            Problem.answer(context, HttpStatus.INTERNAL_SERVER_ERROR, "the log of the monitor has the reason");
        });
    }

    private static void restrict(HttpConfiguration http) {
        http.setRequestHeaderSize(MAX_HEADER_BYTES);
        http.setSendServerVersion(false);
        http.setSendXPoweredBy(false);
        http.setIdleTimeout(IDLE_MS);
        // The name of a run or of a series may hold any character.
        http.setUriCompliance(UriCompliance.RFC3986.with(
                "names",
                UriCompliance.Violation.AMBIGUOUS_PATH_SEPARATOR,
                UriCompliance.Violation.AMBIGUOUS_PATH_ENCODING,
                UriCompliance.Violation.SUSPICIOUS_PATH_CHARACTERS));
    }

    private static void secure(Context context) {
        context.header("X-Content-Type-Options", "nosniff")
                .header("X-Frame-Options", "DENY")
                .header("Referrer-Policy", "no-referrer")
                .header("Cross-Origin-Resource-Policy", "same-origin")
                .header("Cache-Control", "no-store")
                .header("Content-Security-Policy", PageFiles.CONTENT_SECURITY_POLICY);
    }

    private void authorize(Context context) {
        if (context.path().startsWith("/health/")) {
            return;
        }
        BearerToken token = settings.token();
        if (token == null && !namesLoopback(context)) {
            refuse(
                    context,
                    HttpStatus.MISDIRECTED_REQUEST,
                    "this monitor has no token and answers only as localhost or 127.0.0.1");
            return;
        }
        String given = context.header("Authorization");
        if (token != null && given != null && token.opens(given)) {
            return;
        }
        if (isOfAnotherSite(context)) {
            refuse(
                    context,
                    HttpStatus.FORBIDDEN,
                    "a page of another site asks for a change; only pages of this monitor may");
        } else if (session != null && !isOpen(context) && !session.opens(context) && !isAdmitted(context)) {
            context.header("WWW-Authenticate", "Bearer");
            refuse(context, HttpStatus.UNAUTHORIZED, "send the token of this monitor as 'Authorization: Bearer ...'");
        }
    }

    private boolean isAdmitted(Context context) {
        return more.stream().anyMatch(part -> part.admits(context));
    }

    /** What a browser needs to ask for the token. */
    private static boolean isOpen(Context context) {
        return PageFiles.isOne(context.path())
                || Runbook.isOne(context.path())
                || context.path().equals("/login");
    }

    /** A browser sends a simple POST for any page that it shows, and says in a header of its own for which. */
    private static boolean isOfAnotherSite(Context context) {
        if (READING.contains(context.method().name())) {
            return false;
        }
        String origin = context.header("Origin");
        return origin != null && !origin.equals(context.scheme() + "://" + context.header("Host"));
    }

    private boolean namesLoopback(Context context) {
        String host = String.valueOf(context.req().getServerName()).toLowerCase(Locale.ROOT);
        return LOOPBACK_NAMES.contains(host) || host.equals(settings.host().toLowerCase(Locale.ROOT));
    }

    private static void refuse(Context context, HttpStatus status, String detail) {
        Problem.answer(context, status, detail);
        context.skipRemainingHandlers();
    }

    private void scrape(Context context) throws IOException {
        ExpositionFormatWriter writer = formats.findWriter(context.header("Accept"));
        ByteArrayOutputStream body = new ByteArrayOutputStream(1 << 16);
        writer.write(body, metrics.scrape());
        context.result(body.toByteArray()).contentType(writer.getContentType());
    }

    private void ready(Context context) {
        Optional<String> reason = notReady.get();
        if (reason.isPresent()) {
            Problem.answer(context, HttpStatus.SERVICE_UNAVAILABLE, reason.get());
        } else {
            context.result("{\"status\":\"ready\"}").contentType("application/json");
        }
    }

    private static String explain(HttpSettings settings, RuntimeException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof BindException) {
                return "cannot listen on %s:%d (%s): choose another with --http-port or http.port, or stop what listens there"
                        .formatted(settings.host(), settings.port(), String.valueOf(cause.getMessage()));
            }
        }
        return "cannot listen on %s:%d: %s".formatted(settings.host(), settings.port(), e.getMessage());
    }

    /** What Jetty refuses before a handler sees it: no page of its own, no stack trace. */
    private static final class BareErrors extends ErrorHandler {
        @Override
        public boolean handle(Request request, Response response, Callback callback) {
            int code = response.getStatus();
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, Problem.CONTENT_TYPE);
            response.getHeaders().put("X-Content-Type-Options", "nosniff");
            HttpStatus status = HttpStatus.forStatus(code);
            String title = status.getMessage();
            response.write(
                    true,
                    StandardCharsets.UTF_8.encode(Problem.json(code, title, title.toLowerCase(Locale.ROOT))),
                    callback);
            return true;
        }
    }
}
