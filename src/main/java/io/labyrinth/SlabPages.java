package io.labyrinth;

import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * Where the frames of a slab stand: a shelf has room for one, and the words of its objects.
 */
final class SlabPages {

    /*
     * The objects of an empty shelf are QUARANTINED. To grow: claim a frame, put it on an empty shelf (one CAS), make
     * its words FREE, one by one. To shrink: make all words of a shelf QUARANTINED again, one CAS each, which succeeds
     * only if nobody has one of them; then free the frame, then empty the shelf. Whoever grows touches only words
     * behind the first that is still QUARANTINED, where a shrink gives up.
     *
     * A shelf whose change an error cut short is torn: the next growth, shrink or close mends it (see Orphans). An
     * object of it may be FREE already and not advised. One thread at a time mends, shrinks or closes; who comes second
     * goes on without. A growth waits for nobody.
     *
     * SlabPages have a power of two of words, as to divide costs more than the words that stay unused, QUARANTINED for
     * ever, where the size is no power of two.
     */

    private static final int OPEN = 0;
    private static final int CLOSING = 1;
    private static final int CLOSED = 2;

    /** No handle: its life would be the last one, which is never claimed. */
    private static final long LOST = -1;

    private static final AtomicIntegerFieldUpdater<SlabPages> TURN =
            AtomicIntegerFieldUpdater.newUpdater(SlabPages.class, "turn");

    final int bytes;
    final int perFrame;
    final int shift;
    private final Allocator labyrinth;
    private final PageMap map;

    /** By shelf: the handle of its frame; 0 for none. */
    private final AtomicLongArray frames;
    /**
     * By shelf: where object 0 would lie if all were in a row that comes by its frame; 0 for none. Written before the
     * objects are FREE, so whoever has claimed one sees it: a plain array, as a volatile read makes a pair too large to
     * be inlined.
     */
    final long[] addresses;
    private final boolean[] torn;
    private volatile boolean anyTorn;
    /** Below it no shelf was empty the last time that one was looked for. Advice: written by races. */
    private int fullBelow;
    private volatile int state;
    /** 1 while a thread mends, shrinks or closes; given up by a store, as a call could throw. */
    private volatile int turn;

    /** @param map with the words of all shelves, QUARANTINED */
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

