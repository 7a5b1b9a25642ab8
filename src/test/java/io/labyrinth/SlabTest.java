package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.labyrinth.LabyrinthException.Closed;
import io.labyrinth.LabyrinthException.Foreign;
import io.labyrinth.LabyrinthException.FramesOut;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.NotOwner;
import io.labyrinth.LabyrinthException.Stale;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Race;
import io.labyrinth.kit.Smaps;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Objects that are smaller than a page follow the rules of frames. */
class SlabTest {

    private static final Gfp MINE = Gfp.ATOMIC_EXCLUSIVE;
    private static final int FRAMES = 64;

    private Labyrinth labyrinth;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("slabs").frames(FRAMES).reserve(4).open();
    }

    @AfterEach
    void everythingIsBack() {
        labyrinth.validate();
        assertThat(labyrinth.stats().free() + labyrinth.stats().reserveFree()).isEqualTo(FRAMES);
        labyrinth.close();
    }

    private static Throwable elsewhere(ThrowingCallable call) {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Race.join(Thread.ofPlatform().start(() -> thrown.set(catchThrowable(call))));
        return thrown.get();
    }

    private static void end(Slab slab) {
        slab.validate();
        slab.close();
    }

    /** All there are: no two overlap, none is lost, each is aligned, and 0 comes exactly when nothing is left. */
    @ParameterizedTest
    @ValueSource(ints = {16, 17, 48, 64, 100, 256, 1000, 1024, 1500, 2048})
    void objectsAreApartAlignedAndAsManyAsFit(int size) {
        Slab slab = labyrinth.slab(size);
        int bytes = (size + 15) / 16 * 16;
        assertThat(slab.objectBytes()).isEqualTo(bytes);
        for (int round = 0; round < 2; round++) {
            List<Long> all = new ArrayList<>();
            Set<Long> addresses = new HashSet<>();
            for (long handle = slab.alloc(MINE); handle != 0; handle = slab.alloc(MINE)) {
                long address = slab.address(handle);
                assertThat(address % (size % 32 == 0 ? Integer.lowestOneBit(size) : 16)).isZero();
                assertThat(addresses.add(address)).as("once").isTrue();
                for (int at = 0; at < bytes; at += 8) {
                    slab.putLong(handle, at, handle + at);
                }
                all.add(handle);
            }
            assertThat(all).hasSize(Math.min(slab.objects(), FRAMES * (4096 / bytes)));
            assertThat(slab.out()).isEqualTo(all.size());
            assertThat(slab.frames()).isEqualTo((all.size() - 1) / (4096 / bytes) + 1);
            for (long handle : all) {
                for (int at = 0; at < bytes; at += 8) {
                    assertThat(slab.getLong(handle, at)).isEqualTo(handle + at);
                }
            }
            slab.validate();
            all.forEach(slab::free);
            assertThat(slab.out()).isZero();
        }
        end(slab);
    }

    @Test
    void ordinaryRequestsLeaveTheReserveAlone() {
        Slab slab = labyrinth.slab(2048);
        List<Long> all = new ArrayList<>();
        for (long handle = slab.alloc(Gfp.NOWAIT); handle != 0; handle = slab.alloc(Gfp.NOWAIT)) {
            all.add(handle);
        }
        assertThat(all).hasSize((FRAMES - 4) * 2);
        assertThat(labyrinth.stats().reserveFree()).isEqualTo(4);
        long fromReserve = slab.alloc(Gfp.ATOMIC);
        assertThat(fromReserve).isNotZero();
        slab.free(fromReserve);
        all.forEach(slab::free);
        end(slab);
    }

    @Test
    void neverHasMoreThanItMay() {
        Slab slab = labyrinth.slab(1024, 5);
        assertThat(slab.objects()).as("whole frames").isEqualTo(8);
        List<Long> all = new ArrayList<>();
        for (long handle = slab.alloc(Gfp.NOWAIT); handle != 0; handle = slab.alloc(Gfp.NOWAIT)) {
            all.add(handle);
        }
        assertThat(all).hasSize(8);
        assertThat(labyrinth.stats().claimed()).isEqualTo(2);
        all.forEach(slab::free);
        end(slab);
    }

    @Test
    void refusesSizesAndCountsOutsideOfItsLimits() {
        for (int size : new int[] {Integer.MIN_VALUE, -16, 0, 15, 2049, Integer.MAX_VALUE}) {
            assertThatThrownBy(() -> labyrinth.slab(size)).isExactlyInstanceOf(InvalidRequest.class)
                    .hasMessageContainingAll("size=" + size, "16 to 2048");
        }
        for (int objects : new int[] {Integer.MIN_VALUE, -1, 0}) {
            assertThatThrownBy(() -> labyrinth.slab(64, objects)).isExactlyInstanceOf(InvalidRequest.class);
        }
        Slab slab = labyrinth.slab(16, Integer.MAX_VALUE);
        assertThat(slab.objects()).as("no more than the labyrinth has room for").isEqualTo(FRAMES * 256);
        end(slab);
    }

    @Test
    void findsEachDoubleFree() {
        Slab slab = labyrinth.slab(64);
        for (Gfp gfp : List.of(MINE, Gfp.NOWAIT)) {
            long first = slab.alloc(gfp);
            slab.free(first);
            for (int life = 0; life < 1000; life++) {
                assertThatThrownBy(() -> slab.free(first)).isExactlyInstanceOf(Stale.class)
                        .hasMessageContainingAll("slab size=64 labyrinth=slabs", "this life of it has ended");
                long next = slab.alloc(gfp);
                assertThat(next).isNotEqualTo(first);
                assertThatThrownBy(() -> slab.free(first)).isExactlyInstanceOf(Stale.class);
                assertThatThrownBy(() -> slab.putLong(first, 0, 1)).isExactlyInstanceOf(Stale.class);
                slab.free(next);
            }
        }
        end(slab);
    }

    /** A frame that comes back to a slab must not bring back the lives that its objects have had. */
    @Test
    void refusesHandlesOfAFrameThatWasAwayInTheMeantime() {
        Slab slab = labyrinth.slab(1024);
        Set<Long> stale = new HashSet<>();
        for (int round = 0; round < 50; round++) {
            List<Long> all = List.of(slab.alloc(MINE), slab.alloc(MINE), slab.alloc(MINE), slab.alloc(Gfp.NOWAIT));
            for (long old : stale) {
                assertThatThrownBy(() -> slab.free(old)).isExactlyInstanceOf(Stale.class);
                assertThatThrownBy(() -> slab.getLong(old, 0)).isExactlyInstanceOf(Stale.class);
            }
            all.forEach(slab::free);
            assertThat(stale).doesNotContainAnyElementsOf(all);
            stale.addAll(all);
            assertThat(slab.shrink()).isEqualTo(1);
            try (Frame other = labyrinth.allocPage(Gfp.NOWAIT)) {    // another's now, with what looks like words
                for (long at = 0; at < 4096; at += 8) {
                    other.segment().set(ValueLayout.JAVA_LONG, at, all.getFirst());
                }
                for (long old : all) {
                    assertThatThrownBy(() -> slab.free(old)).isExactlyInstanceOf(Stale.class);
                    assertThatThrownBy(() -> slab.putLong(old, 0, 1)).isExactlyInstanceOf(Stale.class);
                    assertThatThrownBy(() -> slab.address(old)).isExactlyInstanceOf(Stale.class);
                }
                for (long at = 0; at < 4096; at += 8) {
                    assertThat(other.segment().get(ValueLayout.JAVA_LONG, at)).isEqualTo(all.getFirst());
                }
            }
        }
        end(slab);
    }

    @Test
    void anExclusiveObjectIsItsOwnersAlone() {
        Slab slab = labyrinth.slab(32);
        long handle = slab.alloc(MINE);
        slab.putLong(handle, 8, 5);
        for (ThrowingCallable use : List.<ThrowingCallable>of(() -> slab.free(handle), () -> slab.getLong(handle, 8),
                () -> slab.putByte(handle, 8, (byte) 1), () -> slab.getByte(handle, 8), () -> slab.address(handle),
                () -> slab.putLong(handle, 8, 1), () -> slab.handOff(handle))) {
            assertThat(elsewhere(use)).isExactlyInstanceOf(NotOwner.class)
                    .hasMessageContainingAll("slab size=32", "is EXCLUSIVE to thread=");
        }
        assertThatThrownBy(() -> slab.segment(handle)).isExactlyInstanceOf(InvalidRequest.class)
                .hasMessageContaining("EXCLUSIVE");
        assertThat(slab.getLong(handle, 8)).isEqualTo(5);
        slab.free(handle);
        end(slab);
    }

    @Test
    void anyThreadUsesAndFreesAnObjectThatIsNotExclusive() {
        Slab slab = labyrinth.slab(256);
        long handle = slab.alloc(Gfp.NOWAIT);
        MemorySegment segment = slab.segment(handle);
        assertThat(segment.byteSize()).isEqualTo(256);
        assertThat(segment.address()).isEqualTo(slab.address(handle));
        segment.set(ValueLayout.JAVA_LONG, 248, 9);
        assertThat(elsewhere(() -> {
            assertThat(slab.getLong(handle, 248)).isEqualTo(9);
            slab.free(handle);
        })).isNull();
        assertThatThrownBy(() -> slab.free(handle)).isExactlyInstanceOf(Stale.class);
        end(slab);
    }

    @Test
    void anObjectPassesFromThreadToThreadOnce() {
        Slab slab = labyrinth.slab(64);
        long handle = slab.alloc(MINE);
        slab.putLong(handle, 0, 77);
        long ticket = slab.handOff(handle);
        assertThatThrownBy(() -> slab.getLong(handle, 0)).isExactlyInstanceOf(Stale.class);
        AtomicLong accepted = new AtomicLong();
        assertThat(elsewhere(() -> {
            accepted.set(slab.accept(ticket));
            assertThat(slab.getLong(accepted.get(), 0)).isEqualTo(77);
            assertThatThrownBy(() -> slab.accept(ticket)).isExactlyInstanceOf(Stale.class);
            slab.free(accepted.get());
        })).isNull();
        end(slab);
    }

    @Test
    void accessStaysWithinTheObject() {
        Slab slab = labyrinth.slab(48);
        long handle = slab.alloc(MINE);
        slab.putLong(handle, 40, 1);
        slab.putByte(handle, 47, (byte) 1);
        for (long offset : new long[] {-1, 41, 48, Long.MIN_VALUE, Long.MAX_VALUE}) {
            assertThatThrownBy(() -> slab.putLong(handle, offset, 1)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> slab.getLong(handle, offset)).isInstanceOf(IndexOutOfBoundsException.class);
        }
        assertThatThrownBy(() -> slab.putByte(handle, 48, (byte) 1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> slab.getByte(handle, -1)).isInstanceOf(IndexOutOfBoundsException.class);
        slab.free(handle);
        end(slab);
    }

    @Test
    void zeroedObjectsReadAsZerosAndOthersAsTheyWere() {
        Slab slab = labyrinth.slab(112);
        for (int round = 0; round < 100; round++) {
            long handle = slab.alloc(MINE.with(Gfp.ZERO));
            for (int at = 0; at < 112; at += 8) {
                assertThat(slab.getLong(handle, at)).isZero();
                slab.putLong(handle, at, -1);
            }
            slab.free(handle);
            long again = slab.alloc(MINE);
            assertThat(slab.getLong(again, 104)).as("the same object, as it was left").isEqualTo(-1);
            slab.free(again);
        }
        end(slab);
    }

    @Test
    void handlesThatAreNoneAreRefused() {
        Slab slab = labyrinth.slab(64, 640);
        long good = slab.alloc(MINE);
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 10_000; i++) {
            long forged = i < 64 ? 1L << i : random.nextLong();
            for (ThrowingCallable use : List.<ThrowingCallable>of(() -> slab.free(forged),
                    () -> slab.getLong(forged, 0), () -> slab.accept(forged), () -> slab.handOff(forged))) {
                assertThat(catchThrowable(use)).isInstanceOfAny(Stale.class, Foreign.class);
            }
        }
        assertThatThrownBy(() -> slab.free(0)).isExactlyInstanceOf(Stale.class);
        assertThatThrownBy(() -> labyrinth.handles().free(good)).isExactlyInstanceOf(Stale.class);
        slab.free(good);
        end(slab);
    }

    @Test
    void objectsOfTheDeadComeBackAndThoseOfTheLivingStay() {
        Slab slab = labyrinth.slab(64);
        long mine = slab.alloc(MINE);
        for (Thread.Builder kind : List.of(Thread.ofPlatform(), Thread.ofVirtual())) {
            AtomicLong left = new AtomicLong();
            Race.join(kind.start(() -> {
                for (int i = 0; i < 100; i++) {
                    left.set(slab.alloc(MINE));
                }
            }));
            assertThat(slab.out()).isEqualTo(101);
            assertThat(slab.sweepDeadOwners()).isEqualTo(100);
            assertThat(slab.sweepDeadOwners()).isZero();
            assertThatThrownBy(() -> slab.free(left.get())).isExactlyInstanceOf(Stale.class);
        }
        slab.putLong(mine, 0, 1);
        slab.free(mine);
        end(slab);
    }

    @Test
    void shrinksToTheFramesThatAreInUse() {
        Slab slab = labyrinth.slab(1024);
        List<Long> all = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            all.add(slab.alloc(MINE));
        }
        assertThat(slab.frames()).isEqualTo(10);
        long kept = all.remove(17);
        slab.putLong(kept, 0, 3);
        all.forEach(slab::free);
        assertThat(labyrinth.stats().claimed()).as("kept for the next").isEqualTo(10);
        assertThat(slab.shrink()).isEqualTo(9);
        assertThat(slab.shrink()).isZero();
        assertThat(labyrinth.stats().claimed()).isEqualTo(1);
        slab.validate();
        assertThat(slab.getLong(kept, 0)).isEqualTo(3);
        slab.free(kept);
        end(slab);
        assertThat(labyrinth.stats().claimed()).isZero();
    }

    /** A slab that was dropped with all its objects free is no reason to keep the memory. */
    @Test
    void theLabyrinthClosesOverWhatSlabsHaveLeft() {
        Labyrinth other = Labyrinth.builder("other").frames(16).locking(Locking.NONE).open();
        Slab slab = other.slab(64);
        Slab large = other.slab(2048);
        long first = slab.alloc(Gfp.NOWAIT);
        long second = large.alloc(Gfp.NOWAIT);
        assertThat(slab.offset(first)).isEqualTo(slab.address(first) - other.region.address(0));
        assertThat(large.offset(second)).isBetween(0L, 15L * 4096);
        slab.free(first);
        assertThat(other.stats().claimed()).isEqualTo(2);
        assertThatThrownBy(other::close).isExactlyInstanceOf(FramesOut.class)
                .hasMessageContaining("slab size=2048 labyrinth=other frames=1: ")
                .hasMessageContaining("thread=" + Thread.currentThread().threadId() + " objects=1")
                .hasMessageNotContaining("slab size=64");
        assertThat(slab.frames()).as("what it could give back, it did").isZero();
        large.free(second);
        other.close();
        assertThatThrownBy(() -> slab.alloc(Gfp.NOWAIT)).isExactlyInstanceOf(Closed.class);
        assertThatThrownBy(() -> slab.offset(first)).isExactlyInstanceOf(Closed.class);
    }

    /** Its words are locked as its labyrinth's are, and no longer than it is open. */
    @Test
    void itsWordsAreCountedAndGivenBack() {
        LabyrinthStats before = labyrinth.stats();
        Slab slab = labyrinth.slab(64);
        long bytes = labyrinth.stats().mappedBytes() - before.mappedBytes();
        assertThat(bytes).isBetween(16L * slab.objects(), 20L * slab.objects());
        assertThat(labyrinth.stats().metadataBytes() - before.metadataBytes()).isEqualTo(bytes);
        assertThat(labyrinth.stats().lockedBytes() - before.lockedBytes()).isEqualTo(bytes);
        Smaps.Range words = words(slab, bytes);
        assertThat(words.locked()).isEqualTo(bytes);
        end(slab);
        assertThat(labyrinth.stats()).isEqualTo(before);
        assertThat(words.locked()).isZero();

        Labyrinth other = Labyrinth.builder("other").frames(64).open();
        Slab open = other.slab(64);
        long mine = open.alloc(MINE);
        Smaps.Range itsWords = words(open, bytes);
        Smaps.Range itsFrames = Smaps.Range.of(other);
        assertThat(itsWords.locked()).isEqualTo(bytes);
        assertThat(itsFrames.locked()).isPositive();
        assertThat(other.closeNow()).isEqualTo(1);
        assertThat(itsWords.locked() + itsFrames.locked()).as("of a labyrinth that has closed").isZero();
        assertThatThrownBy(() -> open.free(mine)).isExactlyInstanceOf(Closed.class);
        assertThatThrownBy(open::close).isExactlyInstanceOf(Closed.class);
    }

    private static Smaps.Range words(Slab slab, long bytes) {
        long start = slab.map.descriptor(0).address();
        return new Smaps.Range(start, start + bytes);
    }

    /** As a free leaves it that was under way while the labyrinth closed, and gave the words back. */
    @Test
    void aWordThatSaysFreeIsNoObjectOfALabyrinthThatHasClosed() {
        Labyrinth other = Labyrinth.builder("other").frames(64).locking(Locking.NONE).open();
        Slab slab = other.slab(64);
        long mine = slab.alloc(MINE);
        slab.free(mine);
        int object = PageWord.pfn(mine);
        long free = slab.map.lvWord(object);
        other.closeNow();
        assertThat(slab.map.lvWord(object)).as("given back").isZero();

        PageMap.so(slab.map.descriptor(object).address(), free);

        assertThatThrownBy(() -> slab.alloc(MINE)).isExactlyInstanceOf(Closed.class);
        assertThatThrownBy(() -> slab.alloc(MINE)).isExactlyInstanceOf(Closed.class);
    }

    @Test
    void theLabyrinthsValidateLooksIntoItsSlabs() {
        Labyrinth other = Labyrinth.builder("other").frames(64).locking(Locking.NONE).open();
        Slab slab = other.slab(64);
        slab.free(slab.alloc(MINE));
        other.validate();
        PageMapScan.Seen frame = new PageMapScan(other.map).out().getFirst();
        other.handles().free(PageWord.handle(frame.word(), frame.pfn()));

        assertThatThrownBy(other::validate).isExactlyInstanceOf(AssertionError.class)
                .hasMessageContaining("slab size=64 labyrinth=other page=0");
        other.closeNow();
    }

    /** The frames that it took first are looked through for an empty place last. */
    @Test
    void whatItGaveBackItTakesAgain() {
        Slab slab = labyrinth.slab(2048, 8);
        for (int round = 0; round < 3; round++) {
            List<Long> all = new ArrayList<>();
            for (long handle = slab.alloc(MINE); handle != 0; handle = slab.alloc(MINE)) {
                all.add(handle);
            }
            assertThat(all).hasSize(8);
            long page = slab.offset(all.get(round)) / 4096;
            List<Long> ofOnePage = all.stream().filter(object -> slab.offset(object) / 4096 == page).toList();
            all.removeAll(ofOnePage);
            ofOnePage.forEach(slab::free);
            assertThat(slab.shrink()).isEqualTo(1);
            all.add(slab.alloc(MINE));
            assertThat(slab.frames()).isEqualTo(4);
            all.forEach(slab::free);
        }
        end(slab);
    }

    @Test
    void refusesToCloseWhileAnythingIsOut() {
        Slab slab = labyrinth.slab(64);
        long shared = slab.alloc(Gfp.NOWAIT);
        long ticket = slab.handOff(slab.alloc(MINE));
        long mine = slab.alloc(MINE);
        assertThatThrownBy(slab::close).isExactlyInstanceOf(FramesOut.class).hasMessageContainingAll(
                "slab size=64 labyrinth=slabs cannot close", "ticket not accepted objects=1",
                "thread=" + Thread.currentThread().threadId() + " objects=1", "free them");
        slab.free(slab.alloc(MINE));
        slab.validate();
        slab.free(shared);
        slab.free(slab.accept(ticket));
        assertThatThrownBy(slab::close).isExactlyInstanceOf(FramesOut.class);
        assertThatThrownBy(labyrinth::close).isExactlyInstanceOf(FramesOut.class);
        slab.free(mine);
        end(slab);
        slab.close();
        assertThatThrownBy(() -> slab.alloc(MINE)).isExactlyInstanceOf(Closed.class);
        for (ThrowingCallable late : List.<ThrowingCallable>of(() -> slab.free(mine), () -> slab.getLong(mine, 0),
                () -> slab.handOff(mine), () -> slab.accept(ticket), () -> slab.address(mine))) {
            assertThatThrownBy(late).isExactlyInstanceOf(Closed.class).hasMessageContaining("slab size=64");
        }
    }

    @Test
    void theSegmentOfAnObjectDiesWithIt() {
        Slab slab = labyrinth.slab(64);
        for (Gfp gfp : List.of(MINE, Gfp.NOWAIT)) {
            SlabObject object = slab.allocObject(gfp);
            MemorySegment segment = object.segment();
            assertThat(segment.byteSize()).isEqualTo(64);
            segment.set(ValueLayout.JAVA_LONG, 56, 4);
            assertThat(object.segment().get(ValueLayout.JAVA_LONG, 56)).isEqualTo(4);
            assertThat(object.isExclusive()).isEqualTo(gfp == MINE);
            if (object.isExclusive()) {
                assertThat(elsewhere(() -> segment.get(ValueLayout.JAVA_LONG, 0)))
                        .isInstanceOf(WrongThreadException.class);
                assertThat(elsewhere(object::close)).isExactlyInstanceOf(NotOwner.class);
                object.close();
                assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_LONG, 0))
                        .isInstanceOf(IllegalStateException.class);
            } else {
                assertThat(elsewhere(object::close)).isNull();
            }
            assertThatThrownBy(object::close).isExactlyInstanceOf(Stale.class);
            assertThatThrownBy(object::segment).isExactlyInstanceOf(Stale.class);
        }
        end(slab);
    }

    @Test
    void anObjectThatNobodyHasTouchedIsRefusedToOthers() {
        Slab slab = labyrinth.slab(64);
        SlabObject object = slab.allocObject(MINE);
        assertThat(elsewhere(object::segment)).isInstanceOf(WrongThreadException.class);
        assertThatThrownBy(() -> slab.free(object.handle)).isExactlyInstanceOf(InvalidRequest.class)
                .hasMessageContaining("allocated as an object");
        object.close();
        end(slab);
    }

    @Test
    void severalSlabsAndFramesShareALabyrinth() {
        Slab small = labyrinth.slab(16);
        Slab large = labyrinth.slab(2048);
        List<Long> smalls = new ArrayList<>();
        List<Long> larges = new ArrayList<>();
        List<Frame> frames = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            smalls.add(small.alloc(MINE));
            small.putLong(smalls.getLast(), 8, i);
            if (i % 20 == 0) {
                larges.add(large.alloc(MINE));
                large.putLong(larges.getLast(), 2040, i);
                frames.add(labyrinth.allocPage(MINE));
                frames.getLast().segment().fill((byte) i);
            }
        }
        for (int i = 0; i < 600; i++) {
            assertThat(small.getLong(smalls.get(i), 8)).isEqualTo(i);
        }
        for (int i = 0; i < larges.size(); i++) {
            assertThat(large.getLong(larges.get(i), 2040)).isEqualTo(i * 20);
            assertThat(frames.get(i).segment().get(ValueLayout.JAVA_BYTE, 4095)).isEqualTo((byte) (i * 20));
        }
        smalls.forEach(small::free);
        larges.forEach(large::free);
        frames.forEach(Frame::close);
        end(small);
        end(large);
    }
}
