package io.labyrinth.misuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.LabyrinthException;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The error that ends each misuse is exact, it is the same every time, and no JVM crashes. A merge gives each program a
 * JVM of its own. {@code make test} gives one JVM to all that can share it.
 */
class MisuseTest {

    private static final int JVMS_AT_ONCE = Runtime.getRuntime().availableProcessors();
    private static final int REPEATS = (int) Verify.scale(1, 20);

    private static final Map<String, Method> PROGRAMS = new TreeMap<>();
    private static final Map<String, List<Future<ChildJvm.Result>>> ENDS = new TreeMap<>();
    private static final AtomicInteger HELD = new AtomicInteger();

    private static ExecutorService jvms;

    @BeforeAll
    static void startAll() {
        Program.all().forEach(program -> PROGRAMS.put(Program.name(program), program));
        jvms = Executors.newFixedThreadPool(JVMS_AT_ONCE);
        Future<ChildJvm.Result> shared = Verify.isShort() ? jvms.submit(quick(ChildJvm.of(Program.class))::run) : null;
        PROGRAMS.forEach((name, program) -> {
            List<Future<ChildJvm.Result>> ends = new ArrayList<>();
            if (shared != null && !program.getAnnotation(Outcome.class).ownJvm()) {
                ends.add(shared);
            } else {
                ChildJvm jvm = quick(ChildJvm.of(Program.class))
                        .with(program.getDeclaringClass().getName(), program.getName());
                for (int i = 0; i < REPEATS; i++) {
                    ends.add(jvms.submit(jvm::run));
                }
            }
            ENDS.put(name, ends);
        });
    }

    @AfterAll
    static void allEndedAsTheyMust() {
        jvms.shutdownNow();
        if (HELD.get() == PROGRAMS.size()) {
            Verify.held("A refusal is typed, says fact, limit and remedy, and changes nothing.", "MisuseTest",
                    PROGRAMS.size() + " programs" + (Verify.isShort() ? "" : " x " + REPEATS + " JVMs"));
        }
    }

    /** That of one program of a JVM that ran them all, as if it had ended by itself. */
    private static ChildJvm.Result partOf(ChildJvm.Result shared, String name) {
        assertThat(shared.exit()).as(shared.err()).isZero();
        String err = partOf(shared.err(), name);
        return new ChildJvm.Result(err.isEmpty() ? 0 : 1, partOf(shared.out(), name), err);
    }

    private static String partOf(String text, String name) {
        String begin = Program.BEGIN + name + "\n";
        assertThat(text).contains(begin);
        String rest = text.substring(text.indexOf(begin) + begin.length());
        int end = rest.indexOf(Program.BEGIN);
        return end < 0 ? rest : rest.substring(0, end);
    }

    private static ChildJvm quick(ChildJvm jvm) {
        return jvm.jvm("-XX:+ErrorFileToStderr", "-XX:-CreateCoredumpOnCrash", "-Xmx64m");
    }

    static Stream<String> programs() {
        return Program.all().map(Program::name).sorted();
    }

    @ParameterizedTest
    @MethodSource("programs")
    void endsAsItMust(String name) throws ExecutionException, InterruptedException {
        Outcome outcome = PROGRAMS.get(name).getAnnotation(Outcome.class);
        boolean harmless = outcome.type() == Outcome.Harmless.class;
        for (Future<ChildJvm.Result> end : ENDS.get(name)) {
            ChildJvm.Result ended = end.get();
            if (ended.out().startsWith(Program.BEGIN)) {
                ended = partOf(ended, name);
            }

            String all = ended.out() + ended.err();
            assertThat(ended.out()).as(all).isEqualTo("out=" + outcome.out() + "\n");
            assertThat(ended.exit()).as(all).isEqualTo(harmless ? 0 : 1);
            if (harmless) {
                assertThat(ended.err()).isEmpty();
            } else {
                String line = ended.err().lines().findFirst().orElse("");
                assertThat(line + ":").startsWith("Exception in thread \"main\" " + outcome.type().getName() + ":");
                assertThat(outcome.says()).as(line).allMatch(line::contains);
                assertThat(ended.err()).doesNotContain("Caused by: java.lang.AssertionError");
            }
        }
        HELD.incrementAndGet();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void nativeAccessDenied(boolean asModule) {
        ChildJvm.Result ended = quick(ChildJvm.denied(Denied.class, asModule)).run();

        assertThat(ended.out()).isEmpty();
        assertThat(ended.exit()).as(ended.err()).isEqualTo(1);
        String module = asModule ? "io.labyrinth" : "ALL-UNNAMED";
        assertThat(ended.err()).startsWith("Exception in thread \"main\" "
                + LabyrinthException.NativeAccessDenied.class.getName() + ": native access is denied to module="
                + module + ": start java with --enable-native-access=" + module + "\n");
    }
}
