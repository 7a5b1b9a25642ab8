package io.labyrinth.kit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * What this process has of all labyrinths, and nothing else that it has: the JVM's own heap, stacks and malloc arenas
 * come and go.
 *
 * @param mappings    those of memfds, and those that are kept from forks and dumps: both are Labyrinth's alone
 * @param kilobytes   the size of these mappings
 * @param descriptors of memfds
 */
public record Footprint(long mappings, long kilobytes, long descriptors) {

    private static final int ROUNDS = 250;
    private static final long NANOS_A_ROUND = 20_000_000;

    public static Footprint now() {
        try {
            long mappings = 0;
            long kilobytes = 0;
            long size = 0;
            boolean ofMemfd = false;
            for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
                if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                    ofMemfd = line.contains("/memfd:");
                } else if (line.startsWith("Size:")) {
                    size = Long.parseLong(line.replaceAll("\\D", ""));
                } else if (line.startsWith("VmFlags:")
                        && (ofMemfd || line.contains(" dc") && line.contains(" dd"))) {
                    mappings++;
                    kilobytes += size;
                }
            }
            return new Footprint(mappings, kilobytes, memfds());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static long memfds() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.filter(Footprint::isMemfd).count();
        }
    }

    private static boolean isMemfd(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().startsWith("/memfd:");
        } catch (IOException closedMeanwhile) {
            return false;
        }
    }

    /** Waits until the footprint is this one again, at most 5 s: a closed page map goes with the collector. */
    public Footprint again() {
        Footprint now = now();
        for (int round = 0; round < ROUNDS && !now.equals(this); round++) {
            System.gc();
            LockSupport.parkNanos(NANOS_A_ROUND);
            now = now();
        }
        return now;
    }
}
