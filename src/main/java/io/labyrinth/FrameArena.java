package io.labyrinth;

import io.labyrinth.internal.os.Mapping;
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
 * <p><b>Room.</b> A segment comes from a run with room for it, or from a new run. In a small arena that is a run of
 * the smallest order that holds the segment, so a segment larger than a page may take up to twice its size. Later
 * segments use the rest. New runs get larger as the arena grows: 1,000 segments of one size, 1 KiB to 256 KiB, take at
 * most 1.15 of their bytes, and segments of random sizes up to 64 KiB at most 1.05. Alignments up to 2 MiB cost at
 * most a run of the alignment's size if the labyrinth has at least 2 MiB of memory and is not shared. Any larger
 * alignment needs a run that holds the segment wherever the boundary lies.
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
     * An arena that is not EXCLUSIVE is lock-free: threads bump `used` by compare-and-set, and push runs to a list by
     * compare-and-set. Only its own thread can change an EXCLUSIVE arena, so that one does both by plain writes. A
     * compare-and-set there costs 5 ns a segment, and it makes run and arena escape: see lost-designs, "arena".
     *
     * The runs are a list that only grows, until close() takes the whole list and leaves CLOSED in its place. A thread
     * that has claimed a run meanwhile finds CLOSED, so no run is pushed that nobody would free. The scope is closed
     * before the first run is freed, because the next owner may write to it a nanosecond later.
     *
     * Room. A run begins as small as its first segment allows. As the arena grows, new runs get larger: up to an eighth
     * of what the arena has, and up to 8 times the segment. Then the rest of a run that is too small for the next
     * segment is small itself. The arena remembers 8 runs with room, and a later, smaller segment takes the rest.
     *
     * Anything may throw between a claim and its place in the list. Then the run becomes an orphan (see Orphans).
     */

    private static final class Run {
        final long handle;
        private final long end;
        /** The address of the first byte that is not taken, in an EXCLUSIVE arena. */
        private long next;
        /** The same in any other arena; null in an EXCLUSIVE one. */
        private final @Nullable AtomicLong sharedNext;
        @Nullable Run before;

        Run(long handle, long start, long bytes, boolean isShared) {
            this.handle = handle;
            this.end = start + bytes;
            this.next = start;
            this.sharedNext = isShared ? new AtomicLong(start) : null;
        }

        long room() {
            return end - (sharedNext == null ? next : sharedNext.get());
        }

        /** The address of the next piece of {@code size} bytes, at least 1; 0 if the run has no room for it. */
        long take(long size, long alignment) {
            if (sharedNext != null) {
                return takeShared(sharedNext, size, alignment);
            }
            long from = next + alignment - 1 & -alignment;
            if (from > end - size) {
                return 0;
            }
            next = from + size;
            return from;
        }

        private long takeShared(AtomicLong shared, long size, long alignment) {
            long seen;
            long from;
            do {
                seen = shared.get();
                from = seen + alignment - 1 & -alignment;
                if (from > end - size) {
                    return 0;
                }
            } while (!shared.compareAndSet(seen, from + size));
            return from;
        }
    }

    /** The JDK's arenas never align to less, because malloc does not, and existing code depends on that. */
    private static final long MALLOC_ALIGNMENT = 16;
    /** A new run has at most one of so many parts of what the arena has, and room for at most so many segments. */
    private static final int PARTS = 8;
    /** Runs with room that an arena remembers. */
    private static final int RESTS = 8;

    /** The list before the first run, and the list after close(), for good. */
    private static final Run NONE = new Run(0, 0, 0, false);
    private static final Run CLOSED = new Run(0, 0, 0, false);

    private final Allocator labyrinth;
    private final int bits;
    /** The thread that the arena is EXCLUSIVE to; null if it is not EXCLUSIVE. */
    private final @Nullable Thread owner;
    private final Arena backing;
    /** The newest run of an EXCLUSIVE arena. */
    private Run newest = NONE;
    /** The newest run of an arena that is not EXCLUSIVE. */
    private final @Nullable AtomicReference<Run> sharedNewest;
    /** The runs that close() still has to free, in an arena that is not EXCLUSIVE. */
    private volatile Run left = NONE;
    /** Whether the scope's close() has returned, in an arena that is not EXCLUSIVE. */
    private volatile boolean scopeEnded;
    /** The run to look at first. Racy, as all fields below: only hints, and a Run shows its final fields to all. */
    private Run current = NONE;
    /** Other runs with room. */
    private @Nullable Run @Nullable [] rests;
    /** Frames that the arena has claimed. */
    private int frames;
    /** No run was free that is larger than its segment needs. */
    private boolean cannotGrow;

    FrameArena(Allocator labyrinth, Gfp gfp) {
        this.labyrinth = labyrinth;
        this.owner = gfp.isExclusive() ? Thread.currentThread() : null;
        // allocate() zeroes each segment, so a request for a run does not ask for zeros.
        this.bits = gfp.bits() & ~GfpFlags.ZERO | (owner != null ? GfpFlags.FRAMED : 0);
        this.backing = owner != null ? Arena.ofConfined() : Arena.ofShared();
        this.sharedNewest = owner != null ? null : new AtomicReference<>(NONE);
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
        checkOwner();
        // As in the JDK's arenas, a segment without a byte has an address of its own.
        long size = Math.max(1, byteSize);
        long alignment = Math.max(MALLOC_ALIGNMENT, byteAlignment);
        long from = current.take(size, alignment);
        if (from == 0) {
            from = takeElsewhere(size, alignment);
        }
        return Mapping.segment(from, byteSize, backing);    // refuses if the arena is closed
    }

    private void checkOwner() {
        if (owner != null && owner != Thread.currentThread()) {
            throw new WrongThreadException("arena of " + labyrinth + " is EXCLUSIVE to thread=" + owner.threadId()
                    + ", caller is thread=" + Thread.currentThread().threadId());
        }
    }

    private long takeElsewhere(long size, long alignment) {
        if (!backing.scope().isAlive()) {
            throw new IllegalStateException("Already closed");
        }
        @Nullable Run[] others = rests;
        if (others != null) {
            for (Run rest : others) {
                long from = rest == null ? 0 : rest.take(size, alignment);
                if (from != 0) {
                    return from;
                }
            }
        }
        return takeNew(size, alignment);
    }

    private long takeNew(long size, long alignment) {
        int least = orderFor(size, alignment);
        int order = Math.max(least, grownOrder(size));
        Thread me = Thread.currentThread();
        // A run larger than the segment needs is not worth the reserve, or a warning. stats() counts one such refusal.
        long handle = labyrinth.claim(order == least ? bits : bits & ~GfpFlags.HIGH | GfpFlags.NOWARN, order, me);
        if (handle == 0 && order != least) {
            cannotGrow = true;
            order = least;
            // A sprint that found nothing makes the next one shorter, so this is none.
            handle = labyrinth.claim(bits & ~GfpFlags.SPRINT, least, me);
        }
        if (handle == 0) {
            throw new LabyrinthException.OutOfFrames("labyrinth=" + labyrinth.name + " has no free run for size=" + size
                    + " alignment=" + alignment + " order=" + order + ": close other arenas or frames first, or open"
                    + " it with more frames");
        }
        Run run;
        long from;
        try {
            run = new Run(handle, labyrinth.region.address(PageWord.pfn(handle)), labyrinth.byteSize(order),
                    sharedNewest != null);
            from = run.take(size, alignment);
            if (from == 0 || !push(run)) {
                throw new IllegalStateException("Already closed");
            }
        } catch (Throwable e) {
            labyrinth.map.orphans.marks[(int) (handle & PageWord.LOW_MASK)] =
                    (char) (Orphans.ORPHAN | handle >>> Orphans.GENERATION_AT & Orphans.GENERATION);
            labyrinth.map.orphans.any = true;
            throw e;
        }
        frames += 1 << order;
        remember(run);
        return from;
    }

    /** False if the arena is closed. */
    private boolean push(Run run) {
        if (sharedNewest == null) {
            run.before = newest;
            newest = run;    // the last step: nothing is called after it
            return true;
        }
        Run before;
        do {
            before = sharedNewest.get();
            if (before == CLOSED) {
                return false;
            }
            run.before = before;
        } while (!sharedNewest.compareAndSet(before, run));
        return true;
    }

    /** The run with the most room comes first. The other one takes the place of the rest with the least room. */
    private void remember(Run run) {
        Run rest = current.room() > run.room() ? run : current;
        if (rest != run) {
            current = run;
        }
        if (rest == NONE) {
            return;
        }
        @Nullable Run[] others = rests;
        if (others == null) {
            others = new Run[RESTS];
            rests = others;
        }
        int least = 0;
        for (int i = 0; i < others.length && others[least] != null; i++) {
            least = others[i] == null || others[i].room() < others[least].room() ? i : least;
        }
        if (others[least] == null || others[least].room() < rest.room()) {
            others[least] = rest;
        }
    }

    /** The order of a run for this segment and later ones: see above. */
    private int grownOrder(long size) {
        int share = frames / PARTS;
        if (share < 2 || cannotGrow) {
            return 0;
        }
        int most = 31 - Integer.numberOfLeadingZeros(share);
        long enough = size * PARTS / labyrinth.region.pageSize;
        return Math.min(Math.min(most, PageWord.MAX_ORDER), Long.SIZE - Long.numberOfLeadingZeros(enough));
    }

    /** The order of a run that has room for the segment, wherever the alignment puts it within the run. */
    private int orderFor(long size, long alignment) {
        long pageSize = labyrinth.region.pageSize;
        long largest = labyrinth.byteSize(PageWord.MAX_ORDER);
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
        if (sharedNewest == null) {
            checkOwner();
            closeOwn();
        } else {
            closeShared(sharedNewest);
        }
    }

    private void closeOwn() {
        boolean first = backing.scope().isAlive();
        if (first) {
            backing.close();
        }
        Thread me = Thread.currentThread();
        for (Run run = newest; run != null && run.handle != 0; run = run.before) {
            free(run, me);
            newest = run.before;
        }
        if (!first) {
            backing.close();    // refuses: the arena is closed
        }
    }

    /**
     * The scope is dead before the handshake has ended, so it does not say that nobody uses the segments any more: only
     * the return of its close() does. Any number of threads may free the runs at once.
     */
    private void closeShared(AtomicReference<Run> list) {
        boolean first = !scopeEnded;
        if (first) {
            Closing.reserveStack();    // an error within the handshake would leave a scope that nobody can close
            backing.close();           // refuses a second thread
            scopeEnded = true;
        }
        Run taken = list.getAndSet(CLOSED);
        if (taken != CLOSED) {
            left = taken;
        }
        Thread me = Thread.currentThread();
        for (Run run = left; run != null && run.handle != 0; run = run.before) {
            free(run, me);
            left = run.before;
        }
        if (!first) {
            backing.close();    // refuses: the arena is closed
        }
    }

    private void free(Run run, Thread me) {
        try {
            labyrinth.free(run.handle, me, Lease.FLAGS);
        } catch (LabyrinthException.Stale e) {
            // An earlier close freed this run, and ran out of stack before the next run. This close goes on there.
        }
    }

    @Override
    public String toString() {
        return "arena of " + labyrinth + (owner != null ? " EXCLUSIVE" : "");
    }
}
