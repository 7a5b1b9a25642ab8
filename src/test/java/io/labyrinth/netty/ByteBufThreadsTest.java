package io.labyrinth.netty;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * Buffers that one thread fills, and others grow and release. Each buffer is stamped all over and read again before it
 * is released. A run with two owners, or a run that is freed too early, shows a foreign stamp.
 */
class ByteBufThreadsTest {

    private static final int THREADS = 4;
    private static final int BUFFERS = 20_000;
    private static final int PAIRS = 100_000;
    /** Rounds until the compiler and the recycler must have settled; most runs need two. */
    private static final int PATIENCE = 30;

    private final UnpooledByteBufAllocator unpooled = new UnpooledByteBufAllocator(true);
    private final ConcurrentLinkedQueue<ByteBuf> parcels = new ConcurrentLinkedQueue<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    @Test
    void noBufferHasTwoOwners() throws InterruptedException {
        try (Labyrinth labyrinth = Labyrinth.builder("crowd").frames(128).locking(Locking.PREFERRED).open()) {
            LabyrinthByteBufAllocator allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, unpooled);
            List<Thread> threads = new ArrayList<>();
            for (int tag = 1; tag <= THREADS; tag++) {
                int seed = tag;
                Runnable work = () -> work(allocator, seed);
                threads.add(tag % 2 == 0 ? new FastThreadLocalThread(work) : Thread.ofVirtual().unstarted(work));
            }
            threads.forEach(Thread::start);
            for (Thread thread : threads) {
                thread.join();
            }
            for (ByteBuf parcel = parcels.poll(); parcel != null; parcel = parcels.poll()) {
                release(parcel);
            }
            assertThat(failure.get()).isNull();
            assertThat(allocator.metric().requestsExhausted()).as("a labyrinth this small is exhausted at times")
                    .isPositive();
            assertThat(allocator.metric().usedDirectMemory()).isZero();
            assertThat(unpooled.metric().usedDirectMemory()).isZero();
            allocator.trim();
            assertThat(labyrinth.stats().claimed()).isZero();
            labyrinth.validate();
        }
    }

    private void work(LabyrinthByteBufAllocator allocator, int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        try {
            for (int i = 0; i < BUFFERS && failure.get() == null; i++) {
                int longs = 1 + random.nextInt(random.nextInt(8) == 0 ? 4000 : 400);
                long stamp = random.nextLong();
                ByteBuf buffer = allocator.directBuffer(8 * (1 + random.nextInt(longs)));
                for (int n = 0; n < longs; n++) {
                    buffer.writeLong(stamp + n);
                }
                parcels.add(random.nextInt(8) == 0 ? buffer.capacity(buffer.writerIndex()) : buffer);
                // About so many are on their way, which is more than the labyrinth has runs for.
                ByteBuf parcel = parcels.size() > 60 || random.nextInt(3) > 0 ? parcels.poll() : null;
                if (parcel != null) {
                    release(parcel);
                }
            }
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        }
    }

    private static void release(ByteBuf parcel) {
        long stamp = parcel.getLong(0);
        for (int n = 0; parcel.isReadable(); n++) {
            if (parcel.readLong() != stamp + n) {
                throw new AssertionError("a stamp of somebody else's: " + parcel + " at=" + 8 * n);
            }
        }
        if (!parcel.release()) {
            throw new AssertionError("somebody else holds " + parcel);
        }
    }

    /** By reflection, as the library's module has no need of {@code jdk.management}; that costs some hundred bytes. */
    @Test
    void aBufferCostsNoHeapMemory() throws Exception {
        Object threads = Class.forName("java.lang.management.ManagementFactory").getMethod("getThreadMXBean")
                .invoke(null);
        Method allocated = Class.forName("com.sun.management.ThreadMXBean")
                .getMethod("getThreadAllocatedBytes", long.class);
        AtomicReference<Long> least = new AtomicReference<>(Long.MAX_VALUE);
        try (Labyrinth labyrinth = Labyrinth.builder("lean").frames(128).locking(Locking.PREFERRED).open()) {
            LabyrinthByteBufAllocator allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT);
            Thread loop = new FastThreadLocalThread(() -> {
                try {
                    long me = Thread.currentThread().threadId();
                    for (int round = 0; round < PATIENCE && least.get() > PAIRS; round++) {
                        long before = (long) allocated.invoke(threads, me);
                        for (int i = 0; i < PAIRS; i++) {
                            ByteBuf buffer = allocator.directBuffer(i % 2 == 0 ? 1500 : 5000).writeLong(i);
                            buffer.internalNioBuffer(0, 8);
                            buffer.release();
                        }
                        least.set(Math.min(least.get(), (long) allocated.invoke(threads, me) - before));
                    }
                } catch (ReflectiveOperationException e) {
                    failure.set(e);
                }
            });
            loop.start();
            loop.join();
            labyrinth.validate();
        }
        assertThat(failure.get()).isNull();
        // A ByteBuf alone is 72. Netty's detector watches one buffer in 128, and keeps the stack of who allocated it.
        assertThat(least.get()).as("heap bytes of %s", PAIRS).isLessThan(PAIRS * 24L);
    }
}
