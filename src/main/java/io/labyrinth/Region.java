package io.labyrinth;

import io.labyrinth.bindings.Native;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The mapped memory: frames, and behind them the page map. All that is asked of the system is asked here, through
 * {@link Libc}, when a labyrinth or a slab opens and when it closes; an allocation or a free asks for nothing.
 */
final class Region {

    /*
     * Opening: map, advise, reserve the lock, fault in on all cores, lock, prove it.
     *
     * mlock2(MLOCK_ONFAULT) comes before the first fault, as it tells within microseconds whether the limit allows the
     * lock; a plain mlock would first fault in gigabytes, on one core, and then be refused. The plain mlock at the end
     * finds all pages present; it is what turns "locked when touched" into "locked", and its result is the kernel's
     * word for it. MAP_POPULATE and MAP_LOCKED are not used: they fail silently.
     *
     * Both the frames and the page map are locked: an allocation must not fault either.
     *
     * Closing: the shared arena of the frames is closed, which costs a handshake with all threads; after it nobody is
     * inside an access to a frame that is not EXCLUSIVE, and the frames are unmapped. The segments of EXCLUSIVE frames
     * have arenas of their own, so with any frame out the frames' memory is only given back, and their addresses are
     * kept: a late access reads zeros, and harms nobody. The system may refuse each step; Mapping knows how far it is.
     *
     * The page map is reached without an arena (PageMap.MEMORY), so it stays mapped as long as anybody can reach its
     * PageMap, in an arena that the collector closes. From the close on it reads as zeros: a word of 0 is in no state,
     * so that every late call is refused by the words themselves, and the hot path needs no check for it.
     */

    private static final Logger LOG = LoggerFactory.getLogger(Region.class);

    /**
     * What huge pages are aligned to on x86-64, and on arm64 with 4 KiB pages; elsewhere it is merely a fine alignment.
     */
    private static final long HUGE = 2L << 20;

    /** Faulted in by one thread at a time: large enough to amortise the call, small enough to balance the threads. */
    private static final long CHUNK = 32L << 20;

    final long pageSize;
    /** Bytes of this mapping that smaps says are locked, read once after opening. */
    final long lockedBytes;
    /** Of what slabs have of their own, mapped and locked. Written by who has this object's monitor. */
    private volatile long moreMapped;
    private volatile long moreLocked;
    final MemorySegment frames;
    final MemorySegment metadata;

    /** Of a shared labyrinth. */
    final @Nullable SharedFile file;

    private final Locking locking;

    private final Arena arena;
    private final long start;
    private final Mapping frameMemory;
    /** In front of a shared labyrinth's frames, and behind those of others. */
    private final Mapping metadataMemory;

    private Region(long pageSize, Mapping frameMemory, Mapping metadataMemory, Locking locking, long lockedBytes) {
        this.locking = locking;
        this.pageSize = pageSize;
        this.lockedBytes = lockedBytes;
        this.start = frameMemory.address();
        this.arena = Arena.ofShared();
        this.frameMemory = frameMemory;
        this.frames = segment(start, frameMemory.bytes(), arena);
        this.metadataMemory = metadataMemory;
        this.metadata = metadataMemory.whenUnreachable();
        this.file = null;
    }

    private Region(SharedFile file, Mapping frameMemory, Mapping metadataMemory, Locking locking, long lockedBytes) {
        Header header = file.header;
        this.locking = locking;
        this.pageSize = header.pageSize();
        this.lockedBytes = lockedBytes;
        this.start = frameMemory.address();
        this.arena = Arena.ofShared();
        this.frameMemory = frameMemory;
        this.frames = segment(start, header.frames() * pageSize, arena);
        this.metadataMemory = metadataMemory;
        this.metadata = metadataMemory.whenUnreachable().asSlice(header.pageMapOffset());
        this.file = file;
    }

    /**
     * Maps, faults in and locks. Blocks, for about 0.3 s a GiB. On failure nothing stays mapped or locked.
     *
     * @param metadata what the page map needs, in bytes, for so many frames
     */
    static Region open(String name, int frames, long metadata, Locking locking) {
        Mapping.unmapWhatIsLeft();
        long pageSize = Libc.pageSize();
        long frameBytes = Math.multiplyExact(pageSize, (long) frames);
        long metadataBytes = (metadata + pageSize - 1) / pageSize * pageSize;
        long length = Math.addExact(frameBytes, metadataBytes);
        Machine.requireMemory(name, length);
        long since = System.nanoTime();
        Mapping frameMemory = new Mapping(name, frameBytes);
        Mapping metadataMemory = new Mapping(name, metadataBytes);
        boolean opened = false;
        try {
            long start = map(name, length);
            frameMemory.at(start);
            metadataMemory.at(start + frameBytes);
            long locked = makeResident(name, start, length, pageSize, locking, false);
            Region region = new Region(pageSize, frameMemory, metadataMemory, locking, locked);
            Flight.opened(name, frames, region, since);
            opened = true;
            return region;
        } finally {
            if (!opened) {
                unmap(frameMemory, metadataMemory);
            }
        }
    }

