package io.labyrinth.internal.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A libc that lacks the newer functions mlock2, memfd_create and fstat, or a filter that refuses them. The symbols are
 * hidden from a child JVM, or the child runs under such a filter.
 */
class OlderLibcTest {

    private String told(String... environment) {
        Path library = Built.of(Built.HIDDEN);
        ChildJvm.Result child = ChildJvm.of(Opens.class).preload(library, environment).jvm("-Xlog:disable").run();
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        return child.out();
    }

    @Test
    void theseAreTheOptionalOnes() {
        assumeTrue(Libc.missing().isEmpty(), "this libc lacks " + Libc.missing());
        assertThat(told("HIDDEN=mlock2,memfd_create,fstat"))
                .startsWith("missing=[mlock2, memfd_create, fstat]\n");
    }

    /** The system calls are made by number. */
    @ParameterizedTest
    @ValueSource(strings = {"mlock2,memfd_create,fstat", "mlock2", "memfd_create", "fstat"})
    void whatIsMissingIsCalledByNumber(String hidden) {
        assertThat(told("HIDDEN=" + hidden)).endsWith("""
                private: all locked
                memfd: all locked
                file: all locked
                attached: all locked, nothing is missing
                """);
    }

    @Test
    void withoutTheCallsMlockIsUsedAndAMemfdAloneRefused() {
        assertThat(told("HIDDEN=mlock2,memfd_create", "NO_CALLS=1").lines().skip(1)).satisfiesExactly(
                open -> assertThat(open).isEqualTo("private: all locked"),
                memfd -> assertThat(memfd).startsWith("memfd: MapRefused: file=memfd:libc cannot create: errno=38(")
                        .endsWith(": there is no memfd_create here (Linux 3.17, and a sandbox that allows it);"
                                + " share it by a file below /dev/shm"),
                file -> assertThat(file).isEqualTo("file: all locked"),
                attached -> assertThat(attached).startsWith("attached: all locked, "));
    }

    /** As old container runtimes have it: what it does not know, it answers as a limit of 0 does. */
    @ParameterizedTest
    @ValueSource(strings = {"mlock2", "mlock2 cold", "cold", "populate"})
    void whatAFilterRefusesIsNotTheKernelsAnswer(String calls) throws Exception {
        assertThat(filtered(calls).lines().skip(1)).containsExactly("private: all locked", "memfd: all locked",
                "file: all locked", "attached: all locked, nothing is missing");
    }

    @Test
    void aFilterMayForbidMemfds() throws Exception {
        assertThat(filtered("memfd_create").lines().toList().get(2)).startsWith("memfd: MapRefused: ")
                .contains("errno=1(", "share it by a file below /dev/shm");
    }

    @Test
    void cGivesTheSameAdvice() throws Exception {
        Process process = new ProcessBuilder(Stream.concat(Stream.of(filter("memfd_create")),
                Stream.of(Built.of("test/room").toString(), "create", "8")).toList()).start();
        assertThat(new String(process.getInputStream().readAllBytes()))
                .startsWith("MAP_REFUSED: memfd_create refused: ").contains("errno=1(")
                .endsWith(": there is no memfd_create here (Linux 3.17, and a sandbox that allows it); share it by a"
                        + " file below /dev/shm\n");
        assertThat(process.waitFor()).isZero();
    }

    private String filtered(String calls) throws Exception {
        ChildJvm.Result child = ChildJvm.of(Opens.class).by(filter(calls)).jvm("-Xlog:disable").run();
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        return child.out();
    }

    /** A command under which these calls are refused; takes the command to be run behind it. */
    private String[] filter(String calls) throws Exception {
        String[] command = Stream.of(List.of(Built.of(Built.FILTER).toString()), List.of(calls.split(" ")),
                List.of("--")).flatMap(List::stream).toArray(String[]::new);
        assumeTrue(new ProcessBuilder(Stream.concat(Stream.of(command), Stream.of("true")).toList()).start().waitFor()
                == 0, "this process may set no seccomp filter");
        return command;
    }

    // ------------------------------------------------------------------------------------------- in the child

    static final class Opens {

        public static void main(String[] args) throws Exception {
            Machine.requireNativeAccess();
            System.out.println("missing=" + Libc.missing());
            open("private", builder());
            open("memfd", builder().memfd());
            Path file = Path.of("/dev/shm/labyrinth-libc-" + ProcessHandle.current().pid());
            open("file", builder().shared(file));
            attach(file);
            Files.delete(file);
        }

        private static Labyrinth.Builder builder() {
            return Labyrinth.builder("libc").frames(64);
        }

        private static void attach(Path file) throws Exception {
            try (Labyrinth labyrinth = Labyrinth.attach(file)) {
                int fd = MemoryFile.lookAt(file.toString());
                System.out.println("attached: " + (labyrinth.stats().lockedBytes() >= labyrinth.stats().mappedBytes()
                        ? "all locked" : labyrinth.stats().toString()) + ", "
                        + (MemoryFile.missing(fd, Files.size(file)) == 0 ? "nothing" : "something") + " is missing");
                Libc.close(fd);
            }
        }

        private static void open(String what, Labyrinth.Builder builder) {
            try (Labyrinth labyrinth = builder.open()) {
                labyrinth.validate();
                System.out.println(what + (labyrinth.stats().lockedBytes() >= labyrinth.stats().mappedBytes()
                        ? ": all locked" : ": " + labyrinth.stats()));
            } catch (LabyrinthException e) {
                System.out.println(what + ": " + e.getClass().getSimpleName() + ": " + e.getMessage());
            }
        }
    }
}