    /** log2 of the words of a shelf. */
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
        for (int shelf = 0; shelf < frames.length(); shelf++) {
            taken += frames.get(shelf) == 0 ? 0 : 1;
        }
        return taken;
    }

    /** Of an object's address, its number and the size are all that is left to add. */
    private long base(int shelf, long frame) {
        return labyrinth.region.address(PageWord.pfn(frame)) - ((long) shelf << shift) * bytes;
    }

    /** A frame more, and the first of its objects; 0 if there is none to be had. */
    long grow(int bits, Thread me) {
        if (anyTorn && TURN.compareAndSet(this, 0, 1)) {
            try {
                mend(me);
            } finally {
                turn = 0;
            }
        }
        long handle;
        do {    // again where others took all that the frame had, before this thread had one
            handle = growOnce(bits, me);
        } while (handle == LOST);
        return handle;
    }

    private long growOnce(int bits, Thread me) {
        int shelf = emptyShelf(fullBelow);
        int forFrame = bits & ~(GfpFlags.EXCLUSIVE | GfpFlags.ZERO);
        long frame = shelf < 0 ? 0 : labyrinth.claim(forFrame, 0, me);
        if (frame == 0) {
            return 0;
        }
        boolean shelved = false;
        try {
            while (shelf >= 0 && !shelved) {
                shelved = frames.compareAndSet(shelf, 0, frame);
                shelf = shelved ? shelf : emptyShelf(shelf);
            }
        } finally {
            if (!shelved) {
                labyrinth.map.orphans.marks[(int) (frame & PageWord.LOW_MASK)] =
                        (char) (Orphans.ORPHAN | frame >>> Orphans.GENERATION_AT & Orphans.GENERATION);
                labyrinth.map.orphans.any = true;
            }
        }
        return shelved ? fill(shelf, frame, GfpFlags.wordFlags(bits), me) : 0;
    }

    /** From there on, or else from the start; -1 if none is. */
    private int emptyShelf(int from) {
        int count = frames.length();
        for (int i = 0; i < count; i++) {
            int shelf = from + i < count ? from + i : from + i - count;
            if (frames.get(shelf) == 0) {
                fullBelow = shelf;
                return shelf;
            }
        }
        return -1;
    }

    /** Makes the shelf's objects FREE, and claims one before others come by. */
    private long fill(int shelf, long frame, long flags, Thread me) {
        int end = (shelf << shift) + perFrame;
        long handle = 0;
        try {
            if (state != OPEN) {    // closing, and whoever closes may have passed this shelf
                labyrinth.map.orphans.marks[(int) (frame & PageWord.LOW_MASK)] =
                        (char) (Orphans.ORPHAN | frame >>> Orphans.GENERATION_AT & Orphans.GENERATION);
                labyrinth.map.orphans.any = true;
                frames.set(shelf, 0);
                return 0;
            }
            addresses[shelf] = base(shelf, frame);
            for (int object = shelf << shift; object < end; object++) {
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
            torn[shelf] = true;
            anyTorn = true;
            map.orphans.adviceLost = true;
            throw e;
        }
    }

    /** Takes the frame off the shelf if none of its objects is out. For whoever has the turn. */
    private boolean empty(int shelf, Thread me) {
        int first = shelf << shift;
        int end = first + perFrame;
        int object = first;
        if (!isAllFree(first, end)) {
            return false;    // and nobody was disturbed
        }
        try {
            long word = map.lvWord(object);
            while (PageWord.isFree(word) && map.quarantine(object, word) && ++object < end) {
                word = map.lvWord(object);
            }
            if (object == end) {
                addresses[shelf] = 0;
                labyrinth.free(frames.get(shelf), me, PageWord.EXCLUSIVE);
                if (shelf < fullBelow) {
                    fullBelow = shelf;
                }
                frames.set(shelf, 0);    // last, and nothing behind it may fail: the shelf is others' from here on
                return true;
            }
            reopen(first, object);
            return false;
        } catch (Throwable e) {
            torn[shelf] = true;
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

    /** Finishes what errors cut short. For whoever has the turn. */
    private void mend(Thread me) {
        boolean mended = false;
        try {
            anyTorn = false;
            for (int shelf = 0; shelf < torn.length; shelf++) {
                if (torn[shelf]) {
                    long frame = frames.get(shelf);
                    if (isLive(frame, me)) {
                        addresses[shelf] = base(shelf, frame);
                        reopen(shelf << shift, (shelf << shift) + perFrame);
                    } else {
                        frames.compareAndSet(shelf, frame, 0);
                    }
                    torn[shelf] = false;
                }
            }
            mended = true;
        } finally {
            if (!mended) {
                anyTorn = true;
                map.orphans.adviceLost = true;
            }
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

    /** Gives back the frames of which no object is out; -1 if another thread is at it. */
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
        for (int shelf = 0; shelf < frames.length(); shelf++) {
            if (frames.get(shelf) != 0 && empty(shelf, me)) {
                freed++;
            }
        }
        return freed;
    }

    /** Empties all shelves, for good if that succeeds; -1 if another thread is at it, else the frames that stayed. */
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
     * Whether each object that can be had or is out stands on a frame of the slab's own; null if so. Torn shelves are
     * left out, as they are still to be mended.
     */
    @Nullable String violation() {
        Thread me = Thread.currentThread();
        for (int shelf = 0; shelf < frames.length(); shelf++) {
            long frame = frames.get(shelf);
            if (frame != 0 && !torn[shelf] && !isLive(frame, me)) {
                return "shelf=" + shelf + " " + PageWord.describeHandle(frame) + ": the frame must be its own";
            }
            for (int object = shelf << shift; object < shelf + 1 << shift; object++) {
                long word = map.lvWord(object);
                boolean there = frame != 0 && (object & (1 << shift) - 1) < perFrame;
                boolean away = PageWord.state(word) == PageWord.QUARANTINED;
                if (there == away && !torn[shelf] && PageWord.generation(word) != PageWord.LAST_GENERATION) {
                    return "object=" + object + " " + PageWord.describe(word) + ": it must be "
                            + (there ? "free or out, as its frame is there" : "quarantined, as it has no frame");
                }
            }
        }
        return null;
    }
}
