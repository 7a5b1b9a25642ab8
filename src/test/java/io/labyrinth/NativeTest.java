package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The tests of the C side, {@code make native-test}. They cover every operation and misuse, false headers and threads,
 * each without and with the sanitizers. Processes are killed at random moments and at every named step.
 */
public class NativeTest {

    /** For JUnit. */
    public NativeTest() {
    }

    private static final long KILLS = Verify.scale(40, 200, 2000);
    private static final long TIMES_AT_EACH_STEP = Verify.scale(1, 2, 20);
    private static final long ROUNDS = Verify.scale(5_000, 20_000, 300_000);
    private static final long IMAGES = Verify.scale(2_000, 10_000, 10_000);

    @Test
    void everyTestOfTheCSideHolds() throws Exception {
        String said = make("test", "KILLS=" + KILLS, "STEPS=" + TIMES_AT_EACH_STEP, "ROUNDS=" + ROUNDS,
                "IMAGES=" + IMAGES);

        assertThat(said).contains("ops: ", "misuse: ", "shared: ", "machines: ", "fuzz: ", "stress: ", "killed paused: ",
                "killed random: " + KILLS + " processes, nothing lost",
                "frozen at each: nothing lost");
        Verify.held("a killed process loses no frame, a paused one keeps its own", "NativeTest",
                KILLS + " kills at random, " + TIMES_AT_EACH_STEP + " at each named step");
    }

    /** The tools that go with the compiler are found by it: neither ld nor ar nor objcopy of this machine will do. */
    @Test
    void compilesForAnotherProcessorAndByAnotherLibc() throws Exception {
        assumeFalse(Verify.isShort(), "the compilers take half a minute: make verify runs it");
        String said = make("cross");

        assumeThat(said).as("neither aarch64-linux-gnu-gcc nor musl-gcc is on PATH").contains("cross: ");
        Verify.held("the C side is compiled for Armv8, and by musl", "NativeTest",
                said.strip().replace("cross: ", "").replace('\n', ' '));
    }

    /** A target of native/Makefile; what it printed. */
    private static String make(String... arguments) throws IOException, InterruptedException {
        ProcessBuilder make = new ProcessBuilder("make", "-s", "-C", "native");
        make.command().addAll(List.of(arguments));
        // Of a make that runs this test, nothing is to be passed on.
        make.environment().keySet().removeAll(List.of("MAKEFLAGS", "MFLAGS", "MAKELEVEL"));
        Path out = Files.createTempFile("labyrinth", ".make");
        // Not by a pipe: to wait for a line that does not come could not be ended.
        Process process = make.redirectErrorStream(true).redirectOutput(out.toFile()).start();
        try {
            int exit = process.waitFor();
            String said = Files.readString(out);
            assertThat(exit).as("make %s: %s", String.join(" ", arguments), said).isZero();
            return said;
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            Files.delete(out);
        }
    }
}
