package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.netty.LabyrinthByteBufAllocator;
import io.netty.buffer.AdaptiveByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Objects;
import org.jctools.queues.MpmcArrayQueue;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Buffers of 4 KiB that stay out for a while, as in a service: each step takes one, writes 64 bytes to it, reads 64
 * bytes of the oldest, and frees that. A figure is one step's. Each thread has a window of its own.
 */
@State(Scope.Thread)
public class InFlightBench {

    private static final int BYTES = 4096;
    private static final int VISIT = 64;

    @Param({"16", "256"})
    int window;

    private Labyrinth labyrinth;
    private Handles handles;
    private LabyrinthByteBufAllocator allocator;
    private final ByteBufAllocator adaptive = new AdaptiveByteBufAllocator(true);
    private Arena arena;
    private MpmcArrayQueue<MemorySegment> pool;
    private final ArrayDeque<MemorySegment> deque = new ArrayDeque<>();

    private long[] numbers;
    private Object[] objects;
    private int at;

    @Setup
    public void open() {
        labyrinth = Rig.opened(4096, 0);
        handles = labyrinth.handles();
        allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT);
        arena = Arena.ofShared();
        pool = new MpmcArrayQueue<>(4096);
        for (int i = 0; i < 4096; i++) {
            pool.add(arena.allocate(BYTES));
            deque.add(arena.allocate(BYTES));
        }
        numbers = new long[window];
        objects = new Object[window];
    }

    @TearDown
    public void close() {
        labyrinth.closeNow();
        arena.close();
    }

    private int next() {
        at = at + 1 & window - 1;
        return at;
    }

    /** Puts it in the place of the oldest, and returns that; null until the window is full. */
    private Object replaceOldest(Object taken) {
        int slot = next();
        Object oldest = objects[slot];
        objects[slot] = taken;
        return oldest;
    }

    private static void write(MemorySegment buffer) {
        for (int i = 0; i < VISIT; i += Long.BYTES) {
            buffer.set(ValueLayout.JAVA_LONG_UNALIGNED, i, i);
        }
    }

    private static long read(MemorySegment buffer) {
        long sum = 0;
        for (int i = 0; i < VISIT; i += Long.BYTES) {
            sum += buffer.get(ValueLayout.JAVA_LONG_UNALIGNED, i);
        }
        return sum;
    }

    /** With a check for each access: 16 in a step. */
    @Benchmark
    public long handlesByAccess() {
        long taken = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
        for (int i = 0; i < VISIT; i += Long.BYTES) {
            handles.putLong(taken, i, i);
        }
        int slot = next();
        long oldest = numbers[slot];
        numbers[slot] = taken;
        long sum = 0;
        if (oldest != 0) {
            for (int i = 0; i < VISIT; i += Long.BYTES) {
                sum += handles.getLong(oldest, i);
            }
            handles.free(oldest);
        }
        return sum;
    }

    /** With one check for each visit. */
    @Benchmark
    public long handlesByVisit() {
        MemorySegment memory = handles.memory();
        long taken = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
        long start = handles.offset(taken);
        for (int i = 0; i < VISIT; i += Long.BYTES) {
            memory.set(ValueLayout.JAVA_LONG_UNALIGNED, start + i, i);
        }
        int slot = next();
        long oldest = numbers[slot];
        numbers[slot] = taken;
        long sum = 0;
        if (oldest != 0) {
            long there = handles.offset(oldest);
            for (int i = 0; i < VISIT; i += Long.BYTES) {
                sum += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, there + i);
            }
            handles.free(oldest);
        }
        return sum;
    }

    @Benchmark
    public long frames() {
        return frames(Gfp.ATOMIC_EXCLUSIVE);
    }

    @Benchmark
    public long sharedFrames() {
        return frames(Gfp.ATOMIC);
    }

    private long frames(Gfp gfp) {
        Frame taken = Objects.requireNonNull(labyrinth.allocPage(gfp));
        write(taken.segment());
        Frame oldest = (Frame) replaceOldest(taken);
        long sum = 0;
        if (oldest != null) {
            sum = read(oldest.segment());
            oldest.close();
        }
        return sum;
    }

    @Benchmark
    public long labyrinthNetty() {
        return netty(allocator);
    }

    @Benchmark
    public long nettyPooled() {
        return netty(PooledByteBufAllocator.DEFAULT);
    }

    @Benchmark
    public long nettyAdaptive() {
        return netty(adaptive);
    }

    private long netty(ByteBufAllocator from) {
        ByteBuf taken = from.directBuffer(BYTES, BYTES);
        for (int i = 0; i < VISIT; i += Long.BYTES) {
            taken.setLong(i, i);
        }
        ByteBuf oldest = (ByteBuf) replaceOldest(taken);
        long sum = 0;
        if (oldest != null) {
            for (int i = 0; i < VISIT; i += Long.BYTES) {
                sum += oldest.getLong(i);
            }
            oldest.release();
        }
        return sum;
    }

    @Benchmark
    public long malloc() {
        MemorySegment taken = Rig.malloc(BYTES);
        write(taken);
        MemorySegment oldest = (MemorySegment) replaceOldest(taken);
        long sum = 0;
        if (oldest != null) {
            sum = read(oldest);
            Rig.free(oldest);
        }
        return sum;
    }

    @Benchmark
    public long mpmcArrayQueue() {
        MemorySegment taken = pool.poll();
        write(taken);
        MemorySegment oldest = (MemorySegment) replaceOldest(taken);
        long sum = 0;
        if (oldest != null) {
            sum = read(oldest);
            pool.offer(oldest);
        }
        return sum;
    }

    @Benchmark
    public long ownArrayDeque() {
        MemorySegment taken = deque.pollFirst();
        write(taken);
        MemorySegment oldest = (MemorySegment) replaceOldest(taken);
        long sum = 0;
        if (oldest != null) {
            sum = read(oldest);
            deque.addFirst(oldest);
        }
        return sum;
    }
}
