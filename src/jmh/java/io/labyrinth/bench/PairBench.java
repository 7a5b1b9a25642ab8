package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One 4 KiB allocation and its release, beside what bounds it from below and what is used today. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgs = "--enable-native-access=ALL-UNNAMED")
public class PairBench {

    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle().withInvokeExactBehavior();
    private static final MethodHandle MALLOC = critical("malloc",
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = critical("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private Labyrinth labyrinth;
    private Handles handles;
    private Arena arena;
    private MemorySegment word;

    private static MethodHandle critical(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor, Linker.Option.critical(false));
    }

    @Setup
    public void open() {
        labyrinth = Labyrinth.builder("bench").frames(1024).open();
        handles = labyrinth.handles();
        arena = Arena.ofShared();
        word = arena.allocate(64, 64);
    }

    @TearDown
    public void close() {
        labyrinth.validate();
        labyrinth.close();
        arena.close();
    }

    /** The limit: one CAS takes a word of native memory, one release store gives it back. */
    @Benchmark
    public boolean casLimit() {
        boolean taken = WORD.compareAndSet(word, 0L, 0L, 1L);
        WORD.setRelease(word, 0L, 0L);
        return taken;
    }

    @Benchmark
    public long handlePair() {
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
        handles.free(handle);
        return handle;
    }

    @Benchmark
    public long framePair() {
        Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
        if (frame == null) {
            throw new IllegalStateException("no frame");
        }
        try (frame) {
            MemorySegment page = frame.segment();
            page.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
            page.set(ValueLayout.JAVA_BYTE, page.byteSize() - 1, (byte) 1);
            return frame.pfn();
        }
    }

    /** As its users would: the address made a segment of the size asked for. */
    @Benchmark
    public long mallocPair() throws Throwable {
        MemorySegment address = (MemorySegment) MALLOC.invokeExact(4096L);
        MemorySegment page = address.reinterpret(4096);
        page.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        page.set(ValueLayout.JAVA_BYTE, page.byteSize() - 1, (byte) 1);
        FREE.invokeExact(address);
        return page.address();
    }
}
