package io.labyrinth.cli;

import io.labyrinth.Machine;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** What /proc and /sys tell about the kernel, for the doctor. */
final class KernelFacts {

    private static final Path THP = Path.of("/sys/kernel/mm/transparent_hugepage");

    private KernelFacts() {
    }

    /** Something that a kernel may lack, and what that means here. */
    record Feature(String name, String state) {
    }

    static List<Feature> features(List<String> lacking) {
        return List.of(
                since("mlock2", 4, 4, "mlock is used instead: slower to be refused", lacking),
                since("MADV_POPULATE_WRITE", 5, 14, "pages are touched one by one: slower to open", lacking),
                new Feature("io_uring", ioUring()),
                new Feature("memfd_secret", Files.exists(Path.of("/sys/module/secretmem")) ? "yes"
                        : "no (not needed)"));
    }

    private static Feature since(String name, int major, int minor, String without, List<String> lacking) {
        String version = System.getProperty("os.version");
        String[] parts = version.split("[^0-9]+");
        int haveMajor = Integer.parseInt(parts[0]);
        int haveMinor = parts.length > 1 ? Integer.parseInt(parts[1]) : 0;
        String needs = "Linux " + major + "." + minor;
        if (haveMajor > major || haveMajor == major && haveMinor >= minor) {
            return new Feature(name, "yes (since " + needs + ")");
        }
        lacking.add(name + " needs a kernel of " + needs + " or later, this is " + version + ": " + without + ".\n");
        return new Feature(name, "no (since " + needs + "): " + without);
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

    /** A labyrinth that is shared by a path needs that much room there, one by a memfd does not. */
    static String sharedMemory() {
        try {
            FileStore store = Files.getFileStore(Path.of("/dev/shm"));
            return Machine.bytes(store.getUsableSpace()) + " free of " + Machine.bytes(store.getTotalSpace())
                    + ", for shared(path); more by docker --shm-size, Kubernetes emptyDir.sizeLimit, or use memfd()";
        } catch (IOException e) {
            return "not there: share by memfd(), or mount a tmpfs";
        }
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

    /** {@code always [madvise] never} has chosen {@code madvise}. */
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
