package io.labyrinth.cli;

import io.labyrinth.LabyrinthMap;
import io.labyrinth.map.ColorBy;
import io.labyrinth.map.MapPicture;
import io.labyrinth.map.MapServer;
import io.labyrinth.map.MapWatch;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code labyrinth map}: shows a shared labyrinth as it is now. */
@Command(name = "map", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Shows a shared labyrinth: who has which frames, and what can be had. It only reads the file, and"
                + " takes no part in it. (For a labyrinth that is not shared: stress --serve, or MapServer in your own"
                + " code.)")
final class MapCommand implements Callable<Integer> {

    static final int LAST_PORT = 65_535;
    private static final int MOST_SECONDS = 86_400;
    private static final String CLEAR_SCREEN = "\033[H\033[2J";

    @Parameters(paramLabel = "PATH", description = "The shared labyrinth's file (/dev/shm/...), or /proc/PID/fd/N of"
            + " its memfd.")
    String path = "";

    @Option(names = "--by", paramLabel = "WHAT", description = "What the colours show: state, owner, order (of the runs"
            + " that are out), lives (how many have ended at that place), or age (for how long it has been out, as far"
            + " as this command has seen). Default: state.")
    ColorBy by = ColorBy.STATE;

    @Option(names = "--png", paramLabel = "FILE", description = "Writes the picture to this file instead.")
    @Nullable String png;

    @Numbers.Within(least = 1, most = MOST_SECONDS)
    @Option(names = "--watch", paramLabel = "SECONDS", description = "Shows it again after so many seconds, until it is"
            + " interrupted.")
    @Nullable Integer seconds;

    @Numbers.Within(least = 0, most = LAST_PORT)
    @Option(names = "--serve", paramLabel = "PORT", description = "Shows it on a page that refreshes, on the loopback"
            + " address, until it is interrupted. 0: any free port.")
    @Nullable Integer port;

    @Spec
    @Nullable CommandSpec spec;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path file = RawText.path(path);
        MapWatch watch = new MapWatch(() -> LabyrinthMap.of(file));
        if (port != null && (png != null || seconds != null)) {
            throw mistake("serve=" + port + " shows a picture, and refreshes it: leave out --png and --watch");
        } else if (port == null && by == ColorBy.AGE && seconds == null) {
            throw mistake("by=age needs more than one look: give --watch or --serve, or ask --by lives");
        }
        MapPicture picture = watch.look();
        if (port != null) {
            serve(watch, port);
        } else if (seconds != null) {
            watch(watch, picture, seconds);
        } else {
            show(picture, false);
        }
        return LabyrinthCli.OK;
    }

    private ParameterException mistake(String message) {
        return new ParameterException(Objects.requireNonNull(spec).commandLine(), message);
    }

    private void show(MapPicture picture, boolean anew) throws IOException {
        if (png != null) {
            try {
                Files.write(RawText.path(png), picture.png(by));
            } catch (IOException e) {
                throw new IOException("png=" + png + ": cannot be written: " + Failures.describe(e), e);
            }
            return;
        }
        PrintWriter out = Objects.requireNonNull(spec).commandLine().getOut();
        boolean coloured = Terminal.takesColour(1);
        out.print((anew && coloured ? CLEAR_SCREEN : "") + raw(picture.text(by, coloured)));
        out.flush();
    }

    /** Goes on until it is interrupted, the labyrinth is gone, or nobody reads the output any more. */
    private void watch(MapWatch watch, MapPicture first, int pause) throws IOException, InterruptedException {
        MapPicture picture = first;
        while (true) {
            show(picture, true);
            if (png == null && Objects.requireNonNull(spec).commandLine().getOut().checkError()) {
                return;
            }
            TimeUnit.SECONDS.sleep(pause);
            picture = watch.look();
        }
    }

    private static void serve(MapWatch watch, int port) throws IOException, InterruptedException {
        try (MapServer server = MapServer.start(watch, port)) {
            announce(server);
            new CountDownLatch(1).await();
        }
    }

    static void announce(MapServer server) {
        LabyrinthCli.error(server.address() + " shows it");
    }

    /** The text's UTF-8, one char for each byte: the command line prints all text so. */
    private static String raw(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }
}
