package io.labyrinth.cli;

import java.lang.reflect.InvocationTargetException;

/**
 * Where {@code java -jar labyrinth-cli.jar} begins. It is compiled for Java 8, and reaches the rest by reflection. So
 * an older Java, which cannot load the rest, still says in one sentence what is needed.
 */
public final class Launcher {

    private static final int NEEDED = 25;

    private Launcher() {
    }

    /** Goes on to the command line, or says what is missing and ends with exit code 1. */
    public static void main(String[] args) throws Throwable {
        String version = System.getProperty("java.version");
        if (major(System.getProperty("java.specification.version")) < NEEDED) {
            System.err.println("labyrinth: needs Java " + NEEDED + " or later, this is " + version + ": run it with the"
                    + " java of such a JDK (" + System.getProperty("java.home") + " is this one's)");
            System.exit(1);
        }
        try {
            Class.forName("io.labyrinth.cli.Main").getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** 8 of {@code 1.8}, 25 of {@code 25}. */
    private static int major(String version) {
        String[] parts = version.split("\\.");
        return Integer.parseInt(parts[0].equals("1") && parts.length > 1 ? parts[1] : parts[0]);
    }
}
