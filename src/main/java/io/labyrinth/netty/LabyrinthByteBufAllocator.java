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
 * Netty's direct buffers in the frames of a labyrinth, which are locked and faulted in. A large buffer is a run of
 * 2^order frames, a small one is an object of a slab. The last release gives it back. Heap buffers are Netty's unpooled
 * ones.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("http").frames(1024).open()) {
 *     var allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, UnpooledByteBufAllocator.DEFAULT);
 *     allocator.directBuffer(1500).writeLong(42L).release();    // half a frame; if there is none, unpooled memory
 * }
 * }
 *
 * <p><b>Sizes.</b> A buffer of up to 2,048 bytes takes an object of 256, 512, 1,024 or 2,048 bytes, and shares a frame
 * with others of its size. A larger buffer takes the smallest run that has its bytes. A buffer grows in place as long
 * as there is room, and then by a copy. The largest run has 2^10 frames: 4 MiB with pages of 4 KiB.
 *
 * <p><b>Small buffers.</b> When the allocator is made, it opens a {@link Slab} of up to 2^14 objects for each small
 * size. The system maps and locks up to 272 KiB for each. If the system refuses that, buffers of this size take frames,
 * and a warning is logged. Buffers beyond 2^14 of one size take frames too. After that no buffer makes a system call.
 *
 * <p><b>An exhausted labyrinth.</b> If there is no room for a buffer, or it would be larger than the largest run, the
 * other allocator is asked. If there is none, the request fails with {@link OutOfFramesError}. The frames that small
 * buffers have left are kept for the next small buffers. {@link #trim} gives them back. This allocator also does so
 * before it refuses a request. Other users of the labyrinth call {@link Labyrinth#shrinkSlabs}.
 *
 * <p><b>Threads.</b> As everywhere in Netty, any thread may use and release a buffer. So the runs are not EXCLUSIVE.
 * The reference count refuses the use of a released buffer. The objects are recycled, as those of Netty's pooled
 * buffers are: code that keeps a buffer after its release may meet the next use of the same object, unless recycling is
 * off ({@code -Dio.netty.recycler.maxCapacityPerThread=0}). Each run or object is still freed exactly once.
 *
 * <p><b>Closing.</b> The allocator itself needs no close. One allocator is enough for a labyrinth; its slabs stay until
 * the labyrinth closes. The caller that opened the labyrinth closes it. Its {@code close()} is refused while buffers
 * are out. If the labyrinth samples claims, the message says who has them, and where they were taken.
 */
@SuppressWarnings("exports")    // see module-info
public final class LabyrinthByteBufAllocator extends AbstractByteBufAllocator
        implements ByteBufAllocatorMetricProvider {

    private final Labyrinth labyrinth;
    private final Handles handles;
    private final Gfp gfp;
    private final @Nullable ByteBufAllocator whenExhausted;
    private final Metric metric;
    private final SmallBuffers small;
    private final int frameShift;
    /** Bytes of all frames. */
    private final long bytes;
    /** By the upper bits of a place. */
    private final @Nullable Window[] windows;

    /**
     * If the labyrinth has no run for a buffer, the request fails with {@link OutOfFramesError}.
     *
     * @param gfp for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthByteBufAllocator(Labyrinth labyrinth, Gfp gfp) {
        this(labyrinth, gfp, null);
    }

    /**
     * If the labyrinth has no run for a buffer, another allocator is asked: {@code UnpooledByteBufAllocator.DEFAULT},
     * for example.
     *
     * @param gfp           for every run; {@link Gfp#HIGH} for buffers that may use the reserve
     * @param whenExhausted the other allocator; {@code null}: none
     * @throws IllegalArgumentException if it says EXCLUSIVE: any thread may release a buffer
     */
    public LabyrinthByteBufAllocator(Labyrinth labyrinth, Gfp gfp, @Nullable ByteBufAllocator whenExhausted) {
        super(true);
        if (gfp.with(Gfp.EXCLUSIVE).equals(gfp)) {
            throw new IllegalArgumentException("gfp=" + gfp
                    + ": any thread may release a Netty buffer, but only its owner an EXCLUSIVE run: leave out"
                    + " EXCLUSIVE");
        }
        this.labyrinth = labyrinth;
        this.handles = labyrinth.handles();
        this.gfp = whenExhausted == null ? gfp : gfp.with(Gfp.NOWARN);
        this.whenExhausted = whenExhausted;
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

    /** True: the release of a direct buffer gives its memory back, and no garbage collector does. */
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
        return "LabyrinthByteBufAllocator(" + labyrinth + " gfp=" + gfp + " whenExhausted="
                + (whenExhausted == null ? "refuse" : whenExhausted) + ")";
    }

    /** Bytes of the object or the run that a buffer of so many bytes takes, if there is one. */
    long heldFor(int bytes) {
        return bytes <= SmallBuffers.MOST ? SmallBuffers.bytesFor(bytes) : 1L << orderOf(bytes) + frameShift;
    }

    /** The order of the smallest run that has so many bytes; above {@link Labyrinth#MAX_ORDER} if no run has. */
    private int orderOf(int bytes) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(bytes - 1, 0) >>> frameShift);
    }

    /**
     * Gives a buffer memory for so many bytes. The caller gives back what the buffer had before. On failure nothing has
     * changed.
     */
    void place(LabyrinthByteBuf buffer, int bytes) {
        if (placeInFrames(buffer, bytes)) {
            return;
        }
        metric.exhausted.increment();
        if (whenExhausted == null) {
            throw new OutOfFramesError("bytes=" + bytes + " order=" + orderOf(bytes) + " limit=" + Labyrinth.MAX_ORDER
                    + ": no free run in " + labyrinth + " for gfp=" + gfp
                    + ": open it with more frames, or name an allocator to ask when it is exhausted");
        }
        ByteBuf other = whenExhausted.directBuffer(bytes, bytes);
        try {
            ByteBuffer memory = other.nioBuffer(0, other.capacity());
            metric.elsewhere.add(bytes);
            buffer.moveInto(other, memory);    // stores alone: what is counted is held
        } catch (Throwable e) {
            other.release();
            throw e;
        }
    }

    /** @return false if there is no room for so many bytes; then nothing has changed */
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
        // A slab that is not full was refused a frame. The labyrinth would refuse the run too.
        return placeInObject(buffer, slab) || small.isFull(slab) && placeInRun(buffer, 0);
    }

    private boolean placeInRun(LabyrinthByteBuf buffer, int order) {
        return placeIn(buffer, null, handles.alloc(gfp, order), 1 << order + frameShift);
    }

    private boolean placeInObject(LabyrinthByteBuf buffer, Slab slab) {
        return placeIn(buffer, slab, slab.alloc(gfp), slab.objectBytes());
    }

    /** @param handle what was just claimed: an object, if there is a slab, otherwise a run; 0 if there was nothing */
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

    /** The window that has this place; null if there is none. */
    private @Nullable Window window(long start) {
        Window window = windows[(int) (start >> Window.MAX_BYTES_SHIFT)];
        return window == null || start < window.start() ? null : window;
    }

    /** Rare: a window begins at the lowest place that was ever used in it. Two threads that race may make two. */
    private Window open(MemorySegment held, long start) {
        int index = (int) (start >> Window.MAX_BYTES_SHIFT);
        Window window = Window.from(held, start, Math.min(bytes, (index + 1L) << Window.MAX_BYTES_SHIFT));
        windows[index] = window;
        return window;
    }

    /** The address of the object or the run. */
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
     * Gives back the frames that small buffers have left. Looks at every frame of the slabs. Does nothing if no small
     * buffer was released since the last time, or while another thread does it.
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

    /** What buffers hold now. Each figure is a sum over cells, and exact while no other thread allocates. */
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

        /** Bytes that direct buffers hold: those of runs and objects, and those of the other allocator. */
        @Override
        public long usedDirectMemory() {
            return usedFrameMemory() + usedOtherMemory();
        }

        @Override
        public long usedHeapMemory() {
            return onHeap.sum();
        }

        /** Bytes of the runs and objects that direct buffers hold. Each run and object counts as a whole. */
        public long usedFrameMemory() {
            return inFrames.sum();
        }

        /** Bytes of the frames that small buffers share, free objects included. Looks at every frame of the slabs. */
        public long sharedFrameMemory() {
            return small.frames() * frameSize;
        }

        /** Bytes that direct buffers hold of the other allocator, because the labyrinth had no run for them. */
        public long usedOtherMemory() {
            return elsewhere.sum();
        }

        /** Requests for which the labyrinth had no room: they failed, or went to the other allocator. */
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
