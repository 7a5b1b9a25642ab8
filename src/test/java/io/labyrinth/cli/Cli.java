package io.labyrinth.cli;

import io.labyrinth.kit.ChildJvm;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Runs the command line as its users do, in a process of its own. Its input and output are bytes, one char for each.
 */
final class Cli {

    private final Path folder;
    private final List<String> before = new ArrayList<>();
    private final Map<String, String> environment;

    /** What a process left behind. */
    record Result(int code, String out, String err) {
        List<String> outLines() {
            return out.lines().toList();
        }

        List<String> errLines() {
            return err.lines().toList();
        }
    }

    Cli(Path folder) {
        this(folder, Map.of());
    }

    Cli(Path folder, Map<String, String> environment) {
        this.folder = folder;
        this.environment = environment;
    }

    /** Runs it through another program, such as setpriv. */
    Cli through(String... command) {
        before.addAll(List.of(command));
        return this;
    }

    Result run(String... arguments) throws IOException, InterruptedException {
        return runProcess(Stream.of(before, java(), List.of(arguments)).flatMap(List::stream).toList());
    }

    /** Runs a line of shell, in which {@code "$@"} is the command line; arguments can have any bytes there. */
    Result shell(String line) throws IOException, InterruptedException {
        return runProcess(Stream.of(before, List.of("bash", "-c", line, "bash"), java()).flatMap(List::stream)
                .toList());
    }

    static List<String> java() {
        // On the class path, as java -jar has it; the module path is where the test's own JVM may have the same files.
        Stream<String> libraries = Stream.of("jdk.module.path", "java.class.path").map(System::getProperty)
                .filter(Objects::nonNull).flatMap(path -> Arrays.stream(path.split(File.pathSeparator)));
        // And its own classes, which the build puts beside the tests.
        String path = Stream.concat(Stream.of(ChildJvm.home(Main.class)), libraries).filter(entry -> !entry.isEmpty())
                .distinct().collect(Collectors.joining(File.pathSeparator));
        return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
                "-XX:+UseSerialGC", "-Xmx256m", "-cp", path,
                Main.class.getName());
    }

    Result runProcess(List<String> command) throws IOException, InterruptedException {
        Path out = Files.createTempFile("labyrinth", ".out");
        Path err = Files.createTempFile("labyrinth", ".err");
        Process process = null;
        try {
            ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile())
                    .redirectOutput(out.toFile()).redirectError(err.toFile());
            builder.environment().putAll(environment);
            process = builder.start();
            int code = process.waitFor();
            return new Result(code, Files.readString(out, StandardCharsets.ISO_8859_1),
                    Files.readString(err, StandardCharsets.ISO_8859_1));
        } finally {
            if (process != null) {
                process.destroyForcibly();    // where the test's own time was over
            }
            Files.delete(out);
            Files.delete(err);
        }
    }

    static boolean isRoot() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
    }
}
