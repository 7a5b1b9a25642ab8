package io.labyrinth.frozen;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Gfp;
import io.labyrinth.LabyrinthException;
import io.labyrinth.internal.os.Living;
import io.labyrinth.internal.pagemap.Advice;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Race;
import io.labyrinth.kit.Step;
import io.labyrinth.kit.Verify;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A thread that is frozen between two of its steps stops no other thread, and nobody gets what it holds. The first
 * tests stop real threads, by hooks. The others write by hand, word by word, the state that such a thread leaves. There
 * everything else is exact.
 */
class FrozenThreadTest {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final Thread ME = Thread.currentThread();
    private static final int FRAMES = 256;
    /** A multiple of 2,048: in such a life the bits of an owner word that was never written look like its own. */
    private static final long GENERATION = 4096;

    private final Thread dead = Thread.ofPlatform().start(() -> { });
    private MemorySegment memory;
    private PageMap map;
    private PageMapScan scan;

    @BeforeEach
    void tile() {
        Race.join(dead);
        memory = Arena.ofAuto().allocate(Geometry.bytesFor(FRAMES), 64);
        map = new PageMap(memory, FRAMES, 0);
        map.tile(GENERATION);
        scan = new PageMapScan(map);
    }

    private void write(int pfn, long word) {
        memory.set(LONG, pfn * 16L, word);
    }

    private void sign(int pfn, Thread owner) {
        memory.set(LONG, pfn * 16L + 8, PageWord.owner(owner, map.lvWord(pfn)));
    }

    private static long adviceAt(int group) {
        return FRAMES * 16L + group * 64L;
    }

    /** Cuts all of it, which is free, into single frames that the dead thread owned last. */
    private void cut() {
        for (int pfn = 0; pfn < FRAMES; pfn++) {
            map.release(map.claimSeen(pfn, map.lvWord(pfn), 0, 0, dead), dead, PageWord.EXCLUSIVE);
        }
    }

    private void freeze(int pfn) {
        write(pfn, PageWord.claimed(map.lvWord(pfn), PageWord.TENANT | PageWord.EXCLUSIVE));
    }

    /** The others take all that is left, twice, in largest runs, and give it back; sweeps find nothing. */
    private void lifeGoesOnWithout(int from, int to) {
        Zone zone = new Zone(map, 1);
        for (int turn = 0; turn < 2; turn++) {
            BitSet taken = new BitSet();
            List<Long> handles = new ArrayList<>();
            for (int order = PageWord.MAX_ORDER; order >= 0; order--) {
                long handle = zone.claim(Gfp.NOWAIT.bits(), order, ME);
                while (handle != 0) {
                    int pfn = PageWord.pfn(handle);
                    assertThat(taken.get(pfn, pfn + (1 << order)).isEmpty()).isTrue();
                    taken.set(pfn, pfn + (1 << order));
                    handles.add(handle);
                    assertThat(zone.lastWalkSteps(ME)).isLessThanOrEqualTo((int) zone.walkBound());
                    handle = zone.claim(Gfp.NOWAIT.bits(), order, ME);
                }
            }
            BitSet all = new BitSet();
            all.set(0, FRAMES);
            all.clear(from, to);
            assertThat(taken).as("all but what the frozen thread has").isEqualTo(all);
            assertThat(scan.sweep(Living::endedOf)).isZero();
            assertThat(zone.claim(Gfp.ATOMIC.bits(), 0, ME)).isZero();
            handles.forEach(handle -> map.release(handle, ME, PageWord.EXCLUSIVE));
        }
    }

    private void assertSound() {
        assertThat(scan.violation()).isNull();
    }

