package io.labyrinth.bench;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Slab;
import io.labyrinth.SlabObject;
import java.util.Objects;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * An object below a page: taken, its first and last byte written, given back. All threads share one slab.
 */
@State(Scope.Benchmark)
public class SlabBench {

    private static final int FRAMES = 4096;

    @Param("64")
    int bytes;

    private Labyrinth labyrinth;
    private Slab slab;

    @Setup
    public void open() {
        labyrinth = Rig.opened(FRAMES, 0);
        slab = labyrinth.slab(bytes);
    }

    @TearDown
    public void close() {
        slab.validate();
        slab.close();
        Rig.close(labyrinth);
    }

    /** A thread's objects, taken and not yet given back. */
    @State(Scope.Thread)
    public static class Taken {
        private final long[] objects = new long[NettyBench.BURST];
    }

    /** Through the handle, so that owner and life are checked at both writes. */
    @Benchmark
    public long handlePair() {
        long object = slab.alloc(Gfp.ATOMIC_EXCLUSIVE);
        write(object);
        slab.free(object);
        return object;
    }

    /** By a segment that is confined to its owner and dies with the object. */
    @Benchmark
    public void objectPair() {
        try (SlabObject object = Objects.requireNonNull(slab.allocObject(Gfp.ATOMIC_EXCLUSIVE))) {
            Rig.write(object.segment());
        }
    }

    @Benchmark
    @OperationsPerInvocation(NettyBench.BURST)
    public void burst(Taken taken) {
        for (int i = 0; i < NettyBench.BURST; i++) {
            taken.objects[i] = slab.alloc(Gfp.ATOMIC_EXCLUSIVE);
            write(taken.objects[i]);
        }
        for (int i = 0; i < NettyBench.BURST; i++) {
            slab.free(taken.objects[i]);
        }
    }

    private void write(long object) {
        slab.putByte(object, 0, (byte) 1);
        slab.putByte(object, bytes - 1, (byte) 1);
    }
}
