package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.labyrinth.LabyrinthException.Closed;
import io.labyrinth.LabyrinthException.FramesOut;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.OutOfFrames;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.Race;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an arena on frames does with its labyrinth. The rules for every arena are in {@link ArenaRulesTest}. */
class FrameArenaTest {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final int FRAMES = 64;

    private Labyrinth labyrinth;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("arena").frames(FRAMES).reserve(4).open();
    }

    @AfterEach
    void everythingIsBack() {
        labyrinth.validate();
        assertThat(labyrinth.stats().free() + labyrinth.stats().reserveFree()).isEqualTo(FRAMES);
        labyrinth.close();
    }

    @Test
    void takesRunsAsItGoesAndGivesThemBackOnClose() {
        FrameArena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE);
        assertThat(labyrinth.stats().claimed()).isZero();
        for (int i = 0; i < 64; i++) {
            arena.allocate(64);
            assertThat(labyrinth.stats().claimed()).as("64 of 64 bytes fit into one frame").isEqualTo(1);
        }
        arena.allocate(1);
        assertThat(labyrinth.stats().claimed()).isEqualTo(2);
        arena.allocate(3 * 4096);
        assertThat(labyrinth.stats().claimed()).as("a run of order 2").isEqualTo(6);
        arena.allocate(4096 - 16);
        assertThat(labyrinth.stats().claimed()).as("the rest of that run, or of the frame").isEqualTo(6);
        assertThat(labyrinth.picture()).contains("EEEE");
        arena.close();
        assertThat(labyrinth.stats().claimed()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"NOWAIT", "ATOMIC_EXCLUSIVE"})
    void laterSegmentsTakeTheRestsOfItsRuns(String gfp) {
        try (FrameArena arena = labyrinth.arena(Gfp.parse(gfp))) {
            for (int i = 0; i < 5; i++) {
                arena.allocate(4097);
            }
            assertThat(labyrinth.stats().claimed()).isEqualTo(10);
            for (int i = 0; i < 5; i++) {
                arena.allocate(4000);
            }
            assertThat(labyrinth.stats().claimed()).as("each had room for one more").isEqualTo(10);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {4097, 1024, 3000, 5000, 8200, 16_500, 65_537, 262_144, 0, 1, 2})
    void aGrownArenaTakesLittleMoreThanItsSegments(int size) {
        Random random = new Random(size);
        long asked = 0;
        try (Labyrinth large = Labyrinth.builder("grown").frames(1 << 17).locking(Locking.NONE).open();
                FrameArena arena = large.arena(Gfp.ATOMIC_EXCLUSIVE)) {
            for (int i = 0; i < 1000; i++) {
                int bytes = size > 2 ? size : 1 + random.nextInt(size == 1 ? 1 << 14 : 1 << 16);
                arena.unzeroed().allocate(bytes);
                asked += bytes;
            }
            double taken = (double) large.stats().claimed() * large.frameSize() / asked;
            assertThat(taken).as("frames' bytes for each byte").isLessThanOrEqualTo(size > 2 ? 1.15 : 1.05);
        }
    }

    /** A larger run is a convenience: what is left for it is no reason to refuse, to warn, or to take the reserve. */
    @Test
    void growsOnlyWhereThereIsRoom() {
        try (FrameArena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE)) {
            for (int i = 0; i < FRAMES - 4; i++) {
                arena.allocate(4096);
            }
            assertThat(labyrinth.stats().reserveFree()).isEqualTo(4);
            assertThat(labyrinth.stats().free()).isZero();
        }
    }

    /**
     * The scope is dead before the handshake of its close has ended, and until then another thread may be writing to a
     * segment. A second closer that frees the run then gives it to the next owner too early.
     */
    @Test
    void aSecondCloserFreesNoRunUnderAnAccess() throws InterruptedException {
        try (Labyrinth one = Labyrinth.builder("one").frames(1024).locking(Locking.NONE).open()) {
            Handles handles = one.handles();
            long last = one.frameSize() * 1024 - Long.BYTES;
            for (int round = 0; round < 200; round++) {
                FrameArena arena = one.arena(Gfp.NOWAIT);
                MemorySegment segment = arena.allocate(one.frameSize() * 1024);
                CountDownLatch begun = new CountDownLatch(1);
                Thread writer = Thread.ofPlatform().start(() -> {
                    begun.countDown();
                    assertThatThrownBy(() -> {
                        while (true) {
                            segment.fill((byte) 1);
                        }
                    }).isInstanceOf(IllegalStateException.class);
                });
                begun.await();
                Thread closer = Thread.ofPlatform().start(() -> catchThrowable(arena::close));
                while (catchThrowable(arena::close) == null) {    // this thread was the first one
                    closer.join();
                }
                long next = handles.alloc(Gfp.NOWAIT, 10);
                if (next != 0) {
                    handles.putLong(next, last, 2);
                    writer.join();
                    assertThat(handles.getLong(next, last)).as("round %s: the next owner's bytes", round).isEqualTo(2);
                    handles.free(next);
                }
                writer.join();
                closer.join();
            }
        }
    }

    @Test
    void closersThatRaceFreeEachRunOnce() throws InterruptedException {
        for (int round = 0; round < 300; round++) {
            FrameArena arena = labyrinth.arena(Gfp.NOWAIT);
            for (int i = 0; i < 20; i++) {
                arena.allocate(4096);
            }
            AtomicInteger closed = new AtomicInteger();
            CountDownLatch start = new CountDownLatch(1);
            List<Thread> closers = Stream.generate(() -> Thread.ofPlatform().start(() -> {
                try {
                    start.await();
                    arena.close();
                    closed.incrementAndGet();
                } catch (IllegalStateException | InterruptedException second) {
                    // Another thread closes it.
                }
            })).limit(3).toList();
            start.countDown();
            for (Thread closer : closers) {
                closer.join();
            }
            assertThat(closed).hasValue(1);
            assertThat(labyrinth.stats().claimed()).as("round %s", round).isZero();
        }
    }

    @Test
    void onlyItsThreadClosesAnExclusiveArena() throws InterruptedException {
        FrameArena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE);
        arena.allocate(1);
        AtomicReference<Throwable> refusal = new AtomicReference<>();
        Thread.ofPlatform().start(() -> refusal.set(catchThrowable(arena::close))).join();
        assertThat(refusal.get()).isInstanceOf(WrongThreadException.class);
        arena.close();
        Thread.ofPlatform().start(() -> refusal.set(catchThrowable(arena::close))).join();
        assertThat(refusal.get()).isInstanceOf(WrongThreadException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"NOWAIT", "ATOMIC_EXCLUSIVE"})
    void givesEverythingBackAfterAFailedAllocation(String gfp) {
        FrameArena arena = labyrinth.arena(Gfp.parse(gfp));
        int taken = 0;
        OutOfFrames refusal = null;
        while (refusal == null) {
            try {
                arena.allocate(4096).set(LONG, 0, ++taken);
            } catch (OutOfFrames e) {
                refusal = e;
            }
        }
        assertThat(taken).isEqualTo(Gfp.parse(gfp).isExclusive() ? FRAMES : FRAMES - 4);
        assertThat(refusal).hasMessageContainingAll("labyrinth=arena has no free run", "size=4096", "order=0",
                "close other arenas");
        assertThatThrownBy(() -> arena.allocate(4096)).isExactlyInstanceOf(OutOfFrames.class);
        arena.close();
        assertThat(labyrinth.stats().claimed()).isZero();
    }

    @Test
    void refusesWhatNoRunCanHold() {
        try (FrameArena arena = labyrinth.arena(Gfp.NOWAIT)) {
            long limit = 4096L << Labyrinth.MAX_ORDER;
            for (long size : new long[] {limit + 1, Long.MAX_VALUE}) {
                assertThatThrownBy(() -> arena.allocate(size, 1)).isExactlyInstanceOf(InvalidRequest.class)
                        .hasMessageContainingAll("size=" + size, "limit=" + limit, "an arena of the JDK");
            }
            assertThatThrownBy(() -> arena.allocate(1, 1L << 62)).isExactlyInstanceOf(InvalidRequest.class);
            assertThatThrownBy(() -> arena.allocate(limit, 1)).as("not here, but elsewhere")
                    .isExactlyInstanceOf(OutOfFrames.class);
        }
        try (Labyrinth wide = Labyrinth.builder("wide").frames(2048).locking(Locking.NONE).open()) {
            try (FrameArena arena = wide.arena(Gfp.NOWAIT)) {
                assertThat(arena.allocate(4096L << Labyrinth.MAX_ORDER, 1).byteSize()).isEqualTo(4L << 20);
            }
            wide.validate();
        }
    }

    /** This labyrinth's memory is aligned to a page, perhaps by chance to more; 64 frames hold 64 KiB anywhere. */
    @Test
    void alignsBeyondWhatTheMemoryIsAlignedTo() {
        for (long alignment = 4096; alignment <= 64 << 10; alignment <<= 1) {
            try (FrameArena arena = labyrinth.arena(Gfp.NOWAIT)) {
                MemorySegment segment = arena.allocate(100, alignment);
                assertThat(segment.address() % alignment).as("%s", alignment).isZero();
                segment.fill((byte) 1);
            }
        }
    }

    @Test
    void unzeroedSegmentsHoldWhatWasThereAndFollowTheOtherRules() {
        for (Gfp gfp : List.of(Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT.with(Gfp.ZERO))) {
            try (Frame frame = labyrinth.allocPage(Gfp.NOWAIT)) {
                frame.segment().fill((byte) 0x77);
            }
            FrameArena arena = labyrinth.arena(gfp);
            SegmentAllocator unzeroed = arena.unzeroed();
            MemorySegment segment = unzeroed.allocate(64, 64);
            assertThat(segment.get(LONG, 0)).as("its last owner's").isEqualTo(0x7777777777777777L);
            assertThat(segment.scope()).isEqualTo(arena.scope());
            assertThat(segment.address() % 64).isZero();
            assertThat(arena.allocate(64).asOverlappingSlice(segment)).isEmpty();
            assertThat(unzeroed.allocateFrom("text").getString(0)).isEqualTo("text");
            assertThatThrownBy(() -> unzeroed.allocate(-1)).isInstanceOf(IllegalArgumentException.class);
            arena.close();
            assertThatThrownBy(() -> unzeroed.allocate(8)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void whileItIsOpenTheLabyrinthCannotClose() {
        FrameArena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE);
        arena.allocate(8);
        assertThatThrownBy(labyrinth::close).isExactlyInstanceOf(FramesOut.class).hasMessageContaining("runs=1");
        arena.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"NOWAIT", "ATOMIC_EXCLUSIVE"})
    void afterClosingNowItsSegmentsReadZerosAndNothingMoreIsHad(String gfp) {
        Labyrinth ended = Labyrinth.builder("ended").frames(FRAMES).open();
        FrameArena arena = ended.arena(Gfp.parse(gfp));
        MemorySegment segment = arena.allocate(8, 8);
        segment.set(LONG, 0, 7);
        ended.validate();
        assertThat(ended.closeNow()).isEqualTo(1);

        assertThat(segment.get(LONG, 0)).isZero();
        assertThatThrownBy(() -> arena.allocate(8192)).isExactlyInstanceOf(Closed.class);
        assertThatThrownBy(() -> ended.arena(Gfp.NOWAIT)).isExactlyInstanceOf(Closed.class);
        assertThatThrownBy(arena::close).isExactlyInstanceOf(Closed.class);
        assertThatThrownBy(() -> segment.get(LONG, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void whatADeadThreadLeftInItsOwnArenaIsSwept() {
        AtomicReference<FrameArena> left = new AtomicReference<>();
        for (Thread.Builder kind : List.of(Thread.ofPlatform(), Thread.ofVirtual())) {
            Race.join(kind.start(() -> {
                left.set(labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE));
                left.get().allocate(2 * 4096);
                left.get().allocate(4096);
            }));
            assertThat(labyrinth.stats().claimed()).isEqualTo(3);
            assertThat(labyrinth.sweepDeadOwners()).isEqualTo(3);
            assertThat(catchThrowable(() -> left.get().close())).isInstanceOf(WrongThreadException.class);
        }
    }

    /** Its runs are not for the raw face: their segments would live on. */
    @Test
    void itsRunsCannotBeFreedByAHandle() {
        try (FrameArena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE)) {
            MemorySegment segment = arena.allocate(4096);
            int pfn = (int) ((segment.address() - labyrinth.region.address(0)) / 4096);
            long handle = PageWord.handle(labyrinth.map.lvWord(pfn), pfn);
            assertThatThrownBy(() -> labyrinth.handles().free(handle)).isExactlyInstanceOf(InvalidRequest.class);
            segment.set(LONG, 0, 1);
        }
    }

    /** Many threads allocate from one arena while one of them closes it: nothing overlaps, nothing is lost. */
    @Test
    void threadsThatAllocateWhileItClosesLoseNothing() {
        AtomicReference<FrameArena> arena = new AtomicReference<>(labyrinth.arena(Gfp.NOWAIT));
        ConcurrentLinkedQueue<Map.Entry<Long, Long>> taken = new ConcurrentLinkedQueue<>();
        Race.Actor allocates = round -> {
            FrameArena shared = arena.get();
            try {
                for (int i = 0; i < 12; i++) {
                    long size = (i * 977L + round * 131L) % 2600 + 1;
                    MemorySegment segment = shared.unzeroed().allocate(size, 1);
                    taken.add(Map.entry(segment.address(), size));
                    segment.set(ValueLayout.JAVA_BYTE, size - 1, (byte) 1);
                }
            } catch (OutOfFrames e) {
                // As good.
            } catch (IllegalStateException e) {
                assertThat(shared.scope().isAlive()).isFalse();
            }
        };
        Race.Actor closes = round -> {
            if (round % 2 == 0) {
                arena.get().close();
            } else {
                allocates.act(round);
            }
        };
        Race.run(100, round -> {
            if (arena.get().scope().isAlive()) {
                arena.get().close();
            }
            assertApart(taken);
            labyrinth.validate();
            assertThat(labyrinth.stats().claimed()).as("round %s", round).isZero();
            arena.set(labyrinth.arena(Gfp.NOWAIT));
        }, allocates, allocates, closes);
        arena.get().close();
    }

    private static void assertApart(ConcurrentLinkedQueue<Map.Entry<Long, Long>> taken) {
        long end = 0;
        for (Map.Entry<Long, Long> one : taken.stream().sorted(Map.Entry.comparingByKey()).toList()) {
            assertThat(one.getKey()).isGreaterThanOrEqualTo(end);
            end = one.getKey() + one.getValue();
        }
        taken.clear();
    }

    @Test
    void isAnArenaLikeAnyOther() {
        try (Arena arena = labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE)) {
            assertThat(arena).hasToString("arena of " + labyrinth + " EXCLUSIVE");
        }
    }
}
