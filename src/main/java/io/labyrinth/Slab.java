package io.labyrinth;

import io.labyrinth.bindings.labyrinth_page;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Objects of one size, smaller than a page, in frames of a labyrinth: {@link Labyrinth#slab}. What {@link Handles} is
 * for frames, with {@code long} handles that are never 0, and every rule of it: one owner, stale refused, a double free
 * always found, EXCLUSIVE enforced at each access, no heap allocation, no system call, no waiting.
 *
 * <p>A slab begins without a frame. It takes one when it has no free object left, and keeps it until {@link #shrink} or
 * {@link #close}. Objects are aligned to 16 bytes, those of 32, 64 ... 2,048 bytes to their size. An object keeps what
 * its last owner left in it, unless it is asked for with {@link Gfp#ZERO}.
 *
 * <p><b>Threads.</b> All methods may be called by any thread at any time. Allocation is lock-free, freeing an EXCLUSIVE
 * object wait-free.
 *
 * <p>A handle is good in its slab alone. In another one, or in {@link Handles}, it is refused, by chance: the odds of a
 * match are those of 2^32.
 */
public final class Slab implements AutoCloseable {

    /*
     * A slab is a small labyrinth within the labyrinth: a page map of its own, with one word and one owner for each
     * object instead of each frame, and a zone that walks it. So each rule is kept by the code that keeps it for
     * frames, and a pair costs what a frame pair costs.
     *
     * Words and owners lie beside the objects, in memory of their own that is mapped as long as this object can be
     * reached: a stale handle is compared with a word, never with what the next owner of a frame may have written
     * there; and a word keeps its generation while its frame is away, so no life comes twice.
     *
     * A frame stands on a shelf; the shelf's objects are QUARANTINED while it is empty. To grow: claim a frame, put it
     * on an empty shelf (one CAS), make its words FREE, one by one. To shrink: make all words of a shelf QUARANTINED
     * again, one CAS each, which succeeds only if nobody has one of them; then free the frame, then empty the shelf.
     * Whoever grows touches only words behind the first that is still QUARANTINED, where a shrink gives up. A shelf
     * whose change an error cut short is torn: the next growth, shrink or close mends it (see Strays). One thread at a
     * time mends or shrinks; who comes second goes on without.
     *
     * Shelves have a power of two of words, as to divide costs more than the words that stay unused, QUARANTINED for
     * ever, where the size is no power of two.
     */

    static final int DEFAULT_OBJECTS = 1 << 16;

    private static final int SMALLEST = 16;
    private static final int LARGEST = 2048;

    /**
     * Left out where an object is looked for: a sprint does not come by all that is free, and would then take a frame.
     */
    private static final int SPRINT = Gfp.ATOMIC.bits() & ~Gfp.HIGH.bits();

    private static final int OPEN = 0;
    private static final int CLOSING = 1;
    private static final int CLOSED = 2;

    private static final AtomicIntegerFieldUpdater<Slab> TURN =
            AtomicIntegerFieldUpdater.newUpdater(Slab.class, "turn");

    private final Labyrinth labyrinth;
    private final PageMap map;
    private final Zone zone;
    private final Census census;
    private final int bytes;
    private final int perFrame;
    private final int shift;

    /** By shelf: the handle of its frame; 0 for none. */
    private final AtomicLongArray shelves;
    private final boolean[] torn;
    private volatile boolean anyTorn;
    private volatile int state;
    /** 1 while a thread mends, shrinks or closes; given up by a store, as a call could throw. */
    private volatile int turn;

    private Slab(Labyrinth labyrinth, PageMap map, int bytes, int perFrame, int shift) {
        this.labyrinth = labyrinth;
        this.map = map;
        this.zone = new Zone(map, Runtime.getRuntime().availableProcessors());
        this.census = new Census(map);
        this.bytes = bytes;
        this.perFrame = perFrame;
        this.shift = shift;
        this.shelves = new AtomicLongArray(map.frames >> shift);
        this.torn = new boolean[map.frames >> shift];
    }

    static Slab open(Labyrinth labyrinth, int size, int objects) {
        if (size < SMALLEST || size > LARGEST) {
            throw new LabyrinthException.InvalidRequest("size=" + size + " limit=" + LARGEST + ": objects of a slab have "
                    + SMALLEST + " to " + LARGEST + " bytes; take a frame for a larger one");
        }
        if (objects < 1) {
            throw new LabyrinthException.InvalidRequest("objects=" + objects + ": a slab has 1 at least");
        }
        int bytes = (size + SMALLEST - 1) / SMALLEST * SMALLEST;
        int perFrame = (int) (labyrinth.frameSize() / bytes);
        int shift = Integer.SIZE - Integer.numberOfLeadingZeros(perFrame - 1);
        int shelves = Math.min((objects - 1) / perFrame + 1, labyrinth.map.frames);
        if ((long) shelves << shift > Labyrinth.MAX_FRAMES) {
            throw new LabyrinthException.InvalidRequest("objects=" + objects + " size=" + size + " limit="
                    + (Labyrinth.MAX_FRAMES >> shift) * perFrame + ": ask for fewer, or for several slabs");
        }
        int words = shelves << shift;
        MemorySegment memory = labyrinth.region.more("slab of " + labyrinth.name, PageMap.bytesFor(words));
        long first = PageWord.first(1 + ThreadLocalRandom.current().nextLong(1L << 32), PageWord.QUARANTINED, 0);
        for (int object = 0; object < words; object++) {
            labyrinth_page.word(memory.asSlice(object * labyrinth_page.sizeof()), first);
        }
        return new Slab(labyrinth, new PageMap(memory, words, 0), bytes, perFrame, shift);
    }

    /** Bytes of an object. */
    public int objectBytes() {
        return bytes;
    }

    /** Objects that can be out at once, if the labyrinth has the frames. */
    public int objects() {
        return shelves.length() * perFrame;
    }

    /** Frames that it has taken from the labyrinth and not given back. */
    public int frames() {
        int taken = 0;
        for (int shelf = 0; shelf < shelves.length(); shelf++) {
            taken += shelves.get(shelf) == 0 ? 0 : 1;
        }
        return taken;
    }

    /** Objects that are out. Looks at every word; exact at rest. */
    public int out() {
        map.strays.mend(map);
        return census.out().size();
    }

    /**
     * Allocates an object for the calling thread; EXCLUSIVE to it or not, as the flags say. What they say else is for
     * the frame, if it needs one: whether the reserve may be used, how far to look. Lock-free; looks at no more words
     * than {@link Labyrinth#allocPages} with NOWAIT would if objects were frames, and then as it does for one frame.
     *
     * @return the handle; 0 if there is no free object, and no frame for more: with no other thread at work, exactly if
     *         the slab is as large as it may be, or the labyrinth gives {@code null}
     * @throws LabyrinthException.Closed if the slab or the labyrinth is closed
     */
    public long alloc(Gfp gfp) {
        Thread me = Thread.currentThread();
        int bits = gfp.bits();
        boolean zeroed = Gfp.isZeroed(bits);
        try {
            long handle = zone.claim(bits & ~SPRINT, 0, me);
            if (handle == 0) {
                handle = grow(bits, me);
            }
            if (zeroed && handle != 0) {
                try {
                    zero(handle);
                } catch (Throwable e) {
                    map.strays.marked[(int) (handle & PageWord.LOW_MASK)] = true;
                    map.strays.any = true;
                    labyrinth.checkOpen();
                    throw e;
                }
            }
            if (labyrinth.zone.closed) {
                labyrinth.checkOpen();
            }
            return handle;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private void zero(long handle) {
        long at = place(handle, "zeroing");
        for (long end = at + bytes; at < end; at += Long.BYTES) {
            labyrinth.region.frames.set(ValueLayout.JAVA_LONG_UNALIGNED, at, 0L);
        }
    }

    /**
     * Frees the object. Wait-free for an EXCLUSIVE one, one CAS otherwise.
     *
     * @throws LabyrinthException.NotOwner if the object is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the object has ended: a double free is always found
     */
    public void free(long handle) {
        Thread me = Thread.currentThread();
        if (labyrinth.zone.closed) {
            labyrinth.checkOpen();
        }
        try {
            if (map.release(handle, me, PageWord.EXCLUSIVE)) {
                zone.freed(handle, me);
            }
        } catch (LabyrinthException e) {
            throw ofObject(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** {@link Handles#handOff}. */
    public long handOff(long handle) {
        try {
            return map.handOff(handle, Thread.currentThread(), PageWord.EXCLUSIVE);
        } catch (LabyrinthException e) {
            throw ofObject(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** {@link Handles#accept}. */
    public long accept(long ticket) {
        try {
            return map.accept(ticket, Thread.currentThread(), PageWord.EXCLUSIVE);
        } catch (LabyrinthException e) {
            throw ofObject(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** {@link Handles#getLong}. */
    public long getLong(long handle, long offset) {
        return labyrinth.region.frames.get(ValueLayout.JAVA_LONG_UNALIGNED, at(handle, offset, Long.BYTES));
    }

    /** {@link Handles#putLong}. */
    public void putLong(long handle, long offset, long value) {
        labyrinth.region.frames.set(ValueLayout.JAVA_LONG_UNALIGNED, at(handle, offset, Long.BYTES), value);
    }

    /** {@link Handles#getByte}. */
    public byte getByte(long handle, long offset) {
        return labyrinth.region.frames.get(ValueLayout.JAVA_BYTE, at(handle, offset, 1));
    }

    /** {@link Handles#putByte}. */
    public void putByte(long handle, long offset, byte value) {
        labyrinth.region.frames.set(ValueLayout.JAVA_BYTE, at(handle, offset, 1), value);
    }

    /** {@link Handles#address}. */
    public long address(long handle) {
        checked(handle, "address");
        return labyrinth.region.address(0) + place(handle, "address");
    }

    /** {@link Handles#segment}. */
    public MemorySegment segment(long handle) {
        if (PageWord.isExclusive(checked(handle, "segment"))) {
            throw new LabyrinthException.InvalidRequest("segment refused: object " + PageWord.describeHandle(handle)
                    + " is EXCLUSIVE: use getLong and its like, or an object that is not EXCLUSIVE");
        }
        return labyrinth.region.frames.asSlice(place(handle, "segment"), bytes);
    }

    private long at(long handle, long offset, int width) {
        checked(handle, "access");
        if (offset < 0 || offset > bytes - width) {
            throw new IndexOutOfBoundsException("access refused: offset=" + offset + " bytes=" + width + " limit="
                    + bytes);
        }
        return place(handle, "access") + offset;
    }

    private long checked(long handle, String verb) {
        if (labyrinth.zone.closed) {
            labyrinth.checkOpen();
        }
        try {
            return map.checked(handle, verb, Thread.currentThread());
        } catch (LabyrinthException e) {
            throw ofObject(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Where within the labyrinth's frames. The shelf is empty if another thread has freed the object just now. */
    private long place(long handle, String verb) {
        int object = PageWord.pfn(handle);
        long frame = shelves.get(object >> shift);
        if (frame == 0) {
            throw ofObject(LabyrinthException.stale(verb, handle, map.lvWord(object)));
        }
        return PageWord.pfn(frame) * labyrinth.region.pageSize + (object & (1 << shift) - 1) * (long) bytes;
    }

    /** The refusal of a frame, said of an object. */
    private LabyrinthException ofObject(LabyrinthException refusal) {
        labyrinth.checkOpen();
        if (state == CLOSED) {
            return new LabyrinthException.Closed(this + " is closed: whatever it handed out ended with it");
        }
        String message = this + ", pfn is the object's number: " + refusal.getMessage();
        if (refusal instanceof LabyrinthException.Stale) {
            return new LabyrinthException.Stale(message);
        } else if (refusal instanceof LabyrinthException.NotOwner) {
            return new LabyrinthException.NotOwner(message);
        }
        return refusal instanceof LabyrinthException.Foreign ? new LabyrinthException.Foreign(message) : refusal;
    }

    // ------------------------------------------------------------------------------------------------ frames

    /** A frame more, and the first of its objects; 0 if there is none to be had. */
    private long grow(int bits, Thread me) {
        if (state == CLOSED) {
            throw new LabyrinthException.Closed(this + " is closed: it gives out nothing any more");
        }
        if (anyTorn && TURN.compareAndSet(this, 0, 1)) {
            try {
                mend(me);
            } finally {
                turn = 0;
            }
        }
        int shelf = emptyShelf(0);
        int forFrame = bits & ~(Gfp.EXCLUSIVE.bits() | Gfp.ZERO.bits());
        long frame = shelf < 0 ? 0 : labyrinth.claim(forFrame, 0, me);
        if (frame == 0) {
            return 0;
        }
        boolean shelved = false;
        try {
            while (shelf >= 0 && !shelved) {
                shelved = shelves.compareAndSet(shelf, 0, frame);
                shelf = shelved ? shelf : emptyShelf(shelf);
            }
        } finally {
            if (!shelved) {
                labyrinth.map.strays.marked[(int) (frame & PageWord.LOW_MASK)] = true;
                labyrinth.map.strays.any = true;
            }
        }
        return shelved ? fill(shelf, frame, Gfp.wordFlags(bits), me) : 0;
    }

    private int emptyShelf(int from) {
        int shelf = from;
        while (shelf < shelves.length() && shelves.get(shelf) != 0) {
            shelf++;
        }
        return shelf < shelves.length() ? shelf : -1;
    }

    /** Makes the shelf's objects FREE, and claims one before others come by. */
    private long fill(int shelf, long frame, long flags, Thread me) {
        int end = (shelf << shift) + perFrame;
        long handle = 0;
        try {
            if (state != OPEN) {    // closing, and whoever closes may have passed this shelf
                shelves.set(shelf, 0);
                labyrinth.map.strays.marked[(int) (frame & PageWord.LOW_MASK)] = true;
                labyrinth.map.strays.any = true;
                return 0;
            }
            for (int object = shelf << shift; object < end; object++) {
                map.reopen(object, map.lvWord(object));
                long word = map.lvWord(object);
                if (handle == 0 && PageWord.isFree(word, 0)) {
                    handle = map.claimSeen(object, word, 0, flags, me);
                }
            }
            return handle;
        } catch (Throwable e) {
            if (handle != 0) {
                map.strays.marked[(int) (handle & PageWord.LOW_MASK)] = true;
                map.strays.any = true;
            }
            torn[shelf] = true;
            anyTorn = true;
            throw e;
        }
    }

    /** Takes the frame off the shelf if none of its objects is out. For whoever has the turn. */
    private boolean empty(int shelf, Thread me) {
        int first = shelf << shift;
        int end = first + perFrame;
        int object = first;
        try {
            long word = map.lvWord(object);
            while (PageWord.isFree(word) && map.quarantine(object, word) && ++object < end) {
                word = map.lvWord(object);
            }
            if (object == end) {
                labyrinth.free(shelves.get(shelf), me, PageWord.EXCLUSIVE);
                shelves.set(shelf, 0);
                return true;
            }
            reopen(first, object);
            return false;
        } catch (Throwable e) {
            torn[shelf] = true;
            anyTorn = true;
            throw e;
        }
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
                    if (isLive(shelves.get(shelf), me)) {
                        reopen(shelf << shift, (shelf << shift) + perFrame);
                    } else {
                        shelves.set(shelf, 0);
                    }
                    torn[shelf] = false;
                }
            }
            mended = true;
        } finally {
            if (!mended) {
                anyTorn = true;
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

    /**
     * Gives those frames back of which no object is out. Looks at every object; while it does, others may be told that
     * nothing is free. Does nothing while another thread is at it.
     *
     * @return the number of frames freed
     */
    public int shrink() {
        labyrinth.checkOpen();
        map.strays.mend(map);
        if (!TURN.compareAndSet(this, 0, 1)) {
            return 0;
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
        for (int shelf = 0; shelf < shelves.length(); shelf++) {
            if (shelves.get(shelf) != 0 && empty(shelf, me)) {
                freed++;
            }
        }
        return freed;
    }

    /**
     * Frees EXCLUSIVE objects whose owner thread has ended, as {@link Labyrinth#sweepDeadOwners} does it for frames.
     *
     * @return the number of objects freed
     */
    public int sweepDeadOwners() {
        labyrinth.checkOpen();
        map.strays.mend(map);
        return census.sweep();
    }

    /**
     * Checks every invariant of a slab at rest: those of its words, and that an object is on a shelf with a frame.
     *
     * @throws AssertionError that names the first violation
     */
    public void validate() {
        labyrinth.checkOpen();
        map.strays.mend(map);
        Thread me = Thread.currentThread();
        String violation = census.violation();
        for (int shelf = 0; shelf < shelves.length() && violation == null; shelf++) {
            long frame = shelves.get(shelf);
            if (frame != 0 && !isLive(frame, me)) {
                violation = "shelf=" + shelf + " " + PageWord.describeHandle(frame) + ": the frame must be its own";
            }
            for (int object = shelf << shift; object < shelf + 1 << shift && violation == null; object++) {
                long word = map.lvWord(object);
                boolean there = frame != 0 && (object & (1 << shift) - 1) < perFrame;
                if (!there && PageWord.state(word) != PageWord.QUARANTINED) {
                    violation = "object=" + object + " " + PageWord.describe(word) + ": it must be on a frame";
                } else if (there && !torn[shelf] && PageWord.state(word) == PageWord.QUARANTINED
                        && PageWord.generation(word) != PageWord.LAST_GENERATION) {
                    violation = "object=" + object + " " + PageWord.describe(word) + ": it must be had or out";
                }
            }
        }
        if (violation != null) {
            throw new AssertionError(this + " " + violation);
        }
    }

    /**
     * Gives all frames back. Refused while objects or tickets are out, or another thread is shrinking or closing it;
     * what stays is good then. Closing again does nothing.
     *
     * @throws LabyrinthException.FramesOut with who holds what
     */
    @Override
    public void close() {
        if (state == CLOSED) {
            return;
        }
        labyrinth.checkOpen();
        map.strays.mend(map);
        if (!TURN.compareAndSet(this, 0, 1)) {
            throw new LabyrinthException.FramesOut(this + " cannot close: another thread shrinks or closes it; try it"
                    + " again");
        }
        boolean closed = false;
        try {
            state = CLOSING;
            emptyAll(Thread.currentThread());
            if (frames() > 0) {
                List<Census.Seen> out = census.out();
                throw new LabyrinthException.FramesOut(this + " cannot close: " + census.describeOut(out)
                        .replaceAll("runs=(\\d+) frames=\\d+", "objects=$1")
                        + ": free them, or sweepDeadOwners() if their owners have ended");
            }
            closed = true;
        } finally {
            state = closed ? CLOSED : OPEN;
            turn = 0;
        }
    }

    @Override
    public String toString() {
        return "slab size=" + bytes + " labyrinth=" + labyrinth.name;
    }
}
