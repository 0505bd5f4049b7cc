package io.trainwatch.monitor.web;

import io.javalin.config.RoutesConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Heading;
import org.commonmark.node.Node;
import org.commonmark.node.Text;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;

/**
 * What each alert means and what to do: {@code GET /runbook} is {@code grafana/README.md} from its first entry on, and {@code
 * GET /runbook/loss_spike} leads to an entry of it. It tells nothing of any run, so that whoever was paged may read it.
 */
final class Runbook {
    private static final String PATH = "/runbook";
    private static final String SOURCE = "runbook/README.md";
    private static final String BEGIN = "## Runbook: detectors";

    private final Set<String> entries = new HashSet<>();
    private final String html;

    private Runbook() {
        String markdown = read();
        Node document = Parser.builder().build().parse(markdown.substring(markdown.indexOf(BEGIN)));
        document.accept(new AbstractVisitor() {
            @Override
            public void visit(Heading heading) {
                if (heading.getFirstChild() instanceof Text name && heading.getLevel() == 3) {
                    entries.add(name.getLiteral());
                }
            }
        });
        html = """
                <!doctype html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <title>trainwatch runbook</title>
                <link rel="icon" href="/page/icon.svg" type="image/svg+xml">
                <link rel="stylesheet" href="/page/page.css">
                <script src="/page/theme.js"></script>
                </head>
                <body>
                <header id="bar"><a class="brand" href="/">trainwatch</a></header>
                <main class="text">
                %s</main>
                </body>
                </html>
                """.formatted(render(document));
    }

    static void addTo(RoutesConfig routes) {
        Runbook runbook = new Runbook();
        routes.get(PATH, context -> {
            Query.of(context);
            context.html(runbook.html);
        });
        routes.get(PATH + "/{name}", context -> {
            Query.of(context);
            String name = context.pathParam("name");
            if (!runbook.entries.contains(name)) {
                throw Problem.notFound("the runbook has no entry '" + Query.shown(name) + "'; " + PATH + " has all");
            }
            context.redirect(PATH + "#" + name);
        });
    }

    static boolean isOne(String path) {
        return path.equals(PATH) || path.startsWith(PATH + "/");
    }

    private static String render(Node document) {
        return HtmlRenderer.builder()
                .escapeHtml(true)
                .attributeProviderFactory(context -> (node, tag, attributes) -> {
                    if (node instanceof Heading && node.getFirstChild() instanceof Text name) {
                        attributes.put("id", name.getLiteral());
                    }
                })
                .build()
                .render(document);
    }

    private static String read() {
        try (InputStream in = Runbook.class.getResourceAsStream(SOURCE)) {
            if (in == null) {
                throw new IllegalStateException(SOURCE + " is missing in this build");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
