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
 * Memory that is this library's, from its mapping to its unmapping. The system may refuse to give it back; then the
 * memory is as it was, and the next call tries again. Whoever is done with it comes to {@link #GONE} once.
 */
public final class Mapping implements Runnable {

    /*
     * The only transitions, each behind the system call that makes it true:
     *
     *   NONE -> MAPPED           this object is made before, as there may be no heap for it behind the call
     *   MAPPED -> EMPTY          unlocked, without memory; the addresses read as zeros, and stay this library's
     *                            (of a file that could not be unmapped, they lead to it, and nobody comes by there)
     *   MAPPED, EMPTY -> GONE    unmapped: the addresses may be anybody's, and are never named again
     *
     * A second munmap after GONE could hit whatever was mapped there since. So the state is written by a store right
     * behind the call, with nothing between that could fail; and Libc throws only before it calls (see there).
     *
     * Why a system refuses: to unlock or unmap a part of what the kernel keeps as one mapping, it has to split that,
     * and there may be too many mappings (ENOMEM, vm.max_map_count). Neighbours of the same kind are one mapping to it,
     * so this may happen to any. The other way to the same end, memory mapped over it, needs no split where the part
     * lies at an end, and is tried second.
     *
     * Where the kernel counts all memory (vm.overcommit_memory=2), it may refuse memory for want of room. Before Linux
     * 6.12 mmap(MAP_FIXED) has unmapped what was there by then, and would leave a hole that anybody may fill. So the
     * new memory is mapped elsewhere there, and moved: mremap asks for no room, and does all of its checks first.
     *
     * What nobody would ask for again (an opening failed, or the collector came) is kept in a list, and tried again
     * whenever a labyrinth or a slab opens or closes. To enter the list takes no heap, which may be what is lacking.
     */

    private static final int NONE = 0;
    private static final int MAPPED = 1;
    private static final int EMPTY = 2;
    private static final int GONE = 3;

    private static final int ANONYMOUS = Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS() | Native.MAP_NORESERVE();

    private static final Path MAX_MAP_COUNT = Path.of("/proc/sys/vm/max_map_count");

    /** To be unmapped when there is another chance, by {@link #next}. */
    private static @Nullable Mapping left;

    private final String name;
    private long address;
    private long bytes;
    private volatile int state;
    private @Nullable Mapping next;
    private boolean isListed;

    /** @param name whose it is, for messages */
    public Mapping(String name, long bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    /** It is mapped there now. */
    Mapping at(long start) {
        address = start;
        state = MAPPED;
        return this;
    }

    /** Maps the beginning of a file, to be written or only read. After the call nothing can fail, and none is made. */
    Libc.Result ofFile(int fd, boolean isWritten) {
        Libc.Result result =
                isWritten ? Libc.mmap(0, bytes, Native.MAP_SHARED(), fd) : Libc.mapToRead(bytes, fd);
        if (result.value != -1) {
            address = result.value;
            state = MAPPED;
        }
        return result;
    }

    /** Unmaps what lies outside of these bytes. Where that is refused, the rest is still this mapping. */
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

    /** Its memory; it is unmapped when the last segment of it is unreachable. */
    @SuppressWarnings("restricted")
    MemorySegment whenUnreachable() {
        return MemorySegment.ofAddress(address).reinterpret(bytes, Arena.ofAuto(), memory -> run());
    }

    /** Whether nothing of what was mapped there can be reached any more. */
    boolean isEmpty() {
        return state != MAPPED;
    }

    /** Unlocks and empties private memory: what is read there from now on is zero. */
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
     * Puts private memory in the place of a file's, which reads as zeros; in one step, so that a thread that is late
     * writes to the file or to nobody, and to no other mapping.
     *
     * @param behind replaced in the same step; it begins where this one ends
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

    /** Private memory in the place of these bytes; if it is refused, they are as they were. */
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
                fresh.run();    // nothing, if it was refused
            }
        }
    }

    /** Unmaps, or at least gives lock and memory back, and throws. */
    void unmap() {
        Libc.Result result = tryToUnmap();
        if (result != null) {
            throw refused("munmap", bytes, result);
        }
    }

    /** What was refused, or null. */
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

    /** Although it is still locked, which older kernels refuse. (What needs no split of a mapping, succeeds.) */
    private void giveMemoryBack() {
        Libc.madvise(address, bytes, Native.MADV_DONTNEED_LOCKED());
    }

    /**
     * Unmaps, now or when there is another chance: for what nobody would ask for again. An error is taken as a refusal,
     * and not thrown: this undoes what has failed, and that failure is the one to tell.
     */
    @Override
    public void run() {
        try {
            if (tryToUnmap() == null) {
                return;
            }
        } catch (Throwable untold) {
            // It is kept.
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

    /** Once more, whatever could not be unmapped; what cannot be now either stays in the list. */
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
                + mostMappings() + " " + Machine.addressSpace() + ": nothing can be had from it any"
                + " more; raise the limit (vm.max_map_count, ulimit -v or -d, vm.overcommit_memory), and close it"
                + " again, which goes on from here");
    }

    /** In one read: such a file has nothing behind its first byte for who asks byte by byte. */
    private static String mostMappings() {
        byte[] text = new byte[32];
        try (InputStream in = Files.newInputStream(MAX_MAP_COUNT)) {
            return new String(text, 0, Math.max(0, in.read(text)), StandardCharsets.ISO_8859_1).strip();
        } catch (IOException e) {
            return "?";
        }
    }

    /** Any memory, for as long as it is there. */
    public static MemorySegment segment(long address, long bytes) {
        return segment(address, bytes, Arena.global());
    }

    @SuppressWarnings("restricted")
    public static MemorySegment segment(long address, long bytes, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
    }
}
