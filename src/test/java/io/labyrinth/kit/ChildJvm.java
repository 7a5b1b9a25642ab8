package io.labyrinth.kit;

import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A second JVM, for what a test cannot do to its own: lower limits, other flags, an exhausted heap. It runs with the
 * classes of this JVM, either from the class path (which starts in half the time) or as the patched named module.
 */
public final class ChildJvm {

    /** A hung child fails its test instead of the whole build. */
    private static final int PATIENCE_SECONDS = 600;

    /** Most programs have ended before the second pays. */
    private static final String FIRST_COMPILER = "-XX:TieredStopAtLevel=1";

    private final List<String> wrapper = new ArrayList<>();
    private final List<String> options = new ArrayList<>(
            List.of("-Xshare:auto", FIRST_COMPILER, "-XX:-UsePerfData", "-XX:+UseSerialGC"));
    private final List<String> program;
    private int patienceSeconds = PATIENCE_SECONDS;

    private ChildJvm(List<String> options, List<String> program) {
        this.options.addAll(options);
        this.program = new ArrayList<>(program);
    }

    /** What the child left behind. */
    public record Result(int exit, String out, String err) {
    }

    /** The main method of a test class, from the class path, with the right to call native code. */
    public static ChildJvm of(Class<?> program) {
        return new ChildJvm(List.of("--enable-native-access=ALL-UNNAMED"), classPath(program));
    }

    /** The same, with another class path before the usual one. */
    public static ChildJvm of(String before, Class<?> program) {
        return new ChildJvm(List.of("--enable-native-access=ALL-UNNAMED"),
                List.of("-cp", before + ":" + mainPath() + ":" + home(ChildJvm.class), program.getName()));
    }

    /** As {@link #of}, without that right; in the named module, if so asked. */
    public static ChildJvm denied(Class<?> program, boolean asModule) {
        return new ChildJvm(List.of("--illegal-native-access=deny"), asModule
                ? List.of("--module-path", mainPath(), "--patch-module", "io.labyrinth=" + home(ChildJvm.class),
                        "--module", "io.labyrinth/" + program.getName())
                : classPath(program));
    }

    /** The main method of a test class, in the named module: no other but these, and what they need, can be had. */
    public static ChildJvm ofModules(Class<?> program, String... modules) {
        return new ChildJvm(List.of("--enable-native-access=io.labyrinth", "--module-path", mainPath(),
                "--limit-modules", String.join(",", modules), "--add-modules", String.join(",", modules),
                "--patch-module",
                "io.labyrinth=" + home(ChildJvm.class)), List.of("--module", "io.labyrinth/" + program.getName()));
    }

    /** A source file of a user of the module, compiled and run by the java launcher. */
    public static ChildJvm source(Path file) {
        return new ChildJvm(List.of("--enable-native-access=io.labyrinth", "--module-path", mainPath(), "--add-modules",
                "io.labyrinth"), List.of(file.toString()));
    }

    /** A module of a user, {@code name/main.class}, with none of the libraries that the core does not need. */
    public static ChildJvm module(Path classes, String program) {
        return new ChildJvm(List.of("--enable-native-access=io.labyrinth", "--module-path", classes + ":" + mainPath()),
                List.of("--module", program));
    }

    /** A program that comes in a jar, with these jars and the tests on the class path. */
    public static ChildJvm ofJars(String program, List<Class<?>> inJars) {
        String path = inJars.stream().map(ChildJvm::home).distinct().collect(Collectors.joining(":"));
        return new ChildJvm(List.of("--enable-native-access=ALL-UNNAMED"),
                List.of("-cp", mainPath() + ":" + home(ChildJvm.class) + ":" + path, program));
    }

    /** A program that uses libraries which are not the core's: all that the tests have, on the class path. */
    public static ChildJvm ofAll(Class<?> program) {
        return withAll(program.getName());
    }

    /** As {@link #ofAll}, of a source file. */
    public static ChildJvm sourceWithAll(Path file) {
        return withAll(file.toString());
    }

    private static ChildJvm withAll(String program) {
        String path = System.getProperty("java.class.path") + ":" + System.getProperty("jdk.module.path", "");
        return new ChildJvm(List.of("--enable-native-access=ALL-UNNAMED"),
                List.of("-cp", home(ChildJvm.class) + ":" + path, program));
    }

    private static List<String> classPath(Class<?> program) {
        return List.of("-cp", mainPath() + ":" + home(ChildJvm.class), program.getName());
    }

