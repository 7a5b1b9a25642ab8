package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.bindings.Native;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the machine allows this process, as the kernel tells it. It is read anew each time, when a labyrinth opens and
 * by the doctor command.
 */
public final class Machine {

    private static final Path PROC = Path.of("/proc");

    /** As the last opening found it. A close needs it, and may have no heap to read a file. */
    private static volatile boolean countsAllMemory;

    private Machine() {
    }

    /** Size of an OS page in bytes. */
    public static long pageSize() {
        requireNativeAccess();
        return Libc.pageSize();
    }

    /** Soft limit of locked memory in bytes. {@code Long.MAX_VALUE}: unlimited. CAP_IPC_LOCK lifts the limit. */
    public static long lockLimitSoft() {
        requireNativeAccess();
        return unsigned(Libc.lockLimit()[0]);
    }

    /** Hard limit of locked memory in bytes. The process itself may raise the soft limit up to it. */
    public static long lockLimitHard() {
        requireNativeAccess();
        return unsigned(Libc.lockLimit()[1]);
    }

    /**
     * Checks the right to make native calls. It is called before the first native call, so no class has failed to
     * initialise yet.
     *
     * @throws LabyrinthException.UnsupportedSystem  if this is not Linux
     * @throws LabyrinthException.NativeAccessDenied if there is no such right. The message says what grants it
     */
    @SuppressWarnings("restricted")
    public static void requireNativeAccess() {
        String system = System.getProperty("os.name");
        if (!system.equals("Linux")) {
            throw new LabyrinthException.UnsupportedSystem("os.name=" + system + " needed=Linux: a labyrinth's memory"
                    + " is mapped and locked by system calls of Linux, on x86-64 or Armv8; run it there, for example in"
                    + " a container or a virtual machine. Elsewhere its classes load, but nothing opens or attaches");
        }
        try {
            MemorySegment.NULL.reinterpret(1);
        } catch (IllegalCallerException denied) {
            throw new LabyrinthException.NativeAccessDenied(denied(Machine.class.getModule()));
        }
    }

    /** The option reaches only the modules of the boot layer, and those that are in no layer. */
    private static String denied(Module module) {
        String name = module.isNamed() ? module.getName() : "ALL-UNNAMED";
        String fact = "native access is denied to module=" + name;
        return module.getLayer() == null || module.getLayer() == ModuleLayer.boot()
                ? fact + ": start java with --enable-native-access=" + name
                : fact + ", which is in a layer of its own, where --enable-native-access does not reach it: the code"
                        + " that defines the layer must call enableNativeAccess(layer.findModule(\"" + name
                        + "\").get()) on its ModuleLayer.Controller";
    }

    private static long unsigned(long limit) {
        return limit < 0 ? Long.MAX_VALUE : limit;
    }

    /**
     * Whether the lock limit does not apply: CAP_IPC_LOCK (bit 14) is effective, and it is of the initial user
     * namespace. Root in a rootless container has the capability only in another namespace, and there the kernel does
     * not ask for it (mm/mlock.c: capable).
     */
    public static boolean mayLockAnything() {
        return hasLockCapability() && isInitialUserNamespace();
    }

    /** Whether CAP_IPC_LOCK is effective, in any user namespace. */
    public static boolean hasLockCapability() {
        return status("CapEff:").map(hex -> (Long.parseUnsignedLong(hex, 16) & 1L << 14) != 0).orElse(false);
    }

