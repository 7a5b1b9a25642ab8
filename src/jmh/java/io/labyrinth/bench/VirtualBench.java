package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jctools.queues.MpmcArrayQueue;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * 10,000 virtual threads at once: each takes a buffer, writes, parks with it, gives it back, parks, ten times over. A
 * figure is one pair's with its parks; {@link #nothing} is the parks alone.
 */
@State(Scope.Benchmark)
public class VirtualBench {

    private static final int THREADS = 10_000;
    private static final int PAIRS = 10;
    private static final int BYTES = 4096;

    private Labyrinth labyrinth;
    private Arena arena;
    private MpmcArrayQueue<MemorySegment> pool;

    @Setup
    public void open() {
        labyrinth = Rig.opened(2 * THREADS, 0);
        arena = Arena.ofShared();
        pool = new MpmcArrayQueue<>(2 * THREADS);
        for (int i = 0; i < 2 * THREADS; i++) {
            pool.add(arena.allocate(BYTES));
        }
    }

    @TearDown
    public void close() {
        Rig.close(labyrinth);
        arena.close();
    }

    @Benchmark
    @OperationsPerInvocation(THREADS * PAIRS)
    public void nothing() throws InterruptedException {
        all(VirtualBench::park);
    }

    @Benchmark
    @OperationsPerInvocation(THREADS * PAIRS)
    public void frames() throws InterruptedException {
        all(() -> {
            Frame frame = labyrinth.allocPage(Gfp.NOWAIT.with(Gfp.EXCLUSIVE));
            try (frame) {
                Rig.write(frame.segment());
                park();
            }
        });
    }

    @Benchmark
    @OperationsPerInvocation(THREADS * PAIRS)
    public void malloc() throws InterruptedException {
        all(() -> {
            MemorySegment buffer = Rig.malloc(BYTES);
            Rig.write(buffer);
            park();
            Rig.free(buffer);
        });
    }

    @Benchmark
    @OperationsPerInvocation(THREADS * PAIRS)
    public void arenaConfined() throws InterruptedException {
        all(() -> {
            try (Arena confined = Arena.ofConfined()) {
                Rig.write(confined.allocate(BYTES));
                park();
            }
        });
    }

    @Benchmark
    @OperationsPerInvocation(THREADS * PAIRS)
    public void mpmcArrayQueue() throws InterruptedException {
        all(() -> {
            MemorySegment buffer = pool.poll();
            Rig.write(buffer);
            park();
            pool.offer(buffer);
        });
    }

    private static void park() {
        LockSupport.parkNanos(1000);
    }

    /** Runs the pair PAIRS times in each of the threads, a park after each; the first failure is thrown. */
    private static void all(Runnable pair) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(THREADS);
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        for (int thread = 0; thread < THREADS; thread++) {
            Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < PAIRS; i++) {
                        pair.run();
                        park();
                    }
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                } finally {
                    done.countDown();
                }
            });
        }
        done.await();
        if (failure.get() != null) {
            throw new IllegalStateException(failure.get());
        }
    }
}