    private static String mainPath() {
        return home(Labyrinth.class) + ":" + home(Logger.class) + ":"
                + home(LoggerFactory.getILoggerFactory().getClass());
    }

    /** The folder or jar that a class came from. */
    public static String home(Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
        } catch (URISyntaxException e) {
            throw new AssertionError("where " + type + " is", e);
        }
    }

    public ChildJvm jvm(String... more) {
        options.addAll(List.of(more));
        return this;
    }

    /** For the program's main method. */
    public ChildJvm with(String... arguments) {
        program.addAll(List.of(arguments));
        return this;
    }

    /**
     * Without CAP_IPC_LOCK, and with a hard limit of locked memory, below which the child may set its own. Who has not
     * the right needs not to lose it, and is not allowed to ask for that.
     */
    public ChildJvm mayLock(long bytes) {
        wrapper.addAll(List.of("prlimit", "--memlock=" + bytes + ":" + bytes));
        if (hasLockRight()) {
            wrapper.addAll(List.of("setpriv", "--inh-caps=-all", "--bounding-set=-all"));
        }
        return this;
    }

    /** For a program that runs long enough, or that is about what the second compiler makes of it. */
    public ChildJvm withBothCompilers() {
        options.remove(FIRST_COMPILER);
        return this;
    }

    /** For a program that takes longer than others. */
    public ChildJvm patience(int seconds) {
        patienceSeconds = seconds;
        return this;
    }

    /** As a member of this cgroup. */
    public ChildJvm memberOf(Path cgroup) {
        wrapper.addAll(List.of("sh", "-c", "echo $$ > " + cgroup.resolve("cgroup.procs") + " && exec \"$@\"", "sh"));
        return this;
    }

    /** Started by another program, which gets the command as its last arguments: {@code unshare -Ur}, say. */
    public ChildJvm by(String... command) {
        wrapper.addAll(List.of(command));
        return this;
    }

    /** With a library that comes before libc, and {@code NAME=value} of the environment. */
    public ChildJvm preload(Path library, String... environment) {
        wrapper.addAll(List.of("env", "LD_PRELOAD=" + library));
        wrapper.addAll(List.of(environment));
        return this;
    }

    private List<String> command() {
        List<String> command = new ArrayList<>(wrapper);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(program);
        return command;
    }

    /** For whoever reads what it prints while it runs, or ends it; nobody else will. */
    public Process start() {
        try {
            return new ProcessBuilder(command()).redirectErrorStream(true).start();
        } catch (IOException e) {
            throw new AssertionError("child JVM " + command(), e);
        }
    }

    public Result run() {
        List<String> command = command();
        try {
            Path out = Files.createTempFile("labyrinth", ".out");
            Path err = Files.createTempFile("labyrinth", ".err");
            try {
                Process process = new ProcessBuilder(command).redirectOutput(out.toFile())
                        .redirectError(err.toFile()).start();
                if (!process.waitFor(patienceSeconds, TimeUnit.SECONDS)) {
                    process.destroyForcibly().waitFor();
                }
                return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
            } finally {
                Files.delete(out);
                Files.delete(err);
            }
        } catch (IOException | InterruptedException e) {
            throw new AssertionError("child JVM " + command, e);
        }
    }

    // ------------------------------------------------------------------------------- called by programs in the child

    /** The child's own soft limit, as the shell's ulimit sets it: {@code memlock=65536} or {@code as=1000000}. */
    public static void limitMyself(String resource, long bytes) {
        String limit = "--" + resource + "=" + bytes + ":";
        try {
            int exit = new ProcessBuilder("prlimit", "--pid", "" + ProcessHandle.current().pid(), limit)
                    .inheritIO().start().waitFor();
            if (exit != 0) {
                throw new AssertionError("prlimit " + limit + " exit=" + exit);
            }
        } catch (IOException | InterruptedException e) {
            throw new AssertionError("prlimit " + limit, e);
        }
    }

    /** Not through {@link Machine}, which is tested by this. */
    public static long status(String key, int radix) {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith(key + ":")) {
                    return Long.parseUnsignedLong(line.substring(key.length() + 1).replace("kB", "").strip(), radix);
                }
            }
        } catch (IOException e) {
            throw new AssertionError(key, e);
        }
        throw new AssertionError("/proc/self/status has no " + key);
    }

    /** Bit 14 of CapEff is CAP_IPC_LOCK: with it, no limit is ever tested. */
    public static boolean hasLockRight() {
        return (status("CapEff", 16) >>> 14 & 1) != 0;
    }
}
