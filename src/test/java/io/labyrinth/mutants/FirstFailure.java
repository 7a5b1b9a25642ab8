package io.labyrinth.mutants;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** The program of a mutant's JVM: runs tests up to the first that fails, and writes down which one that was. */
final class FirstFailure implements TestExecutionListener {

    static final String PASSED = "passed ";
    static final String FAILED = "failed ";

    private final Path verdict;
    private int passed;

    private FirstFailure(Path verdict) {
        this.verdict = verdict;
    }

    /** The file for the verdict; then {@code Class.method} or {@code Class} of each test. */
    public static void main(String[] args) throws ClassNotFoundException {
        List<DiscoverySelector> tests = new ArrayList<>();
        for (String test : List.of(args).subList(1, args.length)) {
            select(test, tests);
        }
        FirstFailure listener = new FirstFailure(Path.of(args[0]));
        LauncherFactory.create().execute(LauncherDiscoveryRequestBuilder.request().selectors(tests).build(), listener);
        listener.end(PASSED + listener.passed);
    }

    /** Adds the class or the methods of this name, which begins below io.labyrinth. Refuses a name that is gone. */
    static void select(String test, List<DiscoverySelector> tests) throws ClassNotFoundException {
        int dot = test.lastIndexOf('.');
        String name = test.substring(dot + 1);
        if (Character.isUpperCase(name.charAt(0))) {
            tests.add(selectClass(Class.forName("io.labyrinth." + test)));
            return;
        }
        Class<?> type = Class.forName("io.labyrinth." + test.substring(0, dot));
        List<Method> methods = Stream.of(type.getDeclaredMethods()).filter(method -> method.getName().equals(name))
                .toList();
        if (methods.isEmpty()) {
            throw new IllegalArgumentException("there is no test " + test);
        }
        methods.forEach(method -> tests.add(selectMethod(type, method)));
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        if (result.getStatus() == TestExecutionResult.Status.FAILED) {
            result.getThrowable().ifPresent(Throwable::printStackTrace);
            end(FAILED + nameOf(test));
        } else if (test.isTest()) {
            passed++;
        }
    }

    private static String nameOf(TestIdentifier test) {
        return switch (test.getSource().orElse(null)) {
            case MethodSource method -> simple(method.getClassName()) + "." + method.getMethodName();
            case ClassSource type -> simple(type.getClassName());
            case null, default -> test.getDisplayName();
        };
    }

    private static String simple(String className) {
        return className.substring("io.labyrinth.".length());
    }

    /** At once: what a bug left running is of no interest. */
    private void end(String line) {
        try {
            Files.writeString(verdict, line);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Runtime.getRuntime().halt(0);
    }
}
