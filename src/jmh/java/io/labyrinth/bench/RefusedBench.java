package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** What a request costs for which there is nothing: every frame of the labyrinth is out. */
@State(Scope.Benchmark)
public class RefusedBench {

    private static final Gfp ATOMIC = Gfp.ATOMIC_EXCLUSIVE.with(Gfp.NOWARN);
    private static final Gfp NOWAIT = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);

    @Param("1048576")
    int frames;

    private Labyrinth labyrinth;
    private Handles handles;
    private long[] out;

    @Setup
    public void exhaust() {
        labyrinth = Rig.open(frames);
        handles = labyrinth.handles();
        out = new long[frames];
        for (int i = 0; i < frames; i++) {
            out[i] = handles.alloc(Gfp.NOWAIT, 0);
            if (out[i] == 0) {
                throw new IllegalStateException("refused before all frames are out");
            }
        }
    }

    @TearDown
    public void close() {
        labyrinth.validate();
        for (long handle : out) {
            handles.free(handle);
        }
        Rig.close(labyrinth);
    }

    @Benchmark
    public long nowait() {
        return refused(handles.alloc(NOWAIT, 0));
    }

    @Benchmark
    public long atomic() {
        return refused(handles.alloc(ATOMIC, 0));
    }

    @Benchmark
    public @Nullable Frame atomicFrame() {
        Frame frame = labyrinth.allocPage(ATOMIC);
        refused(frame == null ? 0 : 1);
        return frame;
    }

    private static long refused(long handle) {
        if (handle != 0) {
            throw new IllegalStateException("a frame of an exhausted labyrinth");
        }
        return handle;
    }
}
