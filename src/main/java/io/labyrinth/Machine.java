package io.labyrinth;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What the machine allows this process, as the kernel tells it. Read anew each time; for opening and for the doctor.
 */
public final class Machine {

    private static final Path PROC = Path.of("/proc");

    private Machine() {
    }

    /** Size of an OS page in bytes. */
    public static long pageSize() {
        requireNativeAccess();
        return Libc.pageSize();
    }

    /** Soft limit of locked memory in bytes; {@code Long.MAX_VALUE}: unlimited. CAP_IPC_LOCK lifts it. */
    public static long lockLimitSoft() {
        requireNativeAccess();
        return unsigned(Libc.lockLimit()[0]);
    }

    /** Hard limit of locked memory in bytes, up to which the process may raise the soft one itself. */
    public static long lockLimitHard() {
        requireNativeAccess();
        return unsigned(Libc.lockLimit()[1]);
    }

    /**
     * Before the first native call, while nothing has failed to initialise yet.
     *
     * @throws LabyrinthException.NativeAccessDenied with the flag that grants it
     */
    @SuppressWarnings("restricted")
    static void requireNativeAccess() {
        try {
            MemorySegment.NULL.reinterpret(1);
        } catch (IllegalCallerException denied) {
            Module module = Machine.class.getModule();
            String name = module.isNamed() ? module.getName() : "ALL-UNNAMED";
            throw new LabyrinthException.NativeAccessDenied("native access is denied to module=" + name
                    + ": start java with --enable-native-access=" + name);
        }
    }

    private static long unsigned(long limit) {
        return limit < 0 ? Long.MAX_VALUE : limit;
    }

    /** Whether CAP_IPC_LOCK (bit 14) is effective, to which the lock limit does not apply. */
    public static boolean mayLockAnything() {
        return status("CapEff:").map(hex -> (Long.parseUnsignedLong(hex, 16) & 1L << 14) != 0).orElse(false);
    }

    /** Locked memory of the process in bytes, as the kernel counts it: {@code VmLck}. */
    public static long locked() {
        return status("VmLck:").map(Machine::kilobytes).orElse(0L);
    }

    /** Memory in bytes that can be had without swapping: {@code MemAvailable}. */
    public static long availableMemory() {
        return field(PROC.resolve("meminfo"), "MemAvailable:").map(Machine::kilobytes).orElse(Long.MAX_VALUE);
    }

    /** Bytes left below the tightest memory limit of the process's cgroups; {@code Long.MAX_VALUE}: no limit. */
    public static long cgroupRoom() {
        return cgroupRoom(PROC.resolve("self/cgroup"), Path.of("/sys/fs/cgroup"));
    }

    static long cgroupRoom(Path memberships, Path hierarchies) {
        long room = Long.MAX_VALUE;
        for (String line : text(memberships).split("\n")) {
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && (parts[1].isEmpty() || parts[1].equals("memory"))) {
                Path root = hierarchies.resolve(parts[1]);
                String max = parts[1].isEmpty() ? "memory.max" : "memory.limit_in_bytes";
                String now = parts[1].isEmpty() ? "memory.current" : "memory.usage_in_bytes";
                for (Path at = root.resolve("." + parts[2]).normalize(); at.startsWith(root); at = at.getParent()) {
                    Optional<Long> limit = number(at.resolve(max));
                    Path usage = at.resolve(now);
                    if (limit.isPresent()) {
                        // Page cache counts as used and is given up under pressure, so the limit itself is compared,
                        // less what cannot be given up; without that figure,
                        // the whole usage would refuse what would fit.
                        long used = field(at.resolve("memory.stat"), parts[1].isEmpty() ? "anon " : "total_rss ")
                                .map(Long::parseLong).orElseGet(() -> number(usage).orElse(0L));
                        room = Math.min(room, Math.max(0, limit.get() - used));
                    }
                }
            }
        }
        return room;
    }

    /** Finds out before a page is touched whether there is memory for all: the kernel would kill, not refuse. */
    static void requireMemory(String name, long bytes) {
        if (bytes > Math.min(availableMemory(), cgroupRoom())) {
            throw new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + bytes(bytes) + " " + memory()
                    + ": ask for fewer frames, or give the machine or its cgroup (memory.max) more");
        }
    }

    static String memory() {
        return "available=" + bytes(availableMemory()) + " cgroup=" + bytes(cgroupRoom());
    }

    static String lockLimits() {
        return "limit=" + bytes(lockLimitSoft()) + " hard=" + bytes(lockLimitHard()) + " locked=" + bytes(locked())
                + " CAP_IPC_LOCK=" + (mayLockAnything() ? "yes" : "no");
    }

    static String addressSpace() {
        String limit = field(PROC.resolve("self/limits"), "Max address space").map(text -> text.split(" ")[0])
                .orElse("?");
        return "limit=" + (limit.matches("\\d+") ? bytes(Long.parseLong(limit)) : limit) + " mapped="
                + bytes(status("VmSize:").map(Machine::kilobytes).orElse(0L));
    }

    /** {@code 4KiB}, {@code 8MiB}, {@code 1.5GiB}; {@code unlimited} for {@code Long.MAX_VALUE}. */
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

    private static long kilobytes(String text) {
        return Long.parseLong(text.split(" ")[0]) * 1024;
    }

    private static Optional<String> status(String key) {
        return field(PROC.resolve("self/status"), key);
    }

    /** The rest of the first line that starts with {@code key}. */
    static Optional<String> field(Path file, String key) {
        return text(file).lines().filter(line -> line.startsWith(key)).map(line -> line.substring(key.length()).strip())
                .findFirst();
    }

    private static Optional<Long> number(Path file) {
        String text = text(file).strip();
        // cgroup v1 says "no limit" with a number close to 2^63.
        return text.matches("\\d{1,18}") ? Optional.of(Long.valueOf(text)) : Optional.empty();
    }

    /** The file's text; empty where there is none or it may not be read. */
    static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "";
        }
    }
}
