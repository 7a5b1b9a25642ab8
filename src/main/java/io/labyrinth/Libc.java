package io.labyrinth;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.flock;
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

    /** The address as a number: an object for it would be made behind the call, where there may be no heap for it. */
    private static final MethodHandle MMAP = handle(Native.mmap$address(),
            Native.mmap$descriptor().changeReturnLayout(ValueLayout.JAVA_LONG));
    private static final MethodHandle MUNMAP = handle(Native.munmap$address(), Native.munmap$descriptor());
    private static final MethodHandle MADVISE = handle(Native.madvise$address(), Native.madvise$descriptor());
    private static final MethodHandle MLOCK = handle(Native.mlock$address(), Native.mlock$descriptor());
    private static final MethodHandle MLOCK2 = handle(Native.mlock2$address(), Native.mlock2$descriptor());
    private static final MethodHandle MUNLOCK = handle(Native.munlock$address(), Native.munlock$descriptor());
    private static final MethodHandle CLOSE = handle(Native.close$address(), Native.close$descriptor());
    private static final MethodHandle FTRUNCATE = handle(Native.ftruncate$address(), Native.ftruncate$descriptor());
    private static final MethodHandle LSEEK = handle(Native.lseek$address(), Native.lseek$descriptor());
    private static final MethodHandle MEMFD_CREATE = handle(Native.memfd_create$address(),
            Native.memfd_create$descriptor());
    private static final MethodHandle OPEN = variadic(Native.open.address(),
            Native.open.makeInvoker(ValueLayout.JAVA_INT).descriptor());
    private static final MethodHandle FCNTL_INT = variadic(Native.fcntl.address(),
            Native.fcntl.makeInvoker(ValueLayout.JAVA_INT).descriptor());
    private static final MethodHandle FCNTL_FLOCK = variadic(Native.fcntl.address(),
            Native.fcntl.makeInvoker(ValueLayout.ADDRESS).descriptor());
    private static final MethodHandle GETRLIMIT = handle(Native.getrlimit$address(), Native.getrlimit$descriptor());

    private Libc() {
    }

    /**
     * What a call returned, and errno if that was -1. mmap fails with -1 as well (MAP_FAILED), not with NULL. The
     * object is made before the call, so that nothing fails behind it: whoever gets an error knows that there was none.
     */
    static final class Result {
        /** For those who must look at it without a call, which could fail. */
        long value;
        private int errno;
        private boolean isMade;

        private Result() {
        }

        /** Of a call that there was no need for. */
        static Result ofNothing() {
            return new Result();
        }

        long value() {
            return value;
        }

        int errno() {
            return errno;
        }

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

    /** All of these take one more argument, the third. */
    @SuppressWarnings("restricted")
    private static MethodHandle variadic(MemorySegment address, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(address, descriptor, Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(2));
    }

    /** Anonymous memory, readable and writable. */
    static Result mmap(long address, long length, int flags) {
        return mmap(address, length, flags, -1);
    }

    /** Of the file from its beginning, readable and writable. */
    static Result mmap(long address, long length, int flags, int fd) {
        MemorySegment start = MemorySegment.ofAddress(address);
        int protection = Native.PROT_READ() | Native.PROT_WRITE();
        return call(state -> (long) MMAP.invokeExact(state, start, length, protection, flags, fd, 0L));
    }

    /** Opens, for reading if the flags say no more, for the owner alone if it is new; it closes with exec. */
    static Result open(String path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path);
            return call(state -> (int) OPEN.invokeExact(state, name, Native.O_CLOEXEC() | flags, 0600));
        }
    }

    static Result close(int fd) {
        return call(state -> (int) CLOSE.invokeExact(state, fd));
    }

    /** An empty file without a name, in memory, whose length can be sealed. */
    static Result memfdCreate(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(name);
            return call(state -> (int) MEMFD_CREATE.invokeExact(state, text,
                    Native.MFD_CLOEXEC() | Native.MFD_ALLOW_SEALING()));
        }
    }

    static Result truncate(int fd, long length) {
        return call(state -> (int) FTRUNCATE.invokeExact(state, fd, length));
    }

    /** The file's length in bytes. */
    static Result length(int fd) {
        return call(state -> (long) LSEEK.invokeExact(state, fd, 0L, Native.SEEK_END()));
    }

    static Result addSeals(int fd, int seals) {
        return call(state -> (int) FCNTL_INT.invokeExact(state, fd, Native.F_ADD_SEALS(), seals));
    }

    /** Fails where the file is on no memory file system. */
    static Result seals(int fd) {
        return call(state -> (int) FCNTL_INT.invokeExact(state, fd, Native.F_GET_SEALS(), 0));
    }

    /** Takes (F_WRLCK) or gives up (F_UNLCK) one byte's lock, for the open file description; never waits. */
    static Result lockByte(int fd, int type, long at) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment lock = byteLock(arena, type, at);
            return call(state -> (int) FCNTL_FLOCK.invokeExact(state, fd, Native.F_OFD_SETLK(), lock));
        }
    }

    /** Whether another open file description has one byte's lock; so, too, if that cannot be asked. */
    static boolean isByteLocked(int fd, long at) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment lock = byteLock(arena, Native.F_WRLCK(), at);
            Result result = call(state -> (int) FCNTL_FLOCK.invokeExact(state, fd, Native.F_OFD_GETLK(), lock));
            return result.failed() || flock.l_type(lock) != Native.F_UNLCK();
        }
    }

    private static MemorySegment byteLock(Arena arena, int type, long at) {
        MemorySegment lock = flock.allocate(arena);
        flock.l_type(lock, (short) type);
        flock.l_whence(lock, (short) Native.SEEK_SET());
        flock.l_start(lock, at);
        flock.l_len(lock, 1);
        return lock;
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
        Result result = new Result();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            result.value = call.with(state);
            result.isMade = true;
            if (result.value == -1) {
                result.errno = state.get(ValueLayout.JAVA_INT, ERRNO_AT);
            }
        } catch (RuntimeException | Error e) {
            if (!result.isMade) {
                throw e;
            }
        } catch (Throwable e) {
            throw new AssertionError("a downcall throws nothing checked", e);
        }
        return result;
    }
}
