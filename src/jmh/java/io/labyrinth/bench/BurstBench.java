package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jctools.queues.MpmcArrayQueue;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Takes 1,000 buffers of 4 KiB, then gives 1,000 back: past what hints and caches remember. A figure is one pair's. */
@State(Scope.Benchmark)
public class BurstBench {

    private static final int BURST = 1000;
    private static final int BYTES = 4096;
    /** Room for 8 threads' bursts. */
    private static final int FRAMES = 16_384;

    /** Not a sprint, which may not get past what other threads hold. */
    private static final Gfp GFP = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);

    private Labyrinth labyrinth;
    private Handles handles;
    private Arena arena;
    private MpmcArrayQueue<MemorySegment> pool;

    @Setup
    public void open() {
        labyrinth = Rig.opened(FRAMES, 0);
        handles = labyrinth.handles();
        arena = Arena.ofShared();
        pool = new MpmcArrayQueue<>(FRAMES);
        for (int i = 0; i < FRAMES; i++) {
            pool.add(arena.allocate(BYTES));
        }
    }

    @TearDown
    public void close() {
        Rig.close(labyrinth);
        arena.close();
    }

    /** A thread's buffers, taken and not yet given back. */
    @State(Scope.Thread)
    public static class Taken {
        private final long[] handles = new long[BURST];
        private final Frame[] frames = new Frame[BURST];
        private final MemorySegment[] segments = new MemorySegment[BURST];
        private final Arena[] arenas = new Arena[BURST];
    }

    @Benchmark
    @OperationsPerInvocation(BURST)
    public void handles(Taken taken) {
        for (int i = 0; i < BURST; i++) {
            taken.handles[i] = handles.alloc(GFP, 0);
        }
        for (int i = 0; i < BURST; i++) {
            handles.free(taken.handles[i]);
        }
    }

    /** Every frame escapes into an array, with its arena and its segment. */
    @Benchmark
    @OperationsPerInvocation(BURST)
    public void frames(Taken taken) {
        for (int i = 0; i < BURST; i++) {
            Frame frame = labyrinth.allocPage(GFP);
            Rig.write(frame.segment());
            taken.frames[i] = frame;
        }
        for (int i = 0; i < BURST; i++) {
            taken.frames[i].close();
        }
    }

    @Benchmark
    @OperationsPerInvocation(BURST)
    public void malloc(Taken taken) {
        for (int i = 0; i < BURST; i++) {
            taken.segments[i] = Rig.malloc(BYTES);
            Rig.write(taken.segments[i]);
        }
        for (int i = 0; i < BURST; i++) {
            Rig.free(taken.segments[i]);
        }
    }

    @Benchmark
    @OperationsPerInvocation(BURST)
    public void arenaConfined(Taken taken) {
        for (int i = 0; i < BURST; i++) {
            taken.arenas[i] = Arena.ofConfined();
            Rig.write(taken.arenas[i].allocate(BYTES));
        }
        for (int i = 0; i < BURST; i++) {
            taken.arenas[i].close();
        }
    }

    @Benchmark
    @OperationsPerInvocation(BURST)
    public void mpmcArrayQueue(Taken taken) {
        for (int i = 0; i < BURST; i++) {
            taken.segments[i] = pool.poll();
            Rig.write(taken.segments[i]);
        }
        for (int i = 0; i < BURST; i++) {
            pool.offer(taken.segments[i]);
        }
    }
}
