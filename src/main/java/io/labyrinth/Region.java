package io.labyrinth;

import io.labyrinth.bindings.Native;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The mapped memory: frames, and behind them the page map. All that is asked of the system is asked here, through
 * {@link Libc}, when a labyrinth or a slab opens and when it closes; an allocation or a free asks for nothing.
 */
final class Region {

    /*
     * Opening: map, and make it resident (Residency). Both the frames and the page map are locked: an allocation must
     * not fault either.
     *
     * Closing: the shared arena of the frames is closed, which costs a handshake with all threads; after it nobody is
     * inside an access to a frame that is not EXCLUSIVE, and the frames are unmapped. The segments of EXCLUSIVE frames
     * have arenas of their own, so with any frame out the frames' memory is only given back, and their addresses are
     * kept: a late access reads zeros, and harms nobody.
     *
     * The page map is reached without an arena (PageMap.MEMORY), so it stays mapped as long as anybody can reach its
     * PageMap, in an arena that the collector closes. From the close on it reads as zeros: a word of 0 is in no state,
     * so that every late call is refused by the words themselves, and the hot path needs no check for it.
     */

    /** Runs are aligned so in memory at least, where the labyrinth is as large, whatever a huge page has. */
    private static final long ALIGNED = 2L << 20;

    final long pageSize;
    /** Bytes of this mapping that the kernel says are locked, asked once after opening. */
    final long lockedBytes;
    /** Of what slabs have of their own, mapped and locked. */
    private final AtomicLong moreMapped = new AtomicLong();
    private final AtomicLong moreLocked = new AtomicLong();
    final MemorySegment frames;
    final MemorySegment metadata;

    /** Of a shared labyrinth. */
    final @Nullable SharedFile file;

    private final Locking locking;

    private final Arena arena;
    private final long start;
    private final Unmap unmapMetadata;

    private Region(long pageSize, long start, long frameBytes, Unmap unmapMetadata, Locking locking,
            long lockedBytes) {
        this.locking = locking;
        this.pageSize = pageSize;
        this.lockedBytes = lockedBytes;
        this.start = start;
        this.arena = Arena.ofShared();
        this.frames = segment(start, frameBytes, arena);
        this.unmapMetadata = unmapMetadata;
        this.metadata = unmapMetadata.whenUnreachable();
        this.file = null;
    }

    private Region(SharedFile file, Unmap unmapMetadata, Locking locking, long lockedBytes) {
        Header header = file.header;
        this.locking = locking;
        this.pageSize = header.pageSize();
        this.lockedBytes = lockedBytes;
        this.start = file.base + header.framesOffset();
        this.arena = Arena.ofShared();
        this.frames = segment(start, header.frames() * pageSize, arena);
        this.unmapMetadata = unmapMetadata;
        this.metadata = unmapMetadata.whenUnreachable().asSlice(header.pageMapOffset());
        this.file = file;
    }

    /**
     * Maps, faults in and locks. Blocks, for about 0.3 s a GiB. On failure nothing stays mapped or locked.
     *
     * @param metadata what the page map needs, in bytes, for so many frames
     */
    static Region open(String name, int frames, long metadata, Locking locking) {
        long pageSize = Libc.pageSize();
        long frameBytes = Math.multiplyExact(pageSize, (long) frames);
        long metadataBytes = (metadata + pageSize - 1) / pageSize * pageSize;
        long length = Math.addExact(frameBytes, metadataBytes);
        Machine.requireMemory(name, length);
        long since = System.nanoTime();
        long start = map(name, length);
        Unmap unmapMetadata = new Unmap(start + frameBytes, metadataBytes);
        boolean opened = false;
        try {
            long locked = Residency.make(name, start, length, pageSize, locking, false);
            Region region = new Region(pageSize, start, frameBytes, unmapMetadata, locking, locked);
            Flight.opened(name, frames, region, since);
            opened = true;
            return region;
        } finally {
            if (!opened) {
                Libc.munmap(start, frameBytes);
                unmapMetadata.run();
            }
        }
    }

    /** The same for a file's mapping. On failure that is unmapped; the file stays the caller's. */
    static Region share(SharedFile file, Locking locking) {
        Header header = file.header;
        Unmap unmapMetadata = new Unmap(file.base, header.framesOffset());
        long since = System.nanoTime();
        boolean opened = false;
        try {
            long locked =
                    Residency.make(header.name(), file.base, header.fileBytes(), header.pageSize(), locking, true);
            Region region = new Region(file, unmapMetadata, locking, locked);
            Flight.opened(header.name(), header.frames(), region, since);
            opened = true;
            return region;
        } finally {
            if (!opened) {
                Libc.munmap(file.base + header.framesOffset(), header.fileBytes() - header.framesOffset());
                unmapMetadata.run();
            }
        }
    }

    /** More memory under the same lock, zeroed. On failure nothing stays. */
    More more(String name, long bytes) {
        long length = (bytes + pageSize - 1) / pageSize * pageSize;
        Machine.requireMemory(name, length);
        Unmap unmap = new Unmap(map(name, length), length);
        boolean mapped = false;
        try {
            long locked = Residency.make(name, unmap.address, length, pageSize, locking, false);
            More more = new More(unmap.whenUnreachable(), length, locked);
            moreMapped.addAndGet(length);
            moreLocked.addAndGet(locked);
            mapped = true;
            return more;
        } finally {
            if (!mapped) {
                unmap.run();
            }
        }
    }

