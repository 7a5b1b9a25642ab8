package io.labyrinth.kit;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.internal.os.Region;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * What /proc/self/smaps says of an address range, added up. Nothing else that the process has mapped or locked counts.
 *
 * @param locked     bytes of the mappings that have the flag "lo" (VM_LOCKED)
 * @param flagsOfAll the flags that every mapping of the range has
 */
public record Smaps(long size, long resident, long locked, Set<String> flagsOfAll, long pageSize) {

    /** Of all that an open labyrinth has mapped, except the words of its slabs. */
    public static Smaps of(Labyrinth labyrinth) {
        Range range = Range.of(labyrinth);
        Smaps smaps = read(range, true);
        assertThat(smaps.size).as("the mapping is one of its own").isEqualTo(range.end - range.start);
        return smaps;
    }

    /** Addresses that may be unmapped, or be another's, by the time that smaps is read. */
    public record Range(long start, long end) {

        public static Range of(Labyrinth labyrinth) {
            Region region = Inside.region(labyrinth);
            return new Range(region.address(0), region.metadata.address() + region.metadata.byteSize());
        }

        /** Bytes in this range that are mapped and locked. Part of a mapping counts too. */
        public long locked() {
            return read(this, false).locked;
        }
    }

    /** @param whole leaves out the mappings that are only in part within the range */
    private static Smaps read(Range range, boolean whole) {
        long size = 0;
        long resident = 0;
        long locked = 0;
        long pageSize = 0;
        long overlap = 0;
        Set<String> flags = null;
        for (String line : lines()) {
            String[] words = line.split("\\s+");
            if (words[0].matches("[0-9a-f]+-[0-9a-f]+")) {
                String[] bounds = words[0].split("-");
                long from = Long.parseUnsignedLong(bounds[0], 16);
                long to = Long.parseUnsignedLong(bounds[1], 16);
                overlap = Math.max(0, Math.min(to, range.end) - Math.max(from, range.start));
                overlap = whole && overlap < to - from ? 0 : overlap;
                size += overlap;
            } else if (overlap > 0 && words[0].equals("Rss:")) {
                resident += Long.parseLong(words[1]) * 1024;
            } else if (overlap > 0 && words[0].equals("KernelPageSize:")) {
                pageSize = Long.parseLong(words[1]) * 1024;
            } else if (overlap > 0 && words[0].equals("VmFlags:")) {
                Set<String> these = new HashSet<>(Arrays.asList(words).subList(1, words.length));
                locked += these.contains("lo") ? overlap : 0;
                these.retainAll(flags == null ? these : flags);
                flags = these;
            }
        }
        return new Smaps(size, resident, locked, flags, pageSize);
    }

    private static Iterable<String> lines() {
        try {
            return Files.readAllLines(Path.of("/proc/self/smaps"));
        } catch (IOException e) {
            throw new AssertionError("/proc/self/smaps", e);
        }
    }
}
