package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.os.Region;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Smaps;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The mapped memory, as the kernel shows it: present, locked, aligned, and in mappings of its own. The sizes fit a lock
 * limit of 8 MiB.
 */
class RegionTest {

    private static final long HUGE = 2L << 20;

    @Test
    void whatIsReportedAsLockedIsWhatTheKernelSaysIsLocked() {
        Smaps.Range range;
        try (Labyrinth labyrinth = Labyrinth.builder("locked").frames(1024).open()) {
            LabyrinthStats stats = labyrinth.stats();
            Smaps smaps = Smaps.of(labyrinth);
            range = Smaps.Range.of(labyrinth);

            assertThat(stats.lockedBytes()).isEqualTo(stats.mappedBytes()).isEqualTo(smaps.locked())
                    .isEqualTo(smaps.size()).isEqualTo(smaps.resident());
            assertThat(stats.mappedBytes()).isEqualTo(1024 * labyrinth.frameSize() + stats.metadataBytes());
            labyrinth.validate();
        }
        assertThat(range.locked()).isZero();
        Verify.held("What is reported as locked is what /proc/self/smaps says is locked.", "RegionTest",
                "4 MiB of frames, open and closed");
    }

    @Test
    void closingNowGivesTheLockBackAlthoughFramesAreOut() {
        Labyrinth labyrinth = Labyrinth.builder("out").frames(600).open();
        Smaps.Range range = Smaps.Range.of(labyrinth);
        assertThat(range.locked()).isEqualTo(labyrinth.stats().mappedBytes());
        labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
        labyrinth.validate();

        assertThat(labyrinth.closeNow()).isOne();
        assertThat(range.locked()).isZero();
    }

    @Test
    void withoutLockingNothingIsLockedAndAllIsPresent() {
        try (Labyrinth labyrinth = Labyrinth.builder("none").frames(3000).locking(Locking.NONE).open()) {
            Smaps smaps = Smaps.of(labyrinth);

            assertThat(labyrinth.stats().lockedBytes()).isZero();
            assertThat(smaps.locked()).isZero();
            assertThat(smaps.resident()).isEqualTo(smaps.size()).isEqualTo(labyrinth.stats().mappedBytes());
            labyrinth.validate();
        }
    }

    /** Above 32 MiB several threads fault in, each its chunks; none may be left out. */
    @ParameterizedTest
    @ValueSource(ints = {8192, 8192 + 1, 3 * 8192 - 1})
    void everyChunkIsFaultedIn(int frames) {
        try (Labyrinth labyrinth = Labyrinth.builder("chunks").frames(frames).locking(Locking.NONE).open()) {
            Smaps smaps = Smaps.of(labyrinth);
            assertThat(smaps.resident()).isEqualTo(smaps.size()).isEqualTo(labyrinth.stats().mappedBytes());
            labyrinth.validate();
        }
    }

    @Test
    void aFrameIsAPageOfTheSystem() throws Exception {
        Process getconf = new ProcessBuilder("getconf", "PAGESIZE").start();
        long pageSize = Long.parseLong(new String(getconf.getInputStream().readAllBytes()).strip());
        try (Labyrinth labyrinth = Labyrinth.builder("page").frames(8).open()) {
            assertThat(labyrinth.frameSize()).isEqualTo(pageSize).isEqualTo(Smaps.of(labyrinth).pageSize());
            for (int pfn = 0; pfn < 8; pfn++) {
                assertThat(labyrinth.region.address(pfn)).isEqualTo(labyrinth.region.address(0) + pfn * pageSize);
            }
            labyrinth.validate();
        }
    }

    /** Not by luck: mmap alone gives such an address once in 512 times. */
    @ParameterizedTest
    @ValueSource(ints = {512, 513, 777, 1023, 1024, 5000})
    void aRunIsAlignedInMemoryUpTo2MiB(int frames) {
        try (Labyrinth labyrinth = Labyrinth.builder("aligned").frames(frames).locking(Locking.NONE).open()) {
            assertThat(labyrinth.region.address(0) % HUGE).isZero();
            for (int order = 0; order <= 9; order++) {
                long handle = labyrinth.handles().alloc(Gfp.NOWAIT, order);
                assertThat(labyrinth.handles().address(handle) % (labyrinth.frameSize() << order)).isZero();
                labyrinth.handles().free(handle);
            }
            labyrinth.validate();
        }
    }

    /** By what the kernel calls a huge page: 2 MiB, 32 MiB with pages of 16 KiB, 512 MiB with those of 64 KiB. */
    @ParameterizedTest
    @CsvSource({"1, 2, 0", "1, 32, 0", "2, 2, 2", "300, 2, 2", "4, 32, 4", "5, 32, 4", "31, 32, 16", "32, 32, 32",
        "4096, 32, 32", "600, 512, 512", "300, 512, 256", "3, 1, 2"})
    void isAlignedForHugePagesIfItIsAsLarge(long mebibytes, long hugePage, long alignment) {
        assertThat(Region.alignment(mebibytes << 20, hugePage << 20)).isEqualTo(alignment << 20);
    }

