package io.labyrinth.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.LabyrinthException;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The calls that were made: how often each call succeeded and was refused, and which calls came before the last one.
 */
final class CallLog {

    /** A call that is under test. */
    @FunctionalInterface
    interface Body<T> {
        T call() throws Throwable;
    }

    private final Map<Call, int[]> counts = new EnumMap<>(Call.class);
    private final StringBuilder history = new StringBuilder();

    void begin() {
        history.setLength(0);
    }

    void note(String what) {
        history.append(what).append(' ');
    }

    /**
     * Makes the call.
     *
     * @param refusal what it must die of; null if it must succeed
     * @return its result; null if it was refused
     */
    <T> @Nullable T made(Call call, @Nullable Class<? extends Throwable> refusal, Body<T> body) {
        history.append(call).append('\n');
        T result = null;
        Throwable end = null;
        try {
            result = body.call();
        } catch (Throwable e) {
            end = e;
        }
        if (end == null ? refusal != null : end.getClass() != refusal) {
            throw new AssertionError(call + " must " + (refusal == null ? "succeed" : "die of " + refusal.getName())
                    + ", and " + (end == null ? "returned " + result : "died of " + end), end);
        }
        if (end instanceof LabyrinthException) {
            assertThat(end.getMessage()).as("it says what, and what to do instead").contains(": ").contains("=");
        }
        counts.computeIfAbsent(call, any -> new int[2])[end == null ? 0 : 1]++;
        return result;
    }

    /** A line for each call: {@code FREE taken=12 refused=30}. */
    void print() {
        counts.forEach((call, count) -> System.out.println(call + " taken=" + count[0] + " refused=" + count[1]));
    }

    @Override
    public String toString() {
        return history.toString();
    }
}
