package io.labyrinth;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * What errors left behind in a page map: claims that never reached their caller, and frees without their advice. Mended
 * by the next walk that finds nothing, and before every pass over all words.
 */
final class Strays {

    /*
     * Between a won CAS and the return to the caller, any call can throw: StackOverflowError, in the interpreter or
     * where compiled code falls back to it. A handler that undoes its step by a call can overflow in its turn: it runs
     * interpreted where the step was compiled, and that lost runs in five of six tries. So a handler writes to these
     * fields, which takes no stack, and no more. (To make sure of stack beforehand, by 256 calls into the deep, worked
     * as well, and cost each split and join 220 ns.)
     *
     * A mark stands on a frame whose run is a HEAD that nobody knows, so nobody but the mender can change it, and only
     * the mender takes marks away. It takes them before it frees the run: the next owner may leave a mark of its own.
     */

    private static final AtomicIntegerFieldUpdater<Strays> MENDING =
            AtomicIntegerFieldUpdater.newUpdater(Strays.class, "mending");

    /** By pfn: the head of a stray run, or any frame within one. 1 byte a frame. */
    final boolean[] marked;
    /** To be set after a mark. */
    volatile boolean any;
    /** Whether a free run may be missing from the advice. */
    volatile boolean adviceLost;
    /** 1 while a thread mends; given up by a store, as a call could throw. */
    private volatile int mending;

    Strays(int frames) {
        this.marked = new boolean[frames];
    }

    /**
     * Frees all strays and gives all advice anew, if there is reason to; looks at every frame then. Does nothing while
     * another thread is at it.
     *
     * @return whether something may be free now that a walk could not find
     */
    boolean mend(PageMap map) {
        if (!any && !adviceLost || !MENDING.compareAndSet(this, 0, 1)) {
            return false;
        }
        try {
            any = false;
            for (int pfn = 0; pfn < marked.length; pfn++) {
                if (marked[pfn]) {
                    mend(map, pfn);
                }
            }
            adviceLost = false;
            Advice.giveAll(map);
            return true;
        } catch (Throwable e) {
            any = true;
            adviceLost = true;
            throw e;
        } finally {
            mending = 0;
        }
    }

    private void mend(PageMap map, int pfn) {
        boolean freed = false;
        try {
            long head = map.lvWord(pfn);
            boolean isHead = PageWord.state(head) == PageWord.HEAD;
            int end = isHead ? pfn + PageWord.frames(head) : pfn + 1;
            map.hideHeads(pfn, end);
            Arrays.fill(marked, pfn, end, false);
            if (isHead) {
                map.takeBack(pfn, head);
            }
            freed = true;
        } finally {
            if (!freed) {
                marked[pfn] = true;
            }
        }
    }
}
