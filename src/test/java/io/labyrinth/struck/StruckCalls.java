package io.labyrinth.struck;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.kit.Held;
import io.labyrinth.kit.Hook;
import io.labyrinth.kit.Hooked;
import io.labyrinth.kit.Step;
import java.util.ArrayList;
import java.util.List;

/**
 * A program for {@code NothingLostTest}. It runs each step again and again. An error strikes in the first call within a
 * try block of the page map, then in the second, and so on until the step meets no error. So every handler is reached,
 * by every path to it. Which handlers a real stack overflow reaches depends on frame sizes.
 */
public final class StruckCalls {

    public static final String SAMPLED_OPTION = "labyrinth.sampled";
    private static final int FRAMES = 64;

    private StruckCalls() {
    }

    public static void main(String[] args) throws InterruptedException {
        if (Hooked.runs(StruckCalls.class, Hooked.MAP)) {
            return;
        }
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        Thread.ofPlatform().start(StruckCalls::all).join();
        Thread.ofVirtual().start(StruckCalls::all).join();
        Thread.ofPlatform().start(StruckCalls::sweepsOfTheOnlyFreeFrame).join();
        for (String place : args) {
            System.out.println((Hook.struck().contains(place) ? "struck " : "never ") + place);
        }
    }

    private static void all() {
        Labyrinth.Builder builder = Labyrinth.builder("struck").frames(FRAMES).reserve(8);
        try (Labyrinth labyrinth = Boolean.getBoolean(SAMPLED_OPTION) ? builder.sampleClaims(1).open()
                : builder.open()) {
            for (Gfp gfp : List.of(Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT)) {
                for (Step step : Step.values()) {
                    for (Hook.Error error : Hook.Error.values()) {
                        everyCall(new Held(labyrinth, gfp), step, error);
                    }
                }
            }
            labyrinth.validate();
        }
    }

    /** As no other frame is freed, only the sweep itself, or who mends after it, can say that this one is free. */
    private static void sweepsOfTheOnlyFreeFrame() {
        Gfp mine = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);
        try (Labyrinth labyrinth = Labyrinth.builder("lonely").frames(192).open()) {
            for (Hook.Error error : Hook.Error.values()) {
                boolean struck = true;
                for (int call = 1; struck; call++) {
                    join(Thread.ofPlatform().start(() -> labyrinth.allocPage(mine)));
                    List<Frame> others = new ArrayList<>();
                    for (Frame frame = labyrinth.allocPage(mine); frame != null; frame = labyrinth.allocPage(mine)) {
                        others.add(frame);
                    }
                    Hook.failAt(call, error);
                    try {
                        labyrinth.sweepDeadOwners();
                    } catch (StackOverflowError e) {
                        // Struck.
                    }
                    struck = Hook.happened();
                    Frame found = labyrinth.allocPage(mine);
                    if (found == null && labyrinth.sweepDeadOwners() == 1) {
                        found = labyrinth.allocPage(mine);
                    }
                    if (found == null || others.size() != 191) {
                        throw new AssertionError("sweep error=" + error + " call=" + call + " hid the frame");
                    }
                    found.close();
                    others.forEach(Frame::close);
                }
            }
            labyrinth.validate();
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void everyCall(Held held, Step step, Hook.Error error) {
        boolean struck = true;
        for (int call = 1; struck; call++) {
            step.prepare(held);
            boolean taken = false;
            Hook.failAt(call, error);
            try {
                step.take(held);
                taken = true;
            } catch (StackOverflowError e) {
                // Struck.
            }
            struck = Hook.happened();
            held.takeAll(Gfp.HIGH);    // before anything is mended: what is had now must stay its owner's
            // An accept whose rollback fails as well leaves no good ticket; its frame is found, and free.
            boolean endedPerhaps = step.mayHaveEnded() || step.name().startsWith("ACCEPT");
            held.check(!taken && endedPerhaps, step + " error=" + error + " call=" + call + " taken=" + taken);
        }
    }
}