    /**
     * Whether this is the initial user namespace. The number of its inode tells, which is fixed in the kernel
     * (PROC_USER_INIT_INO, 0xEFFFFFFD). The map of user ids would not tell: another namespace, too, can map all ids to
     * themselves. If there is no such file, the kernel has no user namespaces.
     */
    public static boolean isInitialUserNamespace() {
        try {
            return Files.readSymbolicLink(PROC.resolve("self/ns/user")).toString().equals("user:[4026531837]");
        } catch (NoSuchFileException e) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Locked memory of the process in bytes, as the kernel counts it: {@code VmLck}. */
    public static long locked() {
        return status("VmLck:").map(Machine::kilobytes).orElse(0L);
    }

    /**
     * Bytes of memory that are available without swapping: {@code MemAvailable}. If this process may not use all memory
     * nodes ({@code cpuset.mems}), it is the same figure for the nodes that it may use.
     */
    public static long availableMemory() {
        return NodeMemory.here().available(pageSize());
    }

    /** {@code 0}, or {@code 0 of 0-1} if the process may not use all memory nodes of the machine. */
    public static String memoryNodes() {
        NodeMemory nodes = NodeMemory.here();
        return nodes.isRestricted() ? nodes.allowed() + " of " + nodes.all() : nodes.allowed();
    }

    /**
     * Bytes that are left, without swapping, below the tightest memory limit of the process's cgroups
     * ({@code memory.max}, {@code memory.high}). {@code Long.MAX_VALUE}: no limit.
     */
    public static long cgroupRoom() {
        return CgroupMemory.tightest().room();
    }

    /** {@code limit=512MiB used=100MiB of=/sys/fs/cgroup/memory.max}. Used is what cannot be reclaimed. */
    public static String cgroupLimit() {
        return CgroupMemory.tightest().toString();
    }

    /** Size of a huge page in bytes. 2 MiB if the kernel does not tell it. */
    public static long hugePageSize() {
        return HugePage.BYTES;
    }

    /** The size cannot change, so it is read once. The opening of a slab does not read it again. */
    private static final class HugePage {
        private static final long BYTES = bytesOf(text(
                Path.of("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")).strip());

        private static long bytesOf(String text) {
            long bytes = text.matches("\\d{1,12}") ? Long.parseLong(text) : 0;
            return Long.bitCount(bytes) == 1 ? bytes : 2L << 20;
        }
    }

    /**
     * Refuses if there is not enough memory. It must be called before a page is touched: the kernel does not refuse a
     * page for want of memory, it kills.
     */
    static void requireMemory(String name, long bytes) {
        countsAllMemory(text(PROC.resolve("sys/vm/overcommit_memory")).startsWith("2"));
        if (bytes == 0) {
            return;    // a file that has all of its memory already: not even the overhead is new
        }
        long pages = bytes / Libc.pageSize();
        long needed = bytes + overhead(pages, Libc.pageSize());
        long available = availableMemory();
        CgroupMemory cgroup = CgroupMemory.tightest();
        long ahead = CgroupMemory.chargedAhead(pages) * Libc.pageSize();
        long room = cgroup.room() - ahead;
        if (needed > Math.min(available, room)) {
            throw new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + bytes(bytes) + " "
                    + memory(available, cgroup) + (room < available ? " chargedAhead=" + bytes(ahead) : "")
                    + ": ask for fewer frames, or "
                    + (room < available ? remedy(cgroup) : NodeMemory.here().isRestricted()
                            ? "allow this process more memory nodes (cpuset.mems)" : "give the machine more"));
        }
    }

    /** Whether the kernel counts private memory even if it is never used: {@code vm.overcommit_memory=2}. */
    public static boolean countsAllMemory() {
        return countsAllMemory;
    }

    public static void countsAllMemory(boolean does) {
        countsAllMemory = does;
    }

    /**
     * What the kernel charges in addition: 8 bytes a page for the page tables, 9 bytes a page for the tree that finds
     * the pages of a file, and whatever this process allocates meanwhile. Without this allowance the kernel was seen to
     * kill within the last megabyte of 200. A cgroup needs more: see {@link CgroupMemory#chargedAhead}.
     */
    private static long overhead(long pages, long pageSize) {
        return pages * 17 + 64 * pageSize;
    }

    private static String remedy(CgroupMemory cgroup) {
        return cgroup.limit() != null && cgroup.limit().endsWith("memory.high")
                ? "raise the cgroup's memory.high (systemd MemoryHigh=): locked memory above it is never reclaimed, and"
                        + " whatever allocates there is slowed down for good"
                : "give its cgroup more (memory.max; systemd MemoryMax=, docker --memory, Kubernetes limits.memory)";
    }

    static String memory() {
        return memory(availableMemory(), CgroupMemory.tightest());
    }

    private static String memory(long available, CgroupMemory cgroup) {
        NodeMemory nodes = NodeMemory.here();
        return "available=" + bytes(available) + (nodes.isRestricted() ? " nodes=" + memoryNodes() : "") + " cgroup="
                + bytes(cgroup.room()) + (cgroup.limit() == null ? "" : " " + cgroup);
    }

    /** The optional functions that this libc lacks. Their system calls are made by number. */
    public static List<String> missingSymbols() {
        requireNativeAccess();
        return Libc.missing();
    }

