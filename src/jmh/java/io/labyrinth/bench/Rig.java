package io.labyrinth.bench;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** What all sides share: the labyrinth under test, the two bytes that each writes, and the C allocator. */
final class Rig {

    /** Set for a JVM that runs with another allocator preloaded: its name. */
    static final String PRELOADED = "bench.preloaded";

    private static final MethodHandle MALLOC = critical("malloc",
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = critical("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private Rig() {
    }

    /** Locked where the lock limit allows it; where not, the log says so, and all else is as in any other run. */
    static Labyrinth open(int frames) {
        return Labyrinth.builder("bench").frames(frames).locking(Locking.PREFERRED).open();
    }

    /** Split into runs of this order, as it is after a while of use. */
    static Labyrinth opened(int frames, int order) {
        Labyrinth labyrinth = open(frames);
        split(labyrinth, order, frames >> order);
        return labyrinth;
    }

    /**
     * Splits off so many runs. While one thread splits the first large run, others find little, and where they share a
     * core with it they may find little for milliseconds.
     */
    static void split(Labyrinth labyrinth, int order, int runs) {
        Handles handles = labyrinth.handles();
        long[] taken = new long[runs];
        for (int i = 0; i < runs; i++) {
            taken[i] = handles.alloc(Gfp.NOWAIT, order);
        }
        for (long handle : taken) {
            handles.free(handle);
        }
    }

    static void close(Labyrinth labyrinth) {
        labyrinth.validate();
        labyrinth.close();
    }

    /** The work that is the same for all: the first and the last byte. */
    static void write(MemorySegment buffer) {
        buffer.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        buffer.set(ValueLayout.JAVA_BYTE, buffer.byteSize() - 1, (byte) 1);
    }

    static int read(MemorySegment buffer) {
        return buffer.get(ValueLayout.JAVA_BYTE, 0) + buffer.get(ValueLayout.JAVA_BYTE, buffer.byteSize() - 1);
    }

    /** As its users would: the address made a segment of the size asked for. */
    @SuppressWarnings("restricted")
    static MemorySegment malloc(long bytes) {
        try {
            MemorySegment address = (MemorySegment) MALLOC.invokeExact(bytes);
            return address.reinterpret(bytes);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    static void free(MemorySegment buffer) {
        try {
            FREE.invokeExact(buffer);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle critical(String name, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(inScope(name), descriptor, Linker.Option.critical(false));
    }

    /** What the process itself would call: the default lookup asks libc alone, and does not see what was preloaded. */
    @SuppressWarnings("restricted")
    private static MemorySegment inScope(String name) {
        Linker linker = Linker.nativeLinker();
        MethodHandle dlsym = linker.downcallHandle(linker.defaultLookup().findOrThrow("dlsym"),
                FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment found = (MemorySegment) dlsym.invokeExact(MemorySegment.NULL, arena.allocateFrom(name));
            boolean libc = found.address() == linker.defaultLookup().findOrThrow(name).address();
            if (libc == (System.getProperty(PRELOADED) != null)) {
                throw new IllegalStateException(name + " is " + (libc ? "libc's" : "not libc's"));
            }
            return found;
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
