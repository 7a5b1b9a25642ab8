package io.labyrinth.stress;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Keeps, next to the labyrinth, the owner of each frame: the mark of the run that the frame belongs to. If a frame is
 * handed out twice, the second owner finds it here before it has written a byte. A life that comes twice is found as
 * well.
 */
final class Ledger {

    /** Sign bit of an entry: its thread has ended, or does nothing any more but end. Whoever comes may have it. */
    private static final long LEFT = Long.MIN_VALUE;

    private final AtomicLongArray marks;
    /** The last life of each frame as the head of a run. Written by the owner, between two steps on its mark. */
    private final long[] lives;

    Ledger(int frames) {
        this.marks = new AtomicLongArray(frames);
        this.lives = new long[frames];
    }

    /** A run that nobody has, or somebody who has ended, is now that of {@code mark}. */
    void take(Holding run, long mark) {
        for (int pfn = run.pfn; pfn < run.end(); pfn++) {
            long seen = marks.get(pfn);
            if (seen > 0 || !marks.compareAndSet(pfn, seen, mark)) {
                throw new AssertionError(run + " was handed out, but pfn=" + pfn + " is " + describe(marks.get(pfn)));
            }
        }
        begin(run);
    }

    /** Another life of the run has begun: one that never was. */
    void begin(Holding run) {
        if (run.generation <= lives[run.pfn]) {
            throw new AssertionError(run + " was handed out, but the frame has seen generation=" + lives[run.pfn]);
        }
        lives[run.pfn] = run.generation;
    }

    void change(Holding run, long from, long to) {
        for (int pfn = run.pfn; pfn < run.end(); pfn++) {
            if (!marks.compareAndSet(pfn, from, to)) {
                throw new AssertionError(run + " is " + describe(from) + ", but pfn=" + pfn + " is "
                        + describe(marks.get(pfn)));
            }
        }
    }

    /** Before the free: afterwards it may be another's already. */
    void give(Holding run) {
        change(run, run.mark, 0);
    }

    void leave(Holding run) {
        change(run, run.mark, run.mark | LEFT);
    }

    void requireNobodys() {
        for (int pfn = 0; pfn < marks.length(); pfn++) {
            if (marks.get(pfn) > 0) {
                throw new AssertionError("all was given up, but pfn=" + pfn + " is " + describe(marks.get(pfn)));
            }
        }
    }

    private static String describe(long mark) {
        return mark == 0 ? "nobody's" : (mark < 0 ? "left by " : "that of ") + Holding.describeMark(mark);
    }
}
