package io.labyrinth.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.agrona.BitUtil;
import org.agrona.BufferUtil;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What a JVM user has without a pool: take a buffer, write its first and last byte, give it back. None is asked for an
 * alignment, a lock or an owner, so all of them do less than a frame does.
 */
@State(Scope.Benchmark)
public class PeerBench {

    @Param("4096")
    int bytes;

    private BufferAllocator arrow;

    @Setup
    public void open() {
        arrow = new RootAllocator();
    }

    @TearDown
    public void close() {
        arrow.close();
    }

    /** glibc's, or what is preloaded. */
    @Benchmark
    public long malloc() {
        MemorySegment buffer = Rig.malloc(bytes);
        Rig.write(buffer);
        Rig.free(buffer);
        return buffer.address();
    }

    /** A thread's buffers, taken and not yet given back. */
    @State(Scope.Thread)
    public static class Taken {
        private final MemorySegment[] buffers = new MemorySegment[NettyBench.BURST];
    }

    @Benchmark
    @OperationsPerInvocation(NettyBench.BURST)
    public void mallocBurst(Taken taken) {
        for (int i = 0; i < NettyBench.BURST; i++) {
            taken.buffers[i] = Rig.malloc(bytes);
            Rig.write(taken.buffers[i]);
        }
        for (int i = 0; i < NettyBench.BURST; i++) {
            Rig.free(taken.buffers[i]);
        }
    }

    @Benchmark
    public long arenaConfined() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(bytes);
            Rig.write(buffer);
            return buffer.address();
        }
    }

    @Benchmark
    public long arenaShared() {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment buffer = arena.allocate(bytes);
            Rig.write(buffer);
            return buffer.address();
        }
    }

    /** Given back by the collector. */
    @Benchmark
    public long arenaAuto() {
        MemorySegment buffer = Arena.ofAuto().allocate(bytes);
        Rig.write(buffer);
        return buffer.address();
    }

    /** Given back by the collector. */
    @Benchmark
    public ByteBuffer allocateDirect() {
        return write(ByteBuffer.allocateDirect(bytes));
    }

    /** Given back by the collector: what is aligned is a slice, and a slice cannot be freed. */
    @Benchmark
    public ByteBuffer agronaAligned() {
        return write(BufferUtil.allocateDirectAligned(bytes, BitUtil.CACHE_LINE_LENGTH));
    }

    @Benchmark
    public long arrow() {
        try (ArrowBuf buffer = arrow.buffer(bytes)) {
            buffer.setByte(0, 1);
            buffer.setByte(bytes - 1, 1);
            return buffer.memoryAddress();
        }
    }

    private ByteBuffer write(ByteBuffer buffer) {
        buffer.put(0, (byte) 1);
        buffer.put(bytes - 1, (byte) 1);
        return buffer;
    }
}
