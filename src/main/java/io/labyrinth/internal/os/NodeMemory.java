package io.labyrinth.internal.os;

import java.nio.file.Path;
import java.util.BitSet;

/** The available memory of the memory nodes that this process may use: those of its cpuset. */
public final class NodeMemory {

    /*
     * MemAvailable counts the whole machine. If the cpuset (cpuset.mems) names only some of the nodes, the kernel kills
     * for want of memory on those nodes, whatever the others have. So this class counts for those nodes what the kernel
     * counts for MemAvailable (mm/show_mem.c). It is the sum of
     *
     *   the free pages, minus the pages that are kept for others and those up to the high watermark;
     *   the file pages, minus half of them, or minus the low watermark if that is less;
     *   the kernel's own reclaimable pages, minus half of them, or minus the low watermark if that is less.
     */

    private final Path proc;
    private final Path nodes;

    public NodeMemory(Path proc, Path nodes) {
        this.proc = proc;
        this.nodes = nodes;
    }

    static NodeMemory here() {
        return new NodeMemory(Path.of("/proc"), Path.of("/sys/devices/system/node"));
    }

    /** The nodes that this process may use, {@code 0-1,3}. "" if the kernel does not tell them. */
    String allowed() {
        return Machine.field(proc.resolve("self/status"), "Mems_allowed_list:").orElse("");
    }

    /** The nodes that have memory. "" if the kernel does not know nodes. */
    String all() {
        return Machine.text(nodes.resolve("has_memory")).strip();
    }

    /** Whether this process may not use some of the machine's nodes. */
    public boolean isRestricted() {
        return isRestricted(setOf(allowed()), setOf(all()));
    }

    private static boolean isRestricted(BitSet allowed, BitSet all) {
        BitSet others = (BitSet) all.clone();
        others.andNot(allowed);
        return !allowed.isEmpty() && !others.isEmpty();
    }

    /** The available bytes. {@code Long.MAX_VALUE} if the kernel does not tell them. */
    public long available(long pageSize) {
        long machine = Machine.field(proc.resolve("meminfo"), "MemAvailable:").map(Machine::kilobytes)
                .orElse(Long.MAX_VALUE);
        BitSet allowed = setOf(allowed());
        BitSet all = setOf(all());
        if (!isRestricted(allowed, all)) {
            return machine;
        }
        long free = 0;
        long files = 0;
        long shrinkable = 0;
        all.and(allowed);
        for (int node = all.nextSetBit(0); node >= 0; node = all.nextSetBit(node + 1)) {
            String meminfo = Machine.text(nodes.resolve("node" + node).resolve("meminfo"));
            String prefix = "Node " + node + " ";
            free += kilobytes(meminfo, prefix + "MemFree:");
            files += kilobytes(meminfo, prefix + "Active(file):") + kilobytes(meminfo, prefix + "Inactive(file):");
            shrinkable += Math.max(kilobytes(meminfo, prefix + "KReclaimable:"),
                    kilobytes(meminfo, prefix + "SReclaimable:"));
        }
        Zones zones = new Zones(Machine.text(proc.resolve("zoneinfo")), all);
        long low = zones.low * pageSize;
        long available = free - zones.kept * pageSize + files - Math.min(files / 2, low)
                + shrinkable - Math.min(shrinkable / 2, low);
        return Math.max(0, Math.min(machine, available));
    }

    private static long kilobytes(String meminfo, String key) {
        return meminfo.lines().filter(line -> line.startsWith(key)).findFirst()
                .map(line -> Machine.kilobytes(line.substring(key.length()).strip())).orElse(0L);
    }

    /** Parses {@code 0-1,3}. Parts of another form are ignored. */
    static BitSet setOf(String list) {
        BitSet set = new BitSet();
        for (String range : list.split(",")) {
            if (range.matches("\\d{1,5}(-\\d{1,5})?")) {
                String[] ends = range.split("-");
                int first = Integer.parseInt(ends[0]);
                set.set(first, Math.max(first, Integer.parseInt(ends[ends.length - 1])) + 1);
            }
        }
        return set;
    }

    /** Sums of pages over the zones of some nodes, from /proc/zoneinfo. */
    private static final class Zones {

        private long low;
        /** Pages that are kept for others, and pages up to the high watermark. */
        private long kept;

        private boolean counts;
        private long high;
        private long managed;

        Zones(String zoneinfo, BitSet nodes) {
            zoneinfo.lines().map(String::strip).forEach(line -> take(line, nodes));
        }

        private void take(String line, BitSet nodes) {
            String[] words = line.split("[ ,():]+");
            if (words[0].equals("Node") && line.contains(", zone")) {
                counts = nodes.get(Integer.parseInt(words[1]));
                high = 0;
                managed = 0;
            } else if (!counts || line.contains(":") && !words[0].equals("protection")) {
                return;
            } else if (words[0].equals("low")) {
                low += Long.parseLong(words[1]);
            } else if (words[0].equals("high")) {
                high = Long.parseLong(words[1]);
            } else if (words[0].equals("managed")) {
                managed = Long.parseLong(words[1]);
            } else if (words[0].equals("protection")) {
                long most = 0;
                for (int i = 1; i < words.length; i++) {
                    most = Math.max(most, Long.parseLong(words[i]));
                }
                kept += Math.min(most + high, managed);
            }
        }
    }
}
