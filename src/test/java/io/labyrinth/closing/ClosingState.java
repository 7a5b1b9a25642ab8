package io.labyrinth.closing;

import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The state that a closed labyrinth must leave unchanged: locked memory, open files, and mappings of files. */
record ClosingState(long lockedKilobytes, long descriptors, List<String> mappedFiles) {

    static ClosingState now() {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return new ClosingState(ChildJvm.status("VmLck", 10), descriptors.count(),
                    maps().filter(line -> line.contains("memfd:") || line.contains("/dev/shm/")).toList());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Stream<String> maps() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream();
    }

    /** Whether something is mapped there. */
    static boolean isMapped(long start, long bytes) {
        try {
            return maps().map(line -> line.split("[- ]")).anyMatch(
                    range -> Long.compareUnsigned(Long.parseUnsignedLong(range[0], 16), start + bytes) < 0
                            && Long.compareUnsigned(Long.parseUnsignedLong(range[1], 16), start) > 0);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    void assertNothingLeft(String what) {
        ClosingState now = now();
        if (!now.equals(this)) {
            throw new AssertionError(what + ": left behind: before=" + this + " now=" + now);
        }
    }
}
