package io.labyrinth.mutants;

import io.labyrinth.kit.Verify;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * {@code make mutants}: plants one bug after the other in a copy of the core, and says which test finds it. The test
 * that the mutant names has a minute, and three tries; if it finds nothing, all tests of the core are asked. Where a
 * mutant names several, each has to find it: they are different tools, and the bug shows that each of them bites. A
 * test that hangs has found nothing. First of all the core as it is must pass each test that is named, in the same way.
 */
public final class Mutants {

    private static final Path CLASSES = Path.of("target", "classes");
    private static final Path TESTS = Path.of("target", "test-classes", "io", "labyrinth");
    /** Packages whose tests are about other things than the core, or need a JVM for each misuse. */
    private static final Set<String> NOT_OF_THE_CORE = Set.of("arrow", "cli", "jars", "jmx", "map", "micrometer",
            "misuse", "mutants", "netty", "vm");
    private static final Path WORK = Path.of("target", "mutants");
    private static final String TOOL = "mutants";

    private static final int SECONDS_FOR_ONE = 60;
    /** On a busy machine a race may miss what it is run for, and meets it the next time. */
    private static final int TRIES = 3;
    private static final int SECONDS_FOR_ALL = 900;
    /** {@code QUICK=1} takes each fifteenth. */
    private static final int QUICK_STEP = 15;

    private Mutants() {
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        try {
            System.exit(allKilled(List.of(args)) ? 0 : 1);
        } catch (IllegalStateException e) {
            System.err.println(e.getMessage());
            System.exit(2);
        }
    }

    private static boolean allKilled(List<String> args) throws IOException, InterruptedException {
        long start = System.nanoTime();
        allApply(Mutant.all());
        List<Mutant> mutants = chosen(args);
        survivesUnmutated(mutants);
        int killed = 0;
        for (Mutant mutant : mutants) {
            killed += isKilled(mutant) ? 1 : 0;
        }
        String sum = killed + " of " + mutants.size() + " killed";
        System.out.println(sum + " in " + secondsSince(start) + " s");
        if (killed == mutants.size()) {
            Files.deleteIfExists(Path.of("target", "verify", TOOL + ".tsv"));
            Verify.held("planted bugs are found", TOOL, sum + " in " + secondsSince(start) + " s");
        }
        return killed == mutants.size();
    }

    /** All, whichever are chosen: one that no longer applies or compiles ends it before anything runs. */
    private static void allApply(List<Mutant> mutants) throws IOException {
        List<String> gone = new ArrayList<>();
        for (Mutant mutant : mutants) {
            try {
                plant(mutant);
            } catch (IllegalStateException e) {
                gone.add(e.getMessage());
            }
        }
        if (!gone.isEmpty()) {
            throw new IllegalStateException(String.join("\n", gone));
        }
    }