    /** The same for a file's mapping. On failure that is unmapped; the file stays the caller's. */
    static Region share(SharedFile file, Locking locking) {
        Header header = file.header;
        // The frames' with what may lie behind them.
        Mapping frameMemory = new Mapping(header.name(), header.fileBytes() - header.framesOffset())
                .at(file.base + header.framesOffset());
        Mapping metadataMemory = new Mapping(header.name(), header.framesOffset()).at(file.base);
        long since = System.nanoTime();
        boolean opened = false;
        try {
            Mapping.unmapWhatIsLeft();
            long locked =
                    makeResident(header.name(), file.base, header.fileBytes(), header.pageSize(), locking, true);
            Region region = new Region(file, frameMemory, metadataMemory, locking, locked);
            Flight.opened(header.name(), header.frames(), region, since);
            opened = true;
            return region;
        } finally {
            if (!opened) {
                unmap(frameMemory, metadataMemory);
            }
        }
    }

    /** What nobody has had yet, or will ask for again. */
    private static void unmap(Mapping frameMemory, Mapping metadataMemory) {
        try {
            frameMemory.run();
        } finally {
            metadataMemory.run();
        }
    }

    /** More memory under the same lock, zeroed. On failure nothing stays. */
    More more(String name, long bytes) {
        Mapping.unmapWhatIsLeft();
        long length = (bytes + pageSize - 1) / pageSize * pageSize;
        Machine.requireMemory(name, length);
        Mapping mapping = new Mapping(name, length);
        boolean mapped = false;
        try {
            mapping.at(map(name, length));
            long locked = makeResident(name, mapping.address(), length, pageSize, locking, false);
            More more = new More(mapping.whenUnreachable(), mapping, locked);
            synchronized (this) {
                moreMapped += length;
                moreLocked += locked;
            }
            mapped = true;
            return more;
        } finally {
            if (!mapped) {
                mapping.run();
            }
        }
    }

    /** Memory beside the labyrinth's own. Its addresses stay as long as {@code memory} can be reached. */
    static final class More {
        final MemorySegment memory;
        private final Mapping mapping;
        private final long locked;
        private boolean counts = true;

        private More(MemorySegment memory, Mapping mapping, long locked) {
            this.memory = memory;
            this.mapping = mapping;
            this.locked = locked;
        }
    }

    /**
     * Unlocks and empties what {@link #more} has given: from now on it reads as zeros. Again only where it was refused.
     */
    void giveBack(More more) {
        more.mapping.empty();
        discount(more);
    }

    /** Unmaps it, before anybody had any of it. */
    void discard(More more) {
        discount(more);
        more.mapping.run();
    }

    private void discount(More more) {
        long length = more.mapping.bytes();
        synchronized (this) {    // and no call, which an error could strike half-way
            if (more.counts) {
                moreMapped -= length;
                moreLocked -= more.locked;
                more.counts = false;
            }
        }
    }

    /** Bytes that are mapped, those of slabs among them. */
    long mappedBytes() {
        return frameMemory.bytes() + metadataBytes();
    }

    /** Of these, what is not frames: the page map, a file's header and tenants, and slabs' words. */
    long metadataBytes() {
        return metadataMemory.bytes() + moreMapped;
    }

    /** Of these, what was locked when it was mapped. */
    long lockedBytes() {
        return lockedBytes + moreLocked;
    }

