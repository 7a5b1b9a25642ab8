package io.labyrinth.netty;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Slab;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.netty.buffer.UnpooledHeapByteBuf;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Netty's direct buffers in the frames of a labyrinth: each is a run of 2^order frames, or a part of one, locked and
 * faulted in, and the last release gives it back. Heap buffers are Netty's unpooled ones.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("http").frames(1024).open()) {
 *     var allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, UnpooledByteBufAllocator.DEFAULT);
 *     allocator.directBuffer(1500).writeLong(42L).release();    // half a frame; when it is dry, unpooled memory
 * }
 * }
 *
 * <p><b>Sizes.</b> A buffer of up to 2 KiB takes an object of a {@link Slab}, of 256, 512, 1,024 or 2,048 bytes; a
 * larger one the smallest run that has its bytes. It grows within that in place, and beyond by a larger one and a copy.
 * The largest run is 4 MiB of 4 KiB pages. Slabs keep their frames for the next buffers: {@link #trim}.
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

    /** Netty's own default for a buffer; a smaller one takes as much. */
    private static final int SMALLEST_OBJECT = 256;
    private static final int LARGEST_OBJECT = 2048;
    /** A slab may fill half of the labyrinth, or of this if that is less: its words are 9% of its smallest objects. */
    private static final long MOST_SMALL = 1L << 28;

    private final Labyrinth labyrinth;
    private final Handles handles;
    private final Gfp gfp;
    private final @Nullable ByteBufAllocator whenDry;
    private final Metric metric = new Metric();
    private final int frames;
    private final int frameShift;
    private final @Nullable Window[] windows;
    /** By size, each twice the one before; null where the system had no memory for its words. */
    private final @Nullable Slab[] slabs;
    /** Whether an object was freed since the last time; by races, as what they miss comes with the next. */
    private boolean mayTrim;

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
        this.windows = new Window[(int) (((long) frames << frameShift) - 1 >>> Window.MAX_BYTES_SHIFT) + 1];
        this.slabs = new Slab[1 + Integer.numberOfTrailingZeros(LARGEST_OBJECT / SMALLEST_OBJECT)];
        for (int i = 0; i < slabs.length; i++) {
            slabs[i] = slab(SMALLEST_OBJECT << i);
        }
    }

    private @Nullable Slab slab(int bytes) {
        long most = Math.min((long) frames << frameShift, MOST_SMALL) / 2;
        try {
            return labyrinth.slab(bytes, (int) Math.max(1, most / bytes));
        } catch (LabyrinthException.MapRefused | LabyrinthException.LockRefused e) {
            return null;
        }
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

    /** Bytes that a buffer of so many, no more than the largest run has, holds if there is room for it. */
    int heldFor(int bytes) {
        Slab slab = slabFor(bytes);
        return slab != null ? slab.objectBytes() : 1 << orderOf(bytes) + frameShift;
    }

    /** Whose objects are the smallest that have so many bytes; null if those are a run's. */
    private @Nullable Slab slabFor(int bytes) {
        return bytes > LARGEST_OBJECT ? null
                : slabs[Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(bytes - 1, 0) / SMALLEST_OBJECT)];
    }

    /**
     * Gives a buffer memory for so many bytes, instead of what it has, which stays its caller's to give back.
     * On failure nothing has changed.
     */
    void place(LabyrinthByteBuf buffer, int bytes) {
        if (placeInFrames(buffer, bytes) || trim() > 0 && placeInFrames(buffer, bytes)) {
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

    /** @return false if there is neither an object nor a run for so many bytes; nothing has changed then */
    boolean placeInFrames(LabyrinthByteBuf buffer, int bytes) {
        Slab slab = slabFor(bytes);
        long object = slab == null ? 0 : slab.alloc(gfp);
        if (object != 0) {
            hold(buffer, slab, object, slab.offset(object), slab.objectBytes());
            return true;
        }
        int order = orderOf(bytes);
        long run = order > Labyrinth.MAX_ORDER ? 0 : handles.alloc(gfp, order);
        if (run == 0) {
            return false;
        }
        hold(buffer, null, run, (long) handles.pfn(run) << frameShift, 1 << order + frameShift);
        return true;
    }

    /** @param offset within the labyrinth's memory */
    private void hold(LabyrinthByteBuf buffer, @Nullable Slab slab, long handle, long offset, int bytes) {
        Window window = windows[(int) (offset / Window.MAX_BYTES)];
        if (window == null || offset < window.start()) {
            window = open(slab, handle, offset);
        }
        buffer.moveInto(slab, handle, window.memory(), (int) (offset - window.start()), bytes);
        metric.inFrames.add(bytes);
    }

    /** Rare: a window begins at the lowest place that was ever used in it. Two threads that race make one too many. */
    private Window open(@Nullable Slab slab, long handle, long offset) {
        boolean opened = false;
        try {
            int index = (int) (offset / Window.MAX_BYTES);
            long end = Math.min((long) frames << frameShift, (index + 1) * Window.MAX_BYTES);
            Window window = Window.from(slab == null ? handles.segment(handle) : slab.segment(handle), offset, end);
            windows[index] = window;
            opened = true;
            return window;
        } finally {
            if (!opened) {
                end(slab, handle);
            }
        }
    }

    /** Address of what a buffer holds. */
    long address(@Nullable Slab slab, long handle) {
        return slab == null ? handles.address(handle) : slab.address(handle);
    }

    private void end(@Nullable Slab slab, long handle) {
        if (slab == null) {
            handles.free(handle);
        } else {
            slab.free(handle);
            if (!mayTrim) {
                mayTrim = true;
            }
        }
    }

    void free(@Nullable Slab slab, long handle, int bytes) {
        end(slab, handle);
        metric.inFrames.add(-bytes);
    }

    /**
     * Gives the frames back that small buffers have left; looks at each that they had. The allocator does so itself
     * before it calls the labyrinth dry, if a small buffer was released since the last time; and so does the labyrinth
     * when it closes.
     *
     * @return the number of frames freed
     */
    public int trim() {
        int freed = 0;
        if (mayTrim) {
            mayTrim = false;
            for (Slab slab : slabs) {
                freed += slab == null ? 0 : slab.shrink();
            }
        }
        return freed;
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