    /** Memory beside the labyrinth's own. Its addresses stay as long as {@code memory} can be reached. */
    record More(MemorySegment memory, long bytes, long locked) {
    }

    /** Unlocks and empties what {@link #more} has given: from now on it reads as zeros. Once. */
    void giveBack(More more) {
        try {
            empty(more.memory.address(), more.bytes);
            moreMapped.addAndGet(-more.bytes);
            moreLocked.addAndGet(-more.locked);
        } finally {
            Reference.reachabilityFence(more);    // or the collector could unmap it first, and another map there
        }
    }

    /** Bytes that are mapped, those of slabs among them. */
    long mappedBytes() {
        return frames.byteSize() + metadataBytes();
    }

    /** Of these, what is not frames. */
    long metadataBytes() {
        return metadata.byteSize() + moreMapped.get();
    }

    /** Of these, what was locked when it was mapped. */
    long lockedBytes() {
        return lockedBytes + moreLocked.get();
    }

    private static long map(String name, long length) {
        long alignment = alignment(length, Machine.hugePageSize());
        long padded = alignment == 0 ? length : Math.addExact(length, alignment);
        Libc.Result result = Libc.mmap(0, padded, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS());
        if (result.failed() && alignment > ALIGNED) {
            // Where a huge page has 32 or 512 MiB, the limit may have room for the frames, and not for that as well.
            alignment = ALIGNED;
            padded = length + alignment;
            result = Libc.mmap(0, padded, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS());
        }
        if (result.failed()) {
            throw mapRefused(name, length, result);
        }
        if (padded == length) {
            return result.value();
        }
        long aligned = (result.value() + alignment - 1) / alignment * alignment;
        Libc.Result trimmed = trim(result.value(), aligned);
        if (!trimmed.failed()) {
            trimmed = trim(aligned + length, result.value() + padded);
        }
        if (trimmed.failed()) {
            Libc.munmap(result.value(), padded);
            throw mapRefused(name, length, trimmed);
        }
        return aligned;
    }

    /**
     * So that huge pages fit: their size; of a mapping that has none, the largest power of two in it. 0: any page will
     * do, as for slabs and the smallest labyrinths. Costs address space alone, and only until it is trimmed.
     */
    static long alignment(long length, long hugePage) {
        return length < ALIGNED ? 0 : Math.min(Math.max(hugePage, ALIGNED), Long.highestOneBit(length));
    }

    /** Can fail: the kernel may have merged the mapping with its neighbour's, and may not split it again. */
    private static Libc.Result trim(long from, long to) {
        return from == to ? new Libc.Result(0, 0) : Libc.munmap(from, to - from);
    }

    private static LabyrinthException mapRefused(String name, long length, Libc.Result result) {
        return new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                + " errno=" + result.error() + " " + Machine.addressSpace()
                + ": ask for fewer frames, or raise the limit (ulimit -v, vm.max_map_count, vm.overcommit_memory)");
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
     * Ends all access. Nothing stays locked, nor any memory in use. May call the system; handshakes with every thread.
     *
     * @param keepAddresses of the frames, as a late access may still come; asked when the shared arena is closed
     * @throws IllegalStateException if native code or a channel is using a segment right now; nothing has changed then
     */
    void close(BooleanSupplier keepAddresses) {
        arena.close();
        if (keepAddresses.getAsBoolean()) {
            giveBack(start, frames.byteSize());
        } else {
            Libc.munmap(start, frames.byteSize());
        }
        giveBack(unmapMetadata.address, unmapMetadata.bytes);
    }

    /** Unmaps all of it, before anybody had any of it. */
    void discard() {
        arena.close();
        Libc.munmap(start, frames.byteSize());
        unmapMetadata.run();
    }

    /** Unlocks and empties: what is read there from now on is zero, and what is written stays this process's. */
    private void giveBack(long from, long length) {
        if (file == null) {
            empty(from, length);
            return;
        }
        // In one step, so that a thread that is late writes to the file or to nobody, and to no other mapping.
        Libc.Result result = Libc.mmap(from, length, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS()
                | Native.MAP_FIXED() | Native.MAP_NORESERVE());
        if (result.failed()) {
            throw new IllegalStateException("file=" + file.path + " cannot be replaced in memory: errno="
                    + result.error());
        }
    }

    private static void empty(long from, long length) {
        Libc.munlock(from, length);
        Libc.madvise(from, length, Native.MADV_DONTNEED());
    }

    static MemorySegment segment(long address, long bytes) {
        return segment(address, bytes, Arena.global());
    }

    @SuppressWarnings("restricted")
    static MemorySegment segment(long address, long bytes, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
    }

    /** Unmaps once, by whoever comes first: an opening that failed half-way, or the collector. */
    private static final class Unmap implements Runnable {
        private final long address;
        private final long bytes;
        private final AtomicBoolean done = new AtomicBoolean();

        Unmap(long address, long bytes) {
            this.address = address;
            this.bytes = bytes;
        }

        /** The memory, unmapped when the last segment of it is unreachable. */
        @SuppressWarnings("restricted")
        MemorySegment whenUnreachable() {
            return MemorySegment.ofAddress(address).reinterpret(bytes, Arena.ofAuto(), memory -> run());
        }

        @Override
        public void run() {
            if (done.compareAndSet(false, true)) {
                Libc.munmap(address, bytes);
            }
        }
    }
}
