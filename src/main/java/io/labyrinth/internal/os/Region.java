package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.bindings.Native;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The mapped memory: frames, and behind them the page map. All that is asked of the system is asked here, through
 * {@link Libc}, when a labyrinth or a slab opens and when it closes; an allocation or a free asks for nothing.
 */
public final class Region {

    /*
     * Opening: map, and make it resident (Residency). Both the frames and the page map are locked: an allocation must
     * not fault either.
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

    /** Runs are aligned so in memory at least, where the labyrinth is as large, whatever a huge page has. */
    private static final long ALIGNED = 2L << 20;

    public final long pageSize;
    /** Bytes of this mapping that the kernel says are locked, asked once after opening. */
    public final long lockedBytes;
    /** Of what slabs have of their own, mapped and locked. Written by who has this object's monitor. */
    private volatile long moreMapped;
    private volatile long moreLocked;
    public final MemorySegment frames;
    public final MemorySegment metadata;

    /** Of a shared labyrinth. */
    public final @Nullable SharedFile file;

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
     * Maps, faults in and locks. Blocks, for about 0.3 s a GiB. On failure nothing stays mapped or locked.
     *
     * @param metadata what the page map needs, in bytes, for so many frames
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

    /** The same for a file's mapping. On failure that is unmapped; the file stays the caller's. */
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

    /** What nobody has had yet, or will ask for again. */
    private static void unmap(Mapping frameMemory, Mapping metadataMemory) {
        frameMemory.run();
        metadataMemory.run();
    }

    /** More memory under the same lock, zeroed. On failure nothing stays. */
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

    /** Memory beside the labyrinth's own. Its addresses stay as long as {@code memory} can be reached. */
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
     * Unlocks and empties what {@link #more} has given: from now on it reads as zeros. Again only where it was refused.
     */
    public void giveBack(More more) {
        more.mapping.empty();
        discount(more);
    }

    /** Unmaps it, before anybody had any of it. */
    public void discard(More more) {
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
    public long mappedBytes() {
        return frameMemory.bytes() + metadataBytes();
    }

    /** Of these, what is not frames: the page map, a file's header and tenants, and slabs' words. */
    public long metadataBytes() {
        return metadataMemory.bytes() + moreMapped;
    }

    /** Of these, what was locked when it was mapped. */
    public long lockedBytes() {
        return lockedBytes + moreLocked;
    }

    private static long map(String name, long length) {
        long alignment = alignment(length, Machine.hugePageSize());
        long padded = alignment == 0 ? length : Math.addExact(length, alignment);
        Mapping all = new Mapping(name, padded);    // before, as behind the call there may be no heap
        Libc.Result result = Libc.mmap(0, padded, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS());
        if (result.failed() && alignment > ALIGNED) {
            // Where a huge page has 32 or 512 MiB, the limit may have room for the frames, and not for that as well.
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
            // Can fail: the kernel may have merged the mapping with its neighbour's, and may not split it again.
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
     * So that huge pages fit: their size; of a mapping that has none, the largest power of two in it. 0: any page will
     * do, as for slabs and the smallest labyrinths. Costs address space alone, and only until it is trimmed.
     */
    public static long alignment(long length, long hugePage) {
        return length < ALIGNED ? 0 : Math.min(Math.max(hugePage, ALIGNED), Long.highestOneBit(length));
    }

    private static LabyrinthException mapRefused(String name, long length, Libc.Result result) {
        return new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                + " errno=" + result.error() + " " + Machine.addressSpace()
                + ": ask for fewer frames, or raise the limit (ulimit -v, vm.max_map_count, vm.overcommit_memory)");
    }

    /** The memory of a run, for as long as {@code arena} lives. */
    public MemorySegment run(int pfn, int order, Arena arena) {
        return Mapping.segment(address(pfn), pageSize << order, arena);
    }

    /** The memory of a run, for as long as the labyrinth lives. */
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
     * Ends all access: {@link #isOpen} says so from here on. Handshakes with every thread.
     *
     * @throws LabyrinthException.FramesOut if native code or a channel is using a segment right now; nothing has
     *                                      changed then
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
     * Nothing stays locked, nor any memory in use. May call the system. What the system refuses is tried again by the
     * next call; what was done before is not.
     *
     * @param keepAddresses of the frames, as a late access may still come
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
                if (!metadataMemory.isEmpty()) {    // then at least they say what they would
                    Mapping.segment(metadataMemory.address(), metadataMemory.bytes()).fill((byte) 0);
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
    public boolean isOutOfReach() {
        return metadataMemory.isEmpty();
    }

    /** Unmaps all of it, before anybody had any of it. Throws nothing: see {@link Mapping#run}. */
    public void discard() {
        try {
            arena.close();
        } catch (Throwable untold) {
            // Nobody has a segment of it that this could end.
        }
        unmap(frameMemory, metadataMemory);
    }
}
