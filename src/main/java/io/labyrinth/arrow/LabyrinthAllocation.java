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
 * Arrow's buffers in the frames of a labyrinth. Each buffer is a run of 2^order frames. The last release of a buffer
 * frees its run.
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
 * for, not for the rest of a run. The largest run has 2^10 frames: 4 MiB with pages of 4 KiB.
 *
 * <p><b>An exhausted labyrinth.</b> If no run is free, or a buffer would be larger than the largest run, the other
 * factory is asked. If there is none, the request fails with Arrow's {@link OutOfMemoryException}.
 *
 * <p><b>Threads.</b> Any thread may create and release buffers; the runs are not EXCLUSIVE.
 *
 * <p><b>Closing.</b> The caller that opened the labyrinth closes it. Its {@code close()} is refused while buffers are
 * out.
 *
 * <p>Arrow itself needs {@code --add-opens=java.base/java.nio=org.apache.arrow.memory.core} (or {@code ALL-UNNAMED}).
 */
@SuppressWarnings("exports")    // see module-info
public final class LabyrinthAllocation implements AllocationManager.Factory {

    private static final ArrowBuf EMPTY = new ArrowBuf(ReferenceManager.NO_OP, null, 0, 0);

    private final Labyrinth labyrinth;
    private final Handles handles;
    private final Gfp gfp;
    private final AllocationManager.@Nullable Factory whenExhausted;

    /**
     * If the labyrinth has no run for a buffer, the request fails with Arrow's OutOfMemoryException.
     *
     * @param gfp for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthAllocation(Labyrinth labyrinth, Gfp gfp) {
        this(labyrinth, gfp, null);
    }

    /**
     * If the labyrinth has no run for a buffer, another factory is asked.
     *
     * @param gfp           for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @param whenExhausted the other factory; {@code null}: none
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthAllocation(Labyrinth labyrinth, Gfp gfp, AllocationManager.@Nullable Factory whenExhausted) {
        if (gfp.with(Gfp.EXCLUSIVE).equals(gfp)) {
            throw new IllegalArgumentException("gfp=" + gfp
                    + ": any thread may release an Arrow buffer, but only its owner an EXCLUSIVE run: leave out"
                    + " EXCLUSIVE");
        }
        this.labyrinth = labyrinth;
        this.handles = labyrinth.handles();
        this.gfp = whenExhausted == null ? gfp : gfp.with(Gfp.NOWARN);
        this.whenExhausted = whenExhausted;
    }

    /** @throws OutOfMemoryException if there is no run for so many bytes, and no other factory */
    @Override
    public AllocationManager create(BufferAllocator accounting, long size) {
        // Claimed first: once a manager is made, its allocator knows it, and would wait for its release.
        int order = orderOf(size);
        long handle = order > Labyrinth.MAX_ORDER ? 0 : handles.alloc(gfp, order);
        if (handle == 0) {
            if (whenExhausted == null) {
                throw new OutOfMemoryException("bytes=" + size + " order=" + order + " limit=" + Labyrinth.MAX_ORDER
                        + ": no free run in " + labyrinth + " for gfp=" + gfp
                        + ": open it with more frames, or name a factory to ask when it is exhausted");
            }
            return whenExhausted.create(accounting, size);
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

        /** The bytes that were asked for. Arrow has accounted for these, and subtracts them on release. */
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
