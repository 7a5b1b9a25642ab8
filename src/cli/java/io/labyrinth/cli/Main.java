package io.labyrinth.cli;

/** The command line. {@link Launcher} starts it, or the JVM does. It prints no stack trace. */
public final class Main {

    private Main() {
    }

    /** Runs one command and ends the JVM with its exit code. */
    public static void main(String[] args) {
        // As properties, and not as a file: a file could be found by other programs, and configure their logs.
        setUnlessSet("org.slf4j.simpleLogger.showThreadName", "false");
        setUnlessSet("org.slf4j.simpleLogger.showLogName", "false");
        int code;
        try {
            code = LabyrinthCli.run(RawText.arguments(args));
        } catch (NoClassDefFoundError missing) {
            System.err.println("labyrinth: class=" + missing.getMessage()
                    + " is missing: the command line needs its libraries, which labyrinth-cli.jar has");
            code = 1;
        } catch (Throwable unexpected) {
            Throwable root = unexpected;
            while (root.getCause() != null) {
                root = root.getCause();
            }
            System.err.println("labyrinth: unexpected: " + root);
            code = 1;
        }
        System.exit(code);
    }

    private static void setUnlessSet(String key, String value) {
        if (System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }
}