    /** All; or {@code quick}, each fifteenth; or those whose names are given. */
    private static List<Mutant> chosen(List<String> args) throws IOException {
        List<Mutant> all = Mutant.all();
        if (args.isEmpty()) {
            return all;
        }
        List<Mutant> chosen = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            if (args.contains("quick") ? i % QUICK_STEP == 0 : args.contains(all.get(i).name())) {
                chosen.add(all.get(i));
            }
        }
        if (chosen.isEmpty()) {
            throw new IllegalStateException("there is no mutant " + args);
        }
        return chosen;
    }

    private static void survivesUnmutated(List<Mutant> mutants) throws IOException, InterruptedException {
        long start = System.nanoTime();
        Set<Path> sources = new LinkedHashSet<>();
        Set<String> tests = new LinkedHashSet<>();
        for (Mutant mutant : mutants) {
            sources.add(mutant.original());
            tests.addAll(mutant.tests());
        }
        compile("none", sources);
        String verdict = run("none", tests, SECONDS_FOR_ALL);
        if (!verdict.startsWith(FirstFailure.PASSED)) {
            throw new IllegalStateException("the core without a bug must pass: " + verdict);
        }
        print("none", "survives " + tests.size() + " tests, as it must", start);
    }

    private static void plant(Mutant mutant) throws IOException {
        Path source = Files.createDirectories(WORK.resolve(mutant.name())).resolve(mutant.original().getFileName());
        compile(mutant.name(), Set.of(Files.writeString(source, mutant.planted())));
    }

    private static boolean isKilled(Mutant mutant) throws IOException, InterruptedException {
        long start = System.nanoTime();
        String name = mutant.name();
        List<String> killers = new ArrayList<>();
        StringBuilder note = new StringBuilder();
        for (String test : mutant.tests()) {
            String verdict = FirstFailure.PASSED;
            for (int i = 0; i < TRIES && verdict.startsWith(FirstFailure.PASSED); i++) {
                verdict = run(name, Set.of(test), SECONDS_FOR_ONE);
            }
            if (verdict.startsWith(FirstFailure.FAILED)) {
                killers.add(verdict.substring(FirstFailure.FAILED.length()));
            } else {
                note.append(" (").append(test).append(": ").append(verdict).append(')');
            }
        }
        boolean killed = killers.size() == mutant.tests().size();
        if (killers.isEmpty()) {
            String verdict = run(name, coreTests(), SECONDS_FOR_ALL);
            killed = verdict.startsWith(FirstFailure.FAILED);
            if (killed) {
                // It is the bug's doing only if the same test passes without it.
                String test = verdict.substring(FirstFailure.FAILED.length());
                String without = run("none", Set.of(test), SECONDS_FOR_ALL);
                if (!without.startsWith(FirstFailure.PASSED)) {
                    throw new IllegalStateException(test + " fails without a bug, too: " + without);
                }
                killers.add(test);
            }
        }
        print(name, (killed ? "killed by " : "SURVIVED: " + mutant.sentence() + " Killed by ") + killers + note, start);
        return killed;
    }

    private static void print(String name, String what, long start) {
        System.out.printf("%-45s -> %s, %d s%n", name, what, secondsSince(start));
    }

    private static long secondsSince(long start) {
        return TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
    }

    private static Set<String> coreTests() throws IOException {
        try (Stream<Path> files = Files.walk(TESTS)) {
            return new LinkedHashSet<>(files.map(TESTS::relativize)
                    .filter(file -> !NOT_OF_THE_CORE.contains(file.getName(0).toString())).map(Path::toString)
                    .filter(name -> name.endsWith("Test.class") && !name.equals("LayersTest.class"))
                    .map(name -> name.replace(".class", "").replace('/', '.')).sorted().toList());
        }
    }

    private static void compile(String name, Set<Path> sources) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        // What an earlier run left would stand in front of what the core is now.
        try (Stream<Path> files = Files.walk(Files.createDirectories(compiled(name)))) {
            for (Path old : files.filter(Files::isRegularFile).toList()) {
                Files.delete(old);
            }
        }
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            List<String> options = List.of("-d", Files.createDirectories(compiled(name)).toString(), "-cp",
                    System.getProperty("java.class.path"), "-proc:none", "-implicit:none", "-nowarn", "-g");
            if (!compiler.getTask(null, files, null, options, null, files.getJavaFileObjectsFromPaths(sources))
                    .call()) {
                throw new IllegalStateException("mutant " + name + " does not compile");
            }
        }
    }

    private static Path compiled(String name) {
        return WORK.resolve(name).resolve("compiled");
    }

    /** In a JVM of its own: {@code failed} and the first test that did, {@code passed} and how many, or what else. */
    private static String run(String name, Set<String> tests, int seconds) throws IOException, InterruptedException {
        // One folder with all classes, as the child JVMs that tests start take them from where the first of them lies.
        Path classes = WORK.resolve("classes");
        copy(CLASSES, classes);
        copy(compiled(name), classes);
        Path verdict = WORK.resolve(name).resolve("verdict");
        Files.deleteIfExists(verdict);
        Path log = WORK.resolve(name).resolve("log");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx1g",
                "--enable-native-access=ALL-UNNAMED",
                "-Dlabyrinth.verify=" + WORK.resolve("verify"),
                "-Djava.io.tmpdir=" + Files.createDirectories(WORK.resolve("tmp")).toAbsolutePath(),
                "-cp", classPath(classes), FirstFailure.class.getName(), verdict.toString()));
        command.addAll(tests);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            return "no end within " + seconds + " s";
        }
        if (!Files.exists(verdict)) {
            throw new IllegalStateException("mutant " + name + ": no verdict, exit=" + process.exitValue() + ": see "
                    + log);
        }
        return Files.readString(verdict);
    }

    /** That of this JVM, with other classes of the core. */
    private static String classPath(Path classes) {
        List<String> entries = new ArrayList<>(Arrays.asList(
                System.getProperty("java.class.path").split(File.pathSeparator)));
        if (!entries.remove(CLASSES.toString())) {
            throw new IllegalStateException("the class path lacks " + CLASSES);
        }
        entries.addFirst(classes.toString());
        return String.join(File.pathSeparator, entries);
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = to.resolve(from.relativize(file));
                Files.createDirectories(copy.getParent());
                Files.write(copy, Files.readAllBytes(file));
            }
        }
    }
}
