package io.labyrinth.map;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.labyrinth.LabyrinthException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * A page that shows a labyrinth, and refreshes. It is served on the loopback address alone, and only to a request that
 * names this address: a page of another site whose name was made to mean this address (DNS rebinding) is refused.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(1024).open();
 *         MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
 *     System.out.println(server.address() + " shows it");
 * }
 * }
 *
 * <p>A look is taken only when a page asks for one.
 */
public final class MapServer implements AutoCloseable {

    private static final int OK = 200;
    private static final int BAD_REQUEST = 400;
    private static final int FORBIDDEN = 403;
    private static final int NOT_FOUND = 404;
    private static final int NOT_ALLOWED = 405;
    private static final int UNAVAILABLE = 503;

    private static final int THREADS = 2;

    private final MapWatch watch;
    private final HttpServer server;
    private final ExecutorService threads;
    private final byte[] page;

    private MapServer(MapWatch watch, HttpServer server) throws IOException {
        this.watch = watch;
        this.server = server;
        try (InputStream html = MapServer.class.getResourceAsStream("map.html")) {
            this.page = Objects.requireNonNull(html, "map.html").readAllBytes();
        }
        this.threads = Executors.newFixedThreadPool(THREADS,
                Thread.ofPlatform().daemon().name("labyrinth-map-", 1).factory());
        server.setExecutor(threads);
        server.createContext("/", exchange -> {
            try (exchange) {
                answer(exchange);
            }
        });
    }

    /**
     * Starts to serve the page.
     *
     * @param port 0: any free port
     * @throws IOException if the port is in use, or not allowed
     */
    public static MapServer start(MapWatch watch, int port) throws IOException {
        HttpServer server;
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        } catch (IOException e) {
            throw new IOException("port=" + port + " of the loopback address cannot be had: " + e.getMessage()
                    + ": choose another port, or 0 for any free one", e);
        }
        MapServer map = new MapServer(watch, server);
        server.start();
        return map;
    }

    /** {@code http://127.0.0.1:PORT/}. */
    public String address() {
        return "http://" + InetAddress.getLoopbackAddress().getHostAddress() + ":" + server.getAddress().getPort()
                + "/";
    }

    private void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        if (!isOurs(exchange.getRequestHeaders().getFirst("Host"))) {
            plain(exchange, FORBIDDEN, "this page is for localhost");
        } else if (!exchange.getRequestMethod().equals("GET")) {
            plain(exchange, NOT_ALLOWED, "only GET is allowed");
        } else if (path.equals("/")) {
            send(exchange, OK, "text/html; charset=utf-8", page);
        } else if (path.equals("/map.json") || path.equals("/map.png")) {
            look(exchange, path);
        } else {
            plain(exchange, NOT_FOUND, "no such page: there are /, /map.json and /map.png");
        }
    }

    private void look(HttpExchange exchange, String path) throws IOException {
        ColorBy by;
        try {
            String query = Objects.requireNonNullElse(exchange.getRequestURI().getQuery(), "by=state");
            by = ColorBy.valueOf(query.replaceFirst("^by=", "").toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            plain(exchange, BAD_REQUEST, "by= takes state, owner, order, lives or age");
            return;
        }
        MapPicture picture;
        try {
            picture = watch.look();
        } catch (LabyrinthException gone) {
            plain(exchange, UNAVAILABLE, gone.getMessage());
            return;
        }
        if (path.equals("/map.png")) {
            send(exchange, OK, "image/png", picture.png(by));
        } else {
            send(exchange, OK, "application/json", picture.json(by).getBytes(StandardCharsets.UTF_8));
        }
    }

    private static boolean isOurs(@Nullable String host) {
        return host != null && host.matches("(localhost|127\\.0\\.0\\.1|\\[::1])(:\\d+)?");
    }

    private static void plain(HttpExchange exchange, int code, String text) throws IOException {
        send(exchange, code, "text/plain; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
    }

    private static void send(HttpExchange exchange, int code, String type, byte[] body) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        headers.set("Content-Type", type);
        headers.set("Cache-Control", "no-store");
        headers.set("X-Content-Type-Options", "nosniff");
        headers.set("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline';"
                + " style-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data:");
        exchange.sendResponseHeaders(code, body.length);
        exchange.getResponseBody().write(body);
    }

    /** Stops the page. The labyrinth stays as it is. */
    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
