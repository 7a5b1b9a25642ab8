package io.labyrinth.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The page, asked for by plain sockets: a client that may send anything. (make browser looks at it with a browser.) */
class MapServerTest {

    private static final int PATIENCE_MILLIS = 60_000;

    /** An answer in bytes, one char each. */
    record Answer(int code, String head, String body) {
        byte[] bytes() {
            return body.getBytes(StandardCharsets.ISO_8859_1);
        }
    }

    static Answer ask(int port, String request) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(PATIENCE_MILLIS);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            String all = new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
            int end = all.indexOf("\r\n\r\n");
            return new Answer(Integer.parseInt(all.split(" ")[1]), all.substring(0, end), all.substring(end + 4));
        }
    }

    static Answer get(int port, String path) throws IOException {
        return ask(port, "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + port + "\r\nConnection: close\r\n\r\n");
    }

    static int port(String address) {
        return Integer.parseInt(address.replaceAll("http://127\\.0\\.0\\.1:(\\d+)/", "$1"));
    }

    private static Labyrinth open() {
        return Labyrinth.builder("served").frames(64).reserve(8).locking(Locking.NONE).open();
    }

    @Test
    void thePageTheDataAndTheImageAreServed() throws Exception {
        try (Labyrinth labyrinth = open(); MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            int port = port(server.address());
            Answer page = get(port, "/");
            assertThat(page.code()).isEqualTo(200);
            assertThat(page.head()).containsIgnoringCase("content-type: text/html; charset=utf-8")
                    .containsIgnoringCase("content-security-policy: default-src 'none'");
            assertThat(page.body()).startsWith("<!DOCTYPE html>").contains("fetch(\"map.json");

            for (String path : List.of("/map.json", "/map.json?by=state", "/map.json?by=STATE")) {
                JsonObject data = JsonParser.parseString(get(port, path).body()).getAsJsonObject();
                assertThat(data.get("free").getAsInt()).isEqualTo(56);
                assertThat(data.get("by").getAsString()).isEqualTo("STATE");
            }
            Frame frame = labyrinth.allocPages(Gfp.NOWAIT, 4);
            Answer again = get(port, "/map.json?by=owner");
            assertThat(again.head()).containsIgnoringCase("content-type: application/json")
                    .containsIgnoringCase("cache-control: no-store");
            assertThat(JsonParser.parseString(again.body()).getAsJsonObject().get("free").getAsInt()).isEqualTo(40);
            Answer image = get(port, "/map.png?by=order");
            assertThat(image.head()).containsIgnoringCase("content-type: image/png");
            assertThat(image.bytes()).isEqualTo(new MapWatch(labyrinth::map).look().png(ColorBy.ORDER));
            frame.close();
            labyrinth.validate();
        }
    }

    /** What it asks for is itself; what comes from the labyrinth goes into it as text only. */
    @Test
    void thePageNeedsNobodyElse() throws Exception {
        try (Labyrinth labyrinth = open(); MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            String page = get(port(server.address()), "/").body();
            assertThat(page).doesNotContain("http:", "https:", " src=", "@import", "url(", "innerHTML", "outerHTML",
                    "document.write", "insertAdjacent", "eval(");
            labyrinth.validate();
        }
    }

    @Test
    void whatIsNotThereIsRefused() throws Exception {
        try (Labyrinth labyrinth = open(); MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            int port = port(server.address());
            for (String path : List.of("/other", "/map.html", "/../map.json", "/map.json/", "//map.json")) {
                assertThat(get(port, path).code()).as(path).isEqualTo(404);
            }
            for (String query : List.of("by=", "by=colour", "by=state&by=owner", "x", "%00")) {
                assertThat(get(port, "/map.json?" + query)).as(query).satisfies(answer -> {
                    assertThat(answer.code()).isEqualTo(400);
                    assertThat(answer.body()).contains("state, owner, order, lives or age");
                });
            }
            assertThat(ask(port, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    .code()).isEqualTo(405);
            assertThat(get(port, "/map.json").code()).isEqualTo(200);
            labyrinth.validate();
        }
    }

    /** A page of another site can have its own name lead to 127.0.0.1; the browser says which name it asked for. */
    @ParameterizedTest
    @ValueSource(strings = {"Host: evil.example\r\n", "Host: evil.example:1\r\n", "Host: localhost.evil.example\r\n",
        "Host: 127.0.0.1.evil.example\r\n", "Host: \r\n", ""})
    void anotherNameIsRefused(String host) throws Exception {
        try (Labyrinth labyrinth = open(); MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            String version = host.isEmpty() ? "1.0" : "1.1";
            for (String path : List.of("/", "/map.json", "/map.png", "/other")) {
                Answer answer = ask(port(server.address()), "GET " + path + " HTTP/" + version + "\r\n" + host
                        + "Connection: close\r\n\r\n");
                assertThat(answer.code()).isEqualTo(403);
                assertThat(answer.body()).doesNotContain("served");
            }
            labyrinth.validate();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost", "127.0.0.1", "[::1]", "localhost:80"})
    void theLoopbackNamesAreAnswered(String host) throws Exception {
        try (Labyrinth labyrinth = open(); MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            assertThat(ask(port(server.address()), "GET /map.json HTTP/1.1\r\nHost: " + host
                    + "\r\nConnection: close\r\n\r\n").code()).isEqualTo(200);
            labyrinth.validate();
        }
    }

    @Test
    void nobodyElsesAddressListens() throws Exception {
        try (Labyrinth labyrinth = open(); MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            String port = ":%04X".formatted(port(server.address()));
            List<String> listening = Stream.of("tcp", "tcp6").map(file -> Path.of("/proc/self/net", file))
                    .filter(Files::exists).flatMap(MapServerTest::lines).map(line -> line.strip().split("\\s+"))
                    .filter(fields -> fields.length > 3 && fields[1].endsWith(port) && fields[3].equals("0A"))
                    .map(fields -> fields[1].replace(port, "")).toList();
            // 127.0.0.1, or that within IPv6, or ::1.
            assertThat(listening).hasSize(1).isSubsetOf("0100007F", "0000000000000000FFFF00000100007F",
                    "00000000000000000000000001000000");
            labyrinth.validate();
        }
    }

    private static Stream<String> lines(Path file) {
        try {
            return Arrays.stream(Files.readString(file).split("\n"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aLabyrinthThatIsGoneIsSaidToBe() throws Exception {
        Labyrinth labyrinth = open();
        try (MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            labyrinth.validate();
            labyrinth.close();
            Answer answer = get(port(server.address()), "/map.json");
            assertThat(answer.code()).isEqualTo(503);
            assertThat(answer.body()).contains("labyrinth=served is closed").doesNotContain("\tat ");
            assertThat(get(port(server.address()), "/").code()).isEqualTo(200);
        }
    }

    @Test
    void aPortIsHadOnceAndGivenBack() throws Exception {
        try (Labyrinth labyrinth = open()) {
            MapWatch watch = new MapWatch(labyrinth::map);
            int port;
            try (MapServer server = MapServer.start(watch, 0)) {
                port = port(server.address());
                assertThatThrownBy(() -> MapServer.start(watch, port)).isInstanceOf(IOException.class)
                        .hasMessageContainingAll("port=" + port, "cannot be had", "choose another");
            }
            MapServer.start(watch, port).close();
            assertThatThrownBy(() -> get(port, "/")).isInstanceOf(IOException.class);
            labyrinth.validate();
        }
    }
}
