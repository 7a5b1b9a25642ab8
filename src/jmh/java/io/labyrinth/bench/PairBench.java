package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** One allocation and its release, beside what bounds it from below. All threads share one labyrinth. */
@State(Scope.Benchmark)
public class PairBench {

    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle().withInvokeExactBehavior();

    private static final int RUNS = 16;

    @Param("0")
    int order;
    @Param("1024")
    int frames;

    private Labyrinth labyrinth;
    private Handles handles;

    @Setup
    public void open() {
        // A run for each of 8 threads and as many hints; in so few calls that what gets compiled is a pair, not a walk.
        int room = Math.max(frames, RUNS << order);
        labyrinth = Rig.open(room);
        Rig.split(labyrinth, Math.min(Labyrinth.MAX_ORDER, 31 - Integer.numberOfLeadingZeros(room / RUNS)), RUNS);
        handles = labyrinth.handles();
    }

    @TearDown
    public void close() {
        Rig.close(labyrinth);
    }

    /** A word of native memory for each thread, alone in its two lines. */
    @State(Scope.Thread)
    public static class Word {
        private final Arena arena = Arena.ofShared();
        private final MemorySegment word = arena.allocate(128, 128);

        @TearDown
        public void close() {
            arena.close();
        }
    }

    /** The limit: one CAS takes a word of native memory, one release store gives it back. */
    @Benchmark
    public boolean casLimit(Word mine) {
        boolean taken = WORD.compareAndSet(mine.word, 0L, 0L, 1L);
        WORD.setRelease(mine.word, 0L, 0L);
        return taken;
    }

    @Benchmark
    public long handlePair() {
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, order);
        handles.free(handle);
        return handle;
    }

    /** With both bytes written through the handle, whose life is checked each time. */
    @Benchmark
    public long handlePairWritten() {
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, order);
        handles.putByte(handle, 0, (byte) 1);
        handles.putByte(handle, (4096L << order) - 1, (byte) 1);
        handles.free(handle);
        return handle;
    }

    @Benchmark
    public long framePair() {
        Frame frame = labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, order);
        if (frame == null) {
            throw new IllegalStateException("no frame");
        }
        try (frame) {
            MemorySegment page = frame.segment();
            Rig.write(page);
            return frame.pfn();
        }
    }

    /** Any thread may use and free it, so its release is a CAS, and its segment is the labyrinth's. */
    @Benchmark
    public long sharedFramePair() {
        Frame frame = labyrinth.allocPages(Gfp.ATOMIC, order);
        if (frame == null) {
            throw new IllegalStateException("no frame");
        }
        try (frame) {
            Rig.write(frame.segment());
            return frame.pfn();
        }
    }
}
