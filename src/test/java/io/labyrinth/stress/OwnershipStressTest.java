package io.labyrinth.stress;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Runs {@link OwnershipStress} at full length in this JVM, and for a shorter time with each other mode of compiler and
 * collector.
 */
class OwnershipStressTest {

    private static final String PROPERTY = "a frame has one owner at most; no frame is lost; misuse is refused";
    private static final int PATIENCE_SECONDS = (int) Verify.scale(600, 3600);

    /** How a JVM runs. */
    private record Mode(String name, long operations, String... options) {

        Mode(String name, String... options) {
            this(name, Verify.scale(200_000, 10_000_000, 10_000_000), options);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static List<Mode> modes() {
        return List.of(
                // Some 100 us for an operation: ten million would take a quarter of an hour.
                new Mode("interpreter", Verify.scale(15_000, 300_000, 2_000_000), "-Xint"),
                new Mode("C1", "-XX:TieredStopAtLevel=1"),
                new Mode("C2", "-XX:-TieredCompilation"),
                new Mode("Serial", "-XX:+UseSerialGC"),
                new Mode("Parallel", "-XX:-UseSerialGC", "-XX:+UseParallelGC"),
                new Mode("G1", "-XX:-UseSerialGC", "-XX:+UseG1GC"),
                new Mode("ZGC", "-XX:-UseSerialGC", "-XX:+UseZGC"));
    }

    @Test
    void noFrameHasTwoOwnersNorIsLost() {
        long operations = OwnershipStress.operations();
        assertThat(OwnershipStress.run(operations)).contains("no violation, all is back");
        Verify.held(PROPERTY, "OwnershipStressTest", operations + " operations");
    }

    @ParameterizedTest
    @MethodSource("modes")
    void norInAnyModeOfTheJvm(Mode mode) {
        ChildJvm.Result child = ChildJvm.of(OwnershipStress.class).withBothCompilers().patience(PATIENCE_SECONDS)
                .jvm("-Xmx256m", "-Dlabyrinth.operations=" + mode.operations).jvm(mode.options).run();
        assertThat(child.exit()).as("%s: %s", mode, child.err()).isZero();
        assertThat(child.out()).contains("no violation, all is back");
        Verify.held(PROPERTY, "OwnershipStressTest", mode.operations + " operations, " + mode);
    }
}
