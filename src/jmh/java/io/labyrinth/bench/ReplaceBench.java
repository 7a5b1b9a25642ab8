package io.labyrinth.bench;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.ThreadParams;

/** A live set fills a part of the labyrinth, and random members of it are replaced. A figure is one replacement's. */
@State(Scope.Benchmark)
public class ReplaceBench {

    private static final Gfp NOWAIT_EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
    private static final int FRAMES = 4096;
    /** More than a stripe's hints, so that three quarters of the frames must be walked to. */
    private static final int AT_ONCE = 64;

    @Param("50")
    int percent;

    private Labyrinth labyrinth;
    private Handles handles;

    @Setup
    public void open() {
        labyrinth = Rig.opened(FRAMES, 0);
        handles = labyrinth.handles();
    }

    @TearDown
    public void close() {
        Rig.close(labyrinth);
    }

    /** The live set: each thread has its part of it. */
    @State(Scope.Thread)
    public static class Live {
        private long[] live;
        private long random;
        private Handles handles;

        @Setup
        public void fill(ReplaceBench bench, ThreadParams threads) {
            handles = bench.handles;
            random = 88_172_645_463_325_252L + threads.getThreadIndex();
            live = new long[FRAMES * bench.percent / 100 / threads.getThreadCount()];
            for (int i = 0; i < live.length; i++) {
                live[i] = handles.alloc(NOWAIT_EXCLUSIVE, 0);
            }
        }

        @TearDown
        public void empty() {
            for (long handle : live) {
                handles.free(handle);
            }
        }

        /** Xorshift, and a multiplication instead of a remainder: 1-2 ns. */
        private int pick() {
            random ^= random << 13;
            random ^= random >>> 7;
            random ^= random << 17;
            return (int) ((random >>> 33) * live.length >>> 31);
        }
    }

    /** What finding the member costs by itself. */
    @Benchmark
    public long pickOnly(Live set) {
        int at = set.pick();
        long member = set.live[at];
        set.live[at] = member;
        return member;
    }

    /** Takes the new member first, as one does who copies; so the frame freed last is a hint, and the walk is rare. */
    @Benchmark
    public long replace(Live set) {
        int at = set.pick();
        long taken = handles.alloc(NOWAIT_EXCLUSIVE, 0);
        handles.free(set.live[at]);
        set.live[at] = taken;
        return taken;
    }

    /** Frees many and takes as many: hints run out, and the walk has to find what is scattered. */
    @Benchmark
    @OperationsPerInvocation(AT_ONCE)
    public void replaceMany(Live set) {
        long seed = set.random;
        for (int i = 0; i < AT_ONCE; i++) {
            int at = set.pick();
            if (set.live[at] != 0) {
                handles.free(set.live[at]);
                set.live[at] = 0;
            }
        }
        set.random = seed;
        for (int i = 0; i < AT_ONCE; i++) {
            int at = set.pick();
            if (set.live[at] == 0) {
                set.live[at] = handles.alloc(NOWAIT_EXCLUSIVE, 0);
            }
        }
    }
}
