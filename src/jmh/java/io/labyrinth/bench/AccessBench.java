package io.labyrinth.bench;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** What a checked access by handle costs, beside the access of a segment. A figure is one access's. */
@State(Scope.Thread)
public class AccessBench {

    private static final int ACCESSES = 16;

    private Labyrinth labyrinth;
    private Handles handles;
    private long handle;
    private MemorySegment segment;

    @Setup
    public void open() {
        labyrinth = Rig.opened(1024, 0);
        handles = labyrinth.handles();
        handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
        segment = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE).segment();
    }

    @TearDown
    public void close() {
        labyrinth.closeNow();
    }

    @Benchmark
    @OperationsPerInvocation(ACCESSES)
    public long getLong() {
        long sum = 0;
        for (int i = 0; i < ACCESSES; i++) {
            sum += handles.getLong(handle, i * Long.BYTES);
        }
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(ACCESSES)
    public void putLong() {
        for (int i = 0; i < ACCESSES; i++) {
            handles.putLong(handle, i * Long.BYTES, i);
        }
    }

    @Benchmark
    @OperationsPerInvocation(ACCESSES)
    public long segmentGet() {
        long sum = 0;
        for (int i = 0; i < ACCESSES; i++) {
            sum += segment.get(ValueLayout.JAVA_LONG_UNALIGNED, i * Long.BYTES);
        }
        return sum;
    }

    @Benchmark
    public long address() {
        return handles.address(handle);
    }
}
