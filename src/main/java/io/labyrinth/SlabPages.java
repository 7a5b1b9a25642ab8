package io.labyrinth;

import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/** The pages of a slab. A page has room for one frame, and the words of the objects on that frame. */
final class SlabPages {

    /*
     * All objects of an empty page are QUARANTINED.
     *
     * To grow: claim a frame, put it on an empty page with one CAS, then make the page's words FREE, one by one.
     *
     * To shrink: make all words of a page QUARANTINED again, with one CAS each. A CAS fails if somebody has the object;
     * then the page stays. If all of them succeed, free the frame, then empty the page. A shrink gives up at the first
     * word that is QUARANTINED already. A growth only touches words after that one, so the two do not meet.
     *
     * An error may cut such a change short. Then the page is torn. The next growth, shrink or close mends it. An object
     * of a torn page may be FREE, and no advice may lead to it. One thread at a time mends, shrinks or closes. A second
     * one does not wait: it does without. A growth waits for nobody.
     *
     * A page has a power of two of words, because a shift is cheaper than a division. If the size of an object is no
     * power of two, some words are left over. They stay QUARANTINED for ever.
     */

    private static final int OPEN = 0;
    private static final int CLOSING = 1;
    private static final int CLOSED = 2;

    /** Never a handle: its generation would be the last one, which is never claimed. */
    private static final long LOST = -1;

    private static final AtomicIntegerFieldUpdater<SlabPages> TURN =
            AtomicIntegerFieldUpdater.newUpdater(SlabPages.class, "turn");

    final int bytes;
    final int perFrame;
    final int shift;
    private final Allocator labyrinth;
    private final PageMap map;

    /** By page: the handle of its frame; 0 for none. */
    private final AtomicLongArray frames;
    /**
     * By page: the address that object 0 would have if all objects lay in one row with this page's. 0: the page is
     * empty. It is written before the objects become FREE, so the thread that has claimed one sees it. The array is
     * plain, because with a volatile read C2 does not inline a pair: see lost-designs, "slab".
     */
    final long[] addresses;
    private final boolean[] torn;
    private volatile boolean anyTorn;
    /** All pages below this one had a frame at the last search. Only a start for the next one: threads race on it. */
    private int fullBelow;
    private volatile int state;
    /** 1 while a thread mends, shrinks or closes. It is given up by a store, because a call could throw. */
    private volatile int turn;

    /** @param map has the words of all pages, QUARANTINED */
    SlabPages(Allocator labyrinth, PageMap map, int bytes) {
        this.labyrinth = labyrinth;
        this.map = map;
        this.bytes = bytes;
        this.perFrame = perFrame(labyrinth, bytes);
        this.shift = shift(perFrame);
        this.frames = new AtomicLongArray(map.frames >> shift);
        // Links what the first growth would link, perhaps without the heap for it.
        frames.set(0, frames.compareAndSet(0, 0, 0) ? frames.get(0) : 0);
        this.addresses = new long[map.frames >> shift];
        this.torn = new boolean[map.frames >> shift];
    }

    static int perFrame(Allocator labyrinth, int bytes) {
        return (int) (labyrinth.region.pageSize / bytes);
    }

