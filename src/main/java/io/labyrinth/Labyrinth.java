package io.labyrinth;

import io.labyrinth.internal.os.Flight;
import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.Living;
import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.os.Mapping;
import io.labyrinth.internal.os.MemoryFile;
import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.os.SharedFile;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.WarmUp;
import io.labyrinth.internal.pagemap.Zone;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A maze of locked page frames: the user-space counterpart of {@code alloc_pages(GFP_ATOMIC)}.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(1024).reserve(64).open()) {
 *     Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);   // null: nothing within reach, and it said so at once
 *     if (frame != null) try (frame) {
 *         MemorySegment page = frame.segment();                  // one page, this thread's alone, dead after close()
 *         page.set(ValueLayout.JAVA_LONG, 0, 42L);
 *     }
 * }
 * }
 *
 * <p>All pages are mapped, faulted in and locked when the labyrinth opens. After that an allocation never sleeps, calls
 * the system, or triggers reclaim or GC; it looks at a bounded number of places, and where it finds nothing it returns
 * {@code null}. A run of 2^order frames is aligned to its size within the labyrinth; in memory up to 2 MiB, if the
 * labyrinth has 2 MiB or more and is not shared, and else to a page.
 *
 * <p><b>Threads.</b> All methods may be called by any thread, platform or virtual, at any time. Allocation is
 * lock-free, freeing an EXCLUSIVE frame is wait-free: a thread that is frozen anywhere stops no other.
 *
 * <p><b>Contents.</b> Without {@link Gfp#ZERO} a frame holds what its last owner left there.
 *
 * <p>There are two faces to it: this one, with a {@link Frame} for each run,
 * and {@link #handles()}, with a {@code long}.
 */
public final class Labyrinth extends Allocator implements AutoCloseable {

    /*
     * A frame is built before it is claimed: between the claim and the return nothing may throw, and a constructor can
     * (OutOfMemoryError). Where that costs a garbage Frame for a null, escape analysis usually removes it.
     */

    // Literals, as this class must initialise where native access is denied, to say so; PageWord, whose numbers come
    // with the bindings, does not there. A test compares these with the header.

    /** Highest order of a run: 2^10 frames, 4 MiB of 4 KiB pages, as in the kernel's buddy allocator. */
    public static final int MAX_ORDER = 10;

    /** Most frames of a labyrinth: 2^24, 64 GiB of 4 KiB pages; the width of a pfn in a handle. */
    public static final int MAX_FRAMES = 1 << 24;

    private static final long DEFAULT_BYTES = 4L << 20;

    /** Frames of one row of the labyrinth's picture. */
    public static final int ROW_FRAMES = 512;

    /** Whose lines on top of a stack say nothing about who claimed. */
    private static final Set<String> OWN = Stream.of(Samples.class, Allocator.class, Labyrinth.class,
            Handles.class, Ticket.class, FrameArena.class, Slab.class, SlabPages.class).map(Class::getName)
            .collect(Collectors.toSet());

    private final PageMapScan scan;
    private final long firstGeneration;
    private final Handles handles;
    private final Closing closing;
    final Slabs slabs = new Slabs(this);

    /** @param sampleClaims 1 claim in so many, or 0 for none */
    private Labyrinth(String name, PageMap map, Zone zone, Region region, long firstGeneration, int sampleClaims) {
        super(name, map, zone, region, sampleClaims == 0 ? null : new Samples(map.frames, sampleClaims, OWN));
        zone.slowPath = samples != null;
        this.firstGeneration = firstGeneration;
        this.scan = new PageMapScan(map);
        this.handles = new Handles(this);
        this.closing = new Closing(this, slabs, scan);
        checkOpen();    // links what the first null would link, perhaps without the memory for it
    }

    /**
     * Starts to describe a labyrinth.
     *
     * @param name for messages, logs and metrics
     */
    public static Builder builder(String name) {
        return new Builder(name);
    }

    /**
     * Joins a shared labyrinth that another process, or this one, has opened; as a tenant of its own, whose frames are
     * returned when this process ends, however it ends. The pages must be locked.
     *
     * @param path of its file, or {@code /proc/PID/fd/N} of its memfd: {@link #sharedPath}
     * @throws LabyrinthException.NotALabyrinth  if the file is none, or not complete, or damaged
     * @throws LabyrinthException.InvalidRequest if it is on no memory file system, or of another provider's
     * @throws LabyrinthException.NoVacancy      if 254 tenants that live have it open
     * @throws LabyrinthException.MapRefused     if the file cannot be opened or mapped
     * @throws LabyrinthException.LockRefused    if the lock limit is too low
     */
    public static Labyrinth attach(Path path) {
        return attach(path, Locking.REQUIRED);
    }

    /** As {@link #attach(Path)}, with a choice about the lock. */
    public static Labyrinth attach(Path path, Locking locking) {
        Objects.requireNonNull(locking, "locking");
        Machine.requireNativeAccess();
        int frames = 0;
        try {
            WarmUp.ensure();
            SharedFile file = SharedFile.open(path);
            frames = file.header.frames();
            return join(file, locking, false, 0);
        } catch (OutOfMemoryError e) {
            throw Machine.heapTooSmall(e, Geometry.heapBytesFor(frames), "file=", path, " frames=",
                    frames == 0 ? "?" : frames);
        }
    }

    /** As {@link #attach(Path)}, by a descriptor that this process has got from another, and keeps. */
    public static Labyrinth attach(int fd, Locking locking) {
        return attach(Path.of("/proc/self/fd/" + fd), locking);
    }

    private static Labyrinth join(SharedFile file, Locking locking, boolean create, int sampleClaims) {
        Header header = file.header;
        try {
            Region region = Region.share(file, locking);
            try {
                PageMap words = new PageMap(region.metadata, header.frames(), header.reserve());
                if (create) {
                    words.tile(header.firstGeneration());
                    MemorySegment memory = Mapping.segment(file.base, Header.BYTES);
                    header.write(memory);
                    Header.publish(memory);
                } else {
                    header.checkMapped(file.path, file.base);
                }
                PageMap map = new PageMap(region.metadata, header.frames(), header.reserve(),
                        file.enter(new PageMapScan(words)::evict), words.virtualOwners, words.orphans);
                Zone zone = new Zone(map, Runtime.getRuntime().availableProcessors(),
                        Flight.ofClaims(header.name()));
                return new Labyrinth(header.name(), map, zone, region, header.firstGeneration(), sampleClaims);
            } catch (Throwable e) {
                region.discard();
                throw e;
            }
        } catch (Throwable e) {
            file.discard(create);
            throw e;
        }
    }

    /**
     * By which other processes of this machine may attach: the path of the file, or that of the memfd below this
     * process's {@code /proc/PID/fd}, which needs the right to look into this process. The pid is the one by which the
     * mounted {@code /proc} has this process.
     *
     * @throws LabyrinthException.InvalidRequest if the labyrinth is not shared
     * @throws LabyrinthException.MapRefused     if {@code /proc} does not show this process's own file there
     * @throws LabyrinthException.Closed         if it is a memfd, and the labyrinth is closed
     */
    public Path sharedPath() {
        if (region.file == null) {
            throw new LabyrinthException.InvalidRequest("labyrinth=" + name
                    + " is private: open it with shared(path) or memfd()");
        }
        return region.file.sharedPath();
    }

    /** As it was given to the builder. */
    public String name() {
        return name;
    }

    /** Size of a frame in bytes: that of an OS page. */
    public long frameSize() {
        return region.pageSize;
    }

    /** {@link #allocPages} of order 0: one frame. */
    public @Nullable Frame allocPage(Gfp gfp) {
        return allocPages(gfp, 0);
    }

    /**
     * Allocates a run of 2^order frames for the calling thread. Lock-free. Makes no system call, and allocates nothing
     * on the heap but the {@link Frame}, which escape analysis removes where it does not escape. Looks at no more than
     * 3 (frames + groups) + 2,000 words of the page map (a group is 64 frames), usually at 1; with {@link Gfp#ATOMIC}
     * at no more than 3,500 for orders up to 6. Once after an error (StackOverflowError, say) that struck inside an
     * earlier call, a request that finds nothing mends what that left, and looks at every frame once more.
     *
     * @return the frame; {@code null} if nothing was found: with NOWAIT and no other thread at work, exactly if no free
     *         aligned run of this order exists outside of the reserve
     * @throws LabyrinthException.InvalidRequest if the order is not within 0 to {@link #MAX_ORDER}
     * @throws LabyrinthException.Closed         if the labyrinth is closed
     */
    public @Nullable Frame allocPages(Gfp gfp, int order) {
        PageWord.checkOrder(order);
        Thread me = Thread.currentThread();
        int bits = gfp.bits();
        boolean exclusive = GfpFlags.isExclusive(bits);
        Frame frame = new Frame(this, order, exclusive ? me : null);
        long handle = claim(exclusive ? bits | GfpFlags.FRAMED : bits, order, me);
        if (handle == 0) {
            return null;
        }
        frame.handle = handle;
        return frame;
    }

    /**
     * The frame of a ticket that came as a number, from another process say; now the calling thread's. One CAS.
     *
     * @throws LabyrinthException.Stale   if it was accepted before, or its giver has died and was swept
     * @throws LabyrinthException.Foreign if this labyrinth has no such frame
     */
    public Frame accept(long ticket) {
        Thread me = Thread.currentThread();
        long word = inTransit(ticket);
        Frame frame = new Frame(this, PageWord.order(word), PageWord.isExclusive(word) ? me : null);
        frame.handle = accept(ticket, me, Lease.FLAGS);
        return frame;
    }

    /** The raw face: {@code long} handles, no objects, every check of this one. */
    public Handles handles() {
        return handles;
    }

    /**
     * An arena for any code of {@code java.lang.foreign}, whose memory is this labyrinth's frames. The flags say how it
     * takes them, and, with {@link Gfp#EXCLUSIVE}, that it is the calling thread's alone.
     *
     * @throws LabyrinthException.Closed if the labyrinth is closed
     */
    public FrameArena arena(Gfp gfp) {
        checkOpen();
        return new FrameArena(this, gfp);
    }

    /**
     * {@link #slab(int, int)} for up to 2^14 objects, somewhat fewer where the size is no power of two: with more, a
     * pair costs a nanosecond or two more.
     */
    public Slab slab(int size) {
        checkOpen();
        return slabs.add(Slab.open(this, slabs, size));
    }

    /**
     * Objects smaller than a page, in frames of this labyrinth, taken as they are needed. May call the system, for
     * their words: about 22 bytes for each object that may be out at once, locked if the labyrinth is.
     *
     * @param size    of each object in bytes, 16 to 2,048; rounded up to a multiple of 16
     * @param objects that there may be at most; rounded up to whole frames, and no more than the labyrinth has
     * @throws LabyrinthException.InvalidRequest if one of them is not within its limits
     * @throws LabyrinthException.MapRefused     if the system has not so much memory to give
     * @throws LabyrinthException.LockRefused    if locking is REQUIRED and the lock limit is too low
     * @throws LabyrinthException.Closed         if the labyrinth is closed
     */
    public Slab slab(int size, int objects) {
        checkOpen();
        return slabs.add(Slab.open(this, slabs, size, objects));
    }

    /**
     * Gives those frames back that slabs keep and no object of which is out: {@link Slab#shrink}, for all of them.
     *
     * @return the number of frames freed
     */
    public int shrinkSlabs() {
        checkOpen();
        return slabs.shrink();
    }

    private <T extends @Nullable Object> T pass(Supplier<T> overAllWords) {
        checkOpen();
        try {
            closing.undoIfOwed();
            map.orphans.mend(map);
            return overAllWords.get();
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Frames outside of the reserve that are free: a part of {@link #stats}, at half the cost. */
    int free() {
        return pass(scan::free);
    }

    /** Counts. Looks at every page word twice; safe while others allocate, exact at rest. */
    public LabyrinthStats stats() {
        return pass(() -> LabyrinthStats.of(name, scan.count(firstGeneration), zone, region));
    }

    /**
     * Checks every invariant of a labyrinth at rest from the page words alone: runs tile it, each is aligned, a claimed
     * one has an owner, and what is free can be found; and those of its slabs. Meaningless while others allocate.
     *
     * @throws AssertionError that names the first violation
     */
    public void validate() {
        String violation = pass(scan::violation);
        if (violation != null) {
            throw new AssertionError("labyrinth=" + name + " " + violation);
        }
        String ofSlab = slabs.violation();
        if (ofSlab != null) {
            throw new AssertionError(ofSlab);
        }
    }

    /**
     * The state of each frame, one character a frame in pfn order: {@code .} free, {@code r} free in the reserve,
     * {@code E} exclusive, {@code S} claimed and not exclusive, {@code T} in transit, {@code Q} quarantined.
     */
    public String picture() {
        return pass(scan::picture);
    }

    /** All runs as they are now, in one pass: who has what, and what could be had. Safe while others allocate. */
    public LabyrinthMap map() {
        return pass(() -> new LabyrinthMap(name, map, region.pageSize, firstGeneration,
                region.file == null ? List.of() : region.file.tenants()));
    }

    /**
     * Who holds what, now, most frames first; of a shared labyrinth, what this process's threads hold. Looks at every
     * page word; safe while others allocate, exact at rest. When and where is told of claims that were sampled:
     * {@link Builder#sampleClaims}. Who holds the objects of a slab, {@link Slab#owners} says.
     */
    public List<Owner> owners() {
        return pass(() -> Owner.of(scan.out(), map, samples));
    }

    /**
     * Calls the listener when free frames become scarce, and when there are enough again; the reserve does not count.
     * An own daemon thread looks at the page words every {@code interval}, and calls it; a request has no part in that,
     * costs nothing more, and is not told of: what comes and goes between two looks is not seen.
     *
     * @param low      LOW is told when no more than so many frames are free: 0 at least, less than {@code high}
     * @param high     HIGH is told, after LOW, when so many are free
     * @param interval a look reads one word of each run
     * @param listener with the figures of that look; if it throws, that is logged, and the looks go on
     * @return close it to end the looks; they end with the labyrinth, too
     * @throws LabyrinthException.InvalidRequest if the marks or the interval mean nothing
     */
    public Watermarks watermarks(int low, int high, Duration interval,
            BiConsumer<Watermarks.Mark, LabyrinthStats> listener) {
        checkOpen();
        Watermarks watermarks = new Watermarks(this, low, high, interval, listener);
        watermarks.start();
        return watermarks;
    }

    /**
     * Frees EXCLUSIVE frames whose owner thread has ended. Lock-free; never taken by an allocation itself. A frame that
     * is not EXCLUSIVE may be used and freed by any thread, so the end of the one that claimed it means nothing.
     *
     * <p>Whether a platform thread lives is asked of the module {@code java.management}. Where that is missing, in a
     * trimmed runtime image, the frames of platform threads stay out, and a warning says so.
     *
     * <p>In a shared labyrinth also all that processes had which have died: frames of either kind, tickets that nobody
     * accepted, half-made runs. That asks the kernel about each tenant, and looks at every frame for each dead one. One
     * that was killed, and whose forked child lives on, is known to be dead in its own pid namespace alone, once
     * somebody has waited for it; elsewhere only when the child has ended.
     *
     * @return the number of frames freed
     * @throws LabyrinthException.MapRefused if the kernel cannot say who lives: a sandbox without byte locks
     */
    public int sweepDeadOwners() {
        return pass(() -> {
            long since = System.nanoTime();
            int freed = scan.sweep(Living::endedOf) + (region.file == null ? 0 : region.file.sweep(scan::evict));
            Flight.swept(name, freed, since);
            return freed;
        });
    }

    /**
     * Unlocks and unmaps. Refused while frames or tickets are out, without any change, but that slabs have given back
     * the frames of which no object is out; while it finds out, others may be told that nothing is free. May call the
     * system, and handshakes with every thread. Closing again does nothing, but go on with what was refused.
     * (The page map's addresses, emptied, stay reserved until this object is unreachable:
     * late calls are refused by them.)
     *
     * @throws LabyrinthException.FramesOut    with who holds what
     * @throws LabyrinthException.CloseRefused if the system would not give all of it back, or the heap is full: once
     *                                         there is room, close it again
     */
    @Override
    public void close() {
        close(false);
    }

    /**
     * Closes although frames are out. Their handles, frames and tickets are refused from now on, and segments of frames
     * that are not EXCLUSIVE are dead. The segments of EXCLUSIVE ones are their owners', and cannot be killed from
     * here: they read as zeros. Therefore, if anything was out, the frames' addresses stay reserved for good; their
     * memory and their lock are given back.
     *
     * @return the number of runs that were out; 0 if it was closed before
     * @throws LabyrinthException.FramesOut    if native code or a channel is using a segment right now;
     *                                         nothing has changed
     * @throws LabyrinthException.CloseRefused as for {@link #close}
     */
    public int closeNow() {
        return close(true);
    }

    private synchronized int close(boolean now) {
        return closing.close(now);
    }

    @Override
    public String toString() {
        return "labyrinth=" + name + " frames=" + map.frames + " frameSize=" + region.pageSize + " reserve="
                + (map.frames - map.ordinary);
    }

    /** By bytes, as the lock limit counts them: usually 8 MiB, whatever a page has. */
    static int defaultFrames(long pageSize) {
        return (int) Math.max(1, DEFAULT_BYTES / pageSize);
    }

    /** Describes a labyrinth and opens it. Not for several threads at once. */
    public static final class Builder {

        private final String name;
        /** 0: the default, which depends on the page's size. */
        private int frames;
        private int reserve;
        private Locking locking = Locking.REQUIRED;
        private int sampleClaims;
        private boolean shared;
        private @Nullable Path path;

        private Builder(String name) {
            this.name = Objects.requireNonNull(name);
        }

        /**
         * Frames in all, the reserve included: 1 to {@link #MAX_FRAMES}. Default: 4 MiB of them, which 8 MiB of lock
         * limit allow; 1,024 of 4 KiB, 256 of 16 KiB.
         */
        public Builder frames(long frames) {
            if (frames < 1 || frames > MAX_FRAMES) {
                throw new LabyrinthException.InvalidRequest("frames=" + frames + " limit=" + MAX_FRAMES
                        + ": ask for 1 to " + MAX_FRAMES + " frames, or open several labyrinths");
            }
            this.frames = (int) frames;
            return this;
        }

        /** Frames that only {@link Gfp#HIGH} requests can have: 0, the default, to less than all. */
        public Builder reserve(long reserve) {
            if (reserve < 0 || reserve >= MAX_FRAMES) {
                throw new LabyrinthException.InvalidRequest("reserve=" + reserve + " limit=" + (MAX_FRAMES - 1)
                        + ": the reserve is a part of the frames, 0 at least");
            }
            this.reserve = (int) reserve;
            return this;
        }

        /** Whether the pages must be locked. Default {@link Locking#REQUIRED}. */
        public Builder locking(Locking locking) {
            this.locking = Objects.requireNonNull(locking);
            return this;
        }

        /**
         * Notes time and stack of 1 claim or accepted ticket in {@code every}, picked by chance, for
         * {@link Labyrinth#owners} and for the message of a {@code close()} that is refused. Each claim then takes some
         * 3 ns more, a sampled one some microseconds and about 1 KiB of heap, as long as its frame is not sampled anew;
         * and the labyrinth takes 4 bytes of heap a frame, a slab 4 an object. Default: none, at no cost. 1 notes all.
         */
        public Builder sampleClaims(int every) {
            if (every < 1) {
                throw new LabyrinthException.InvalidRequest("sampleClaims=" + every
                        + " limit=1: 1 samples every claim, 1000 one in 1000; leave it out to sample none");
            }
            this.sampleClaims = every;
            return this;
        }

        /**
         * Shares the labyrinth with other processes, by a new file on a memory file system ({@code /dev/shm}), for its
         * user alone. The file stays when all have closed it: whoever is the last removes it. A process that may write
         * to it can do anything to its frames; whoever cuts it short kills all others: {@link #memfd} cannot be cut.
         *
         * @throws LabyrinthException.InvalidRequest if the path is of a file system that is not the kernel's
         */
        public Builder shared(Path path) {
            this.path = MemoryFile.requireDefault(Objects.requireNonNull(path, "path"));
            this.shared = true;
            return this;
        }

        /** Shares the labyrinth by a memfd, which is sealed against being cut, and goes with the last who has it. */
        public Builder memfd() {
            this.shared = true;
            this.path = null;
            return this;
        }

        /**
         * Maps, faults in and locks the pages. Blocks, for about 0.3 s a GiB.
         * On failure nothing stays mapped or locked.
         *
         * @throws LabyrinthException.InvalidRequest     if the reserve is not less than the frames, or the file is on
         *                                               no memory file system
         * @throws LabyrinthException.MapRefused         if the system has not so much memory or address space to give
         * @throws LabyrinthException.LockRefused        if locking is REQUIRED and the lock limit is too low
         * @throws LabyrinthException.NativeAccessDenied if the JVM does not let the library call native code
         * @throws LabyrinthException.UnsupportedSystem  if this is not Linux
         */
        public Labyrinth open() {
            Machine.requireNativeAccess();
            int frames = this.frames == 0 ? defaultFrames(Libc.pageSize()) : this.frames;
            if (reserve >= frames) {
                throw new LabyrinthException.InvalidRequest("reserve=" + reserve + " frames=" + frames
                        + ": the reserve is a part of the frames; leave at least 1 for the others");
            }
            try {
                WarmUp.ensure();
                // Generations of different labyrinths begin at random, so that a handle of one is as good as always
                // stale in another; below 2^32, so that no more than 1/256 of the lives are given away.
                long firstGeneration = 1 + ThreadLocalRandom.current().nextLong(1L << 32);
                return shared ? openShared(frames, firstGeneration) : openPrivate(frames, firstGeneration);
            } catch (OutOfMemoryError e) {
                throw Machine.heapTooSmall(e, Geometry.heapBytesFor(frames), "labyrinth=", name, " frames=", frames);
            }
        }

        private Labyrinth openShared(int frames, long firstGeneration) {
            Header header = Header.plan(name, frames, reserve, Libc.pageSize(), firstGeneration);
            return join(SharedFile.create(path, header), locking, true, sampleClaims);
        }

        private Labyrinth openPrivate(int frames, long firstGeneration) {
            Region region = Region.open(name, frames, Geometry.bytesFor(frames), locking);
            try {
                PageMap map = new PageMap(region.metadata, frames, reserve);
                map.tile(firstGeneration);
                Zone zone = new Zone(map, Runtime.getRuntime().availableProcessors(), Flight.ofClaims(name));
                return new Labyrinth(name, map, zone, region, firstGeneration, sampleClaims);
            } catch (Throwable e) {
                region.discard();
                throw e;
            }
        }
    }
}
