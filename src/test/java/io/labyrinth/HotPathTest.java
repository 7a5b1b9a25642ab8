package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * What an allocation does not do: it does not allocate on the heap, it does not fault, and it needs no more metadata
 * than is documented.
 */
class HotPathTest {

    private static final int PAIRS = 1_000_000;
    /** Rounds until the compiler must be done with its work; most runs need two. */
    private static final int PATIENCE = 30;

    private long sum;

    /** A body of {@link #PAIRS} pairs, in one method: escape analysis needs all of a frame's life within one. */
    private interface Pairs {
        void run(Labyrinth labyrinth);
    }

    /**
     * The heap bytes of the leanest of several rounds: what is left when the compiler has done all it does. By
     * reflection, as the library's module has no need of {@code jdk.management}; that costs some hundred bytes.
     */
    private static long leanest(Labyrinth labyrinth, Pairs pairs) throws ReflectiveOperationException {
        Object threads = Class.forName("java.lang.management.ManagementFactory").getMethod("getThreadMXBean")
                .invoke(null);
        Method allocated = Class.forName("com.sun.management.ThreadMXBean")
                .getMethod("getThreadAllocatedBytes", long.class);
        long me = Thread.currentThread().threadId();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < PATIENCE && least > PAIRS / 100; round++) {
            long before = (long) allocated.invoke(threads, me);
            pairs.run(labyrinth);
            least = Math.min(least, (long) allocated.invoke(threads, me) - before);
        }
        return least;
    }

    private static Labyrinth open() {
        return Labyrinth.builder("hot").frames(1024).reserve(64).locking(Locking.PREFERRED).open();
    }

    @Test
    void aPairOfHandleCallsAllocatesNothing() throws ReflectiveOperationException {
        try (Labyrinth labyrinth = open()) {
            assertThat(leanest(labyrinth, this::handlePairs)).as("heap bytes of %s", PAIRS).isLessThan(PAIRS / 100);
            assertThat(sum).isPositive();
            labyrinth.validate();
        }
    }

    private void handlePairs(Labyrinth labyrinth) {
        Handles handles = labyrinth.handles();
        for (int i = 0; i < PAIRS; i++) {
            long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
            handles.putLong(handle, 0, i);
            sum += handles.getLong(handle, 0);
            handles.free(handle);
        }
    }

    /**
     * In a JVM of its own: what other tests have done with segments and arenas stands in the profiles that the compiler
     * inlines by, and after some of them it leaves the 168 bytes of frame, arena and segment. By chance it does so in 1
     * of 70 such JVMs, too, where it finds a call in Arena.ofConfined() rare; so the leanest of three counts.
     */
    @Test
    void aPairOfFrameCallsAllocatesNothingThatTheCompilerLeaves() {
        long least = Long.MAX_VALUE;
        for (int tries = 0; tries < 3 && least >= PAIRS / 100; tries++) {
            ChildJvm.Result child = ChildJvm.of(FramePairs.class).withBothCompilers().jvm("-XX:-UseSerialGC").run();
            assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
            String bytes = child.out().lines().filter(line -> line.startsWith("bytes=")).findFirst().orElseThrow();
            least = Math.min(least, Long.parseLong(bytes.substring(6)));
        }
        assertThat(least).as("heap bytes of %s", PAIRS).isLessThan(PAIRS / 100);
    }

    /** Prints the heap bytes of a million frame pairs. */
    static final class FramePairs {

        public static void main(String[] args) throws ReflectiveOperationException {
            try (Labyrinth labyrinth = open()) {
                System.out.println("bytes=" + leanest(labyrinth, FramePairs::run));
                labyrinth.validate();
            }
        }

        private static void run(Labyrinth labyrinth) {
            long sum = 0;
            for (int i = 0; i < PAIRS; i++) {
                sum += framePair(labyrinth, i);
            }
            if (sum == 0) {
                throw new AssertionError("no pair read what it wrote");
            }
        }
    }

    private static long framePair(Labyrinth labyrinth, int value) {
        Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
        if (frame == null) {
            return 0;
        }
        try (frame) {
            frame.segment().set(ValueLayout.JAVA_LONG, 0, value);
            return frame.segment().get(ValueLayout.JAVA_LONG, 0);
        }
    }

    @Test
    void aTicketAndARefusalByHandleAllocateNothing() throws ReflectiveOperationException {
        try (Labyrinth labyrinth = open()) {
            assertThat(leanest(labyrinth, this::refusalsAndTickets)).as("heap bytes of %s pairs", PAIRS)
                    .isLessThan(PAIRS / 100);
            labyrinth.validate();
        }
    }

    private void refusalsAndTickets(Labyrinth labyrinth) {
        Handles handles = labyrinth.handles();
        long run = handles.alloc(Gfp.NOWAIT, 9);
        for (int i = 0; i < PAIRS; i++) {
            long refused = handles.alloc(Gfp.ATOMIC, 10);
            sum += refused;
            run = handles.accept(handles.handOff(run));
        }
        handles.free(run);
    }

    @Test
    void noFrameFaultsOnceTheLabyrinthIsOpen() throws IOException {
        try (Labyrinth labyrinth = open()) {
            Handles handles = labyrinth.handles();
            long before = faults();
            long[] all = new long[1024];
            for (int i = 0; i < all.length; i++) {
                all[i] = handles.alloc(Gfp.HIGH, 0);
                handles.putLong(all[i], 0, i);
                handles.putLong(all[i], 4088, i);
            }
            long after = faults();
            for (long handle : all) {
                handles.free(handle);
            }
            // The thread's own stack, code and heap may fault a little; 1,024 frames that are not there would each.
            assertThat(after - before).as("faults of this thread over 1,024 first touches").isLessThan(256);
            labyrinth.validate();
        }
    }

    /** Minor and major faults of this thread: fields 10 and 12 of its stat line, 8 and 10 after the name. */
    private static long faults() throws IOException {
        String stat = Files.readString(Path.of("/proc/thread-self/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Long.parseLong(fields[7]) + Long.parseLong(fields[9]);
    }

    @Test
    void metadataStaysBelow24BytesAFrame() {
        for (int frames = 64; frames <= Labyrinth.MAX_FRAMES; frames = frames * 3 / 2) {
            long bytes = Geometry.bytesFor(frames) + Geometry.heapBytesFor(frames);
            assertThat(bytes).as("frames=%s", frames).isLessThanOrEqualTo(24L * frames);
        }
        assertThat(Geometry.bytesFor(Labyrinth.MAX_FRAMES)).isLessThan(18L * Labyrinth.MAX_FRAMES);
    }
}
