package io.labyrinth;

import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * An {@link Arena} whose memory is locked frames: {@link Labyrinth#arena}. It takes runs as it goes, cuts its segments
 * out of them, and gives them all back when it closes; never before, as with any arena.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("texts").frames(1024).open();
 *         Arena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE)) {         // this thread's; with NOWAIT, everybody's
 *     MemorySegment text = arena.allocateFrom("in a locked frame");      // as any code does that is given an Arena
 *     MemorySegment table = arena.allocate(ValueLayout.JAVA_LONG, 1000);
 *     table.setAtIndex(ValueLayout.JAVA_LONG, 999, text.byteSize());
 *     System.out.println(labyrinth.stats().claimed());                   // 3
 * }
 * }
 *
 * <p>All of {@link Arena}'s rules hold: segments are zeroed, aligned as asked for, do not overlap, and are dead after
 * {@link #close}, which is refused the second time. Opened with {@link Gfp#EXCLUSIVE} it is what
 * {@link Arena#ofConfined} is: its thread's alone, to use and to close. Otherwise it is what {@link Arena#ofShared} is:
 * any threads may allocate from it at once, use its segments and close it, once; closing then handshakes with every
 * thread of the JVM, 20 to 250 us, while an EXCLUSIVE one just closes.
 *
 * <p>A segment comes out of the run with the most room, or of a new one of the least order that holds it; one that is
 * larger than a page may so take up to twice its size, the rest of which serves what comes later. Alignments up to 2
 * MiB cost nothing where the labyrinth's memory is aligned so (2 MiB or more of it, not shared), larger ones a run that
 * holds the segment wherever its boundary lies.
 *
 * <p>An arena has no way to say {@code null}: where there is nothing free, it throws
 * {@link LabyrinthException.OutOfFrames}, and what no labyrinth could give, more than 2^10 frames in one piece, is an
 * {@link LabyrinthException.InvalidRequest}. Neither is an {@link OutOfMemoryError}, as the JVM lacks nothing and may
 * go on; the arena stays good, with all that it had.
 *
 * <p>While the arena is open its runs are out: {@link Labyrinth#close} is refused. After {@link Labyrinth#closeNow} its
 * segments read as zeros until it is closed, as those of EXCLUSIVE frames do. What a thread that has ended left in an
 * EXCLUSIVE arena, {@link Labyrinth#sweepDeadOwners} frees; nobody can reach it any more.
 *
 * <p><b>Buffers.</b> {@link MemorySegment#asByteBuffer} of its segments has the limits of those of
 * {@link Frame#segment}. For O_DIRECT ask for the file's block size as alignment.
 */
public final class FrameArena implements Arena {

    /*
     * Lock-free, the EXCLUSIVE kind as well: it costs a CAS more, and there is one path to be right.
     *
     * Runs are a list that only grows, until close() takes it as a whole and leaves CLOSED there: whoever has claimed a
     * run meanwhile finds that, and nobody pushes one that nobody would free. The scope is closed before the first run
     * is freed, as the next owner may be writing to it a nanosecond later.
     *
     * Between a claim and its place in the list anything may throw: then the run becomes a orphan (see Orphans).
     */

    private static final class Run {
        final long handle;
        final @Nullable MemorySegment memory;
        final AtomicLong used = new AtomicLong();
        @Nullable Run before;

        Run(long handle, @Nullable MemorySegment memory) {
            this.handle = handle;
            this.memory = memory;
        }

        long room() {
            return memory == null ? 0 : memory.byteSize() - used.get();
        }

        /** {@code size} bytes of it, at least 1; null if they are not there. */
        @Nullable MemorySegment take(long size, long alignment) {
            if (memory == null) {
                return null;
            }
            long start = memory.address();
            long seen;
            long from;
            do {
                seen = used.get();
                from = (start + seen + alignment - 1 & -alignment) - start;
                if (from > memory.byteSize() - size) {
                    return null;
                }
            } while (!used.compareAndSet(seen, from + size));
            return memory.asSlice(from, size);
        }
    }

    /** The JDK's arenas never align to less, as malloc does not, and there is code that has come to need it. */
    private static final long MALLOC_ALIGNMENT = 16;

    /** Before the first run, and for good after the end. */
    private static final Run NONE = new Run(0, null);
    private static final Run CLOSED = new Run(0, null);

    private final Allocator labyrinth;
    private final int bits;
    /** The thread that the arena is EXCLUSIVE to; null if it is not EXCLUSIVE. */
    private final @Nullable Thread owner;
    private final Arena backing;
    private final long largest;
    private final AtomicReference<Run> newest = new AtomicReference<>(NONE);
    /** Advice: where to look first. */
    private volatile Run roomiest = NONE;
    /** What close() has still to free. */
    private volatile Run left = NONE;

    FrameArena(Allocator labyrinth, Gfp gfp) {
        this.labyrinth = labyrinth;
        this.owner = gfp.isExclusive() ? Thread.currentThread() : null;
        // Each segment is zeroed by itself, so what a request for a run says about that is left out.
        this.bits = gfp.bits() & ~GfpFlags.ZERO | (owner != null ? GfpFlags.FRAMED : 0);
        this.backing = owner != null ? Arena.ofConfined() : Arena.ofShared();
        this.largest = labyrinth.byteSize(PageWord.MAX_ORDER);
    }

    /**
     * A zeroed segment of this arena. Lock-free.
     *
     * @throws LabyrinthException.OutOfFrames    if nothing free was found for it
     * @throws LabyrinthException.InvalidRequest if it does not fit into 2^10 frames, with the room for its alignment
     * @throws LabyrinthException.Closed         if it needs a run, and the labyrinth is closed
     */
    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        return take(byteSize, byteAlignment).fill((byte) 0);
    }

    /**
     * The same arena without the zeros: its segments hold what their last owner left there. For those who write before
     * they read.
     */
    public SegmentAllocator unzeroed() {
        return this::take;
    }

    private MemorySegment take(long byteSize, long byteAlignment) {
        if (byteSize < 0 || Long.bitCount(byteAlignment) != 1 || byteAlignment < 0) {
            throw new IllegalArgumentException("byteSize=" + byteSize + " byteAlignment=" + byteAlignment
                    + ": a size of 0 at least, and a power of two");
        }
        checkUsable();
        // As the JDK's arenas do it: also segments without a byte have addresses of their own.
        long size = Math.max(1, byteSize);
        long alignment = Math.max(MALLOC_ALIGNMENT, byteAlignment);
        MemorySegment taken = roomiest.take(size, alignment);
        if (taken == null) {
            taken = takeNew(size, alignment);
        }
        return size == byteSize ? taken : taken.asSlice(0, 0);
    }

    private void checkUsable() {
        if (owner != null && owner != Thread.currentThread()) {
            throw new WrongThreadException("arena of " + labyrinth + " is EXCLUSIVE to thread=" + owner.threadId()
                    + ", caller is thread=" + Thread.currentThread().threadId());
        }
        if (!backing.scope().isAlive()) {
            throw new IllegalStateException("Already closed");
        }
    }

    private MemorySegment takeNew(long size, long alignment) {
        int order = orderFor(size, alignment);
        Thread me = Thread.currentThread();
        long handle = labyrinth.claim(bits, order, me);
        if (handle == 0) {
            throw new LabyrinthException.OutOfFrames("labyrinth=" + labyrinth.name + " has no free run for size=" + size
                    + " alignment=" + alignment + " order=" + order + ": close other arenas or frames first, or open"
                    + " it with more frames");
        }
        Run run;
        MemorySegment taken;
        try {
            run = new Run(handle, labyrinth.segment(handle, order, backing));
            taken = run.take(size, alignment);
            Run before;
            do {
                before = newest.get();
                if (before == CLOSED || taken == null) {
                    throw new IllegalStateException("Already closed");
                }
                run.before = before;
            } while (!newest.compareAndSet(before, run));
        } catch (Throwable e) {
            labyrinth.map.orphans.marks[(int) (handle & PageWord.LOW_MASK)] =
                    (char) (Orphans.ORPHAN | handle >>> Orphans.GENERATION_AT & Orphans.GENERATION);
            labyrinth.map.orphans.any = true;
            throw e;
        }
        if (run.room() > roomiest.room()) {
            roomiest = run;
        }
        return taken;
    }

    /** Of a run that has room for it at any of the addresses where it could lie. */
    private int orderFor(long size, long alignment) {
        long pageSize = labyrinth.region.pageSize;
        boolean alignedAnyway = alignment <= Long.lowestOneBit(labyrinth.region.address(0));
        long room = alignedAnyway ? Math.max(size, alignment) : size + (alignment - pageSize);
        if (size > largest || room > largest) {
            throw new LabyrinthException.InvalidRequest("size=" + size + " alignment=" + alignment + " limit=" + largest
                    + ": a segment lies in one run of 2^" + PageWord.MAX_ORDER + " frames at most; ask for less, or"
                    + " take it from an arena of the JDK");
        }
        long frames = (room + pageSize - 1) / pageSize;
        return frames == 1 ? 0 : Long.SIZE - Long.numberOfLeadingZeros(frames - 1);
    }

    @Override
    public MemorySegment.Scope scope() {
        return backing.scope();
    }

    /**
     * Ends all its segments and frees its runs. For an EXCLUSIVE arena wait-free for each run.
     *
     * @throws IllegalStateException     if it is closed, or native code or a channel is using a segment right now
     * @throws WrongThreadException      if it is EXCLUSIVE to another thread
     * @throws LabyrinthException.Closed if the labyrinth was closed under it; the segments are dead all the same
     */
    @Override
    public void close() {
        boolean first = backing.scope().isAlive();
        if (first) {
            backing.close();
        }
        Run taken = newest.getAndSet(CLOSED);
        if (taken != CLOSED) {
            left = taken;
        }
        Thread me = Thread.currentThread();
        for (Run run = left; run != null && run.handle != 0; run = run.before) {
            try {
                labyrinth.free(run.handle, me, Lease.FLAGS);
            } catch (LabyrinthException.Stale e) {
                // Freed before: by a close that ran out of stack on its way to the next, which this one finishes.
            }
            left = run.before;
        }
        if (!first) {
            backing.close();    // refuses: it is closed, or another thread's
        }
    }

    @Override
    public String toString() {
        return "arena of " + labyrinth + (owner != null ? " EXCLUSIVE" : "");
    }
}
