package io.labyrinth.internal.os;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.flock;
import io.labyrinth.bindings.rlimit;
import io.labyrinth.bindings.stat_blocks;
import io.labyrinth.bindings.statvfs;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The native functions, with their errno. This is the only file that makes native calls.
 *
 * <p>The handles are made here, from the address and the descriptor that jextract gives: the handles of jextract do not
 * capture errno. None is {@code critical}: mmap and mlock block, and a critical call would hold up every safepoint.
 *
 * <p>The initialiser of this class needs the right to call native code. So every caller has called
 * {@link Machine#requireNativeAccess} before. For the same reason that method is not in this class.
 */
public final class Libc {

    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final long ERRNO_AT = STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    /** Returns the address as a number. An object for it would be made after the call, when there may be no heap. */
    private static final MethodHandle MMAP = handle(Native.mmap$address(),
            Native.mmap$descriptor().changeReturnLayout(ValueLayout.JAVA_LONG));
    private static final MethodHandle MUNMAP = handle(Native.munmap$address(), Native.munmap$descriptor());
    private static final MethodHandle MREMAP = variadic(Native.mremap.address(),
            Native.mremap.makeInvoker(ValueLayout.JAVA_LONG).descriptor().changeReturnLayout(ValueLayout.JAVA_LONG), 4);
    private static final MethodHandle MADVISE = handle(Native.madvise$address(), Native.madvise$descriptor());
    private static final MethodHandle MLOCK = handle(Native.mlock$address(), Native.mlock$descriptor());
    private static final MethodHandle MUNLOCK = handle(Native.munlock$address(), Native.munlock$descriptor());
    private static final MethodHandle CLOSE = handle(Native.close$address(), Native.close$descriptor());
    private static final MethodHandle FTRUNCATE = handle(Native.ftruncate$address(), Native.ftruncate$descriptor());
    private static final MethodHandle LSEEK = handle(Native.lseek$address(), Native.lseek$descriptor());
    private static final MethodHandle OPEN = variadic(Native.open.address(),
            Native.open.makeInvoker(ValueLayout.JAVA_INT).descriptor());
    private static final MethodHandle FCNTL_INT = variadic(Native.fcntl.address(),
            Native.fcntl.makeInvoker(ValueLayout.JAVA_INT).descriptor());
    private static final MethodHandle FCNTL_FLOCK = variadic(Native.fcntl.address(),
            Native.fcntl.makeInvoker(ValueLayout.ADDRESS).descriptor());
    private static final MethodHandle PREAD = handle(Native.pread$address(), Native.pread$descriptor());
    private static final MethodHandle FSTATVFS = handle(Native.fstatvfs$address(), Native.fstatvfs$descriptor());
    private static final MethodHandle FALLOCATE = handle(Native.posix_fallocate$address(),
            Native.posix_fallocate$descriptor());
    private static final MethodHandle KILL = handle(Native.kill$address(), Native.kill$descriptor());
    private static final MethodHandle GETRLIMIT = handle(Native.getrlimit$address(), Native.getrlimit$descriptor());

    /*
     * An older libc lacks these symbols (glibc before 2.27, and before 2.33 for fstat). There the handle is null, and
     * the system call is made by its number. What jextract gives for these symbols is not used: it looks the symbol up
     * at once, and fails. So the descriptors are written out here.
     */
    private static final @Nullable MethodHandle MLOCK2 = optional("mlock2",
            FunctionDescriptor.of(Native.C_INT, Native.C_POINTER, Native.C_LONG, Native.C_INT));
    private static final @Nullable MethodHandle MEMFD_CREATE = optional("memfd_create",
            FunctionDescriptor.of(Native.C_INT, Native.C_POINTER, Native.C_INT));
    private static final @Nullable MethodHandle FSTAT = optional("fstat",
            FunctionDescriptor.of(Native.C_INT, Native.C_INT, Native.C_POINTER));
    private static final MethodHandle SYSCALL = variadic(Native.syscall.address(),
            Native.syscall.makeInvoker(Native.C_LONG, Native.C_LONG, Native.C_LONG).descriptor(), 1);

    /** The numbers of the optional system calls. x86-64 has numbers of its own. The other processors share theirs. */
    private enum Number {
        MLOCK2(325, 284), MEMFD_CREATE(319, 279), FSTAT(5, 80);

        private final long x86;
        private final long generic;

        Number(long x86, long generic) {
            this.x86 = x86;
            this.generic = generic;
        }

        /** -1 if the number is not known: no system call has the number -1. */
        long here() {
            return switch (System.getProperty("os.arch")) {
                case "amd64", "x86_64" -> x86;
                case "aarch64", "riscv64", "loongarch64" -> generic;
                default -> -1;
            };
        }
    }

    private Libc() {
    }

    /**
     * What a call returned, and errno if that was -1. mmap fails with -1 as well (MAP_FAILED), not with NULL. The
     * object is made before the call, so nothing can fail after the call. If an error is thrown, no call was made.
     */
    public static final class Result {
        /** A field, because some callers must read it without a call: an error may strike at any call. */
        public long value;
        private int errno;
        private boolean isMade;

        private Result() {
        }

        /** The result for a call that was not necessary. */
        static Result ofNothing() {
            return of(0, 0);
        }

        private static Result of(long value, int errno) {
            Result result = new Result();
            result.value = value;
            result.errno = errno;
            return result;
        }

        public long value() {
            return value;
        }

        int errno() {
            return errno;
        }

        public boolean failed() {
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

    /** For functions whose third argument is the first variadic one. */
    private static MethodHandle variadic(MemorySegment address, FunctionDescriptor descriptor) {
        return variadic(address, descriptor, 2);
    }

    @SuppressWarnings("restricted")
    private static MethodHandle variadic(MemorySegment address, FunctionDescriptor descriptor, int firstVariadic) {
        return Linker.nativeLinker().downcallHandle(address, descriptor, Linker.Option.captureCallState("errno"),
                Linker.Option.firstVariadicArg(firstVariadic));
    }

    /** Looks the symbol up as jextract does. */
    private static @Nullable MethodHandle optional(String symbol, FunctionDescriptor descriptor) {
        return SymbolLookup.loaderLookup().or(Linker.nativeLinker().defaultLookup()).find(symbol)
                .map(address -> handle(address, descriptor)).orElse(null);
    }

    /** Fails with ENOSYS if the number is not known. */
    private static Result systemCall(Number number, long first, long second, long third) {
        return call(state -> (long) SYSCALL.invokeExact(state, number.here(), first, second, third));
    }

    /** Maps anonymous memory, readable and writable. */
    public static Result mmap(long address, long length, int flags) {
        return mmap(address, length, flags, -1);
    }

    /** Maps the file from its beginning, readable and writable. */
    public static Result mmap(long address, long length, int flags, int fd) {
        return mmap(address, length, Native.PROT_READ() | Native.PROT_WRITE(), flags, fd);
    }

    /** Maps the file from its beginning, only readable. */
    static Result mapToRead(long length, int fd) {
        return mmap(0, length, Native.PROT_READ(), Native.MAP_SHARED(), fd);
    }

    private static Result mmap(long address, long length, int protection, int flags, int fd) {
        MemorySegment start = MemorySegment.ofAddress(address);
        return call(state -> (long) MMAP.invokeExact(state, start, length, protection, flags, fd, 0L));
    }

    /**
     * Opens a file. Without other flags it is opened for reading. A new file is the owner's alone (mode 0600). The
     * descriptor closes with exec.
     */
    public static Result open(String path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path);
            return call(state -> (int) OPEN.invokeExact(state, name, Native.O_CLOEXEC() | flags, 0600));
        }
    }

    /** May be called in handlers. It throws only if heap or stack are exhausted, and then before the system call. */
    public static Result close(int fd) {
        return call(state -> (int) CLOSE.invokeExact(state, fd));
    }

    /** Makes an empty file in memory, without a name. Its length can be sealed. Needs Linux 3.17. */
    public static Result memfdCreate(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(name);
            int flags = Native.MFD_CLOEXEC() | Native.MFD_ALLOW_SEALING();
            MethodHandle symbol = MEMFD_CREATE;
            return symbol == null ? systemCall(Number.MEMFD_CREATE, text.address(), flags, 0)
                    : call(state -> (int) symbol.invokeExact(state, text, flags));
        }
    }

    public static Result truncate(int fd, long length) {
        return call(state -> (int) FTRUNCATE.invokeExact(state, fd, length));
    }

    /** The file's length in bytes. */
    static Result length(int fd) {
        return call(state -> (long) LSEEK.invokeExact(state, fd, 0L, Native.SEEK_END()));
    }

    /** Bytes of memory, or of the disk, that the file takes. */
    static Result allocated(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stat = stat_blocks.allocate(arena);
            MethodHandle symbol = FSTAT;
            Result result = symbol == null ? systemCall(Number.FSTAT, fd, stat.address(), 0)
                    : call(state -> (int) symbol.invokeExact(state, fd, stat));
            return result.failed() ? result : Result.of(stat_blocks.blocks(stat) * 512, 0);
        }
    }

    /** Reads from the file's beginning, at most as many bytes as {@code to} has. Returns how many were read. */
    static Result read(int fd, MemorySegment to) {
        return call(state -> (long) PREAD.invokeExact(state, fd, to, to.byteSize(), 0L));
    }

    /** Makes the file system reserve these bytes of the file. Then an access to them cannot fail for want of room. */
    public static Result reserve(int fd, long from, long bytes) {
        Result result = call(state -> (int) FALLOCATE.invokeExact(state, fd, from, bytes));
        return result.value() == 0 ? result : Result.of(-1, (int) result.value());    // it returns errno
    }

    /** Size and free bytes of the file's file system. A size of 0: there is no limit, or the system tells none. */
    static long[] room(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment room = statvfs.allocate(arena);
            if (call(state -> (int) FSTATVFS.invokeExact(state, fd, room)).failed()) {
                return new long[2];
            }
            long block = statvfs.f_frsize(room);
            return new long[] {statvfs.f_blocks(room) * block, statvfs.f_bavail(room) * block};
        }
    }

    public static Result addSeals(int fd, int seals) {
        return call(state -> (int) FCNTL_INT.invokeExact(state, fd, Native.F_ADD_SEALS(), seals));
    }

    /** Fails with EINVAL if the file is not on a memory file system. */
    static Result seals(int fd) {
        return call(state -> (int) FCNTL_INT.invokeExact(state, fd, Native.F_GET_SEALS(), 0));
    }

    /** Takes (F_WRLCK) or gives up (F_UNLCK) the lock of one byte, for the open file description. Never waits. */
    public static Result lockByte(int fd, int type, long at) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment lock = byteLock(arena, type, at);
            return call(state -> (int) FCNTL_FLOCK.invokeExact(state, fd, Native.F_OFD_SETLK(), lock));
        }
    }

    /** 1 if another open file description has the lock of this byte, 0 if none has. */
    static Result lockedByte(int fd, long at) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment lock = byteLock(arena, Native.F_WRLCK(), at);
            Result result = call(state -> (int) FCNTL_FLOCK.invokeExact(state, fd, Native.F_OFD_GETLK(), lock));
            return result.failed() || flock.l_type(lock) == Native.F_UNLCK() ? result : Result.of(1, 0);
        }
    }

    /** Asks whether this process's pid namespace has a process with this pid. Sends no signal. */
    static Result find(int pid) {
        return call(state -> (int) KILL.invokeExact(state, pid, 0));
    }

    private static MemorySegment byteLock(Arena arena, int type, long at) {
        MemorySegment lock = flock.allocate(arena);
        flock.l_type(lock, (short) type);
        flock.l_whence(lock, (short) Native.SEEK_SET());
        flock.l_start(lock, at);
        flock.l_len(lock, 1);
        return lock;
    }

    public static Result munmap(long address, long length) {
        return call(state -> (int) MUNMAP.invokeExact(state, MemorySegment.ofAddress(address), length));
    }

    /** Moves a mapping to an address, over whatever is mapped there. If that is refused, both are as they were. */
    static Result move(long address, long length, long to) {
        return call(state -> (long) MREMAP.invokeExact(state, MemorySegment.ofAddress(address), length, length,
                Native.MREMAP_MAYMOVE() | Native.MREMAP_FIXED(), to));
    }

    static Result madvise(long address, long length, int advice) {
        return call(state -> (int) MADVISE.invokeExact(state, MemorySegment.ofAddress(address), length, advice));
    }

    public static Result mlock(long address, long length) {
        return call(state -> (int) MLOCK.invokeExact(state, MemorySegment.ofAddress(address), length));
    }

    /** Needs Linux 4.4. */
    static Result mlock2(long address, long length, int flags) {
        MethodHandle symbol = MLOCK2;
        return symbol == null ? systemCall(Number.MLOCK2, address, length, flags)
                : call(state -> (int) symbol.invokeExact(state, MemorySegment.ofAddress(address), length, flags));
    }

    /** The optional functions that this libc lacks. */
    public static List<String> missing() {
        List<String> missing = new ArrayList<>();
        if (MLOCK2 == null) {
            missing.add("mlock2");
        }
        if (MEMFD_CREATE == null) {
            missing.add("memfd_create");
        }
        if (FSTAT == null) {
            missing.add("fstat");
        }
        return missing;
    }

    public static Result munlock(long address, long length) {
        return call(state -> (int) MUNLOCK.invokeExact(state, MemorySegment.ofAddress(address), length));
    }

    /** The system's page size in bytes. */
    public static long pageSize() {
        return Native.sysconf(Native._SC_PAGESIZE());
    }

    /** Soft and hard limit of locked memory, in bytes. A negative number means that there is no limit. */
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
    public static String describe(int errno) {
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
