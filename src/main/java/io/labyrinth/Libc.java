package io.labyrinth;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.rlimit;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The native functions, with their errno: the only file that makes native calls.
 *
 * <p>Handles are made here from the address and the descriptor that jextract gives, as only a handle of one's own can
 * capture errno. None is {@code critical}: mmap and mlock block, and a critical call would hold up every safepoint.
 *
 * <p>To initialise this class needs the right to call native code, so whoever comes here has first called
 * {@link Machine#requireNativeAccess}, which is not a method of this class for that reason.
 */
final class Libc {

    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO_AT = STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    private static final MethodHandle MMAP = handle(Native.mmap$address(), Native.mmap$descriptor());
    private static final MethodHandle MUNMAP = handle(Native.munmap$address(), Native.munmap$descriptor());
    private static final MethodHandle MADVISE = handle(Native.madvise$address(), Native.madvise$descriptor());
    private static final MethodHandle MLOCK = handle(Native.mlock$address(), Native.mlock$descriptor());
    private static final MethodHandle MLOCK2 = handle(Native.mlock2$address(), Native.mlock2$descriptor());
    private static final MethodHandle MUNLOCK = handle(Native.munlock$address(), Native.munlock$descriptor());
    private static final MethodHandle GETRLIMIT = handle(Native.getrlimit$address(), Native.getrlimit$descriptor());

    private Libc() {
    }

    /** What a call returned, and errno if that was -1. mmap fails with -1 as well (MAP_FAILED), not with NULL. */
    record Result(long value, int errno) {
        boolean failed() {
            return value == -1;
        }

        String error() {
            return describe(errno);
        }
    }

    private interface Call {
        long with(MemorySegment state) throws Throwable;
    }

    @SuppressWarnings("restricted")
    private static MethodHandle handle(MemorySegment address, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(address, descriptor, Linker.Option.captureCallState("errno"));
    }

    /** {@code fd} is -1 and the offset 0: anonymous memory, readable and writable. */
    static Result mmap(long address, long length, int flags) {
        return call(state -> ((MemorySegment) MMAP.invokeExact(state, MemorySegment.ofAddress(address), length,
                Native.PROT_READ() | Native.PROT_WRITE(), flags, -1, 0L)).address());
    }

    static Result munmap(long address, long length) {
        return call(state -> (int) MUNMAP.invokeExact(state, MemorySegment.ofAddress(address), length));
    }

    static Result madvise(long address, long length, int advice) {
        return call(state -> (int) MADVISE.invokeExact(state, MemorySegment.ofAddress(address), length, advice));
    }

    static Result mlock(long address, long length) {
        return call(state -> (int) MLOCK.invokeExact(state, MemorySegment.ofAddress(address), length));
    }

    static Result mlock2(long address, long length, int flags) {
        return call(state -> (int) MLOCK2.invokeExact(state, MemorySegment.ofAddress(address), length, flags));
    }

    static Result munlock(long address, long length) {
        return call(state -> (int) MUNLOCK.invokeExact(state, MemorySegment.ofAddress(address), length));
    }

    /** The system's page size in bytes. */
    static long pageSize() {
        return Native.sysconf(Native._SC_PAGESIZE());
    }

    /** Soft and hard limit of locked memory in bytes; negative: none. */
    static long[] lockLimit() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment limit = rlimit.allocate(arena);
            Result result = call(state -> (int) GETRLIMIT.invokeExact(state, Native.RLIMIT_MEMLOCK(), limit));
            if (result.failed()) {
                throw new AssertionError("getrlimit errno=" + result.error());
            }
            return new long[] {rlimit.rlim_cur(limit), rlimit.rlim_max(limit)};
        }
    }

    /** {@code 12(Cannot allocate memory)}. */
    @SuppressWarnings("restricted")
    static String describe(int errno) {
        return errno + "(" + Native.strerror(errno).reinterpret(256).getString(0) + ")";
    }

    private static Result call(Call call) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            long value = call.with(state);
            return new Result(value, value == -1 ? state.get(ValueLayout.JAVA_INT, ERRNO_AT) : 0);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a downcall throws nothing checked", e);
        }
    }
}
