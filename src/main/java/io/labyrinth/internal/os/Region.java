package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.bindings.Native;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The mapped memory: the frames and the page map. Every request for memory goes from here to the system, through
 * {@link Libc}. There are such requests only when a labyrinth or a slab opens or closes. An allocation or a free makes
 * none.
 */
public final class Region {

    /*
     * Opening: the memory is mapped and made resident (Residency). Both the frames and the page map are locked, because
     * an allocation must not fault either.
     *
     * Closing: the shared arena of the frames is closed. This costs a handshake with all threads. After it no thread is
     * inside an access to a frame that is not EXCLUSIVE, and the frames are unmapped. The segments of EXCLUSIVE frames
     * have arenas of their own. So if any frame is out, the memory of the frames is only given back, and their
     * addresses are kept: a late access reads zeros and harms nobody. The system may refuse each step. Mapping knows
     * which steps are done.
     *
     * The page map is accessed without an arena (PageMap.MEMORY). So it stays mapped as long as its PageMap is
     * reachable: its segment has an arena that the garbage collector closes. From the close on it reads as zeros. A
     * word of 0 is in no state, so the words themselves refuse every late call, and the hot path needs no check for it.
     */

    /** The least alignment of a mapping that has at least so many bytes, whatever the size of a huge page is. */
    private static final long ALIGNED = 2L << 20;

    public final long pageSize;
    /** Bytes of this mapping that the kernel says are locked, asked once after opening. */
    public final long lockedBytes;
    /** Bytes that slabs have mapped and locked for themselves. Only a thread with this object's monitor writes them. */
    private volatile long moreMapped;
    private volatile long moreLocked;
    public final MemorySegment frames;
    public final MemorySegment metadata;

    /** Null if the labyrinth is private. */
    public final @Nullable SharedFile file;

    private final Locking locking;

    private final Arena arena;
    private final long start;
    private final Mapping frameMemory;
    /** In a shared labyrinth it lies before the frames, in a private one after them. */
    private final Mapping metadataMemory;

    private Region(long pageSize, Mapping frameMemory, Mapping metadataMemory, Locking locking, long lockedBytes) {
        this.locking = locking;
        this.pageSize = pageSize;
        this.lockedBytes = lockedBytes;
        this.start = frameMemory.address();
        this.arena = Arena.ofShared();
        this.frameMemory = frameMemory;
        this.frames = Mapping.segment(start, frameMemory.bytes(), arena);
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
        this.frames = Mapping.segment(start, header.frames() * pageSize, arena);
        this.metadataMemory = metadataMemory;
        this.metadata = metadataMemory.whenUnreachable().asSlice(header.pageMapOffset());
        this.file = file;
    }

    /**
     * Maps the memory, faults it in and locks it. Blocks for about 0.3 s for each GiB. On failure nothing stays mapped
     * or locked.
     *
     * @param metadata bytes that the page map needs for so many frames
     */
    public static Region open(String name, int frames, long metadata, Locking locking) {
        Mapping.unmapWhatIsLeft();
        long pageSize = Libc.pageSize();
        long frameBytes = Math.multiplyExact(pageSize, (long) frames);
        long metadataBytes = (metadata + pageSize - 1) / pageSize * pageSize;
        long length = Math.addExact(frameBytes, metadataBytes);
        Machine.requireMemory(name, length);
        long since = System.nanoTime();
        Mapping frameMemory = new Mapping(name, frameBytes);
        Mapping metadataMemory = new Mapping(name, metadataBytes);
        try {
            long start = map(name, length);
            frameMemory.at(start);
            metadataMemory.at(start + frameBytes);
            long locked = Residency.make(name, start, length, pageSize, locking, false);
            Region region = new Region(pageSize, frameMemory, metadataMemory, locking, locked);
            Flight.opened(name, frames, region.mappedBytes(), locked, since);
            return region;
        } catch (Throwable e) {
            unmap(frameMemory, metadataMemory);
            throw e;
        }
    }

    /** Does the same for the mapping of a file. On failure the mapping is unmapped. The caller still owns the file. */
    public static Region share(SharedFile file, Locking locking) {
        Header header = file.header;
        Mapping frameMemory = file.frames;
        Mapping metadataMemory = file.metadata;
        long since = System.nanoTime();
        try {
            Mapping.unmapWhatIsLeft();
            long locked =
                    Residency.make(header.name(), file.base, header.fileBytes(), header.pageSize(), locking, true);
            Region region = new Region(file, frameMemory, metadataMemory, locking, locked);
            Flight.opened(header.name(), header.frames(), region.mappedBytes(), locked, since);
            return region;
        } catch (Throwable e) {
            unmap(frameMemory, metadataMemory);
            throw e;
        }
    }

    /** For mappings that nobody has used yet. No caller would ask for their end again, so it throws nothing. */
    private static void unmap(Mapping frameMemory, Mapping metadataMemory) {
        frameMemory.run();
        metadataMemory.run();
    }

    /** Maps more memory, zeroed, with the same locking. On failure nothing stays mapped or locked. */
    public More more(String name, long bytes) {
        Mapping.unmapWhatIsLeft();
        long length = (bytes + pageSize - 1) / pageSize * pageSize;
        Machine.requireMemory(name, length);
        Mapping mapping = new Mapping(name, length);
        try {
            mapping.at(map(name, length));
            long locked = Residency.make(name, mapping.address(), length, pageSize, locking, false);
            More more = new More(mapping.whenUnreachable(), mapping, locked);
            synchronized (this) {
                moreMapped += length;
                moreLocked += locked;
            }
            return more;
        } catch (Throwable e) {
            mapping.run();
            throw e;
        }
    }

