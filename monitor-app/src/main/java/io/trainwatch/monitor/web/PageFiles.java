package io.trainwatch.monitor.web;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.GZIPOutputStream;

/**
 * The live page: the files that a browser needs, {@code index.html} at {@code /}, the others below {@code /page/}. All of
 * them are read, compressed and hashed once; none depends on a run, so that they may be read by anybody who may connect. A
 * browser asks each time whether its copy is still good and is answered without a body if it is.
 */
final class PageFiles {
    /** Where the page begins. */
    static final String PATH = "/page/";

    /**
     * Scripts, styles and data come from this monitor and from nowhere else; no script or style stands in a page or in an
     * attribute, so that the name of a run can never become one.
     */
    static final String CONTENT_SECURITY_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; "
            + "connect-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'";

    private static final String ECHARTS = "/META-INF/resources/webjars/echarts/5.5.0/echarts.esm.min.js";
    private static final String[] OWN = {
        "index.html",
        "page.css",
        "icon.svg",
        "manifest.webmanifest",
        "theme.js",
        "app.js",
        "api.js",
        "live.js",
        "dom.js",
        "format.js",
        "health.js",
        "sparkline.js",
        "chart.js",
        "fleet.js",
        "run.js",
        "compare.js",
        "alerts.js",
        "alert.js",
        "login.js"
    };

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record PageFile(String type, String etag, byte[] plain, byte[] gzip) {}

    private final Map<String, PageFile> files = new LinkedHashMap<>();

    private PageFiles() {
        for (String name : OWN) {
            files.put(name, read("page/" + name));
        }
        files.put("echarts.js", read(ECHARTS));
    }

    static void addTo(RoutesConfig routes) {
        PageFiles page = new PageFiles();
        routes.get("/", context -> page.answer(context, "index.html"));
        routes.get(PATH + "{name}", context -> page.answer(context, context.pathParam("name")));
    }

    /** Whether the path is one of the page itself, which tells nothing of any run. */
    static boolean isOne(String path) {
        return path.equals("/") || path.startsWith(PATH);
    }

    private void answer(Context context, String name) throws Problem {
        Query.of(context);
        PageFile file = files.get(name);
        if (file == null) {
            throw Problem.notFound("the page has no file '" + Query.shown(name) + "'");
        }
        context.header("Cache-Control", "no-cache").header("ETag", file.etag()).header("Vary", "Accept-Encoding");
        if (file.etag().equals(context.header("If-None-Match"))) {
            context.status(HttpStatus.NOT_MODIFIED);
            return;
        }
        context.contentType(file.type());
        String accepted = context.header("Accept-Encoding");
        if (accepted != null && accepted.contains("gzip")) {
            context.header("Content-Encoding", "gzip").result(file.gzip());
        } else {
            context.result(file.plain());
        }
    }

    private static PageFile read(String resource) {
        try (InputStream in = PageFiles.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException(resource + " is missing in this build");
            }
            byte[] plain = in.readAllBytes();
            ByteArrayOutputStream gzip = new ByteArrayOutputStream(plain.length / 2);
            try (GZIPOutputStream out = new GZIPOutputStream(gzip)) {
                out.write(plain);
            }
            String hash = Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(MessageDigest.getInstance("SHA-256").digest(plain));
            return new PageFile(type(resource), '"' + hash + '"', plain, gzip.toByteArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static String type(String name) {
        return switch (name.substring(name.lastIndexOf('.') + 1)) {
            case "html" -> "text/html; charset=utf-8";
            case "css" -> "text/css; charset=utf-8";
            case "svg" -> "image/svg+xml";
            case "webmanifest" -> "application/manifest+json";
            default -> "text/javascript; charset=utf-8";
        };
    }
}