    @Test
    void threadThatStopsAtAnyStepOfAnyOperationStopsNoOther() {
        ChildJvm.Result child = ChildJvm.of(FrozenAnywhere.class).jvm("-Xmx64m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out().lines()).hasSize(Step.values().length).allSatisfy(line -> {
            if (!line.startsWith("SEGMENT_OF_FRAME=")) {    // which only looks
                assertThat(Integer.parseInt(line.substring(line.indexOf('=') + 1))).as(line).isGreaterThan(7);
            }
        });
        Verify.held("a frozen thread stops no other", "FrozenThreadTest", Step.values().length
                + " operations, at each store, load and compare-and-set: "
                + child.out().lines().mapToInt(line -> Integer.parseInt(line.substring(line.indexOf('=') + 1))).sum()
                + " stops");
    }

    @Test
    void threadThatStopsAnywhereInAnArenaSpoilsNothing() {
        ChildJvm.Result child = ChildJvm.of(FrozenArena.class).jvm("-Xmx64m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out().lines()).hasSize(9).allSatisfy(line ->
                assertThat(Integer.parseInt(line.replaceAll(".*=", ""))).as(line).isGreaterThan(7));
    }

    @Test
    void threadThatStopsAnywhereWhileItsLabyrinthClosesGetsNothing() {
        ChildJvm.Result child = ChildJvm.of(FrozenClose.class).jvm("-Xmx64m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out().lines()).hasSize(2).allSatisfy(line ->
                assertThat(Integer.parseInt(line.replaceAll(".*=", ""))).as(line).isGreaterThan(2));
    }

    @Test
    void claimThatIsNotSignedYetIsNobodyElses() {
        cut();
        freeze(8);
        lifeGoesOnWithout(8, 9);
        sign(8, ME);
        map.release(PageWord.handle(map.lvWord(8), 8), ME, PageWord.EXCLUSIVE);
        lifeGoesOnWithout(0, 0);
        assertSound();
    }

    @Test
    void firstClaimOfAFrameThatIsNotSignedYetIsNobodyElses() {
        freeze(0);
        assertThat(PageWord.order(map.lvWord(0))).isEqualTo(8);
        assertThat(map.lvOwner(0)).isZero();
        assertThat(scan.sweep(Living::endedOf)).isZero();
        sign(0, ME);
        assertThat(scan.sweep(Living::endedOf)).isZero();
        map.release(PageWord.handle(map.lvWord(0), 0), ME, PageWord.EXCLUSIVE);
        assertSound();
    }

    @Test
    void claimIsSweptWhenItsOwnerHasSignedAndEnded() {
        cut();
        freeze(8);
        assertThat(scan.sweep(Living::endedOf)).isZero();
        sign(8, dead);
        assertThat(scan.sweep(Living::endedOf)).isEqualTo(1);
        lifeGoesOnWithout(0, 0);
        assertSound();
    }

    @Test
    void virtualOwnerThatIsJustLeavingIsNotSwept() {
        cut();
        freeze(8);
        // It has cleared its place in the table of virtual owners, and not yet stored the word.
        sign(8, Thread.ofVirtual().unstarted(() -> { }));
        assertThat(map.virtualOwner(8)).isNull();
        lifeGoesOnWithout(8, 9);
        assertThat(map.reclaim(8, map.lvWord(8))).isTrue();
        assertSound();
    }

    @Test
    void splitMayStopAtEachStore() {
        cut();
        long whole = map.claimAndJoin(64, 6, 0, dead);
        map.release(whole, dead, PageWord.EXCLUSIVE);
        freeze(64);
        lifeGoesOnWithout(64, 128);
        // The upper half becomes a head of its own ...
        write(96, PageWord.splitOff(map.lvWord(96), 5, PageWord.TENANT));
        lifeGoesOnWithout(64, 128);
        // ... the lower one lets it go ...
        write(64, PageWord.resized(map.lvWord(64), 5));
        lifeGoesOnWithout(64, 128);
        // ... and it is free, before its advice and after it.
        write(96, PageWord.unclaimed(map.lvWord(96)));
        lifeGoesOnWithout(64, 128);
        memory.set(LONG, adviceAt(1), 1);
        lifeGoesOnWithout(64, 96);
        write(80, PageWord.splitOff(map.lvWord(80), 4, PageWord.TENANT));
        write(64, PageWord.resized(map.lvWord(64), 4));
        lifeGoesOnWithout(64, 96);
        write(80, PageWord.unclaimed(map.lvWord(80)));
        sign(64, dead);
        assertThat(scan.sweep(Living::endedOf)).isEqualTo(16);
        lifeGoesOnWithout(0, 0);
        assertSound();
    }

    @Test
    void joinMayStopAtEachStep() {
        cut();
        for (int pfn = 64; pfn < 72; pfn++) {
            freeze(pfn);
            lifeGoesOnWithout(64, pfn + 1);
            if (pfn < 71) {
                // The others have left larger runs behind; the frozen thread's next frame is a single one again.
                map.release(map.claimSeen(pfn + 1, map.lvWord(pfn + 1), 0, 0, dead), dead, PageWord.EXCLUSIVE);
            }
        }
        write(64, PageWord.resized(map.lvWord(64), 3));
        lifeGoesOnWithout(64, 72);
        for (int pfn : new int[] {70, 65, 66, 71, 67, 68, 69}) {
            write(pfn, PageWord.joined(map.lvWord(pfn)));
            lifeGoesOnWithout(64, 72);
        }
        sign(64, dead);
        assertThat(scan.sweep(Living::endedOf)).isEqualTo(8);
        lifeGoesOnWithout(0, 0);
        assertSound();
    }

    @Test
    void joinThatIsTakenBackMayStopAtEachStep() {
        cut();
        for (int pfn = 64; pfn < 72; pfn++) {
            freeze(pfn);
        }
        for (int pfn = 64; pfn < 72; pfn++) {
            lifeGoesOnWithout(pfn, 72);
            write(pfn, PageWord.unclaimed(map.lvWord(pfn)));
            memory.set(LONG, adviceAt(1), 1);
        }
        lifeGoesOnWithout(0, 0);
        assertSound();
    }

    @Test
    void stampThatNobodyResolvesHidesNothing() {
        long stamp = dead.threadId() << 1;
        cut();
        for (int group = 0; group < 4; group++) {
            memory.set(LONG, adviceAt(group), stamp);
        }
        lifeGoesOnWithout(0, 0);
        // Also in a group with nothing free: another walk clears its advice with a stamp of its own.
        cut();
        for (int pfn = 64; pfn < 128; pfn++) {
            freeze(pfn);
        }
        memory.set(LONG, adviceAt(1), stamp);
        lifeGoesOnWithout(64, 128);
        assertThat(map.groupMayBeFree(1)).isFalse();
        // And the free that comes between the stamp and its owner's last step is the one that counts.
        memory.set(LONG, adviceAt(1), stamp);
        map.reclaim(100, map.lvWord(100));
        assertThat(memory.get(LONG, adviceAt(1))).as("the frozen thread's CAS fails").isNotEqualTo(stamp);
        for (int pfn = 64; pfn < 128; pfn++) {
            if (pfn != 100) {
                map.reclaim(pfn, map.lvWord(pfn));
            }
        }
        assertSound();
    }

    @Test
    void releaseThatIsNotAdvisedYetIsFoundByItsHintAndLaterByAll() {
        cut();
        for (int pfn = 64; pfn < 128; pfn++) {
            freeze(pfn);
        }
        Advice.clearGroup(map, 1, 2);
        write(77, PageWord.released(map.lvWord(77)));
        assertThat(map.groupMayBeFree(1)).isFalse();
        lifeGoesOnWithout(64, 128);
        long hint = PageWord.handle(map.lvWord(77), 77);
        assertThat(map.claimHinted(hint, 0, 0, ME)).isTrue();
        map.release(hint, ME, PageWord.EXCLUSIVE);
        for (int pfn = 64; pfn < 128; pfn++) {
            map.reclaim(pfn, map.lvWord(pfn));
        }
        assertSound();
    }

    @Test
    void ticketOutlivesItsGiver() {
        cut();
        long handle = map.claimSeen(12, map.lvWord(12), 0, PageWord.EXCLUSIVE, dead);
        long ticket = map.handOff(handle, dead, PageWord.EXCLUSIVE);
        lifeGoesOnWithout(12, 13);
        assertThatThrownBy(() -> map.release(handle, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        // The taker, too, may freeze before it signs.
        write(12, PageWord.accepted(map.lvWord(12), PageWord.TENANT | PageWord.EXCLUSIVE));
        lifeGoesOnWithout(12, 13);
        assertThatThrownBy(() -> map.accept(ticket, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        sign(12, dead);
        assertThat(scan.sweep(Living::endedOf)).isEqualTo(1);
        assertSound();
    }
}
