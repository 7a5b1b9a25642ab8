package io.labyrinth.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jctools.queues.MpmcArrayQueue;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The pools that people write by hand: buffers made beforehand, in a queue. They know no owner, find no double free,
 * and let a buffer be used after it was given back.
 */
@State(Scope.Benchmark)
public class PoolBench {

    private static final int POOLED_BYTES = 4 << 20;

    @Param("4096")
    int bytes;

    private Arena arena;
    private ArrayBlockingQueue<MemorySegment> arrayBlocking;
    private ConcurrentLinkedQueue<MemorySegment> concurrentLinked;
    private MpmcArrayQueue<MemorySegment> mpmc;
    private ConcurrentLinkedQueue<ByteBuffer> direct;

    @Setup
    public void open() {
        int buffers = Math.max(16, POOLED_BYTES / bytes);
        arena = Arena.ofShared();
        arrayBlocking = new ArrayBlockingQueue<>(buffers);
        concurrentLinked = new ConcurrentLinkedQueue<>();
        mpmc = new MpmcArrayQueue<>(buffers);
        direct = new ConcurrentLinkedQueue<>();
        fill(arrayBlocking, buffers);
        fill(concurrentLinked, buffers);
        fill(mpmc, buffers);
        for (int i = 0; i < buffers; i++) {
            direct.add(ByteBuffer.allocateDirect(bytes));
        }
    }

    private void fill(Queue<MemorySegment> pool, int buffers) {
        for (int i = 0; i < buffers; i++) {
            pool.add(arena.allocate(bytes));
        }
    }

    @TearDown
    public void close() {
        arena.close();
    }

    /** One thread's own, which no other can take from: the least that a pool can do. */
    @State(Scope.Thread)
    public static class Own {
        private final ArrayDeque<MemorySegment> deque = new ArrayDeque<>();

        @Setup
        public void fill(PoolBench pools) {
            for (int i = 0; i < 64; i++) {
                deque.add(pools.arena.allocate(pools.bytes));
            }
        }
    }

    @Benchmark
    public long arrayBlockingQueue() {
        MemorySegment buffer = arrayBlocking.poll();
        Rig.write(buffer);
        arrayBlocking.offer(buffer);
        return buffer.address();
    }

    @Benchmark
    public long concurrentLinkedQueue() {
        MemorySegment buffer = concurrentLinked.poll();
        Rig.write(buffer);
        concurrentLinked.offer(buffer);
        return buffer.address();
    }

    @Benchmark
    public long mpmcArrayQueue() {
        MemorySegment buffer = mpmc.poll();
        Rig.write(buffer);
        mpmc.offer(buffer);
        return buffer.address();
    }

    @Benchmark
    public ByteBuffer directReused() {
        ByteBuffer buffer = direct.poll();
        buffer.put(0, (byte) 1);
        buffer.put(bytes - 1, (byte) 1);
        direct.offer(buffer);
        return buffer;
    }

    @Benchmark
    public long ownArrayDeque(Own own) {
        MemorySegment buffer = own.deque.pop();
        Rig.write(buffer);
        own.deque.push(buffer);
        return buffer.address();
    }
}