    /** Memory in addition to the labyrinth's own. It stays mapped as long as {@code memory} is reachable. */
    public static final class More {
        public final MemorySegment memory;
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
     * Unlocks and empties memory from {@link #more}: from now on it reads as zeros. After a refusal it may be called
     * again.
     */
    public void giveBack(More more) {
        more.mapping.empty();
        discount(more);
    }

    /** Unmaps memory that nobody has used yet. */
    public void discard(More more) {
        discount(more);
        more.mapping.run();
    }

    private void discount(More more) {
        long length = more.mapping.bytes();
        synchronized (this) {    // no call in here: an error could strike at it, half-way through
            if (more.counts) {
                moreMapped -= length;
                moreLocked -= more.locked;
                more.counts = false;
            }
        }
    }

    /** Mapped bytes, including those of slabs. */
    public long mappedBytes() {
        return frameMemory.bytes() + metadataBytes();
    }

    /** The mapped bytes that are not frames: the page map, the header and the tenants of a file, the words of slabs. */
    public long metadataBytes() {
        return metadataMemory.bytes() + moreMapped;
    }

    /** The mapped bytes that were locked when they were mapped. */
    public long lockedBytes() {
        return lockedBytes + moreLocked;
    }

    private static long map(String name, long length) {
        long alignment = alignment(length, Machine.hugePageSize());
        long padded = alignment == 0 ? length : Math.addExact(length, alignment);
        Mapping all = new Mapping(name, padded);    // made before the call: after it there may be no heap
        Libc.Result result = Libc.mmap(0, padded, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS());
        if (result.failed() && alignment > ALIGNED) {
            // A huge page may have 32 or 512 MiB. The limit may have room for the frames, and not for that as well.
            alignment = ALIGNED;
            padded = length + alignment;
            all = new Mapping(name, padded);
            result = Libc.mmap(0, padded, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS());
        }
        if (result.failed()) {
            throw mapRefused(name, length, result);
        }
        if (padded == length) {
            return result.value();
        }
        long aligned = (result.value() + alignment - 1) / alignment * alignment;
        all.at(result.value());
        try {
            // This can fail: the kernel may have merged the mapping with its neighbour, and may not split it again.
            Libc.Result trim = all.trimTo(aligned, length);
            if (trim.failed()) {
                throw mapRefused(name, length, trim);
            }
            return aligned;
        } catch (Throwable e) {
            all.run();
            throw e;
        }
    }

    /**
     * The alignment with which huge pages fit. It is the size of a huge page, or, if the mapping is smaller, the
     * largest power of two that is not larger than the mapping. 0: any page will do (slabs and the smallest
     * labyrinths). The alignment costs only address space, and only until the mapping is trimmed.
     */
    public static long alignment(long length, long hugePage) {
        return length < ALIGNED ? 0 : Math.min(Math.max(hugePage, ALIGNED), Long.highestOneBit(length));
    }

    private static LabyrinthException mapRefused(String name, long length, Libc.Result result) {
        return new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                + " errno=" + result.error() + " " + Machine.addressSpace()
                + ": ask for fewer frames, or raise the limit (ulimit -v, vm.max_map_count, vm.overcommit_memory)");
    }

    /** The memory of a run. The segment ends with {@code arena}. */
    public MemorySegment run(int pfn, int order, Arena arena) {
        return Mapping.segment(address(pfn), pageSize << order, arena);
    }

    /** The memory of a run. The segment ends when the labyrinth closes. */
    public MemorySegment shared(int pfn, int order) {
        return frames.asSlice(pfn * pageSize, pageSize << order);
    }

    public boolean isOpen() {
        return arena.scope().isAlive();
    }

    public long address(int pfn) {
        return start + pfn * pageSize;
    }

    /**
     * Ends all access to the frames. From then on {@link #isOpen} is false. This is a handshake with every thread.
     *
     * @throws LabyrinthException.FramesOut if native code or a channel is using a segment right now. Then nothing has
     *                                      changed
     */
    public void endAccess(String name) {
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
     * Gives all memory back: afterwards none is locked and none is in use. If the system refuses a step, the next call
     * tries that step again. It does not repeat a step that is done.
     *
     * @param keepAddresses whether the addresses of the frames are kept, because a late access may still come
     * @throws LabyrinthException.CloseRefused if something is left to do
     */
    public void giveBack(boolean keepAddresses) {
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
                if (!metadataMemory.isEmpty()) {    // refused: the words must still read as zeros
                    Mapping.segment(metadataMemory.address(), metadataMemory.bytes()).fill((byte) 0);
                }
            }
        }
    }

    /**
     * A late access must not write to frames that belong to others by then. So the frames are replaced in the same step
     * as the words.
     */
    private void giveBackShared(boolean keepAddresses) {
        try {
            metadataMemory.replace(keepAddresses ? frameMemory : null);
        } finally {
            if (!keepAddresses) {
                frameMemory.unmap();
            }
        }
    }

    /** Whether no thread of this process can write to the words or to a frame any more. */
    public boolean isOutOfReach() {
        return metadataMemory.isEmpty();
    }

    /** Unmaps all memory, before anybody has used it. Throws nothing: see {@link Mapping#run}. */
    public void discard() {
        try {
            arena.close();
        } catch (Throwable untold) {
            // Nobody has a segment that had to be ended.
        }
        unmap(frameMemory, metadataMemory);
    }
}
