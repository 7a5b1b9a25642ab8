package io.labyrinth.internal.pagemap;

import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * What errors left behind in a page map: claims that never reached their caller, and frees without their advice. Mended
 * by the next walk that finds nothing, and before every pass over all words.
 */
public final class Orphans {

    /*
     * Between a won CAS and the return to the caller, any call can throw: StackOverflowError, in the interpreter or
     * where compiled code falls back to it. A handler that undoes its step by a call can overflow in its turn: it runs
     * interpreted where the step was compiled, and that lost runs in five of six tries. So a handler writes to these
     * fields, which takes no stack, and no more. (To make sure of stack beforehand, by 256 calls into the deep, worked
     * as well, and cost each split and join 220 ns.) What this asks of the JDK: an access to the page map throws before
     * its effect, or not at all. So it is: nothing that such an access calls after its effect goes deeper than that.
     *
     * A mark is on the head of a run that nobody knows, and names the life that it is for:
     *
     *   15    14      11 10                     0
     *  +-----+----------+------------------------+
     *  |orphan|  order   |  generation, 11 bits   |
     *  +-----+----------+------------------------+
     *
     * orphan       what the mender looks for. Without it the mark is a note that a join makes of each head that it has
     *             claimed: its handler cannot read the page map, and so finds the heads and their lives here.
     * order       of the head that a join noted; else 0.
     * generation  the lowest bits of the life that the run is in: as many as an owner word has.
     *
     * Only the mender frees a marked run in the life of its mark. A sweep leaves it to the mender: the mark came before
     * the owner ended, so the sweep sees it. Were the sweep to free it, the mark would outlive the life, and take the
     * frame from its next owner (the generation forbids that), or the mender would take away the mark that the next
     * owner's own error has left since. The mender takes a mark away before it frees the run, as the next owner may
     * leave one of its own. So a mark is never older than its frame's life, and 11 bits are plenty.
     */

    // Literals: a handler must not have to load a class for them. A test compares them with PageWord.

    /** Bit of a mark. */
    public static final int ORPHAN = 1 << 15;
    public static final int ORDER_SHIFT = 11;
    /** Where a word's or a handle's generation begins. */
    public static final int GENERATION_AT = 24;
    public static final int GENERATION = (1 << ORDER_SHIFT) - 1;

    private static final AtomicIntegerFieldUpdater<Orphans> MENDING =
            AtomicIntegerFieldUpdater.newUpdater(Orphans.class, "mending");

    /** By pfn. 2 bytes a frame. */
    public final char[] marks;
    /** To be set after a mark. */
    public volatile boolean any;
    /** Whether a free run may be missing from the advice. */
    public volatile boolean adviceLost;
    /** 1 while a thread mends; given up by a store, as a call could throw. */
    private volatile int mending;

    public Orphans(int frames) {
        this.marks = new char[frames];
    }

    /** What a join notes of a head before it claims it. */
    static char note(long word) {
        return (char) (PageWord.order(word) << ORDER_SHIFT | word >>> GENERATION_AT & GENERATION);
    }

    /** Whether the run whose head's word this is was marked in its life. */
    boolean isMarked(int pfn, long word) {
        return isFor(marks[pfn], word);
    }

    private static boolean isFor(int mark, long word) {
        return mark >= ORPHAN && ((mark ^ word >>> GENERATION_AT) & GENERATION) == 0;
    }

    /**
     * Frees all orphans and gives all advice anew, if there is reason to; looks at every frame then. Does nothing while
     * another thread is at it.
     *
     * @return whether something may be free now that a walk could not find
     */
    public boolean mend(PageMap map) {
        if (!any && !adviceLost || !MENDING.compareAndSet(this, 0, 1)) {
            return false;
        }
        try {
            any = false;
            MENDING.getAndSet(this, 1);    // a fence: no mark is looked at before that store is seen
            for (int pfn = 0; pfn < marks.length; pfn++) {
                if (marks[pfn] >= ORPHAN) {
                    mend(map, pfn, marks[pfn]);
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

    private void mend(PageMap map, int pfn, char mark) {
        try {
            long head = map.lvWord(pfn);
            boolean isOrphan = PageWord.state(head) == PageWord.HEAD && isFor(mark, head);
            if (isOrphan) {
                map.hideHeads(pfn, map.endOf(pfn, head));
            }
            marks[pfn] = 0;
            if (isOrphan) {
                map.takeBack(pfn, head);
            }
        } catch (Throwable e) {
            marks[pfn] = mark;
            throw e;
        }
    }
}
