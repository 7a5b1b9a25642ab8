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
 * An {@link Arena} whose memory is locked frames: {@link Labyrinth#arena}. It claims runs as it needs them, and cuts
 * its segments from them. It frees all its runs when it closes, and none before, as any arena does.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("texts").frames(1024).open();
 *         Arena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE)) {         // for this thread; with NOWAIT, for all
 *     MemorySegment text = arena.allocateFrom("in a locked frame");      // as any code does that is given an Arena
 *     MemorySegment table = arena.allocate(ValueLayout.JAVA_LONG, 1000);
 *     table.setAtIndex(ValueLayout.JAVA_LONG, 999, text.byteSize());
 *     System.out.println(labyrinth.stats().claimed());                   // 3
 * }
 * }
 *
 * <p>All rules of {@link Arena} hold. Segments are zeroed, have the requested alignment, do not overlap, and are dead
 * after {@link #close}. A second close is refused.
 *
 * <p><b>Threads.</b> With {@link Gfp#EXCLUSIVE} the arena behaves as {@link Arena#ofConfined}: only its own thread may
 * use it and close it. Without EXCLUSIVE it behaves as {@link Arena#ofShared}: any threads may allocate from it at the
 * same time, use its segments, and close it, once. To close such an arena takes a handshake with every thread of the
 * JVM: 20 to 250 us. An EXCLUSIVE arena needs no handshake.
 *
 * <p><b>Room.</b> A segment comes from the run with the most room, or from a new run of the smallest order that holds
 * the segment. So a segment larger than a page may take up to twice its size; later segments use the rest. Alignments
 * up to 2 MiB cost nothing if the labyrinth has at least 2 MiB of memory and is not shared. Any larger alignment needs
 * a run that holds the segment wherever the boundary lies.
 *
 * <p><b>Nothing free.</b> An arena cannot return {@code null}. If nothing free is found, it throws
 * {@link LabyrinthException.OutOfFrames}. A request that no labyrinth can serve (more than 2^10 frames in one piece) is
 * refused with {@link LabyrinthException.InvalidRequest}. Neither is an {@link OutOfMemoryError}, because the JVM has
 * memory and can go on. The arena and all its segments stay good.
 *
 * <p><b>Close of the labyrinth.</b> While the arena is open its runs are out, so {@link Labyrinth#close} is refused.
 * After {@link Labyrinth#closeNow} its segments read as zeros until the arena is closed, as the segments of EXCLUSIVE
 * frames do. {@link Labyrinth#sweepDeadOwners} frees the runs of an EXCLUSIVE arena whose thread has ended; no thread
 * can reach them any more.
 *
 * <p><b>Buffers.</b> {@link MemorySegment#asByteBuffer} of a segment has the same limits as that of
 * {@link Frame#segment}. For O_DIRECT, ask for the file's block size as alignment.
 */
public final class FrameArena implements Arena {

    /*
     * Lock-free. The EXCLUSIVE kind is lock-free as well: it costs one CAS more, and only one path has to be right.
     *
     * The runs are a list that only grows, until close() takes the whole list and leaves CLOSED in its place. A thread
     * that has claimed a run meanwhile finds CLOSED, so no run is pushed that nobody would free. The scope is closed
     * before the first run is freed, because the next owner may write to it a nanosecond later.
     *
     * Anything may throw between a claim and its place in the list. Then the run becomes an orphan (see Orphans).
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

        /** A piece of {@code size} bytes, at least 1; null if the run has no room for it. */
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

    /** The JDK's arenas never align to less, because malloc does not, and existing code depends on that. */
    private static final long MALLOC_ALIGNMENT = 16;

    /** The list before the first run, and the list after close(), for good. */
    private static final Run NONE = new Run(0, null);
    private static final Run CLOSED = new Run(0, null);

    private final Allocator labyrinth;
    private final int bits;
    /** The thread that the arena is EXCLUSIVE to; null if it is not EXCLUSIVE. */
    private final @Nullable Thread owner;
    private final Arena backing;
    private final long largest;
    private final AtomicReference<Run> newest = new AtomicReference<>(NONE);
    /** Only a hint: the run to look at first. */
    private volatile Run roomiest = NONE;
    /** The runs that close() still has to free. */
    private volatile Run left = NONE;

    FrameArena(Allocator labyrinth, Gfp gfp) {
        this.labyrinth = labyrinth;
        this.owner = gfp.isExclusive() ? Thread.currentThread() : null;
        // allocate() zeroes each segment, so a request for a run does not ask for zeros.
        this.bits = gfp.bits() & ~GfpFlags.ZERO | (owner != null ? GfpFlags.FRAMED : 0);
        this.backing = owner != null ? Arena.ofConfined() : Arena.ofShared();
        this.largest = labyrinth.byteSize(PageWord.MAX_ORDER);
    }

    /**
     * A zeroed segment of this arena. Lock-free; makes no system call.
     *
     * @param byteSize      size in bytes, at least 0
     * @param byteAlignment alignment in bytes, a power of two
     * @throws LabyrinthException.OutOfFrames    if no free run was found for the segment
     * @throws LabyrinthException.InvalidRequest if the segment, with the room for its alignment, does not fit into 2^10
     *                                           frames
     * @throws LabyrinthException.Closed         if the segment needs a new run, and the labyrinth is closed
     * @throws IllegalArgumentException          if the size or the alignment is not within these limits
     * @throws IllegalStateException             if the arena is closed
     * @throws WrongThreadException              if the arena is EXCLUSIVE to another thread
     */
    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        return take(byteSize, byteAlignment).fill((byte) 0);
    }

    /**
     * The same arena without the zeros: its segments hold what their last owner left there. For code that writes to a
     * segment before it reads the segment.
     */
    public SegmentAllocator unzeroed() {
        return this::take;
    }

    private MemorySegment take(long byteSize, long byteAlignment) {
        if (byteSize < 0 || Long.bitCount(byteAlignment) != 1 || byteAlignment < 0) {
            throw new IllegalArgumentException("byteSize=" + byteSize + " byteAlignment=" + byteAlignment
                    + ": the size must be at least 0, the alignment a power of two");
        }
        checkUsable();
        // As in the JDK's arenas, a segment without a byte has an address of its own.
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

    /** The order of a run that has room for the segment, wherever the alignment puts it within the run. */
    private int orderFor(long size, long alignment) {
        long pageSize = labyrinth.region.pageSize;
        boolean alignedAnyway = alignment <= Long.lowestOneBit(labyrinth.region.address(0));
        long room = alignedAnyway ? Math.max(size, alignment) : size + (alignment - pageSize);
        if (size > largest || room > largest) {
            throw new LabyrinthException.InvalidRequest("size=" + size + " alignment=" + alignment + " limit=" + largest
                    + ": a segment lies in one run of at most 2^" + PageWord.MAX_ORDER + " frames; ask for less, or"
                    + " use an arena of the JDK");
        }
        long frames = (room + pageSize - 1) / pageSize;
        return frames == 1 ? 0 : Long.SIZE - Long.numberOfLeadingZeros(frames - 1);
    }

    @Override
    public MemorySegment.Scope scope() {
        return backing.scope();
    }

    /**
     * Ends all segments of the arena and frees its runs. Wait-free for each run of an EXCLUSIVE arena. An arena that is
     * not EXCLUSIVE does a handshake with every thread of the JVM first.
     *
     * @throws IllegalStateException     if the arena is closed, or native code or a channel is using a segment right
     *                                   now
     * @throws WrongThreadException      if the arena is EXCLUSIVE to another thread
     * @throws LabyrinthException.Closed if the labyrinth was closed before; the segments are dead all the same
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
                // An earlier close freed this run, and ran out of stack before the next run. This close goes on there.
            }
            left = run.before;
        }
        if (!first) {
            backing.close();    // refuses: the arena is closed, or is EXCLUSIVE to another thread
        }
    }

    @Override
    public String toString() {
        return "arena of " + labyrinth + (owner != null ? " EXCLUSIVE" : "");
    }
}