    /**
     * Tries the calls that an opening can do without: {@code mlock2}, {@code MADV_POPULATE_WRITE}, {@code MADV_COLD}
     * and {@code memfd_create}. The tries change nothing. Returns the calls that the kernel or a filter refuses, each
     * with the errno.
     */
    public static Map<String, String> missingCalls() {
        requireNativeAccess();
        Map<String, Libc.Result> tried = new LinkedHashMap<>();
        // A lock limit of 0 refuses both calls. If only mlock2 is refused, the limit is not the reason.
        if (!Libc.mlock(0, 0).failed()) {
            tried.put("mlock2", Libc.mlock2(0, 0, Native.MLOCK_ONFAULT()));
        }
        tried.put("MADV_POPULATE_WRITE", Libc.madvise(0, 0, Native.MADV_POPULATE_WRITE()));
        tried.put("MADV_COLD", Libc.madvise(0, 0, Native.MADV_COLD()));
        Libc.Result memfd = Libc.memfdCreate("doctor");
        tried.put("memfd_create", memfd);
        if (!memfd.failed()) {
            Libc.close((int) memfd.value());
        }
        Map<String, String> missing = new LinkedHashMap<>();
        tried.forEach((call, result) -> {
            if (result.failed()) {
                missing.put(call, result.error());
            }
        });
        return missing;
    }

    // ------------------------------------------------------------------------------------------------ the heap

    /** The exception for a heap that is too small. Throws the error itself if there is no heap for the exception. */
    public static LabyrinthException heapTooSmall(OutOfMemoryError error, long bytes, Object... what) {
        try {
            StringBuilder text = new StringBuilder();    // a concatenation takes heap when it links itself
            for (Object part : what) {
                text.append(part);
            }
            return new LabyrinthException.MapRefused(text.append(" needs about ").append(bytes(bytes))
                    .append(" of heap, limit=").append(bytes(Runtime.getRuntime().maxMemory()))
                    .append(": raise it with -Xmx, or ask for fewer frames").toString());
        } catch (Error noRoom) {
            throw error;
        }
    }

    /** The same for a close that finds no heap. */
    public static LabyrinthException heapFull(String what, boolean isOpen, OutOfMemoryError error) {
        try {
            // No concatenation: see above.
            return new LabyrinthException.CloseRefused(new StringBuilder(what).append(" cannot close: the heap is full,"
                    + " limit=").append(bytes(Runtime.getRuntime().maxMemory())).append(": ")
                    .append(isOpen ? "it is as it was" : "it gives no more frames").append("; make room, or raise it"
                    + " with -Xmx, and close it again: the close goes on from here").toString());
        } catch (Error noRoom) {
            throw error;
        }
    }

    static String lockLimits() {
        return "limit=" + bytes(lockLimitSoft()) + " hard=" + bytes(lockLimitHard()) + " locked=" + bytes(locked())
                + " CAP_IPC_LOCK="
                + (mayLockAnything() ? "yes" : hasLockCapability() ? "yes, but of a user namespace that is not the"
                        + " initial one, so it does not count" : "no");
    }

    static String addressSpace() {
        String limit = field(PROC.resolve("self/limits"), "Max address space").map(text -> text.split(" ")[0])
                .orElse("?");
        return "limit=" + (limit.matches("\\d+") ? bytes(Long.parseLong(limit)) : limit) + " mapped="
                + bytes(status("VmSize:").map(Machine::kilobytes).orElse(0L));
    }

    /** {@code 4KiB}, {@code 8MiB}, {@code 1.5GiB}. {@code unlimited} for {@code Long.MAX_VALUE}. */
    public static String bytes(long bytes) {
        if (bytes == Long.MAX_VALUE) {
            return "unlimited";
        }
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB"};
        int unit = 0;
        double scaled = bytes;
        while (scaled >= 1024 && unit < units.length - 1) {
            scaled /= 1024;
            unit++;
        }
        String digits = scaled == Math.rint(scaled) ? String.valueOf((long) scaled)
                : String.valueOf(Math.round(scaled * 10) / 10.0);
        return digits + units[unit];
    }

    static long kilobytes(String text) {
        return Long.parseLong(text.split(" ")[0]) * 1024;
    }

    private static Optional<String> status(String key) {
        return field(PROC.resolve("self/status"), key);
    }

    /** The rest of the first line that starts with {@code key}. */
    public static Optional<String> field(Path file, String key) {
        return text(file).lines().filter(line -> line.startsWith(key)).map(line -> line.substring(key.length()).strip())
                .findFirst();
    }

    /** The file's text. Empty if there is no such file, or if it may not be read. */
    static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "";
        }
    }
}
