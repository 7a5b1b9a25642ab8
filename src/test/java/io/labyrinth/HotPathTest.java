package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.SoftAssertions.assertSoftly;

import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.kit.ChildJvm;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an allocation does not do: it does not allocate on the heap, it does not fault, and it needs no more metadata
 * than is documented.
 */
class HotPathTest {

    /** The interpreter, the first compiler and both: no count may depend on what a compiler inlines. */
    private static final String INTERPRETED = "-Xint";
    private static final String FIRST_COMPILER = "-XX:TieredStopAtLevel=1";
    private static final String BOTH_COMPILERS = "-XX:+TieredCompilation";
    /** An escaped Frame, in a JVM whose references have 4 bytes. */
    private static final long FRAME_BYTES = 40;

    /** The interpreter removes no object: here the JDK's part of a frame pair is whole. */
    private static Map<String, Long> interpreted;

    @BeforeAll
    static void measuresInTheInterpreter() {
        interpreted = heapBytesOfAPair(INTERPRETED);
    }

    /** Heap bytes of each kind of pair, in a JVM of its own that runs in this mode. */
    private static Map<String, Long> heapBytesOfAPair(String mode) {
        ChildJvm.Result child = ChildJvm.of(Pairs.class).withBothCompilers()
                .jvm("-Xmx64m", mode)
                .with(mode.equals(BOTH_COMPILERS) ? "200000" : "5000").run();
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        return child.out().lines().map(line -> line.split("="))
                .collect(Collectors.toMap(line -> line[0], line -> Long.valueOf(line[1])));
    }

    /**
     * A handle call never allocates, whatever a compiler makes of it. A frame pair allocates at most the Frame, its
     * arena and its segment. The second compiler often removes these three. Nothing promises that, so the benchmark
     * measures it (the rows of bytes in make bench), and no test asserts it.
     */
    @ParameterizedTest
    @ValueSource(strings = {INTERPRETED, FIRST_COMPILER, BOTH_COMPILERS})
    void aHandleAllocatesNothingAndAFrameAtMostItsThreeObjects(String mode) {
        Map<String, Long> bytes = mode.equals(INTERPRETED) ? interpreted : heapBytesOfAPair(mode);

        assertSoftly(softly -> {
            softly.assertThat(bytes.get("handle")).as("alloc, use and free by handle").isZero();
            softly.assertThat(bytes.get("ticket")).as("handOff and accept by handle").isZero();
            softly.assertThat(bytes.get("refusal")).as("a refusal by handle").isZero();
            softly.assertThat(bytes.get("frame")).as("a frame pair").isLessThanOrEqualTo(
                    FRAME_BYTES + interpreted.get("arena and segment"));
            softly.assertThat(bytes.get("bare frame")).as("a frame pair without a segment").isLessThanOrEqualTo(
                    FRAME_BYTES);
        });
    }

    /** Prints the heap bytes of a pair, of each kind. */
    static final class Pairs {

        private static int pairs;
        private static long sum;

        private Pairs() {
        }

        public static void main(String[] args) throws ReflectiveOperationException {
            pairs = Integer.parseInt(args[0]);
            try (Labyrinth labyrinth = open()) {
                Handles handles = labyrinth.handles();
                long run = handles.alloc(Gfp.NOWAIT, 0);
                tell("handle", () -> handlePairs(handles));
                tell("ticket", () -> tickets(handles));
                tell("refusal", () -> refusals(handles));
                tell("frame", () -> framePairs(labyrinth));
                tell("bare frame", () -> bareFramePairs(labyrinth));
                tell("arena and segment", () -> arenasAndSegments(handles.address(run), labyrinth.frameSize()));
                handles.free(run);
                labyrinth.validate();
            }
            if (sum == 0) {
                throw new AssertionError("no pair read what it wrote");
            }
        }

        /**
         * The first round loads and links. Only the second one counts. By reflection, as the library's module has no
         * need of {@code jdk.management}: that costs some hundred bytes a round, and so less than a byte a pair.
         */
        private static void tell(String kind, Runnable body) throws ReflectiveOperationException {
            Object threads = Class.forName("java.lang.management.ManagementFactory").getMethod("getThreadMXBean")
                    .invoke(null);
            Method allocated = Class.forName("com.sun.management.ThreadMXBean")
                    .getMethod("getThreadAllocatedBytes", long.class);
            long me = Thread.currentThread().threadId();
            body.run();
            long before = (long) allocated.invoke(threads, me);
            body.run();
            System.out.println(kind + "=" + ((long) allocated.invoke(threads, me) - before) / pairs);
        }

        private static void handlePairs(Handles handles) {
            for (int i = 0; i < pairs; i++) {
                long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
                handles.putLong(handle, 0, i);
                sum += handles.getLong(handle, 0);
                handles.free(handle);
            }
        }

        private static void tickets(Handles handles) {
            long run = handles.alloc(Gfp.NOWAIT, 9);
            for (int i = 0; i < pairs; i++) {
                run = handles.accept(handles.handOff(run));
            }
            handles.free(run);
        }

        private static void refusals(Handles handles) {
            for (int i = 0; i < pairs; i++) {
                sum += handles.alloc(Gfp.ATOMIC, 10);
            }
        }

        private static void framePairs(Labyrinth labyrinth) {
            for (int i = 0; i < pairs; i++) {
                try (Frame frame = Objects.requireNonNull(labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE))) {
                    frame.segment().set(ValueLayout.JAVA_LONG, 0, i);
                    sum += frame.segment().get(ValueLayout.JAVA_LONG, 0);
                }
            }
        }

        private static void bareFramePairs(Labyrinth labyrinth) {
            for (int i = 0; i < pairs; i++) {
                try (Frame frame = Objects.requireNonNull(labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE))) {
                    sum += frame.pfn();
                }
            }
        }

        /** What the JDK allocates for the segment of a frame. */
        @SuppressWarnings("restricted")
        private static void arenasAndSegments(long address, long bytes) {
            for (int i = 0; i < pairs; i++) {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment segment = MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
                    sum += segment.byteSize();
                }
            }
        }
    }

    private static Labyrinth open() {
        return Labyrinth.builder("hot").frames(1024).reserve(64).locking(Locking.PREFERRED).open();
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
