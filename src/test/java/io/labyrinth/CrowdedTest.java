package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.bindings.Native;
import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** In a process with many mappings of other code, no opening looks at those mappings. */
class CrowdedTest {

    private static final int FOREIGN = 60_000;
    private static final long MOST_DIFFERENCE = 64 << 10;

    /** The usual limit of mappings is 65,530; what a smaller one leaves is taken. */
    @Test
    void whatOpensCostsTheSameWhateverElseIsMapped() {
        ChildJvm.Result child = ChildJvm.of(Crowded.class).jvm("-Xmx64m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        Map<String, Long> told = new TreeMap<>();
        child.out().lines().map(line -> line.split("=")).forEach(word -> told.put(word[0], Long.valueOf(word[1])));
        assertThat(told.get("foreign")).isGreaterThan(20_000);
        for (String what : new String[] {"slab", "open", "memfd"}) {
            assertThat(told.get(what + " crowded bytes") - told.get(what + " alone bytes"))
                    .as("bytes of heap for %s: %s", what, told).isBetween(-MOST_DIFFERENCE, MOST_DIFFERENCE);
        }
        // Of 2^14 objects a slab keeps owners and marks; the rest is what the opening itself needs.
        assertThat(told.get("slab crowded bytes") - told.get("kept bytes")).as("%s", told).isLessThan(64 << 10);
        Verify.held("opening costs nothing by what else is mapped", "CrowdedTest", told.get("foreign")
                + " foreign mappings, " + told.get("slab crowded micros") + " us and "
                + told.get("slab crowded bytes") + " bytes of heap for a slab, alone "
                + told.get("slab alone micros") + " us");
    }

    // ------------------------------------------------------------------------------------------- in the child

    static final class Crowded {

        private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
        /** What links itself, links itself in the first of them. */
        private static final int TURNS = 5;

        private interface Opening {
            AutoCloseable open();
        }

        public static void main(String[] args) throws Exception {
            measure("alone");
            System.out.println("foreign=" + crowd());
            measure("crowded");
        }

        private static void measure(String when) throws Exception {
            try (Labyrinth labyrinth = Labyrinth.builder("crowded").frames(64).open()) {
                System.out.println("kept bytes=" + Geometry.heapBytesFor(1 << 14));
                measure("slab " + when, () -> labyrinth.slab(64));
                measure("open " + when, () -> Labyrinth.builder("another").frames(64).open());
                measure("memfd " + when, () -> Labyrinth.builder("shared").frames(64).memfd().open());
                labyrinth.validate();
            }
        }

        /** The least of a few: what is loaded or compiled meanwhile is not the opening's. */
        private static void measure(String what, Opening opening) throws Exception {
            long bytes = Long.MAX_VALUE;
            long nanos = Long.MAX_VALUE;
            for (int i = 0; i < TURNS; i++) {
                long allocated = allocatedBytes();
                long used = THREADS.getCurrentThreadCpuTime();
                AutoCloseable opened = opening.open();
                nanos = Math.min(nanos, THREADS.getCurrentThreadCpuTime() - used);
                bytes = Math.min(bytes, allocatedBytes() - allocated);
                opened.close();
            }
            System.out.println(what + " bytes=" + bytes);
            System.out.println(what + " micros=" + nanos / 1000);
        }

        /** By the JDK's own extension of the bean, whose module this one does not read. */
        private static long allocatedBytes() throws Exception {
            Method allocated = Class.forName("com.sun.management.ThreadMXBean")
                    .getMethod("getThreadAllocatedBytes", long.class);
            return (long) allocated.invoke(THREADS, Thread.currentThread().threadId());
        }

        /** Each other page may not be written, so that none of them is merged with its neighbours. */
        private static long crowd() throws IOException {
            long pageSize = Machine.pageSize();
            long area = map(0, FOREIGN * pageSize, Native.PROT_READ() | Native.PROT_WRITE(), 0);
            for (int i = 0; i < FOREIGN && area != -1; i += 2) {
                if (map(area + i * pageSize, pageSize, Native.PROT_READ(), Native.MAP_FIXED()) == -1) {
                    break;
                }
            }
            try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
                return maps.count();
            }
        }

        private static long map(long address, long length, int protection, int flags) {
            return Native.mmap(MemorySegment.ofAddress(address), length, protection,
                    Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS() | flags, -1, 0).address();
        }
    }
}
