package io.labyrinth.bench;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** An arena for one call: it opens, allocates so many segments of 16 bytes, writes to each, and closes. */
@State(Scope.Thread)
public class ArenaBench {

    private static final int BYTES = 16;
    private static final int BLOCK = 4096;

    @Param({"1", "20"})
    int segments;

    private Labyrinth labyrinth;
    private MemorySegment block;

    @Setup
    public void open() {
        labyrinth = Rig.opened(1024, 0);
        block = Arena.global().allocate(BLOCK);
    }

    @TearDown
    public void close() {
        Rig.close(labyrinth);
    }

    private long write(SegmentAllocator arena) {
        long sum = 0;
        for (int i = 0; i < segments; i++) {
            MemorySegment segment = arena.allocate(BYTES, 8);
            segment.set(ValueLayout.JAVA_LONG, 0, i);
            sum += segment.address();
        }
        return sum;
    }

    @Benchmark
    public long labyrinth() {
        try (Arena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE)) {
            return write(arena);
        }
    }

    @Benchmark
    public long confined() {
        try (Arena arena = Arena.ofConfined()) {
            return write(arena);
        }
    }

    /** From one block of the JDK's confined arena. */
    @Benchmark
    public long slicing() {
        try (Arena arena = Arena.ofConfined()) {
            return write(SegmentAllocator.slicingAllocator(arena.allocate(BLOCK)));
        }
    }

    /** From a block that is kept: the least that there is, with nothing freed. */
    @Benchmark
    public long slicingKept() {
        return write(SegmentAllocator.slicingAllocator(block));
    }
}
