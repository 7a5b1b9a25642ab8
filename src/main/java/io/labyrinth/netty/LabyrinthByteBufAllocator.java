package io.labyrinth.netty;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.netty.buffer.UnpooledHeapByteBuf;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Netty's direct buffers in the frames of a labyrinth: each is a run of 2^order frames, locked and faulted in, and the
 * last release gives it back. Heap buffers are Netty's unpooled ones.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("http").frames(1024).open()) {
 *     var allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, UnpooledByteBufAllocator.DEFAULT);
 *     allocator.directBuffer(1500).writeLong(42L).release();    // a frame; when the labyrinth is dry, unpooled memory
 * }
 * }
 *
 * <p><b>Sizes.</b> A buffer of up to a page takes one frame, and one of n bytes the smallest run that has them. It
 * grows within its run in place, and beyond by a larger run and a copy. The largest run is 4 MiB of 4 KiB pages.
 *
 * <p><b>A dry labyrinth.</b> A buffer for which there is no run, or that would be larger than the largest, is refused
 * by {@link OutOfFramesError}, or is asked of another allocator, if one was named.
 *
 * <p><b>Threads.</b> As Netty has it: any thread may use and release a buffer, so the runs are not EXCLUSIVE. What was
 * released is refused by its reference count. The objects are recycled, as those of Netty's pooled buffers are: whoever
 * keeps one beyond its release may meet its next life, unless recycling is off
 * ({@code -Dio.netty.recycler.maxCapacityPerThread=0}); the run itself is freed once in each life, whoever does it.
 *
 * <p>There is nothing to close. The labyrinth stays its opener's, whose {@code close()} is refused while buffers are
 * out.
 */
@SuppressWarnings("exports")    // see module-info
public final class LabyrinthByteBufAllocator extends AbstractByteBufAllocator
        implements ByteBufAllocatorMetricProvider {

    private final Labyrinth labyrinth;
    private final Handles handles;
    private final Gfp gfp;
    private final @Nullable ByteBufAllocator whenDry;
    private final Metric metric = new Metric();
    private final int frames;
    private final int frameShift;
    /** A power of two, as frames and runs are. */
    private final int windowFrames;
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
        this.frames = labyrinth.stats().frames();
        this.frameShift = Long.numberOfTrailingZeros(labyrinth.frameSize());
        this.windowFrames = (int) (Window.MAX_BYTES >> frameShift);
        this.windows = new Window[(frames + windowFrames - 1) / windowFrames];
    }

    @Override
    protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
        LabyrinthByteBuf buffer = LabyrinthByteBuf.fresh(this, maxCapacity);
        boolean returned = false;
        try {
            place(buffer, initialCapacity);
            buffer.start(initialCapacity);
            ByteBuf watched = toLeakAwareBuffer(buffer);
            returned = true;
            return watched;
        } finally {
            if (!returned) {
                buffer.release();
            }
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

    /** The order of the smallest run that has so many bytes; beyond {@link Labyrinth#MAX_ORDER} if none has. */
    int orderOf(int bytes) {
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
        metric.dry.increment();
        if (whenDry == null) {
            throw new OutOfFramesError("bytes=" + bytes + " order=" + orderOf(bytes) + " limit=" + Labyrinth.MAX_ORDER
                    + ": no free run in " + labyrinth + " for gfp=" + gfp
                    + "; open it with more frames, or name an allocator for when it is dry");
        }
        ByteBuf other = whenDry.directBuffer(bytes, bytes);
        boolean placed = false;
        try {
            buffer.moveInto(other);
            metric.elsewhere.add(bytes);
            placed = true;
        } finally {
            if (!placed) {
                other.release();
            }
        }
    }

    /** @return false if there is no run for so many bytes; nothing has changed then */
    boolean placeInFrames(LabyrinthByteBuf buffer, int bytes) {
        int order = orderOf(bytes);
        long handle = order > Labyrinth.MAX_ORDER ? 0 : handles.alloc(gfp, order);
        if (handle == 0) {
            return false;
        }
        int pfn = handles.pfn(handle);
        Window window = windows[pfn / windowFrames];
        if (window == null || pfn < window.firstPfn()) {
            window = open(handle, pfn);
        }
        buffer.moveInto(handle, window.memory(), pfn - window.firstPfn() << frameShift, 1 << order + frameShift);
        metric.inFrames.add(1L << order + frameShift);
        return true;
    }

    /** Rare: a window begins at the lowest run that was ever seen in it. Two threads that race make one too many. */
    private Window open(long handle, int pfn) {
        boolean opened = false;
        try {
            int index = pfn / windowFrames;
            int end = Math.min(frames, (index + 1) * windowFrames);
            Window window = Window.from(handles.segment(handle), pfn, (long) (end - pfn) << frameShift);
            windows[index] = window;
            opened = true;
            return window;
        } finally {
            if (!opened) {
                handles.free(handle);
            }
        }
    }

    /** Address of a run that a buffer holds. */
    long address(long handle) {
        return handles.address(handle);
    }

    void free(long handle, int bytes) {
        handles.free(handle);
        metric.inFrames.add(-bytes);
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
        private final LongAdder dry = new LongAdder();

        private Metric() {
        }

        /** Bytes of the runs that direct buffers hold, and of what they hold of the other allocator. */
        @Override
        public long usedDirectMemory() {
            return usedFrameMemory() + usedOtherMemory();
        }

        @Override
        public long usedHeapMemory() {
            return onHeap.sum();
        }

        /** Bytes of the runs that direct buffers hold; a run is counted as a whole. */
        public long usedFrameMemory() {
            return inFrames.sum();
        }

        /** Bytes of direct buffers that the other allocator was asked for, as the labyrinth had no run for them. */
        public long usedOtherMemory() {
            return elsewhere.sum();
        }

        /** Requests that the labyrinth had no run for: refused, or passed on to the other allocator. */
        public long requestsDry() {
            return dry.sum();
        }

        @Override
        public String toString() {
            return "usedFrameMemory=" + usedFrameMemory() + " usedOtherMemory=" + usedOtherMemory() + " usedHeapMemory="
                    + usedHeapMemory() + " requestsDry=" + requestsDry();
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
