package io.labyrinth.internal.os;

import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The tightest memory limit of the process's cgroups and of the cgroups above them.
 *
 * @param room  bytes that can still be charged below the limit. {@code Long.MAX_VALUE}: there is no limit
 * @param limit the file of the limit. Null if there is none
 * @param bytes the limit, as the file says it
 * @param used  bytes that are charged there and cannot be reclaimed
 */
public record CgroupMemory(long room, @Nullable Path limit, long bytes, long used) {

    /*
     * A charge beyond the limit first reclaims. So only what cannot be reclaimed counts as used. Memory that could be
     * swapped counts as used, too: a labyrinth must not push its neighbours out to a disk, and the heap of its own JVM
     * is one of them. The labyrinth itself cannot be swapped. So this counts as used:
     *
     *   anonymous memory, and shared memory (tmpfs, memfd), which the kernel counts only as "file" or "cache";
     *   locked memory, which is a part of those two, and of the page cache;
     *   the kernel's own memory: stacks, page tables, socket buffers, the slabs that cannot shrink.
     *
     * The kernel's lists for reclaim tell the same, and count nothing twice. A page is on one of the anonymous lists
     * (shared memory is on them, too), on one of the file lists, or on the unevictable list. Either sum may lag, so the
     * larger one counts. If the sum of all charges is known as well (memory.current), there is a third figure: all
     * charges except the file lists and the slabs that can shrink. It counts if it is more. So nothing is overlooked
     * that a later kernel adds.
     *
     * The first version of cgroups tells the kernel's own memory as one sum (memory.kmem.usage_in_bytes). Most of it
     * can shrink as a rule: the entries and inodes of files that were looked at. Seen: a search through all files
     * charged 5.7 MiB there, and emptying the cgroup gave all but 8 KiB of it back. With that sum, memory that fits
     * would be refused. So the kernel's own memory is left out. Its page tables cannot shrink. Those of the labyrinth
     * are counted elsewhere (Machine.overhead).
     *
     * The kernel does not kill at memory.high of the second version. Above it every allocation is slowed down until
     * enough is reclaimed, and locked memory is never reclaimed. So it counts as a limit.
     */

    /** MEMCG_CHARGE_BATCH of the kernel, in pages. Older kernels have 32. */
    private static final long BATCH = 64;
    private static final Path ONLINE = Path.of("/sys/devices/system/cpu/online");

    private static final CgroupMemory NONE = new CgroupMemory(Long.MAX_VALUE, null, 0, 0);

    private static final String[] KERNEL = {"kernel_stack ", "pagetables ", "sec_pagetables ", "percpu ", "sock ",
        "vmalloc ", "slab_unreclaimable "};

    /**
     * Pages that the kernel may charge ahead of their use while it charges so many pages. It charges in batches, and
     * what is left of a batch stays with its processor. At the limit the kernel takes these rests back, but those of
     * other processors only by work that it queues there. It does not wait for that work, and kills if the other
     * processors are busy. Seen on 2 processors: without this allowance a third of the openings met the limit, and 1 of
     * 100 was killed. Fewer pages than a batch for each processor take fewer batches.
     */
    static long chargedAhead(long pages) {
        return chargedAhead(pages, ONLINE);
    }

    /** @param online the list of the processors; if it cannot be read, one processor counts */
    public static long chargedAhead(long pages, Path online) {
        long processors = Math.max(1, NodeMemory.setOf(Machine.text(online).strip()).cardinality());
        return BATCH * Math.min(processors, pages / BATCH + 1);
    }

    public static CgroupMemory tightest() {
        return tightest(Path.of("/proc/self/cgroup"), Path.of("/sys/fs/cgroup"));
    }

    public static CgroupMemory tightest(Path memberships, Path hierarchies) {
        CgroupMemory tightest = NONE;
        for (String line : Machine.text(memberships).split("\n")) {
            String[] parts = line.split(":", 3);
            boolean isSecond = parts.length == 3 && parts[1].isEmpty();
            if (isSecond || parts.length == 3 && ("," + parts[1] + ",").contains(",memory,")) {
                Path root = hierarchies.resolve(parts[1]);
                for (Path at = root.resolve("." + parts[2]).normalize(); at.startsWith(root); at = at.getParent()) {
                    tightest = tighter(tightest, at, isSecond);
                }
            }
        }
        return tightest;
    }

    private static CgroupMemory tighter(CgroupMemory than, Path at, boolean isSecond) {
        CgroupMemory tightest = than;
        long used = -1;
        for (String file : isSecond ? new String[] {"memory.max", "memory.high"}
                : new String[] {"memory.limit_in_bytes"}) {
            Path limit = at.resolve(file);
            Optional<Long> bytes = number(limit);
            if (bytes.isPresent()) {
                used = used >= 0 ? used : isSecond ? usedOfSecond(at) : usedOfFirst(at);
                long room = Math.max(0, bytes.get() - used);
                if (room < tightest.room) {
                    tightest = new CgroupMemory(room, limit, bytes.get(), used);
                }
            }
        }
        return tightest;
    }

    private static long usedOfSecond(Path at) {
        long charged = number(at.resolve("memory.current")).orElse(0L);
        String stat = Machine.text(at.resolve("memory.stat"));
        if (stat.isEmpty()) {
            return charged;
        }
        long kernel = 0;
        for (String key : KERNEL) {
            kernel += bytes(stat, key);
        }
        long counted = kernel + Math.max(bytes(stat, "anon ") + bytes(stat, "shmem "), bytes(stat, "inactive_anon ")
                + bytes(stat, "active_anon ") + bytes(stat, "unevictable "));
        return Math.max(counted, charged - bytes(stat, "inactive_file ") - bytes(stat, "active_file ")
                - bytes(stat, "slab_reclaimable "));
    }

    /** Without the kernel's own memory. */
    private static long usedOfFirst(Path at) {
        String stat = Machine.text(at.resolve("memory.stat"));
        return stat.isEmpty() ? number(at.resolve("memory.usage_in_bytes")).orElse(0L)
                : Math.max(bytes(stat, "total_rss ") + bytes(stat, "total_shmem "), bytes(stat, "total_inactive_anon ")
                        + bytes(stat, "total_active_anon ") + bytes(stat, "total_unevictable "));
    }

    /** What {@code stat} says of a key. 0 if it says nothing. */
    private static long bytes(String stat, String key) {
        int at = stat.startsWith(key) ? 0 : stat.indexOf("\n" + key) + 1;
        if (at == 0 && !stat.startsWith(key)) {
            return 0;
        }
        int end = stat.indexOf('\n', at);
        return Long.parseLong(stat, at + key.length(), end < 0 ? stat.length() : end, 10);
    }

    private static Optional<Long> number(Path file) {
        String text = Machine.text(file).strip();
        // "No limit" is a number close to 2^63 in the first version, and "max" in the second.
        return text.matches("\\d{1,18}") ? Optional.of(Long.valueOf(text)) : Optional.empty();
    }

    /** {@code limit=512MiB used=100MiB of=/sys/fs/cgroup/memory.max}. */
    @Override
    public String toString() {
        return limit == null ? "limit=none"
                : "limit=" + Machine.bytes(bytes) + " used=" + Machine.bytes(used) + " of=" + limit;
    }
}
