package io.labyrinth.bench;

import io.netty.buffer.AdaptiveByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Netty's direct buffers, on threads of the kind that its event loops are: on others it does without its caches. */
@State(Scope.Benchmark)
public class NettyBench {

    static final int BURST = 1000;

    @Param("4096")
    int bytes;

    private final ByteBufAllocator adaptive = new AdaptiveByteBufAllocator(true);

    /** What JMH runs the threads on, by its property jmh.executor.class. */
    public static final class EventLoops extends ThreadPoolExecutor {
        public EventLoops(int threads, String prefix) {
            super(threads, threads, 1, TimeUnit.DAYS, new LinkedBlockingQueue<>(),
                    work -> new FastThreadLocalThread(work, prefix));
        }
    }

    /** A thread's buffers, taken and not yet given back. */
    @State(Scope.Thread)
    public static class Burst {
        private final ByteBuf[] taken = new ByteBuf[BURST];
    }

    @Benchmark
    public int pooled() {
        return pair(PooledByteBufAllocator.DEFAULT);
    }

    @Benchmark
    public int adaptive() {
        return pair(adaptive);
    }

    @Benchmark
    @OperationsPerInvocation(BURST)
    public void pooledBurst(Burst burst) {
        burst(PooledByteBufAllocator.DEFAULT, burst.taken);
    }

    @Benchmark
    @OperationsPerInvocation(BURST)
    public void adaptiveBurst(Burst burst) {
        burst(adaptive, burst.taken);
    }

    private int pair(ByteBufAllocator allocator) {
        ByteBuf buffer = allocator.directBuffer(bytes);
        write(buffer);
        int capacity = buffer.capacity();
        buffer.release();
        return capacity;
    }

    private void burst(ByteBufAllocator allocator, ByteBuf[] taken) {
        for (int i = 0; i < BURST; i++) {
            taken[i] = allocator.directBuffer(bytes);
            write(taken[i]);
        }
        for (int i = 0; i < BURST; i++) {
            taken[i].release();
        }
    }

    private void write(ByteBuf buffer) {
        buffer.setByte(0, 1);
        buffer.setByte(bytes - 1, 1);
    }
}
