package io.labyrinth.map;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The page in a real browser, Chromium: {@code make browser}. Not among the tests of {@code make test}, which need no
 * browser; those ask for the same page by sockets.
 */
public final class Browser {

    private static final int PATIENCE_SECONDS = 120;
    private static final int WIDTH = 1240;
    private static final int HEIGHT = 1000;
    private static final int EXCLUSIVE = 0x2a6fc9;
    private static final int SHARED = 0x1f9e6e;
    /** If any of it is taken for more than text, there is an element that the page has not. */
    private static final String HOSTILE = "net-rx <img src=x></script><b>";

    private final Path chromium;
    private final Path folder;

    private Browser(Path chromium, Path folder) {
        this.chromium = chromium;
        this.folder = folder;
    }

    /** Where the screenshots are to be. */
    public static void main(String[] args) throws Exception {
        Path chromium = Stream.of("chromium", "chromium-browser", "google-chrome")
                .flatMap(name -> Stream.of(System.getenv("PATH").split(":")).map(at -> Path.of(at, name)))
                .filter(Files::isExecutable).findFirst().orElse(null);
        if (chromium == null) {
            System.err.println("no Chromium on PATH (Debian: apt-get install chromium)");
            System.exit(1);
        }
        new Browser(chromium, Files.createDirectories(Path.of(args[0]))).check();
    }

    private void check() throws Exception {
        Labyrinth labyrinth = Labyrinth.builder(HOSTILE).frames(4096).reserve(256).locking(Locking.NONE).open();
        try (MapServer server = MapServer.start(new MapWatch(labyrinth::map), 0)) {
            List<Frame> frames = new ArrayList<>();
            for (int i = 0; i < 1500; i++) {
                frames.add(labyrinth.allocPage(i % 3 == 0 ? Gfp.NOWAIT : Gfp.NOWAIT.with(Gfp.EXCLUSIVE)));
            }
            for (int i = 1; i < 1500; i += 7) {
                frames.get(i).close();
            }
            labyrinth.allocPages(Gfp.NOWAIT.with(Gfp.EXCLUSIVE), 8);
            for (ColorBy by : ColorBy.values()) {
                String view = by.name().toLowerCase(Locale.ROOT);
                String page = run("--dump-dom", server.address() + "#" + view);
                require(page.contains("&lt;img src=x") && !page.contains("<img"), view, "the name is text", page);
                require(page.matches("(?s).*data-looks=\"([2-9]|\\d\\d+)\".*"), view, "it refreshes by itself", page);
                require(page.contains("4,096 frames of") && page.contains("largest that can be had: order 10"), view,
                        "the headlines are there", page);
                require(page.matches("(?s).*<p id=\"gone\" role=\"alert\"></p>.*"), view, "all looks succeed", page);
                require(page.matches("(?s).*<td>" + label(by) + "</td>.*"), view, "its own legend is there", page);
            }
            Image image = screenshot(server.address(), "state");
            long exclusive = count(image, EXCLUSIVE);
            long shared = count(image, SHARED);
            // Each frame has as many pixels: 1042 and 500 of them, less what was freed; the edges are blended.
            double ratio = (double) exclusive / shared;
            require(shared > 10_000 && ratio > 2 && ratio < 3.5, "state", "colours are painted in proportion",
                    exclusive + " and " + shared + " pixels");
            for (ColorBy by : ColorBy.values()) {
                screenshot(server.address(), by.name().toLowerCase(Locale.ROOT));
            }
            labyrinth.closeNow();
            String page = run("--dump-dom", server.address());
            require(page.contains("is closed"), "state", "it says that the labyrinth is closed", page);
            System.out.println("browser: all 5 views as they should be; screenshots in " + folder);
        } finally {
            labyrinth.closeNow();
        }
    }

    private static String label(ColorBy by) {
        return switch (by) {
            case STATE -> "exclusive";
            case OWNER -> "thread " + Thread.currentThread().threadId();
            case ORDER -> "order 8";
            case LIVES -> "no life ended";
            case AGE -> "(seen for less than 1 s|1 s or more|10 s or more|1 min or more)";
        };
    }

    private Image screenshot(String address, String view) throws Exception {
        Path file = folder.resolve(view + ".png");
        run("--screenshot=" + file, "--window-size=" + WIDTH + "," + HEIGHT, address + "#" + view);
        return Image.of(Files.readAllBytes(file));
    }

    private static long count(Image image, int rgb) {
        long count = 0;
        for (int pixel : image.pixels()) {
            count += pixel == rgb ? 1 : 0;
        }
        return count;
    }

    private static void require(boolean holds, String view, String rule, String seen) {
        if (!holds) {
            throw new AssertionError("view " + view + ": " + rule + ", but the browser shows "
                    + seen.replaceAll("(?s)<(style|script)>.*?</\\1>", ""));
        }
    }

    private String run(String... options) throws IOException, InterruptedException {
        Path profile = Files.createTempDirectory("labyrinth-browser");
        List<String> command = new ArrayList<>(List.of(chromium.toString(), "--headless", "--no-sandbox",
                "--disable-gpu", "--virtual-time-budget=4000", "--user-data-dir=" + profile));
        command.addAll(List.of(options));
        Path out = folder.resolve("out");
        Process process = new ProcessBuilder(command).redirectOutput(out.toFile())
                .redirectError(folder.resolve("err").toFile()).start();
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("Chromium hangs: " + command);
        }
        try (Stream<Path> files = Files.walk(profile)) {
            for (Path file : files.sorted((one, other) -> other.compareTo(one)).toList()) {
                Files.deleteIfExists(file);
            }
        }
        return Files.readString(out, StandardCharsets.UTF_8);
    }
}
