package io.labyrinth.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Whether standard error is a terminal. {@code System.console()} does not answer that: it asks about standard output
 * too, and that is for the sums.
 */
final class Terminal {

    private static final int USUAL_COLUMNS = 80;

    private Terminal() {
    }

    static boolean isThere() {
        return isAt(2);
    }

    /** Whether this file descriptor is a terminal. */
    static boolean isAt(int fd) {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd)).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException e) {
            return false;
        }
    }

    static boolean takesColour() {
        return takesColour(2);
    }

    static boolean takesColour(int fd) {
        String no = System.getenv("NO_COLOR");
        return isAt(fd) && (no == null || no.isEmpty()) && !"dumb".equals(System.getenv("TERM"));
    }

    static int columns() {
        String columns = System.getenv("COLUMNS");
        return columns != null && columns.matches("[1-9]\\d{0,3}") ? Integer.parseInt(columns) : USUAL_COLUMNS;
    }
}
