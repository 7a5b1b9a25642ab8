package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.bindings.Native;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Memory that this library has mapped, from the mapping to the unmapping. The system may refuse to take it back. Then
 * the memory is as it was, and the next call tries again. {@link #GONE} is reached once and never left.
 */
public final class Mapping implements Runnable {

    /*
     * The only transitions. Each one follows the system call that makes it true:
     *
     *   NONE -> MAPPED           this object is made before the call: after the call there may be no heap for it
     *   MAPPED -> EMPTY          unlocked, without memory: the addresses read as zeros, and no one else may have them
     *                            (the addresses of a file that could not be unmapped lead to it; nobody uses them)
     *   MAPPED, EMPTY -> GONE    unmapped: anybody may have the addresses now, and this library never names them again
     *
     * A second munmap after GONE could hit a mapping that was made there since. So a store writes the state directly
     * after the call. Nothing stands between the call and the store that could fail. Libc throws only before it calls
     * (see there).
     *
     * Why the system refuses: the kernel may keep this memory and its neighbours of the same kind as one mapping. To
     * unlock or unmap a part of it, the kernel has to split the mapping, and there may be too many mappings already
     * (ENOMEM, vm.max_map_count). This may happen to any memory. New memory that is mapped over the part has the same
     * effect, and it needs no split if the part lies at an end of the kernel's mapping. It is tried second.
     *
     * If the kernel counts all memory (vm.overcommit_memory=2), it may refuse new memory for want of room. Before Linux
     * 6.12, mmap(MAP_FIXED) has already unmapped the old memory when it refuses. It would leave a hole that anybody may
     * fill. So with this setting the new memory is mapped elsewhere and then moved: mremap asks for no room, and it
     * makes all of its checks first.
     *
     * Some memory has no owner who would ask for its end again: its opening failed, or the garbage collector closed it.
     * If its unmapping is refused, it is kept in a list, and tried again whenever a labyrinth or a slab opens or
     * closes. To enter the list takes no heap, because the heap may be full.
     */

    private static final int NONE = 0;
    private static final int MAPPED = 1;
    private static final int EMPTY = 2;
    private static final int GONE = 3;

    private static final int ANONYMOUS = Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS() | Native.MAP_NORESERVE();

    private static final Path MAX_MAP_COUNT = Path.of("/proc/sys/vm/max_map_count");

    /** The list of what is still to be unmapped, linked by {@link #next}. */
    private static @Nullable Mapping left;

    private final String name;
    private long address;
    private long bytes;
    private volatile int state;
    private @Nullable Mapping next;
    private boolean isListed;

    /** @param name of the labyrinth, for messages */
    public Mapping(String name, long bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    /** Notes that the memory is mapped at {@code start} now. */
    Mapping at(long start) {
        address = start;
        state = MAPPED;
        return this;
    }

    /**
     * Maps the beginning of a file, to write and read it or only to read it. After the system call nothing can fail: no
     * other call is made.
     */
    Libc.Result ofFile(int fd, boolean isWritten) {
        Libc.Result result =
                isWritten ? Libc.mmap(0, bytes, Native.MAP_SHARED(), fd) : Libc.mapToRead(bytes, fd);
        if (result.value != -1) {
            address = result.value;
            state = MAPPED;
        }
        return result;
    }

    /** Unmaps what lies outside of these bytes. If that is refused, the rest still belongs to this mapping. */
    synchronized Libc.Result trimTo(long start, long length) {
        Libc.Result result = Libc.Result.ofNothing();
        if (address < start) {
            result = Libc.munmap(address, start - address);
            if (result.value == -1) {
                return result;
            }
            bytes -= start - address;
            address = start;
        }
        if (bytes > length) {
            result = Libc.munmap(start + length, bytes - length);
            if (result.value == 0) {
                bytes = length;
            }
        }
        return result;
    }

    public long address() {
        return address;
    }

    public long bytes() {
        return bytes;
    }

    /** A segment of all its memory. The memory is unmapped when the last segment of it is unreachable. */
    @SuppressWarnings("restricted")
    MemorySegment whenUnreachable() {
        return MemorySegment.ofAddress(address).reinterpret(bytes, Arena.ofAuto(), memory -> run());
    }

    /** Whether what was mapped there can no longer be accessed. */
    boolean isEmpty() {
        return state != MAPPED;
    }

    /** Unlocks and empties private memory: from now on it reads as zeros. */
    synchronized void empty() {
        if (state != MAPPED) {
            return;
        }
        String refused = "munlock";
        Libc.Result result = Libc.munlock(address, bytes);
        if (result.value == 0) {
            refused = "madvise";
            result = Libc.madvise(address, bytes, Native.MADV_DONTNEED());
        }
        if (result.value != 0 && over(bytes).value == -1) {
            giveMemoryBack();
            throw refused(refused, bytes, result);
        }
        state = EMPTY;
    }

    /**
     * Puts private memory, which reads as zeros, in the place of the file's. This is one step, so a late thread writes
     * to the file or to the private memory, and never to another mapping.
     *
     * @param behind is replaced in the same step; it begins where this mapping ends
     */
    synchronized void replace(@Nullable Mapping behind) {
        if (state != MAPPED) {
            return;
        }
        long length = bytes + (behind == null ? 0 : behind.bytes);
        Libc.Result result = over(length);
        if (result.value == -1) {
            throw refused("mmap", length, result);
        }
        state = EMPTY;
        if (behind != null) {
            behind.state = EMPTY;
        }
    }

    /** Puts private memory in the place of these bytes. If that is refused, they are as they were. */
    private Libc.Result over(long length) {
        if (!Machine.countsAllMemory()) {
            return Libc.mmap(address, length, ANONYMOUS | Native.MAP_FIXED());
        }
        Mapping fresh = new Mapping(name, length);
        boolean moved = false;
        try {
            Libc.Result result = Libc.mmap(0, length, ANONYMOUS);
            if (result.value != -1) {
                fresh.at(result.value);
                result = Libc.move(fresh.address, length, address);
            }
            moved = result.value == address;
            return result;
        } finally {
            if (!moved) {
                fresh.run();    // does nothing if its mmap was refused
            }
        }
    }

    /** Unmaps the memory. If that is refused, it gives at least the lock and the memory back, and throws. */
    void unmap() {
        Libc.Result result = tryToUnmap();
        if (result != null) {
            throw refused("munmap", bytes, result);
        }
    }

    /** Returns the refusal, or null if the memory is unmapped. */
    private synchronized Libc.@Nullable Result tryToUnmap() {
        if (state == NONE || state == GONE) {
            return null;
        }
        Libc.Result result = Libc.munmap(address, bytes);
        if (result.value == 0) {
            state = GONE;
            return null;
        }
        if (state == MAPPED) {
            if (Libc.munlock(address, bytes).value == 0
                    && Libc.madvise(address, bytes, Native.MADV_DONTNEED()).value == 0) {
                state = EMPTY;
            } else {
                giveMemoryBack();
            }
        }
        return result;
    }

    /**
     * Gives the memory back although it is still locked. Older kernels do not know this advice. Others obey, because it
     * needs no split of a mapping.
     */
    private void giveMemoryBack() {
        Libc.madvise(address, bytes, Native.MADV_DONTNEED_LOCKED());
    }

    /**
     * Unmaps the memory, now or at the next opening or closing: for memory whose end nobody would ask for again. An
     * error counts as a refusal and is not thrown: the caller undoes an opening that failed, and must report that
     * failure instead.
     */
    @Override
    public void run() {
        try {
            if (tryToUnmap() == null) {
                return;
            }
        } catch (Throwable untold) {
            // Kept, as after a refusal.
        }
        keep(this);
    }

    private static synchronized void keep(Mapping mapping) {
        if (!mapping.isListed) {
            mapping.isListed = true;
            mapping.next = left;
            left = mapping;
        }
    }

    /** Tries again to unmap what is in the list. What is refused again stays in the list. */
    static synchronized void unmapWhatIsLeft() {
        Mapping before = null;
        for (Mapping at = left; at != null; at = at.next) {
            if (at.tryToUnmap() != null) {
                before = at;
            } else if (before == null) {
                left = at.next;
            } else {
                before.next = at.next;
            }
        }
    }

    private LabyrinthException.CloseRefused refused(String call, long length, Libc.Result result) {
        return new LabyrinthException.CloseRefused("labyrinth=" + name + " cannot give its memory back: " + call
                + " requested=" + Machine.bytes(length) + " errno=" + result.error() + " max_map_count="
                + mostMappings() + " " + Machine.addressSpace() + ": it gives no more frames; raise"
                + " the limit (vm.max_map_count, ulimit -v or -d, vm.overcommit_memory), and close it again: the close"
                + " goes on from here");
    }

    /** Reads with one call: after a read of one byte, the next read of such a file returns nothing. */
    private static String mostMappings() {
        byte[] text = new byte[32];
        try (InputStream in = Files.newInputStream(MAX_MAP_COUNT)) {
            return new String(text, 0, Math.max(0, in.read(text)), StandardCharsets.ISO_8859_1).strip();
        } catch (IOException e) {
            return "?";
        }
    }

    /** A segment of any memory. It never ends, so the caller must know that the memory is still mapped. */
    public static MemorySegment segment(long address, long bytes) {
        return segment(address, bytes, Arena.global());
    }

    @SuppressWarnings("restricted")
    public static MemorySegment segment(long address, long bytes, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
    }
}
