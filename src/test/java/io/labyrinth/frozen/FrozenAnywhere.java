package io.labyrinth.frozen;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;
import io.labyrinth.kit.Held;
import io.labyrinth.kit.Hook;
import io.labyrinth.kit.Hooked;
import io.labyrinth.kit.Step;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A program for {@link FrozenThreadTest}. A thread runs each step and stops before the first load, store or
 * compare-and-set that it makes on a word of the map. In the next round it stops before the second one, and so on. Each
 * time the other threads take what is free, hand it over, sweep, and give it back: while the thread is stopped, or
 * after it has gone on. Nothing may be lost.
 */
final class FrozenAnywhere {

    private static final int FRAMES = 256;
    private static final Gfp ALL = Gfp.NOWAIT.with(Gfp.HIGH).with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);

    private final Labyrinth labyrinth;
    private final Handles handles;
    private final Held held;
    private final Step step;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    /** Taken while the thread was frozen. */
    private final long[] taken = new long[FRAMES];
    private int count;
    private int freeBefore;
    private boolean stopped;

    private FrozenAnywhere(Labyrinth labyrinth, Gfp gfp, Step step) {
        this.labyrinth = labyrinth;
        this.handles = labyrinth.handles();
        this.held = new Held(labyrinth, gfp);
        this.step = step;
    }

    public static void main(String[] args) throws InterruptedException {
        if (Hooked.runs(FrozenAnywhere.class, Hooked.MAP)) {
            return;
        }
        try (Labyrinth labyrinth = Labyrinth.builder("frozen").frames(FRAMES).reserve(8).open()) {
            for (Step step : Step.values()) {
                int stops = 0;
                for (Gfp gfp : List.of(Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT)) {
                    for (Thread.Builder kind : List.of(Thread.ofPlatform(), Thread.ofVirtual())) {
                        stops += new FrozenAnywhere(labyrinth, gfp, step).everywhere(kind, false);
                        stops += new FrozenAnywhere(labyrinth, gfp, step).everywhere(kind, true);
                    }
                }
                System.out.println(step + "=" + stops);
            }
            labyrinth.validate();
        }
    }

    private int everywhere(Thread.Builder kind, boolean keep) throws InterruptedException {
        int stops = 0;
        do {
            int call = ++stops;
            giveAllToTheDead();
            Hook.prepareToStop();
            Thread frozen = kind.start(() -> stopsAt(call));
            Hook.awaitStopped();
            String where = step + " gfp=" + held.gfp + " call=" + call + " " + labyrinth.picture();
            if (failure.get() == null && frozen.isAlive()) {
                takeAll(where);
                giveAllBack();
                takeAll(where);
                if (!keep) {
                    giveAllBack();
                }
            }
            Hook.letGo();
            frozen.join();
            giveAllBack();
            if (failure.get() != null) {
                throw new AssertionError(where, failure.get());
            }
            labyrinth.validate();
            LabyrinthStats stats = labyrinth.stats();
            check(stats.free() + stats.reserveFree() == FRAMES, "lost", where);
        } while (stopped);
        return stops - 1;
    }

    /** So that a claim which is not signed yet still has the name of one who has ended. */
    private void giveAllToTheDead() {
        int frames = 0;
        while (Inside.claim(labyrinth, ALL.bits(), 0, Step.DEAD) != 0) {
            frames++;
        }
        check(labyrinth.sweepDeadOwners() == frames && frames == FRAMES, "not all free", "before " + step);
    }

    private void stopsAt(int call) {
        try {
            step.prepare(held);
            freeBefore = free();
            Hook.stopAt(call);
            step.take(held);
            stopped = Hook.happened();
            held.giveAllUp(false);
            labyrinth.sweepDeadOwners();
        } catch (Throwable e) {
            failure.set(e);
        } finally {
            Hook.stopped();
        }
    }

    /** Not by {@link Labyrinth#stats}, which would mend before it counts. */
    private int free() {
        int free = 0;
        int pfn = 0;
        while (pfn < FRAMES) {
            long word = Inside.map(labyrinth).lvWord(pfn);
            free += PageWord.isFree(word) ? PageWord.frames(word) : 0;
            pfn = PageWord.next(pfn, word);
        }
        return free;
    }

    /** All that the frozen thread has not begun to take can be had, in a bounded number of steps. */
    private void takeAll(String where) {
        BitSet pfns = new BitSet();
        long handle;
        while ((handle = handles.alloc(ALL, 0)) != 0) {
            check(!pfns.get(handles.pfn(handle)), "two owners of pfn=" + handles.pfn(handle), where);
            pfns.set(handles.pfn(handle));
            taken[count++] = handle;
        }
        Zone zone = Inside.zone(labyrinth);
        check(zone.lastWalkSteps(Thread.currentThread()) <= 2 * zone.walkBound(), "far", where);
        check(count >= freeBefore - step.most(), "only " + count + " of " + freeBefore, where);
        labyrinth.sweepDeadOwners();
        labyrinth.stats();
    }

    /** Every other one by a hand-over. Each has stayed its owner's, whatever the frozen thread has done since. */
    private void giveAllBack() {
        while (count > 0) {
            long handle = taken[--count];
            handles.free(count % 2 == 0 ? handle : handles.accept(handles.handOff(handle)));
        }
    }

    private static void check(boolean holds, String otherwise, String where) {
        if (!holds) {
            throw new AssertionError(where + ": " + otherwise);
        }
    }
}
