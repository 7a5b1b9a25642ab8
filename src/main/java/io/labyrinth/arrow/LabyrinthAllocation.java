package io.labyrinth.arrow;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import org.apache.arrow.memory.AllocationManager;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.ReferenceManager;
import org.jspecify.annotations.Nullable;

/**
 * Arrow's buffers in the frames of a labyrinth: each is a run of 2^order frames, which its last release gives back.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("columns").frames(1024).open();
 *         BufferAllocator allocator = new RootAllocator(RootAllocator.configBuilder()
 *                 .allocationManagerFactory(new LabyrinthAllocation(labyrinth, Gfp.NOWAIT)).build());
 *         ArrowBuf buffer = allocator.buffer(4096)) {        // a frame; with no third argument, refused when exhausted
 *     buffer.setLong(0, 42L);
 * }
 * }
 *
 * <p><b>Sizes.</b> Arrow rounds most requests up to a power of two, and so do runs. Arrow accounts for what it asked
 * for, not for the rest of a run. The largest run is 2^10 frames, 4 MiB of 4 KiB pages.
 *
 * <p><b>An exhausted labyrinth.</b> A buffer for which there is no run, or that would be larger than the largest, is
 * refused by Arrow's {@link OutOfMemoryException}, or is asked of another factory, if one was named.
 *
 * <p><b>Threads.</b> Any thread may create and release buffers; the runs are not EXCLUSIVE. The labyrinth stays its
 * opener's, whose {@code close()} is refused while buffers are out. Arrow itself needs
 * {@code --add-opens=java.base/java.nio=org.apache.arrow.memory.core} (or {@code ALL-UNNAMED}).
 */
@SuppressWarnings("exports")    // see module-info
public final class LabyrinthAllocation implements AllocationManager.Factory {

    private static final ArrowBuf EMPTY = new ArrowBuf(ReferenceManager.NO_OP, null, 0, 0);

    private final Labyrinth labyrinth;
    private final Handles handles;
    private final Gfp gfp;
    private final AllocationManager.@Nullable Factory whenDry;

    /**
     * Refuses by Arrow's OutOfMemoryException what the labyrinth has no run for.
     *
     * @param gfp for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthAllocation(Labyrinth labyrinth, Gfp gfp) {
        this(labyrinth, gfp, null);
    }

    /**
     * Asks another factory for what the labyrinth has no run for.
     *
     * @param gfp     for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @param whenDry {@code null}: nobody
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthAllocation(Labyrinth labyrinth, Gfp gfp, AllocationManager.@Nullable Factory whenDry) {
        if (gfp.with(Gfp.EXCLUSIVE).equals(gfp)) {
            throw new IllegalArgumentException("gfp=" + gfp
                    + ": any thread may release an Arrow buffer, and an EXCLUSIVE run is its owner's; leave it out");
        }
        this.labyrinth = labyrinth;
        this.handles = labyrinth.handles();
        this.gfp = whenDry == null ? gfp : gfp.with(Gfp.NOWARN);
        this.whenDry = whenDry;
    }

    /** @throws OutOfMemoryException if there is no run for so many bytes, and no other factory */
    @Override
    public AllocationManager create(BufferAllocator accounting, long size) {
        // Claimed first: a manager that was made is known to its allocator, which would wait for its release.
        int order = orderOf(size);
        long handle = order > Labyrinth.MAX_ORDER ? 0 : handles.alloc(gfp, order);
        if (handle == 0) {
            if (whenDry == null) {
                throw new OutOfMemoryException("bytes=" + size + " order=" + order + " limit=" + Labyrinth.MAX_ORDER
                        + ": no free run in " + labyrinth + " for gfp=" + gfp
                        + "; open it with more frames, or name a factory for when it is exhausted");
            }
            return whenDry.create(accounting, size);
        }
        try {
            return new Run(accounting, handles, handle, size);
        } catch (Throwable e) {
            handles.free(handle);    // refused only where the labyrinth has closed since: then that is what failed
            throw e;
        }
    }

    @Override
    public ArrowBuf empty() {
        return EMPTY;
    }

    private int orderOf(long bytes) {
        return Long.SIZE - Long.numberOfLeadingZeros(Math.max(bytes - 1, 0) / labyrinth.frameSize());
    }

    private static final class Run extends AllocationManager {

        private final Handles handles;
        private final long handle;
        private final long address;
        private final long size;

        Run(BufferAllocator accounting, Handles handles, long handle, long size) {
            super(accounting);
            this.handles = handles;
            this.handle = handle;
            this.address = handles.address(handle);
            this.size = size;
        }

        /** What was asked for: what Arrow has accounted for, and takes off again on release. */
        @Override
        public long getSize() {
            return size;
        }

        @Override
        protected long memoryAddress() {
            return address;
        }

        @Override
        protected void release0() {
            handles.free(handle);
        }
    }
}
