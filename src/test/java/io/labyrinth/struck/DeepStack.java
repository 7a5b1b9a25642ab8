package io.labyrinth.struck;

import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.kit.Held;
import io.labyrinth.kit.Step;
import java.util.List;

/**
 * A program for {@code NothingLostTest}. It runs each step at each depth of the stack: from the depth at which the step
 * cannot begin to the depth at which it always succeeds. Each time it looks for what was lost.
 */
public final class DeepStack {

    private static final int ENOUGH_SUCCESSES = 20;

    /**
     * Parameters make the interpreter's frames 16 bytes larger each:
     * what lies between two levels of the dive is met, too.
     */
    private static final int SHIMS = 4;

    private final Held held;
    private final Step step;
    private final int stride;
    private int target;
    private int level;
    private boolean taken;

    private DeepStack(Held held, Step step, int stride) {
        this.held = held;
        this.step = step;
        this.stride = stride;
    }

    /** @param args one claim of how many is sampled, or 0; of how many depths one is tried, a divisor of the shims */
    public static void main(String[] args) throws InterruptedException {
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        Labyrinth.Builder builder = Labyrinth.builder("deep").frames(64).reserve(8);
        if (!args[0].equals("0")) {
            builder.sampleClaims(Integer.parseInt(args[0]));
        }
        int stride = Integer.parseInt(args[1]);
        Thread.ofPlatform().start(() -> all(builder, stride)).join();
        Thread.ofVirtual().start(() -> all(builder, stride)).join();
    }

    private static void all(Labyrinth.Builder builder, int stride) {
        try (Labyrinth labyrinth = builder.open()) {
            for (Gfp gfp : List.of(Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT)) {
                for (Step step : Step.values()) {
                    new DeepStack(new Held(labyrinth, gfp), step, stride).everyDepth();
                }
            }
            labyrinth.validate();
        }
    }

    private void everyDepth() {
        boolean interpreted = System.getProperty("java.vm.info").contains("interpreted");
        for (int i = 0; i < (interpreted ? 1 : 3000); i++) {
            step.prepare(held);
            step.take(held);
            held.giveAllUp(false);
        }
        int successes = 0;
        int overflows = 0;
        int orphans = 0;
        for (target = 0; successes < ENOUGH_SUCCESSES; target += stride) {
            step.prepare(held);
            level = 0;
            taken = false;
            dive();
            successes = taken ? successes + 1 : 0;
            overflows += taken ? 0 : 1;
            orphans += Inside.map(held.labyrinth).orphans.any ? 1 : 0;
            held.check(!taken && step.mayHaveEnded(), step + " level=" + target + " taken=" + taken);
        }
        System.out.println(Thread.currentThread() + " " + step + " overflows=" + overflows + " orphans=" + orphans
                + " depths=" + target / stride);
    }

    /** Down to the end of the stack, and the step at the {@link #target}th level on the way up. */
    private boolean dive() {
        boolean over;
        try {
            over = dive();
        } catch (StackOverflowError e) {
            over = false;
        }
        if (!over && level++ == target / SHIMS) {
            switch (target % SHIMS) {
                case 0 -> take(0);
                case 1 -> take(0, 0);
                case 2 -> take(0, 0, 0);
                default -> take(0, 0, 0, 0);
            }
            taken = true;
            over = true;
        }
        return over;
    }

    private void take(long a) {
        step.take(held);
    }

    private void take(long a, long b) {
        step.take(held);
    }

    private void take(long a, long b, long c) {
        step.take(held);
    }

    private void take(long a, long b, long c, long d) {
        step.take(held);
    }
}
