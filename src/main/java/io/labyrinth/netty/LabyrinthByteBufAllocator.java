package io.labyrinth.netty;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.Slab;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.netty.buffer.UnpooledHeapByteBuf;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Netty's direct buffers in the frames of a labyrinth, locked and faulted in: a large one is a run of 2^order frames, a
 * small one an object of a slab, and the last release gives it back. Heap buffers are Netty's unpooled ones.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("http").frames(1024).open()) {
 *     var allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, UnpooledByteBufAllocator.DEFAULT);
 *     allocator.directBuffer(1500).writeLong(42L).release();    // half a frame; if there is none, unpooled memory
 * }
 * }
 *
 * <p><b>Sizes.</b> A buffer of up to 2,048 bytes shares a frame with others of its size: 256, 512, 1,024 or 2,048. One
 * of up to a page takes a frame, and one of n bytes the smallest run that has them. It grows within what it has in
 * place, and beyond by a copy. The largest run is 4 MiB of 4 KiB pages. For each small size the allocator opens a
 * {@link Slab} of up to 2^14 when it is made, for which the system maps and locks up to 272 KiB more; where it refuses
 * to, such buffers take frames, and a warning is logged. Beyond 2^14 of one size, too. After that no buffer makes a
 * call of the system.
 *
 * <p><b>An exhausted labyrinth.</b> A buffer for which there is no room, or that would be larger than the largest run,
 * is refused by {@link OutOfFramesError}, or is asked of another allocator, if one was named. The frames that small
 * buffers have left are kept for the next ones, and given back by {@link #trim}: before a request of this allocator is
 * refused, too. For others {@link Labyrinth#shrinkSlabs} does it.
 *
 * <p><b>Threads.</b> As Netty has it: any thread may use and release a buffer, so the runs are not EXCLUSIVE. What was
 * released is refused by its reference count. The objects are recycled, as those of Netty's pooled buffers are: whoever
 * keeps one beyond its release may meet its next life, unless recycling is off
 * ({@code -Dio.netty.recycler.maxCapacityPerThread=0}); run or object are freed once in each life, whoever does it.
 *
 * <p>There is nothing to close: one allocator will do for a labyrinth, which keeps its slabs to the end. The labyrinth
 * stays its opener's, whose {@code close()} is refused while buffers are out. (Who has them, and where they were taken,
 * its message tells if the labyrinth samples claims.)
 */
@SuppressWarnings("exports")    // see module-info
public final class LabyrinthByteBufAllocator extends AbstractByteBufAllocator
        implements ByteBufAllocatorMetricProvider {

    private final Labyrinth labyrinth;
    private final Handles handles;
    private final Gfp gfp;
    private final @Nullable ByteBufAllocator whenDry;
    private final Metric metric;
    private final SmallBuffers small;
    private final int frameShift;
    /** Of all frames. */
    private final long bytes;
    /** By the place's upper bits. */
    private final @Nullable Window[] windows;

    /**
     * Refuses by {@link OutOfFramesError} what the labyrinth has no run for.
     *
     * @param gfp for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthByteBufAllocator(Labyrinth labyrinth, Gfp gfp) {
        this(labyrinth, gfp, null);
    }

    /**
     * Asks another allocator for what the labyrinth has no run for: {@code UnpooledByteBufAllocator.DEFAULT}, say.
     *
     * @param gfp     for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @param whenDry {@code null}: nobody
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthByteBufAllocator(Labyrinth labyrinth, Gfp gfp, @Nullable ByteBufAllocator whenDry) {
        super(true);
        if (gfp.with(Gfp.EXCLUSIVE).equals(gfp)) {
            throw new IllegalArgumentException("gfp=" + gfp
                    + ": any thread may release a Netty buffer, and an EXCLUSIVE run is its owner's; leave it out");
        }
        this.labyrinth = labyrinth;
        this.handles = labyrinth.handles();
        this.gfp = whenDry == null ? gfp : gfp.with(Gfp.NOWARN);
        this.whenDry = whenDry;
        this.small = new SmallBuffers(labyrinth);
        this.metric = new Metric(small, labyrinth.frameSize());
        this.frameShift = Long.numberOfTrailingZeros(labyrinth.frameSize());
        this.bytes = (long) labyrinth.stats().frames() << frameShift;
        this.windows = new Window[(int) (bytes - 1 >> Window.MAX_BYTES_SHIFT) + 1];
    }

    @Override
    protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
        LabyrinthByteBuf buffer = LabyrinthByteBuf.fresh(this, maxCapacity);
        try {
            place(buffer, initialCapacity);
            buffer.start(initialCapacity);
            return toLeakAwareBuffer(buffer);
        } catch (Throwable e) {
            buffer.release();
            throw e;
        }
    }

    @Override
    protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
        return new CountedHeapByteBuf(this, initialCapacity, maxCapacity);
    }

    /** Yes: a direct buffer's memory is given back by its release, and by no garbage collector. */
    @Override
    public boolean isDirectBufferPooled() {
        return true;
    }

    @Override
    public Metric metric() {
        return metric;
    }

    @Override
    public String toString() {
        return "LabyrinthByteBufAllocator(" + labyrinth + " gfp=" + gfp + " whenDry="
                + (whenDry == null ? "refuse" : whenDry) + ")";
    }

    /** What a buffer of so many bytes takes, if it can be had. */
    long heldFor(int bytes) {
        return bytes <= SmallBuffers.MOST ? SmallBuffers.bytesFor(bytes) : 1L << orderOf(bytes) + frameShift;
    }

    /** The order of the smallest run that has so many bytes; beyond {@link Labyrinth#MAX_ORDER} if none has. */
    private int orderOf(int bytes) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(bytes - 1, 0) >>> frameShift);
    }

    /**
     * Gives a buffer memory for so many bytes, instead of what it has, which stays its caller's to give back.
     * On failure nothing has changed.
     */
    void place(LabyrinthByteBuf buffer, int bytes) {
        if (placeInFrames(buffer, bytes)) {
            return;
        }
        metric.exhausted.increment();
        if (whenDry == null) {
            throw new OutOfFramesError("bytes=" + bytes + " order=" + orderOf(bytes) + " limit=" + Labyrinth.MAX_ORDER
                    + ": no free run in " + labyrinth + " for gfp=" + gfp
                    + "; open it with more frames, or name an allocator for when it is exhausted");
        }
        ByteBuf other = whenDry.directBuffer(bytes, bytes);
        try {
            ByteBuffer memory = other.nioBuffer(0, other.capacity());
            metric.elsewhere.add(bytes);
            buffer.moveInto(other, memory);    // stores alone: what is counted is held
        } catch (Throwable e) {
            other.release();
            throw e;
        }
    }

    /** @return false if there is no room for so many bytes; nothing has changed then */
    boolean placeInFrames(LabyrinthByteBuf buffer, int bytes) {
        if (orderOf(bytes) > Labyrinth.MAX_ORDER) {
            return false;
        }
        return placeAtOnce(buffer, bytes) || trim() > 0 && placeAtOnce(buffer, bytes);
    }

    private boolean placeAtOnce(LabyrinthByteBuf buffer, int bytes) {
        Slab slab = small.slab(bytes);
        if (slab == null) {
            return placeInRun(buffer, orderOf(bytes));
        }
        // A slab that finds no frame has been refused one, and so would be the run.
        return placeInObject(buffer, slab) || small.isFull(slab) && placeInRun(buffer, 0);
    }

    private boolean placeInRun(LabyrinthByteBuf buffer, int order) {
        return placeIn(buffer, null, handles.alloc(gfp, order), 1 << order + frameShift);
    }

    private boolean placeInObject(LabyrinthByteBuf buffer, Slab slab) {
        return placeIn(buffer, slab, slab.alloc(gfp), slab.objectBytes());
    }

    /** In what was just claimed: an object, if there is a slab, or else a run; 0 if there was nothing. */
    private boolean placeIn(LabyrinthByteBuf buffer, @Nullable Slab slab, long handle, int held) {
        if (handle == 0) {
            return false;
        }
        try {
            metric.inFrames.add(held);
            long start = slab == null ? (long) handles.pfn(handle) << frameShift : slab.offset(handle);
            Window window = window(start);
            if (window == null) {
                window = open(slab == null ? handles.segment(handle) : slab.segment(handle), start);
            }
            buffer.moveInto(slab, handle, window, start, held);
            return true;
        } catch (Throwable e) {
            free(slab, handle, held);    // refused only where the labyrinth has closed since: then that is what failed
            throw e;
        }
    }

    /** That has this place; null if there is none. */
    private @Nullable Window window(long start) {
        Window window = windows[(int) (start >> Window.MAX_BYTES_SHIFT)];
        return window == null || start < window.start() ? null : window;
    }

    /** Rare: a window begins at the lowest place that was ever used in it. Two threads that race make one too many. */
    private Window open(MemorySegment held, long start) {
        int index = (int) (start >> Window.MAX_BYTES_SHIFT);
        Window window = Window.from(held, start, Math.min(bytes, (index + 1L) << Window.MAX_BYTES_SHIFT));
        windows[index] = window;
        return window;
    }

    /** Address of what a buffer holds. */
    long address(@Nullable Slab slab, long handle) {
        return slab == null ? handles.address(handle) : slab.address(handle);
    }

    void free(@Nullable Slab slab, long handle, int bytes) {
        if (slab == null) {
            handles.free(handle);
        } else {
            small.free(slab, handle);
        }
        metric.inFrames.add(-bytes);
    }

    /**
     * Gives back the frames that small buffers have left; looks at each that they had. Does nothing if none was
     * released since the last time, or while another thread is at it.
     *
     * @return the number of frames freed
     * @throws io.labyrinth.LabyrinthException.Closed if the labyrinth is closed
     */
    public int trim() {
        return small.trim();
    }

    void free(ByteBuf other, int bytes) {
        other.release();
        metric.elsewhere.add(-bytes);
    }

    /** What buffers hold just now; each figure is a sum over stripes, exact while no other thread allocates. */
    public static final class Metric implements ByteBufAllocatorMetric {

        private final LongAdder inFrames = new LongAdder();
        private final LongAdder elsewhere = new LongAdder();
        private final LongAdder onHeap = new LongAdder();
        private final LongAdder exhausted = new LongAdder();
        private final SmallBuffers small;
        private final long frameSize;

        private Metric(SmallBuffers small, long frameSize) {
            this.small = small;
            this.frameSize = frameSize;
        }

        /** Bytes of the runs and objects that direct buffers hold, and of what they hold of the other allocator. */
        @Override
        public long usedDirectMemory() {
            return usedFrameMemory() + usedOtherMemory();
        }

        @Override
        public long usedHeapMemory() {
            return onHeap.sum();
        }

        /** Bytes of the runs and objects that direct buffers hold, each counted as a whole. */
        public long usedFrameMemory() {
            return inFrames.sum();
        }

        /** Bytes of the frames that small buffers share, those among them that are free. Looks at every such frame. */
        public long sharedFrameMemory() {
            return small.frames() * frameSize;
        }

        /** Bytes of direct buffers that the other allocator was asked for, as the labyrinth had no run for them. */
        public long usedOtherMemory() {
            return elsewhere.sum();
        }

        /** Requests that the labyrinth had no room for: refused, or passed on to the other allocator. */
        public long requestsExhausted() {
            return exhausted.sum();
        }

        @Override
        public String toString() {
            return "usedFrameMemory=" + usedFrameMemory() + " sharedFrameMemory=" + sharedFrameMemory()
                    + " usedOtherMemory=" + usedOtherMemory() + " usedHeapMemory="
                    + usedHeapMemory() + " requestsExhausted=" + requestsExhausted();
        }
    }

    private static final class CountedHeapByteBuf extends UnpooledHeapByteBuf {

        CountedHeapByteBuf(LabyrinthByteBufAllocator allocator, int initialCapacity, int maxCapacity) {
            super(allocator, initialCapacity, maxCapacity);
        }

        @Override
        protected byte[] allocateArray(int bytes) {
            byte[] array = super.allocateArray(bytes);
            ((LabyrinthByteBufAllocator) alloc()).metric.onHeap.add(array.length);
            return array;
        }

        @Override
        protected void freeArray(byte[] array) {
            ((LabyrinthByteBufAllocator) alloc()).metric.onHeap.add(-array.length);
        }
    }
}
