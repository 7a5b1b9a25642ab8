package io.labyrinth.kit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * How far a proof goes: {@code make test} is for who waits for it, {@code make verify QUICK=1} is for a merge, and
 * {@code make verify} goes far. It also writes the proof's line in the table of verify.
 *
 * <p>A line is {@code property TAB tool TAB scale TAB result}, in a file of {@code target/verify} that has the tool's
 * name. Scripts write their own lines.
 */
public final class Verify {

    /** Set by the Makefile: {@code test}, {@code merge} or {@code long}. */
    private static final String SCALE = System.getProperty("labyrinth.scale", "test");
    /** Elsewhere for tests of a core with a bug planted in it: what holds there holds for nobody. */
    private static final Path FOLDER = Path.of(System.getProperty("labyrinth.verify", "target/verify"));

    private Verify() {
    }

    /** For what is cheap enough that a merge needs no more of it than {@code make test}. */
    public static long scale(long inTest, long inVerify) {
        return scale(inTest, inTest, inVerify);
    }

    /** The one of three scales that this run is for. */
    public static long scale(long inTest, long inMerge, long inVerify) {
        return switch (SCALE) {
            case "test" -> inTest;
            case "merge" -> inMerge;
            case "long" -> inVerify;
            default -> throw new IllegalStateException("labyrinth.scale=" + SCALE + ": it is test, merge or long");
        };
    }

    /** Whether this run is the shortest: {@code make test}, or a test of a planted bug. */
    public static boolean isShort() {
        return scale(1, 0, 0) == 1;
    }

    /**
     * Adds a line to the table: after the last check, so that it is there only if all held.
     *
     * @param property what was shown, in the words of the README's guarantees
     * @param tool     the test's name
     * @param scale    how much of it: {@code 100 scenarios x 10000 invocations}
     */
    public static void held(String property, String tool, String scale) {
        try {
            Files.createDirectories(FOLDER);
            Files.writeString(FOLDER.resolve(tool + ".tsv"), String.join("\t", property, tool, scale, "held") + "\n",
                    StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