    @Test
    void theHugePageIsTheKernels() throws IOException {
        Path told = Path.of("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
        assertThat(Machine.hugePageSize()).isEqualTo(Files.exists(told)
                ? Long.parseLong(Files.readString(told).strip()) : HUGE);
    }

    @ParameterizedTest
    @CsvSource({"4096, 1024", "16384, 256", "65536, 64"})
    void theDefaultIs4MiBWhateverAPageHas(long pageSize, int frames) {
        assertThat(Labyrinth.defaultFrames(pageSize)).isEqualTo(frames);
    }

    /** dc: no copy in a forked child. dd: not in a core dump. hg: huge pages are welcome. lo: locked. */
    @ParameterizedTest
    @EnumSource(value = Locking.class, names = {"REQUIRED", "NONE"})
    void theMappingIsKeptFromForksAndDumps(Locking locking) {
        try (Labyrinth labyrinth = Labyrinth.builder("flags").frames(600).locking(locking).open()) {
            Set<String> flags = Smaps.of(labyrinth).flagsOfAll();

            assertThat(flags).contains("rd", "wr", "dc", "dd").doesNotContain("ex", "sh");
            assertThat(flags.contains("lo")).isEqualTo(locking == Locking.REQUIRED);
            assertThat(flags.contains("hg")).isEqualTo(Files.exists(Path.of("/sys/kernel/mm/transparent_hugepage")));
            labyrinth.validate();
        }
    }

    /** The JVM maps and unmaps at times, too, so one of several labyrinths must fit exactly. */
    @ParameterizedTest
    @ValueSource(ints = {300, 600, 5000})
    void mapsWhatItShowsAndKeepsNothingButItsPageMap(int frames) {
        boolean opened = false;
        boolean closed = false;
        for (int i = 0; i < 30 && !(opened && closed); i++) {
            long before = ChildJvm.status("VmSize", 10);
            Labyrinth labyrinth = Labyrinth.builder("size").frames(frames).locking(Locking.NONE).open();
            LabyrinthStats stats = labyrinth.stats();
            opened |= ChildJvm.status("VmSize", 10) - before == stats.mappedBytes() / 1024;
            labyrinth.validate();
            labyrinth.close();
            closed |= ChildJvm.status("VmSize", 10) - before == stats.metadataBytes() / 1024;
        }
        assertThat(opened).as("open, it has mapped its frames and its page map").isTrue();
        assertThat(closed).as("closed, it keeps the page map's addresses as long as it is reachable").isTrue();
    }

    /**
     * A few faults of the JVM's own (new heap, new stack) may fall between the two looks, so the best of several
     * labyrinths counts, and few are none: were the pages not there, each would fault. 300 frames, as a huge page would
     * hide 512.
     */
    @ParameterizedTest
    @EnumSource(value = Locking.class, names = {"REQUIRED", "NONE"})
    void touchingEveryPageFaultsForNone(Locking locking) throws IOException {
        long fewest = Long.MAX_VALUE;
        long[] handles = new long[300];
        for (int i = 0; i < 8; i++) {
            try (Labyrinth labyrinth = Labyrinth.builder("touch").frames(300).locking(locking).open()) {
                long before = minorFaults();
                touchAll(labyrinth.handles(), handles);
                fewest = Math.min(fewest, minorFaults() - before);
                Arrays.stream(handles).forEach(labyrinth.handles()::free);
                labyrinth.validate();
            }
        }
        assertThat(fewest).isLessThan(handles.length / 10);
    }

    private static void touchAll(Handles handles, long[] taken) {
        for (int i = 0; i < taken.length; i++) {
            taken[i] = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
            if (taken[i] == 0) {
                taken[i] = handles.alloc(Gfp.NOWAIT, 0);
            }
            handles.putByte(taken[i], 0, (byte) 1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 63, 1024, 20_000})
    void thePageMapCostsLessThan24BytesAFrameAndAPage(int frames) {
        try (Labyrinth labyrinth = Labyrinth.builder("metadata").frames(frames).locking(Locking.NONE).open()) {
            assertThat(labyrinth.stats().metadataBytes()).isLessThanOrEqualTo(24L * frames + labyrinth.frameSize());
            labyrinth.validate();
        }
    }

    @Test
    void labyrinthsDoNotShareMemory() {
        try (Labyrinth one = Labyrinth.builder("one").frames(64).open();
                Labyrinth two = Labyrinth.builder("two").frames(64).open()) {
            IntStream.range(0, 64).forEach(i -> write(one, 1));
            IntStream.range(0, 64).forEach(i -> write(two, 2));
            one.validate();
            two.validate();
            assertThat(sum(one)).isEqualTo(64);
            assertThat(sum(two)).isEqualTo(128);
            one.closeNow();
            two.closeNow();
        }
    }

    private static void write(Labyrinth labyrinth, long value) {
        labyrinth.handles().putLong(labyrinth.handles().alloc(Gfp.NOWAIT, 0), 0, value);
    }

    private static long sum(Labyrinth labyrinth) {
        return IntStream.range(0, 64).mapToLong(pfn ->
                labyrinth.region.frames.get(ValueLayout.JAVA_LONG, pfn * labyrinth.frameSize())).sum();
    }

    /** Field 10 of this thread's stat, counted behind the name, which may have blanks. */
    private static long minorFaults() throws IOException {
        String stat = Files.readString(Path.of("/proc/thread-self/stat"));
        return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[7]);
    }
}
