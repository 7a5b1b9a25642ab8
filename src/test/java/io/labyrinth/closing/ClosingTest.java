package io.labyrinth.closing;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.FaultyCalls;
import io.labyrinth.kit.Verify;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Closes a labyrinth while any step of the close fails. {@code OpeningTest} does the same for the opening. Each failure
 * is typed. Before the point of no return the labyrinth is as it was. After it nobody can use anything of it. The next
 * close goes on, until nothing is mapped, locked or open and no tenant seems to live.
 */
class ClosingTest {

    private static Map<String, Integer> numbersOf(ChildJvm.Result child) {
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        Map<String, Integer> numbers = new TreeMap<>();
        child.out().lines().map(line -> line.split("=")).forEach(
                parts -> numbers.put(parts[0], Integer.valueOf(parts[1])));
        return numbers;
    }

    @Test
    void anyCallMayFailAndTheNextCloseGoesOn() {
        Map<String, Integer> tries = numbersOf(ChildJvm.of(RefusedClosings.class)
                .jvm("-Xmx64m", "-Xlog:disable", FaultyCalls.option(Built.of(Built.FAULTS))).run());

        assertThat(tries.keySet()).containsOnly("CloseRefused", "closed");
        assertThat(tries.get("CloseRefused")).isGreaterThan(100);
        assertThat(tries.get("closed")).as("in spite of it, by another way").isGreaterThan(100);
        Verify.held("closing: every failure typed, the next close goes on, nothing left behind", "ClosingTest",
                "each of its system calls refused, alone and with all that follow, with 4 errors: "
                        + tries.get("CloseRefused") + " closings refused");
    }

    @Test
    void anErrorInAnyCallLeavesItAsItWasOrTheNextCloseGoesOn() {
        Map<String, Integer> tries = numbersOf(ChildJvm.of(StruckClosings.class).jvm("-Xmx64m", "-Xlog:disable").run());

        assertThat(tries.keySet()).contains("CloseRefused open", "CloseRefused ended", "StackOverflowError open",
                "StackOverflowError ended", "closed");
        Verify.held("closing: an error leaves the labyrinth as it was, or to the next close", "ClosingTest",
                "an OutOfMemoryError in each call, a StackOverflowError in each and in all that follow: "
                        + tries.values().stream().mapToInt(i -> i).sum() + " closings");
    }

    @Test
    void aFullHeapLeavesItAsItWasOrTheNextCloseGoesOn() {
        Map<String, Integer> tries = numbersOf(ChildJvm.of(StarvedClosings.class)
                .jvm("-Xmx8m", "-Xms8m", "-Xlog:disable").with("heap").run());

        assertThat(tries.get("closed")).isLessThan(tries.values().stream().mapToInt(i -> i).sum());
    }

    /** The stack is made sure of first, so there is no half-way. */
    @Test
    void theEndOfTheStackLeavesItAsItWas() {
        Map<String, Integer> tries = numbersOf(ChildJvm.of(StarvedClosings.class)
                .jvm("-Xmx64m", "-Xss256k", "-XX:MaxJavaStackTraceDepth=8", "-Xlog:disable").with("stack").run());

        assertThat(tries).containsOnlyKeys("StackOverflowError open", "closed");
    }
}
