package io.labyrinth.kit;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The C programs that the Java tests need. {@code make -C native for-java} builds them. Maven calls it before the
 * tests.
 */
public final class Built {

    private static final Path FOLDER = Path.of("target", "native").toAbsolutePath();

    /** faults.c, for System.load. */
    public static final String FAULTS = "agents/faults.so";
    /** The same, to be preloaded too. */
    public static final String PRELOADED = "agents/preloaded.so";
    public static final String HIDDEN = "agents/hidden.so";
    public static final String ATTACHED = "agents/attached.so";
    public static final String FILTER = "agents/filter";

    private Built() {
    }

    /** The path of one of them, by its name in {@code target/native}. */
    public static Path of(String name) {
        Path file = FOLDER.resolve(name);
        if (!Files.exists(file)) {
            throw new AssertionError(file + " is missing: make -C native for-java builds it");
        }
        return file;
    }
}