    /** Returns the bytes that are locked. Where they are {@code shared}, others may be at work in them. */
    private static long makeResident(String name, long start, long length, long pageSize, Locking locking,
            boolean shared) {
        advise(start, length);
        long since = System.nanoTime();
        boolean lock = locking != Locking.NONE && lock(name, start, length, locking, Native.MLOCK_ONFAULT());
        populate(name, start, length, pageSize, shared);
        if (lock) {
            lock = lock(name, start, length, locking, 0);
        }
        long locked = lock ? lockedBytes(start, length) : 0;
        if (locking != Locking.NONE) {
            Flight.locked(name, length, locked, since);
        }
        if (lock && locked < length && locking == Locking.REQUIRED) {
            throw new LabyrinthException.LockRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                    + " locked=" + Machine.bytes(locked) + ": mlock succeeded, but /proc/self/smaps does not"
                    + " show it; open it with locking(PREFERRED) to go on without");
        }
        return locked;
    }

    private static long map(String name, long length) {
        long padded = length < HUGE ? length : Math.addExact(length, HUGE);
        Mapping all = new Mapping(name, padded);
        Libc.Result result = Libc.mmap(0, padded, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS());
        if (result.failed()) {
            throw mapRefused(name, length, result);
        }
        if (padded == length) {
            return result.value();
        }
        long aligned = (result.value() + HUGE - 1) / HUGE * HUGE;
        boolean trimmed = false;
        all.at(result.value());
        try {
            // Can fail: the kernel may have merged the mapping with its neighbour's, and may not split it again.
            Libc.Result trim = all.trimTo(aligned, length);
            if (trim.failed()) {
                throw mapRefused(name, length, trim);
            }
            trimmed = true;
            return aligned;
        } finally {
            if (!trimmed) {
                all.run();
            }
        }
    }

    private static LabyrinthException mapRefused(String name, long length, Libc.Result result) {
        return new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                + " errno=" + result.error() + " " + Machine.addressSpace()
                + ": ask for fewer frames, or raise the limit (ulimit -v, vm.max_map_count, vm.overcommit_memory)");
    }

    /** Advice that the kernel may lack changes nothing that is promised, so its errors are only logged. */
    private static void advise(long start, long length) {
        int[] all = {Native.MADV_HUGEPAGE(), Native.MADV_DONTFORK(), Native.MADV_DONTDUMP()};
        for (int advice : all) {
            Libc.Result result = Libc.madvise(start, length, advice);
            if (result.failed()) {
                LOG.debug("madvise({}) refused: errno={}", advice, result.error());
            }
        }
    }

    /** One lock call: false if it was refused and need not be granted. */
    private static boolean lock(String name, long start, long length, Locking locking, int flags) {
        Libc.Result result = Libc.mlock2(start, length, flags);
        if (result.errno() == Native.ENOSYS() || result.errno() == Native.EINVAL()) {
            result = Libc.mlock(start, length);
        }
        if (!result.failed()) {
            return true;
        }
        Libc.munlock(start, length);
        String refusal = "labyrinth=" + name + " requested=" + Machine.bytes(length) + " errno=" + result.error() + " "
                + Machine.lockLimits() + ": raise it with ulimit -l, limits.conf or LimitMEMLOCK= (labyrinth doctor"
                + " says how), ask for fewer frames, or open it with locking(PREFERRED)";
        if (locking == Locking.REQUIRED) {
            throw new LabyrinthException.LockRefused(refusal);
        }
        LOG.warn("not locked: {}", refusal);
        return false;
    }

    /** Faults in every page, on all cores. */
    private static void populate(String name, long start, long length, long pageSize, boolean shared) {
        int chunks = (int) ((length + CHUNK - 1) / CHUNK);
        AtomicInteger next = new AtomicInteger();
        AtomicInteger done = new AtomicInteger();
        AtomicInteger errno = new AtomicInteger();
        Runnable work = () -> {
            for (int i = next.getAndIncrement(); i < chunks && errno.get() == 0; i = next.getAndIncrement()) {
                long from = start + i * CHUNK;
                errno.compareAndSet(0, populateChunk(from, Math.min(CHUNK, start + length - from), pageSize, shared));
                done.getAndIncrement();
            }
        };
        List<Thread> helpers = new ArrayList<>();
        try {
            start(helpers, Math.min(chunks, Runtime.getRuntime().availableProcessors()) - 1, work);
            work.run();
        } finally {
            // Whatever went wrong, nobody may still be writing to these addresses when they are unmapped.
            next.set(chunks);
            joinAll(helpers);
        }
        if (errno.get() == 0 && done.get() < chunks) {
            throw new IllegalStateException("labyrinth=" + name + ": a helper thread died while it faulted in pages");
        }
        if (errno.get() != 0) {
            throw new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                    + " errno=" + Libc.describe(errno.get()) + " " + Machine.memory()
                    + ": the pages could not be faulted in; ask for fewer frames, or give the machine or cgroup more");
        }
    }

    /** As many as the system lets there be: with fewer it only takes longer. */
    private static void start(List<Thread> helpers, int wanted, Runnable work) {
        try {
            while (helpers.size() < wanted) {
                helpers.add(Thread.ofPlatform().name("labyrinth-populate-" + helpers.size()).start(work));
            }
        } catch (OutOfMemoryError noMoreThreads) {
            LOG.debug("helpers={} wanted={}: {}", helpers.size(), wanted, noMoreThreads.getMessage());
        }
    }

    /** An interrupt is kept for later. */
    private static void joinAll(List<Thread> threads) {
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Returns 0 or errno. */
    private static int populateChunk(long from, long length, long pageSize, boolean shared) {
        Libc.Result result = Libc.madvise(from, length, Native.MADV_POPULATE_WRITE());
        if (!result.failed()) {
            return 0;
        }
        if (result.errno() != Native.EINVAL()) {
            return result.errno();
        }
        // Before Linux 5.14. A file's page is there once it is read (by a load that no compiler leaves out), and others
        // may be at work in it. A page of our own has to be written: it is new, so a zero changes nothing.
        MemorySegment chunk = segment(from, length);
        for (long at = 0; at < length; at += pageSize) {
            if (shared) {
                PageMap.lv(from + at);
            } else {
                chunk.set(ValueLayout.JAVA_BYTE, at, (byte) 0);
            }
        }
        return 0;
    }

    /**
     * What smaps shows as locked of this mapping, whose flags make it a mapping of its own or of its like. Of a locked
     * one, all that is resident: "Locked:" is this process's share of it, half where another one maps the file, too.
     */
    private static long lockedBytes(long start, long length) {
        long locked = 0;
        long within = 0;
        long resident = 0;
        try {
            // Not Files.lines: its channel is closed by an interrupt that the caller has pending.
            String smaps = new String(Files.readAllBytes(Path.of("/proc/self/smaps")), StandardCharsets.ISO_8859_1);
            for (String line : smaps.split("\n")) {
                if (line.startsWith("Rss:")) {
                    resident = Long.parseLong(line.replaceAll("\\D", "")) * 1024;
                } else if (line.startsWith("Locked:")) {
                    locked += line.matches("Locked: +0 kB") ? 0 : Math.min(within, resident);
                } else if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                    long from = Long.parseUnsignedLong(line.substring(0, line.indexOf('-')), 16);
                    long to = Long.parseUnsignedLong(line.substring(line.indexOf('-') + 1, line.indexOf(' ')), 16);
                    within = Math.max(0, Math.min(to, start + length) - Math.max(from, start));
                }
            }
        } catch (IOException e) {
            LOG.debug("/proc/self/smaps cannot be read", e);
        }
        return locked;
    }

    /** The memory of a run, for as long as {@code arena} lives. */
    MemorySegment run(int pfn, int order, Arena arena) {
        return segment(address(pfn), pageSize << order, arena);
    }

    /** The memory of a run, for as long as the labyrinth lives. */
    MemorySegment shared(int pfn, int order) {
        return frames.asSlice(pfn * pageSize, pageSize << order);
    }

    boolean isOpen() {
        return arena.scope().isAlive();
    }

    long address(int pfn) {
        return start + pfn * pageSize;
    }

    /**
     * Ends all access: {@link #isOpen} says so from here on. Handshakes with every thread.
     *
     * @throws LabyrinthException.FramesOut if native code or a channel is using a segment right now; nothing has
     *                                      changed then
     */
    void endAccess(String name) {
        try {
            arena.close();
        } catch (IllegalStateException inUse) {
            if (isOpen()) {
                throw new LabyrinthException.FramesOut("labyrinth=" + name + " cannot close: a native call or a channel"
                        + " is using one of its segments (" + inUse.getMessage() + "): close it afterwards");
            }
        }
    }

    /**
     * Nothing stays locked, nor any memory in use. May call the system. What the system refuses is tried again by the
     * next call; what was done before is not.
     *
     * @param keepAddresses of the frames, as a late access may still come
     * @throws LabyrinthException.CloseRefused if something is left to do
     */
    void giveBack(boolean keepAddresses) {
        Mapping.unmapWhatIsLeft();
        if (file == null) {
            giveBackOwn(keepAddresses);
        } else {
            giveBackShared(keepAddresses);
        }
    }

    private void giveBackOwn(boolean keepAddresses) {
        try {
            if (keepAddresses) {
                frameMemory.empty();
            } else {
                frameMemory.unmap();
            }
        } finally {
            try {
                metadataMemory.empty();
            } finally {
                if (!metadataMemory.isEmpty()) {    // then at least they say what they would
                    segment(metadataMemory.address(), metadataMemory.bytes()).fill((byte) 0);
                }
            }
        }
    }

    /** Who is late may not write to frames that are others' by then: those go in the same step as the words. */
    private void giveBackShared(boolean keepAddresses) {
        try {
            metadataMemory.replace(keepAddresses ? frameMemory : null);
        } finally {
            if (!keepAddresses) {
                frameMemory.unmap();
            }
        }
    }

    /** Whether nobody of this process can write to the words any more, nor to a frame. */
    boolean isOutOfReach() {
        return metadataMemory.isEmpty();
    }

    /** Unmaps all of it, before anybody had any of it. */
    void discard() {
        try {
            arena.close();
        } finally {
            unmap(frameMemory, metadataMemory);
        }
    }

    static MemorySegment segment(long address, long bytes) {
        return segment(address, bytes, Arena.global());
    }

    @SuppressWarnings("restricted")
    static MemorySegment segment(long address, long bytes, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
    }
}
