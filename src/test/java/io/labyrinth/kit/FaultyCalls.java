package io.labyrinth.kit;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The functions of {@code src/test/native/faults.c}: system calls that fail on request, and a storm of signals. They
 * are for child JVMs. A child calls one of them before the bindings are initialised, so these functions are found
 * before those of libc.
 */
@SuppressWarnings("restricted")
public final class FaultyCalls {

    /** Kinds of calls, as in the C source. {@code ADVISE} is all advice but the one that faults pages in. */
    public static final int MMAP = 1;
    public static final int MUNMAP = 2;
    public static final int ADVISE = 4;
    public static final int POPULATE = 8;
    public static final int LOCK2_ON_FAULT = 16;
    public static final int LOCK2 = 32;
    public static final int LOCK = 64;
    public static final int UNLOCK = 128;
    public static final int OPEN = 256;
    public static final int THREAD = 512;
    public static final int SHARED = 1024;
    public static final int BYTE_LOCK = 1 << 16;
    public static final int FALLOCATE = 1 << 17;
    public static final int FIND = 1 << 18;
    public static final int MREMAP = 1 << 19;
    public static final int ANY = -1;

    private static final String LIBRARY = "labyrinth.faults";

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private FaultyCalls() {
    }

    // ------------------------------------------------------------------------------------------- for the parent

    /** The option by which a child finds the library. */
    public static String option(Path library) {
        return "-D" + LIBRARY + "=" + library;
    }

    // ------------------------------------------------------------------------------------------- in the child

    /** From now on the calls first to last of these kinds, counted from 1, fail with this error. */
    public static void refuse(int first, int last, int kinds, int error) {
        try {
            Library.REFUSE.invokeExact(first, last, kinds, error);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Ends that, and tells the kind of the last call that was refused; 0 if none was. */
    public static int refused() {
        return (int) ask("refused", INT);
    }

    /** Whether anything is mapped where the last mmap of Labyrinth's was put. */
    public static boolean isAnythingLeft() {
        long start = ask("place_start", LONG);
        long end = ask("place_end", LONG);
        try {
            return Files.readAllLines(Path.of("/proc/self/maps")).stream().map(line -> line.split("[- ]")).anyMatch(
                    range -> Long.compareUnsigned(Long.parseUnsignedLong(range[0], 16), end) < 0
                            && Long.compareUnsigned(Long.parseUnsignedLong(range[1], 16), start) > 0);
        } catch (IOException e) {
            throw new AssertionError("/proc/self/maps", e);
        }
    }

    /** A child that neither ends nor calls exec; its pid. */
    public static int fork() {
        return (int) ask("fork_one", INT);
    }

    public static void forbidHugePages() {
        succeed("no_huge_pages");
    }

    /** From now on, as before Linux 6.12: an mmap(MAP_FIXED) that is refused has unmapped what was there. */
    public static void unmapFirst() {
        succeed("unmap_first");
    }

    /** As where the kernel has no MADV_COLD; of the library that is preloaded. */
    public static void forgetCold() {
        try {
            Library.handle("forget_cold", FunctionDescriptor.ofVoid()).invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Signals, to every thread of this JVM, until {@link #endStorm}. */
    public static void beginStorm() {
        succeed("storm_begins");
    }

    public static void endStorm() {
        succeed("storm_ends");
    }

    /** Those that reached the thread which began the storm. */
    public static long signalsMet() {
        return ask("signals_met", LONG);
    }

    private static void succeed(String function) {
        if (ask(function, INT) != 0) {
            throw new AssertionError(function + " failed");
        }
    }

    private static long ask(String function, ValueLayout answer) {
        try {
            return ((Number) Library.handle(function, FunctionDescriptor.of(answer)).invokeWithArguments()).longValue();
        } catch (Throwable e) {
            throw new AssertionError(function, e);
        }
    }

    /** In the child alone there is one to load. */
    private static final class Library {

        static final MethodHandle REFUSE;

        static {
            System.load(System.getProperty(LIBRARY));
            REFUSE = handle("refuse", FunctionDescriptor.ofVoid(INT, INT, INT, INT));
        }

        static MethodHandle handle(String function, FunctionDescriptor descriptor) {
            return Linker.nativeLinker().downcallHandle(SymbolLookup.loaderLookup().findOrThrow(function), descriptor);
        }
    }
}
