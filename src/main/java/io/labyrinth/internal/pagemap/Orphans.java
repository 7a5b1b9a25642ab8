package io.labyrinth.internal.pagemap;

import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * What errors have left in a page map: claims that never reached their caller, and frees without their advice. The next
 * walk that finds nothing mends them, and so does every pass over all words, before it begins.
 */
public final class Orphans {

    /*
     * Between a won CAS and the return to the caller, any call can throw StackOverflowError, in the interpreter or when
     * compiled code falls back to it. A handler that undoes its step by a call can overflow as well, because it runs
     * interpreted even if the step was compiled: see lost-designs, "errors". So a handler only writes to these fields,
     * which takes no stack.
     *
     * This needs one guarantee of the JDK: an access to the page map throws before its effect, or not at all. The JDK
     * gives it, because nothing that such an access calls after its effect needs more stack than what it called before.
     *
     * A mark is on the head of a run that no caller knows, and names the life that it is for:
     *
     *   15    14      11 10                     0
     *  +-----+----------+------------------------+
     *  |orphan|  order   |  generation, 11 bits   |
     *  +-----+----------+------------------------+
     *
     * orphan      The mender looks for this bit. Without it the mark is only a note, which a join makes of each head
     *             that it has claimed: the join's handler cannot read the page map, so it finds the heads here.
     * order       The order of the head that a join noted; otherwise 0.
     * generation  The lowest bits of the life that the run is in: as many as an owner word has.
     *
     * Only the mender frees a marked run in the life of its mark. A sweep leaves such a run to the mender: the mark was
     * made before the owner ended, so the sweep sees it. If the sweep freed the run, the mark would outlive the life.
     * It would then take the frame from its next owner, if the mark had no generation. Or the mender would remove the
     * mark that an error of the next owner has left since. The mender removes a mark before it frees the run, because
     * the next owner may leave a mark of its own. So a mark is never older than the life of its frame, and 11 bits are
     * enough.
     */

    // Literals: a handler must not load a class to get them. A test compares them with PageWord.

    /** Bit of a mark. */
    public static final int ORPHAN = 1 << 15;
    public static final int ORDER_SHIFT = 11;
    /** First bit of the generation in a word or a handle. */
    public static final int GENERATION_AT = 24;
    public static final int GENERATION = (1 << ORDER_SHIFT) - 1;

    private static final AtomicIntegerFieldUpdater<Orphans> MENDING =
            AtomicIntegerFieldUpdater.newUpdater(Orphans.class, "mending");

    /** By pfn. 2 bytes for each frame. Racy: the mender reads them after {@code any}, a sweep after the owner's end. */
    public final char[] marks;
    /** Whether there may be an orphan. Set after the mark. */
    public volatile boolean any;
    /** Whether a free run may be missing from the advice. */
    public volatile boolean adviceLost;
    /** 1 while a thread mends. Reset by a store, because a call could throw. */
    private volatile int mending;

    public Orphans(int frames) {
        this.marks = new char[frames];
    }

    /** What a join notes of a head; made before the claim of that head. */
    static char note(long word) {
        return (char) (PageWord.order(word) << ORDER_SHIFT | word >>> GENERATION_AT & GENERATION);
    }

    /** Whether the run that {@code word} heads was marked in its present life. */
    boolean isMarked(int pfn, long word) {
        return isFor(marks[pfn], word);
    }

    private static boolean isFor(int mark, long word) {
        return mark >= ORPHAN && ((mark ^ word >>> GENERATION_AT) & GENERATION) == 0;
    }

    /**
     * If an error has left something: frees all orphans, gives all advice again, and looks at every frame for that.
     * Does nothing while another thread mends.
     *
     * @return whether something may be free now that a walk could not find before
     */
    public boolean mend(PageMap map) {
        if (!any && !adviceLost || !MENDING.compareAndSet(this, 0, 1)) {
            return false;
        }
        try {
            any = false;
            MENDING.getAndSet(this, 1);    // a fence: others see any = false before a mark is looked at
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
