package io.labyrinth.cli;

import io.labyrinth.internal.os.Machine;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What {@code doctor} says about the kernel, from /proc, /sys and what {@link Machine} has tried. */
final class KernelFacts {

    private static final Path THP = Path.of("/sys/kernel/mm/transparent_hugepage");

    private KernelFacts() {
    }

    /** A call that a kernel may lack, and what follows from that. */
    record Feature(String name, String state) {
    }

    static List<Feature> features(List<String> lacking) {
        Map<String, String> missing = Machine.missingCalls();
        return List.of(
                tried("mlock2", "Linux 4.4", "mlock is used, and one core faults in all pages: opening is slower",
                        missing, lacking),
                tried("MADV_POPULATE_WRITE", "Linux 5.14", "pages are touched one by one: opening is slower", missing,
                        lacking),
                tried("MADV_COLD", "Linux 5.4", "/proc/self/smaps proves the lock: opening is slower if the process"
                        + " has many other mappings", missing, lacking),
                tried("memfd_create", "Linux 3.17", "no memfd(): share by a file below /dev/shm", missing, lacking),
                new Feature("io_uring", ioUring()),
                new Feature("memfd_secret", Files.exists(Path.of("/sys/module/secretmem")) ? "yes"
                        : "no (not needed)"));
    }

    private static Feature tried(String name, String since, String without, Map<String, String> missing,
            List<String> lacking) {
        String refusal = missing.get(name);
        if (refusal == null) {
            return new Feature(name, "yes" + (Machine.missingSymbols().contains(name)
                    ? ", by the system call's number: this libc lacks it" : ""));
        }
        lacking.add(name + " is refused with errno=" + refusal + ": it needs " + since + " or later, and no filter"
                + " (seccomp) may forbid it; this is " + System.getProperty("os.version") + ". Without it " + without
                + ".\n");
        return new Feature(name, "no, errno=" + refusal + " (since " + since + "): " + without);
    }

    /** Whether CAP_IPC_LOCK counts, and why not. */
    static String lockCapability() {
        return Machine.mayLockAnything() ? "yes, the limit does not apply"
                : Machine.hasLockCapability() ? "yes, but not of the initial user namespace, and only there it counts:"
                        + " the soft limit applies" : "no, the soft limit applies";
    }

    static String userNamespace() {
        return Machine.isInitialUserNamespace() ? "the initial one"
                : "not the initial one (rootless container?): its root may lock no more than an ordinary user";
    }

    /** What is available, on the nodes that this process may use. */
    static String memory() {
        String nodes = Machine.memoryNodes();
        return Machine.bytes(Machine.availableMemory()) + " available"
                + (nodes.contains(" of ") ? " on the memory nodes " + nodes + ", all that the cpuset allows" : "");
    }

    static Optional<String> numa() {
        String online = text("/sys/devices/system/node/has_memory").orElse("");
        if (!online.matches(".*[-,].*")) {
            return Optional.empty();
        }
        boolean balanced = !text("/proc/sys/kernel/numa_balancing").orElse("0").equals("0");
        return Optional.of("nodes " + online + ", balancing " + (balanced ? "on: now and then the kernel unmaps pages,"
                + " locked ones too, to see who uses them, and may move them; an access then takes microseconds."
                + " sysctl kernel.numa_balancing=0 ends that" : "off"));
    }

    static String cgroup() {
        boolean unified = Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"));
        long room = Machine.cgroupRoom();
        return (unified ? "v2" : "v1, or none") + ", room below the memory limit: " + Machine.bytes(room)
                + (room == Long.MAX_VALUE ? "" : " (" + Machine.cgroupLimit() + "; used counts what cannot be"
                        + " reclaimed: anonymous, shared, locked and the kernel's own memory)");
    }

    /** The room that a file below /dev/shm could have. */
    static String sharedMemory() {
        try {
            FileStore store = Files.getFileStore(Path.of("/dev/shm"));
            return store.type() + ", " + Machine.bytes(store.getTotalSpace()) + ", "
                    + Machine.bytes(store.getUsableSpace()) + " free: a file for shared(path) must fit into it, a memfd"
                    + " need not (raise it by docker --shm-size, Kubernetes emptyDir.sizeLimit)";
        } catch (IOException e) {
            return "not there: share by memfd()";
        }
    }

    static Optional<String> seccomp() {
        return text("/proc/self/status").orElse("").lines().filter(line -> line.equals("Seccomp:\t2")).findFirst()
                .map(line -> "a filter is at work; the lines below show what it refuses");
    }

    private static String ioUring() {
        return switch (text("/proc/sys/kernel/io_uring_disabled").orElse("")) {
            case "0" -> "yes (not needed)";
            case "1" -> "only for io_uring_group or CAP_SYS_ADMIN (not needed)";
            case "2" -> "no, by sysctl kernel.io_uring_disabled=2 (not needed)";
            default -> text("/proc/kallsyms").orElse("").contains("io_uring_setup") ? "yes (not needed)"
                    : "not found (not needed)";
        };
    }

    static String hugePages() {
        String enabled = text(THP.resolve("enabled").toString()).map(KernelFacts::chosen).orElse("not there");
        String effect = switch (enabled) {
            case "always", "madvise" -> "used for the frames";
            default -> "not used: echo madvise > " + THP.resolve("enabled");
        };
        String reserved = text("/proc/sys/vm/nr_hugepages").orElse("?");
        return "transparent: " + enabled + ", " + effect + "; hugetlb pages reserved: " + reserved;
    }

    static String overcommit() {
        return text("/proc/sys/vm/overcommit_memory").map(mode -> switch (mode) {
            case "0" -> "0, by estimate";
            case "1" -> "1, always";
            case "2" -> "2, never: mappings count against CommitLimit in /proc/meminfo";
            default -> mode;
        }).orElse("?");
    }

    static String limit(String name) {
        return text("/proc/self/limits").orElse("").lines().filter(line -> line.startsWith(name))
                .map(line -> line.substring(name.length()).strip().split(" +"))
                .map(values -> "soft " + values[0] + ", hard " + values[1]).findFirst().orElse("?");
    }

    /** The choice: {@code madvise} of {@code always [madvise] never}. */
    private static String chosen(String text) {
        return text.replaceAll("(?s).*\\[(.*)].*", "$1");
    }

    private static Optional<String> text(String file) {
        try {
            return Optional.of(Files.readString(Path.of(file), StandardCharsets.ISO_8859_1).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
