package io.labyrinth.stress;

import io.labyrinth.Frame;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/** Attempts to do what is forbidden. Each must be refused in its own way, at any time and under any race. */
final class Mischief {

    private static final int WINDOW = 64;

    /** EXCLUSIVE runs of all threads, alive or ended since. */
    private final AtomicReferenceArray<@Nullable Holding> window = new AtomicReferenceArray<>(WINDOW);
    private final Handles handles;
    private final int frames;

    Mischief(Labyrinth labyrinth) {
        this.handles = labyrinth.handles();
        this.frames = labyrinth.stats().frames();
    }

    void show(Holding run, SplittableRandom random) {
        window.set(random.nextInt(WINDOW), run);
    }

    /** With a run of another's. Returns the refusals: 1, or 0 if none was at hand. */
    int onAnothers(SplittableRandom random) {
        Holding run = window.get(random.nextInt(WINDOW));
        if (run == null || run.holder == Thread.currentThread()) {
            return 0;
        }
        Frame frame = run.frame;
        switch (random.nextInt(3)) {
            case 0 -> refused(run, "another's free", run::close, LabyrinthException.NotOwner.class);
            case 1 -> refused(run, "another's hand-over", () -> run.handOff(0), LabyrinthException.NotOwner.class);
            default -> {
                if (frame == null) {
                    refused(run, "another's read", () -> handles.getLong(run.handle, 0),
                            LabyrinthException.NotOwner.class);
                } else {
                    refused(run, "another's read", () -> frame.segment().get(ValueLayout.JAVA_LONG, 0),
                            WrongThreadException.class);
                }
            }
        }
        return 1;
    }

    /** With a run that the caller holds: the wrong face, the life before this, a frame that is none. */
    int onOwn(Holding run, SplittableRandom random) {
        int dice = random.nextInt(3);
        if (dice == 0 && run.exclusive && run.frame != null) {
            refused(run, "the raw face's free", () -> handles.free(run.handle),
                    LabyrinthException.InvalidRequest.class);
        } else if (dice == 1) {
            long beyond = PageWord.first(run.generation, 0, 0) | frames + random.nextInt(1000);
            refused(run, "a free beyond the labyrinth", () -> handles.free(beyond), LabyrinthException.Foreign.class);
        } else {
            long before = PageWord.first(run.generation - 1, 0, 0) | run.pfn;
            refused(run, "a free of the life before", () -> handles.free(before), LabyrinthException.Stale.class);
        }
        return 1;
    }

    /** With a life that has ended, just now or long ago, whoever has the frames by now. */
    int onDead(Holding run, SplittableRandom random) {
        Frame frame = run.frame;
        int dice = random.nextInt(3);
        if (dice == 0) {
            stale(run, "a second free", run::close);
        } else if (dice == 1) {
            stale(run, "a late hand-over", () -> run.handOff(0));
        } else if (frame == null) {
            stale(run, "a late read", () -> handles.getLong(run.handle, 0));
        } else if (run.exclusive && run.holder == Thread.currentThread()) {
            stale(run, "a late segment", frame::segment);
            MemorySegment view = run.view;
            if (view != null) {
                refused(run, "a late read", () -> view.get(ValueLayout.JAVA_LONG, 0), IllegalStateException.class);
            }
        } else {
            stale(run, "the owner of a life that has ended", frame::owner);
        }
        return 1;
    }

    /** With a ticket that was accepted. */
    int onSpent(Parcel parcel) {
        stale(parcel.run(), "a second accept", () -> parcel.run().accept(parcel));
        return 1;
    }

    private static void stale(Holding run, String what, Runnable attempt) {
        refused(run, what, attempt, LabyrinthException.Stale.class);
    }

    /** What has ended meanwhile is refused as stale, whatever else is wrong with it. */
    private static void refused(Holding run, String what, Runnable attempt, Class<?> how) {
        try {
            attempt.run();
        } catch (RuntimeException e) {
            if (how.isInstance(e) || e instanceof LabyrinthException.Stale) {
                return;
            }
            throw new AssertionError(what + " of " + run + " was refused in the wrong way: " + e, e);
        }
        throw new AssertionError(what + " succeeded, with " + run);
    }
}