    /** log2 of the words that a page has. */
    static int shift(int perFrame) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(perFrame - 1);
    }

    int count() {
        return frames.length();
    }

    boolean isClosed() {
        return state == CLOSED;
    }

    int taken() {
        int taken = 0;
        for (int page = 0; page < frames.length(); page++) {
            taken += frames.get(page) == 0 ? 0 : 1;
        }
        return taken;
    }

    /** An object's address is this, plus its number times the size. */
    private long base(int page, long frame) {
        return labyrinth.region.address(PageWord.pfn(frame)) - ((long) page << shift) * bytes;
    }

    /** Takes one more frame, and claims its first object. 0: there is no frame, or no page for it. */
    long grow(int bits, Thread me) {
        if (anyTorn && TURN.compareAndSet(this, 0, 1)) {
            try {
                mend(me);
            } finally {
                turn = 0;
            }
        }
        long handle;
        do {    // again if other threads took all objects of the frame first
            handle = growOnce(bits, me);
        } while (handle == LOST);
        return handle;
    }

    private long growOnce(int bits, Thread me) {
        int page = emptyPage(fullBelow);
        int forFrame = bits & ~(GfpFlags.EXCLUSIVE | GfpFlags.ZERO);
        long frame = page < 0 ? 0 : labyrinth.claim(forFrame, 0, me);
        if (frame == 0) {
            return 0;
        }
        boolean shelved = false;
        try {
            while (page >= 0 && !shelved) {
                shelved = frames.compareAndSet(page, 0, frame);
                page = shelved ? page : emptyPage(page);
            }
        } finally {
            if (!shelved) {
                labyrinth.map.orphans.marks[(int) (frame & PageWord.LOW_MASK)] =
                        (char) (Orphans.ORPHAN | frame >>> Orphans.GENERATION_AT & Orphans.GENERATION);
                labyrinth.map.orphans.any = true;
            }
        }
        return shelved ? fill(page, frame, GfpFlags.wordFlags(bits), me) : 0;
    }

    /** Searches from there to the end, then from the start. -1: no page is empty. */
    private int emptyPage(int from) {
        int count = frames.length();
        for (int i = 0; i < count; i++) {
            int page = from + i < count ? from + i : from + i - count;
            if (frames.get(page) == 0) {
                fullBelow = page;
                return page;
            }
        }
        return -1;
    }

    /** Makes the page's objects FREE, and claims one of them at once. */
    private long fill(int page, long frame, long flags, Thread me) {
        int end = (page << shift) + perFrame;
        long handle = 0;
        try {
            if (state != OPEN) {    // the thread that closes may have passed this page already
                labyrinth.map.orphans.marks[(int) (frame & PageWord.LOW_MASK)] =
                        (char) (Orphans.ORPHAN | frame >>> Orphans.GENERATION_AT & Orphans.GENERATION);
                labyrinth.map.orphans.any = true;
                frames.set(page, 0);
                return 0;
            }
            addresses[page] = base(page, frame);
            for (int object = page << shift; object < end; object++) {
                map.reopen(object, map.lvWord(object));
                long word = map.lvWord(object);
                if (handle == 0 && PageWord.isFree(word, 0)) {
                    handle = map.claimSeen(object, word, 0, flags, me);
                }
            }
            return handle == 0 ? LOST : handle;
        } catch (Throwable e) {
            if (handle != 0) {
                map.orphans.marks[(int) (handle & PageWord.LOW_MASK)] =
                        (char) (Orphans.ORPHAN | handle >>> Orphans.GENERATION_AT & Orphans.GENERATION);
                map.orphans.any = true;
            }
            torn[page] = true;
            anyTorn = true;
            map.orphans.adviceLost = true;
            throw e;
        }
    }

    /** Takes the frame off the page if none of its objects is out. The caller has the turn. */
    private boolean empty(int page, Thread me) {
        int first = page << shift;
        int end = first + perFrame;
        int object = first;
        if (!isAllFree(first, end)) {
            return false;    // without a write, so nobody is disturbed
        }
        try {
            long word = map.lvWord(object);
            while (PageWord.isFree(word) && map.quarantine(object, word) && ++object < end) {
                word = map.lvWord(object);
            }
            if (object == end) {
                addresses[page] = 0;
                labyrinth.free(frames.get(page), me, PageWord.EXCLUSIVE);
                if (page < fullBelow) {
                    fullBelow = page;
                }
                frames.set(page, 0);    // last: from here on the page may be another thread's, so nothing may fail
                return true;
            }
            reopen(first, object);
            return false;
        } catch (Throwable e) {
            torn[page] = true;
            anyTorn = true;
            map.orphans.adviceLost = true;
            throw e;
        }
    }

    private boolean isAllFree(int from, int to) {
        int object = from;
        while (object < to && PageWord.isFree(map.lvWord(object))) {
            object++;
        }
        return object == to;
    }

    private void reopen(int from, int to) {
        for (int object = from; object < to; object++) {
            map.reopen(object, map.lvWord(object));
        }
    }

    /** Finishes what errors cut short. The caller has the turn. */
    private void mend(Thread me) {
        try {
            anyTorn = false;
            for (int page = 0; page < torn.length; page++) {
                if (torn[page]) {
                    long frame = frames.get(page);
                    if (isLive(frame, me)) {
                        addresses[page] = base(page, frame);
                        reopen(page << shift, (page << shift) + perFrame);
                    } else {
                        frames.compareAndSet(page, frame, 0);
                    }
                    torn[page] = false;
                }
            }
        } catch (Throwable e) {
            anyTorn = true;
            map.orphans.adviceLost = true;
            throw e;
        }
    }

    private boolean isLive(long frame, Thread me) {
        try {
            labyrinth.map.checked(frame, "slab", me);
            return true;
        } catch (LabyrinthException.Stale e) {
            return false;
        }
    }

    /** Gives back the frames that have no object out. Returns their number; -1: another thread does so already. */
    int shrink() {
        if (!TURN.compareAndSet(this, 0, 1)) {
            return -1;
        }
        try {
            return emptyAll(Thread.currentThread());
        } finally {
            turn = 0;
        }
    }

    private int emptyAll(Thread me) {
        mend(me);
        int freed = 0;
        for (int page = 0; page < frames.length(); page++) {
            if (frames.get(page) != 0 && empty(page, me)) {
                freed++;
            }
        }
        return freed;
    }

    /** Empties all pages, for ever if that succeeds. Returns the frames that stayed; -1: another thread does so. */
    int close() {
        if (!TURN.compareAndSet(this, 0, 1)) {
            return -1;
        }
        boolean closed = false;
        try {
            state = CLOSING;
            emptyAll(Thread.currentThread());
            int stayed = taken();
            closed = stayed == 0;
            return stayed;
        } finally {
            state = closed ? CLOSED : OPEN;
            turn = 0;
        }
    }

    /**
     * Each object that is free or out must lie on a frame that is the slab's own. Null: so it is. Torn pages do not
     * count, because they are still to be mended.
     */
    @Nullable String violation() {
        Thread me = Thread.currentThread();
        for (int page = 0; page < frames.length(); page++) {
            long frame = frames.get(page);
            if (frame != 0 && !torn[page] && !isLive(frame, me)) {
                return "page=" + page + " " + PageWord.describeHandle(frame) + ": the frame must be its own";
            }
            for (int object = page << shift; object < page + 1 << shift; object++) {
                long word = map.lvWord(object);
                boolean there = frame != 0 && (object & (1 << shift) - 1) < perFrame;
                boolean away = PageWord.state(word) == PageWord.QUARANTINED;
                if (there == away && !torn[page] && PageWord.generation(word) != PageWord.LAST_GENERATION) {
                    return "object=" + object + " " + PageWord.describe(word) + ": it must be "
                            + (there ? "free or out, as its frame is there" : "quarantined, as it has no frame");
                }
            }
        }
        return null;
    }
}
