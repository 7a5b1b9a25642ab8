package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Objects;
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
        return pair(0);
    }

    /** Of any order; one that the compiler does not know. */
    @Benchmark
    public long handleRunPair() {
        return pair(order);
    }

    private long pair(int order) {
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, order);
        handles.free(handle);
        return handle;
    }

    /** With both bytes written through the handle, whose life is checked each time. */
    @Benchmark
    public long handlePairWritten() {
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
        handles.putByte(handle, 0, (byte) 1);
        handles.putByte(handle, 4095, (byte) 1);
        handles.free(handle);
        return handle;
    }

    // The same lines three times, as C2 inlines no method that it has compiled to more than 2,500 bytes before,
    // and a frame that is passed to one escapes (160 bytes with its segment, 25 ns).
    // What is measured is a frame that does not.

    @Benchmark
    public long framePair() {
        try (Frame frame = Objects.requireNonNull(labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE))) {
            Rig.write(frame.segment());
            return frame.pfn();
        }
    }

    /** Of any order; one that the compiler does not know. */
    @Benchmark
    public long frameRunPair() {
        try (Frame frame = Objects.requireNonNull(labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, order))) {
            Rig.write(frame.segment());
            return frame.pfn();
        }
    }

    /** Any thread may use and free it, so its release is a CAS, and its segment is the labyrinth's. */
    @Benchmark
    public long sharedFramePair() {
        try (Frame frame = Objects.requireNonNull(labyrinth.allocPage(Gfp.ATOMIC))) {
            Rig.write(frame.segment());
            return frame.pfn();
        }
    }
}
