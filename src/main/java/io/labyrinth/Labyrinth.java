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
 * A pool of locked page frames: the user-space counterpart of {@code alloc_pages(GFP_ATOMIC)}.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(1024).reserve(64).open()) {
 *     Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);   // null at once if nothing is free
 *     if (frame != null) try (frame) {
 *         MemorySegment page = frame.segment();                  // one page, this thread's alone, dead after close()
 *         page.set(ValueLayout.JAVA_LONG, 0, 42L);
 *     }
 * }
 * }
 *
 * <p>All pages are mapped, faulted in and locked when the labyrinth opens. After that an allocation never sleeps, makes
 * no system call, and triggers neither reclaim nor GC. It looks at a bounded number of places. If it finds nothing, it
 * returns {@code null}. A closed labyrinth refuses every request with {@link LabyrinthException.Closed}.
 *
 * <p><b>Alignment.</b> The pfn of a run is a multiple of 2^order. In a labyrinth of at least 2 MiB that is not shared,
 * the address of a run is aligned to the run's size, up to 2 MiB. In any other it is aligned to a page.
 *
 * <p><b>Threads.</b> Any thread, platform or virtual, may call any method at any time. Allocation is lock-free. Freeing
 * an EXCLUSIVE frame is wait-free. A thread that is frozen at any point of either stops no other thread.
 *
 * <p><b>Contents.</b> Without {@link Gfp#ZERO} a frame holds what its last owner left there.
 *
 * <p>A labyrinth has two faces. This class makes a {@link Frame} for each run; {@link #handles()} makes a {@code long}.
 */
public final class Labyrinth extends Allocator implements AutoCloseable {

    /*
     * A Frame is built before its run is claimed: between claim and return nothing may throw, and a constructor can
     * (OutOfMemoryError). If the claim finds nothing, the Frame is garbage; escape analysis usually removes it.
     */

    // Literals: this class must initialise even where native access is denied, to report that. PageWord takes its
    // numbers from the bindings, so it cannot initialise there. A test compares these numbers with the header.

    /** Highest order of a run: 2^10 frames, 4 MiB of 4 KiB pages, as in the kernel's buddy allocator. */
    public static final int MAX_ORDER = 10;

    /** Most frames of a labyrinth: 2^24, 64 GiB of 4 KiB pages. A pfn has 24 bits in a handle. */
    public static final int MAX_FRAMES = 1 << 24;

    private static final long DEFAULT_BYTES = 4L << 20;

    /** Frames in one row of the labyrinth's picture. */
    public static final int ROW_FRAMES = 512;

    /** Classes whose lines on top of a stack do not say which code claimed. */
    private static final Set<String> OWN = Stream.of(Samples.class, Allocator.class, Labyrinth.class,
            Handles.class, Ticket.class, FrameArena.class, Slab.class, SlabPages.class).map(Class::getName)
            .collect(Collectors.toSet());

    private final PageMapScan scan;
    private final long firstGeneration;
    private final Handles handles;
    private final Closing closing;
    final Slabs slabs = new Slabs(this);

    /** @param sampleClaims N samples 1 claim in N; 0 samples none */
    private Labyrinth(String name, PageMap map, Zone zone, Region region, long firstGeneration, int sampleClaims) {
        super(name, map, zone, region, sampleClaims == 0 ? null : new Samples(map.frames, sampleClaims, OWN));
        zone.slowPath = samples != null;
        this.firstGeneration = firstGeneration;
        this.scan = new PageMapScan(map);
        this.handles = new Handles(this);
        this.closing = new Closing(this, slabs, scan);
        checkOpen();    // links now what the first null would link, when memory may be short
    }

    /** @param name used in messages, logs and metrics */
    public static Builder builder(String name) {
        return new Builder(name);
    }

    /**
     * Attaches to a shared labyrinth that another process, or this one, has opened. Each attachment is a tenant of its
     * own. If this process ends, however it ends, a sweep by another tenant returns this tenant's frames. The pages
     * must be locked. Calls the system, and blocks while the pages are mapped and locked.
     *
     * @param path path of the file, or {@code /proc/PID/fd/N} of the memfd: see {@link #sharedPath}
     * @throws LabyrinthException.NotALabyrinth  if the file is not a labyrinth, is not complete, or is damaged
     * @throws LabyrinthException.InvalidRequest if the file is not on a memory file system, or if the path is not of
     *                                           the default file system provider
     * @throws LabyrinthException.NoVacancy      if 254 live tenants have it open
     * @throws LabyrinthException.MapRefused     if the file cannot be opened or mapped
     * @throws LabyrinthException.LockRefused    if the lock limit is too low
     */
    public static Labyrinth attach(Path path) {
        return attach(path, Locking.REQUIRED);
    }

    /** As {@link #attach(Path)}; {@code locking} says whether the pages must be locked. */
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

    /** As {@link #attach(Path, Locking)}, by a descriptor that another process has sent. The caller still owns it. */
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
     * The path by which other processes of this machine attach: the path of the file, or that of the memfd below this
     * process's {@code /proc/PID/fd}. To open the latter, a process needs the right to look into this process. The pid
     * is the one that the mounted {@code /proc} has for this process.
     *
     * @throws LabyrinthException.InvalidRequest if the labyrinth is not shared
     * @throws LabyrinthException.MapRefused     if {@code /proc} does not show this process's own file at that path
     * @throws LabyrinthException.Closed         if it is a memfd, and the labyrinth is closed
     */
    public Path sharedPath() {
        if (region.file == null) {
            throw new LabyrinthException.InvalidRequest("labyrinth=" + name
                    + " is private: open it with shared(path) or memfd()");
        }
        return region.file.sharedPath();
    }

    /** The name that was given to the builder. */
    public String name() {
        return name;
    }

    /** Size of a frame in bytes: the size of an OS page. */
    public long frameSize() {
        return region.pageSize;
    }

    /** {@link #allocPages} of order 0: one frame. */
    public @Nullable Frame allocPage(Gfp gfp) {
        return allocPages(gfp, 0);
    }

    /**
     * Allocates a run of 2^order frames for the calling thread. Lock-free; makes no system call. The {@link Frame} is
     * its only object on the heap, and escape analysis removes a Frame that does not escape.
     *
     * <p>Usually looks at 1 word of the page map; at most at 3 (frames + groups) + 2,000 words, where a group is 64
     * frames. With {@link Gfp#ATOMIC}, looks at most at 3,500 words for orders up to 6. There is one exception: an
     * error (such as StackOverflowError) that struck inside an earlier call may have left orphans. Then the first
     * request that finds nothing frees the orphans and looks at every frame once more.
     *
     * @param order the run has 2^order frames: 0 to {@link #MAX_ORDER}
     * @return the frame, or {@code null} if nothing was found. If no other thread is at work, NOWAIT gets {@code null}
     *         exactly when no free aligned run of this order exists outside the reserve
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
     * Accepts a ticket that came as a number, for example from another process. The calling thread becomes the frame's
     * owner. One CAS; makes no system call.
     *
     * @param ticket {@link Ticket#handle()}
     * @throws LabyrinthException.Stale   if it was accepted before, or if the tenant that gave it has died and was
     *                                    swept
     * @throws LabyrinthException.Foreign if this labyrinth has no such frame
     */
    public Frame accept(long ticket) {
        Thread me = Thread.currentThread();
        long word = inTransit(ticket);
        Frame frame = new Frame(this, PageWord.order(word), PageWord.isExclusive(word) ? me : null);
        frame.handle = accept(ticket, me, Lease.FLAGS);
        return frame;
    }

    /** The raw face: {@code long} handles instead of objects, with the same checks. */
    public Handles handles() {
        return handles;
    }

    /**
     * An arena whose memory is this labyrinth's frames, for any code that uses {@code java.lang.foreign}. The flags say
     * how the arena claims its frames. With {@link Gfp#EXCLUSIVE} only the calling thread may use the arena.
     *
     * @throws LabyrinthException.Closed if the labyrinth is closed
     */
    public FrameArena arena(Gfp gfp) {
        checkOpen();
        return new FrameArena(this, gfp);
    }

    /**
     * {@link #slab(int, int)} for up to 2^14 objects, or somewhat fewer if the size is not a power of two. In a slab
     * for more objects, an allocation and its free cost 1 to 2 ns more.
     */
    public Slab slab(int size) {
        checkOpen();
        return slabs.add(Slab.open(this, slabs, size));
    }

    /**
     * A slab: objects smaller than a page, in frames of this labyrinth. The slab claims frames when it needs them. This
     * call may call the system, to map the objects' words: about 22 bytes for each object that may be out at once,
     * locked if the labyrinth is locked.
     *
     * @param size    size of an object in bytes, 16 to 2,048; rounded up to a multiple of 16
     * @param objects most objects that may be out at once; rounded up to whole frames; at most what all frames of the
     *                labyrinth hold
     * @throws LabyrinthException.InvalidRequest if the size or the number of objects is not within its limits
     * @throws LabyrinthException.MapRefused     if the system does not give that much memory
     * @throws LabyrinthException.LockRefused    if locking is REQUIRED and the lock limit is too low
     * @throws LabyrinthException.Closed         if the labyrinth is closed
     */
    public Slab slab(int size, int objects) {
        checkOpen();
        return slabs.add(Slab.open(this, slabs, size, objects));
    }

    /**
     * Frees the frames of which no object is out, in all slabs: {@link Slab#shrink} for each slab.
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

    /** Free frames outside the reserve: a part of {@link #stats}, at half the cost. */
    int free() {
        return pass(scan::free);
    }

    /** Counts frames by state. Looks at every page word twice. Safe while others allocate; exact when none does. */
    public LabyrinthStats stats() {
        return pass(() -> LabyrinthStats.of(name, scan.count(firstGeneration), zone, region));
    }

    /**
     * Checks every invariant of a labyrinth at rest, and of its slabs, from the page words alone: the runs tile the
     * labyrinth, each run is aligned, each claimed run has an owner, and a search finds each free run. The result means
     * nothing while other threads allocate.
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
     * The state of each frame, one character for each frame, in the order of pfns: {@code .} free, {@code r} free in
     * the reserve, {@code E} EXCLUSIVE, {@code S} claimed and not EXCLUSIVE, {@code T} in transit, {@code Q}
     * quarantined.
     */
    public String picture() {
        return pass(scan::picture);
    }

    /** All runs, read in one pass: the owner of each claimed run, and what is free. Safe while others allocate. */
    public LabyrinthMap map() {
        return pass(() -> new LabyrinthMap(name, map, region.pageSize, firstGeneration,
                region.file == null ? List.of() : region.file.tenants()));
    }

    /**
     * The owners and what each holds, most frames first. In a shared labyrinth these are the threads of this process.
     * Looks at every page word. Safe while other threads allocate; exact when none does. Sampled claims also have their
     * time and stack: {@link Builder#sampleClaims}. {@link Slab#owners} says who holds the objects of a slab.
     */
    public List<Owner> owners() {
        return pass(() -> Owner.of(scan.out(), map, samples));
    }

    /**
     * Calls the listener when free frames become scarce, and again when there are enough. The frames of the reserve do
     * not count. A daemon thread of its own looks at the page words every {@code interval} and calls the listener.
     * Requests cost nothing more. A change that comes and goes between two looks is not seen.
     *
     * @param low      LOW is reported when at most this many frames are free; at least 0, less than {@code high}
     * @param high     HIGH is reported, after LOW, when at least this many frames are free
     * @param interval time from one look to the next; a look reads one word of each run
     * @param listener gets the figures of the look; if it throws, that is logged, and the looks go on
     * @return an object to end the looks with: close it. They also end when the labyrinth closes
     * @throws LabyrinthException.InvalidRequest if a mark or the interval is not within its limits
     */
    public Watermarks watermarks(int low, int high, Duration interval,
            BiConsumer<Watermarks.Mark, LabyrinthStats> listener) {
        checkOpen();
        Watermarks watermarks = new Watermarks(this, low, high, interval, listener);
        watermarks.start();
        return watermarks;
    }

    /**
     * Frees EXCLUSIVE frames whose owner thread has ended. Looks at every page word. Lock-free in a private labyrinth.
     * No allocation does this by itself. Any thread may use and free a frame that is not EXCLUSIVE, so such a frame
     * stays out when the thread that claimed it ends.
     *
     * <p>The module {@code java.management} says whether a platform thread is alive. If that module is missing (in a
     * trimmed runtime image), the frames of platform threads stay out, and a warning says so.
     *
     * <p>In a shared labyrinth the sweep also frees all that dead processes had: frames of either kind, tickets that
     * nobody accepted, and half-made runs. The sweep asks the kernel about each tenant, looks at every frame for each
     * dead tenant, and waits for another sweep by the same object. If a killed process has a forked child that is still
     * alive, the process is known to be dead only within its own pid namespace, and only after its parent has waited
     * for it. Elsewhere it is known to be dead when the child has ended.
     *
     * @return the number of frames freed
     * @throws LabyrinthException.MapRefused if the kernel cannot say who is alive, as in a sandbox without byte locks
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
     * Unlocks and unmaps all memory. Refused while frames or tickets are out. A refusal changes nothing, except that
     * slabs have freed the frames of which no object is out. While the close looks for frames that are out, requests of
     * other threads may get {@code null}. Calls the system, and does a handshake with every thread of the JVM. May
     * block: one thread closes at a time.
     *
     * <p>Closing a closed labyrinth does nothing. After {@code CloseRefused} the next close goes on where this one
     * stopped. The addresses of the page map stay reserved, without memory, until this object is unreachable: by them a
     * late call is recognized and refused.
     *
     * @throws LabyrinthException.FramesOut    if frames or tickets are out: the message says who holds what
     * @throws LabyrinthException.CloseRefused if the system did not take all of it back, or if the heap is full: close
     *                                         again once there is room
     */
    @Override
    public void close() {
        close(false);
    }

    /**
     * Closes although frames are out. From now on their handles, frames and tickets are refused, and the segments of
     * frames that are not EXCLUSIVE are dead. Only its owner thread can end the segment of an EXCLUSIVE frame, so such
     * a segment stays alive and reads as zeros. Therefore, if anything was out, the addresses of the frames stay
     * reserved for good. Their memory and their lock are given back. Calls the system, as {@link #close} does.
     *
     * @return the number of runs that were out; 0 if it was closed before
     * @throws LabyrinthException.FramesOut    if native code or a channel is using a segment right now;
     *                                         then nothing has changed
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

    /** A fixed number of bytes, because the lock limit counts bytes: usually 8 MiB, whatever the size of a page. */
    static int defaultFrames(long pageSize) {
        return (int) Math.max(1, DEFAULT_BYTES / pageSize);
    }

    /**
     * Describes a labyrinth and opens it. A value outside its limits is refused with
     * {@link LabyrinthException.InvalidRequest}. Not safe for use by several threads at once.
     */
    public static final class Builder {

        private final String name;
        /** 0: the default, which depends on the size of a page. */
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
         * Number of all frames, the reserve included: 1 to {@link #MAX_FRAMES}. Default: as many as 4 MiB hold (1,024
         * of 4 KiB, 256 of 16 KiB), because the usual lock limit of 8 MiB allows that.
         */
        public Builder frames(long frames) {
            if (frames < 1 || frames > MAX_FRAMES) {
                throw new LabyrinthException.InvalidRequest("frames=" + frames + " limit=" + MAX_FRAMES
                        + ": ask for 1 to " + MAX_FRAMES + " frames, or open several labyrinths");
            }
            this.frames = (int) frames;
            return this;
        }

        /** Frames that only {@link Gfp#HIGH} requests can have: at least 0, less than all frames. Default: 0. */
        public Builder reserve(long reserve) {
            if (reserve < 0 || reserve >= MAX_FRAMES) {
                throw new LabyrinthException.InvalidRequest("reserve=" + reserve + " limit=" + (MAX_FRAMES - 1)
                        + ": the reserve is a part of the frames, at least 0");
            }
            this.reserve = (int) reserve;
            return this;
        }

        /** Whether the pages must be locked. Default: {@link Locking#REQUIRED}. */
        public Builder locking(Locking locking) {
            this.locking = Objects.requireNonNull(locking);
            return this;
        }

        /**
         * Samples claims and accepted tickets: 1 in {@code every}, picked at random, has its time and stack recorded.
         * {@link Labyrinth#owners} and the message of a refused {@code close()} show them. 1 samples all. Default:
         * none, at no cost.
         *
         * <p>With sampling each claim takes about 3 ns more. A sampled claim takes some microseconds, and about 1 KiB
         * of heap until the same frame is sampled again. The labyrinth takes 4 bytes of heap for each frame, and a slab
         * 4 bytes for each object.
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
         * Shares the labyrinth with other processes by a new file on a memory file system ({@code /dev/shm}). Only the
         * same user can open the file. The file stays when all tenants have closed it; its last user has to remove it.
         * A process that can write to the file can do anything to the frames. A process that truncates the file kills
         * all others; a {@link #memfd} cannot be truncated.
         *
         * @throws LabyrinthException.InvalidRequest if the path is not of the default file system provider
         */
        public Builder shared(Path path) {
            this.path = MemoryFile.requireDefault(Objects.requireNonNull(path, "path"));
            this.shared = true;
            return this;
        }

        /** Shares the labyrinth by a memfd, sealed against truncation. The memfd ends when its last user closes it. */
        public Builder memfd() {
            this.shared = true;
            this.path = null;
            return this;
        }

        /**
         * Maps, faults in and locks the pages. Calls the system and blocks: about 0.3 s for each GiB.
         * After a failure nothing stays mapped or locked.
         *
         * @throws LabyrinthException.InvalidRequest     if the reserve is not less than the frames, or if the file is
         *                                               not on a memory file system
         * @throws LabyrinthException.MapRefused         if the system does not give that much memory or address space
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
                // The first generation is random, so that a handle of one labyrinth is almost always stale in another.
                // It is below about 2^32, so that at most 1/256 of the 2^40 lives are lost.
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
