package io.labyrinth.internal.pagemap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.bindings.Native;
import io.labyrinth.internal.os.Living;
import io.labyrinth.kit.Orphan;
import io.labyrinth.kit.Race;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Claims that an error has interrupted, at each of their steps, in the state in which their handlers leave them. All
 * frames are found and freed again.
 */
class OrphansTest {

    private static final int FRAMES = 1024;
    private static final Thread ME = Thread.currentThread();

    private final MemorySegment memory = Arena.ofAuto().allocate(Geometry.bytesFor(FRAMES), 64);
    private final PageMap map = new PageMap(memory, FRAMES, 0);

    OrphansTest() {
        map.tile(5);
    }

    @AfterEach
    void everythingIsFreeAndSound() {
        assertThat(map.orphans.mend(map)).as("something was left to mend").isFalse();
        for (char mark : map.orphans.marks) {
            assertThat((int) mark).as("a mark was left").isLessThan(Orphans.ORPHAN);
        }
        PageMapScan scan = new PageMapScan(map);
        assertThat(scan.violation()).isNull();
        assertThat(scan.out()).isEmpty();
    }

    private void write(int pfn, long word) {
        memory.set(ValueLayout.JAVA_LONG, pfn * 16L, word);
    }

    private void claimUnsigned(int pfn) {
        write(pfn, PageWord.claimed(map.lvWord(pfn), PageWord.TENANT | PageWord.EXCLUSIVE));
    }

    private void mend(int... marked) {
        for (int pfn : marked) {
            Orphan.mark(map, PageWord.handle(map.lvWord(pfn), pfn));
        }
        map.orphans.any = true;
        assertThat(map.orphans.mend(map)).isTrue();
    }

    @Test
    void freesAClaimThatNobodySigned() {
        claimUnsigned(0);
        mend(0);

        assertThat(PageWord.generation(map.lvWord(0))).as("its handle may be known: that life is over").isEqualTo(6);
    }

    @Test
    void freesASplitWhoseUpperHalfIsAHeadWithinItsLower() {
        claimUnsigned(0);
        write(512, PageWord.splitOff(map.lvWord(512), 9, PageWord.TENANT));
        mend(0);

        assertThat(PageWord.isFree(map.lvWord(0), 10)).isTrue();
    }

    @Test
    void freesBothHalvesOfASplit() {
        claimUnsigned(0);
        write(512, PageWord.splitOff(map.lvWord(512), 9, PageWord.TENANT));
        write(0, PageWord.resized(map.lvWord(0), 9));
        mend(0, 512);

        assertThat(PageWord.isFree(map.lvWord(0), 9)).isTrue();
        assertThat(PageWord.isFree(map.lvWord(512), 9)).isTrue();
    }

    @Test
    void freesTheHeadsOfAJoinThatWasNotMade() {
        cut(8);
        for (int pfn = 16; pfn < 24; pfn += 2) {
            claimUnsigned(pfn);
        }
        mend(16, 18, 20, 22);

        assertThat(map.claimAndJoin(16, 3, 0, ME)).isNotZero();
        map.release(PageWord.handle(map.lvWord(16), 16), ME, PageWord.EXCLUSIVE);
    }

    @Test
    void freesAJoinWhoseInnerHeadsAreHalfHidden() {
        cut(8);
        for (int pfn = 16; pfn < 24; pfn += 2) {
            claimUnsigned(pfn);
        }
        write(16, PageWord.resized(map.lvWord(16), 3));
        write(18, PageWord.joined(map.lvWord(18)));
        mend(16);

        assertThat(PageWord.isFree(map.lvWord(16), 3)).isTrue();
    }

    @Test
    void leavesTheFrameOfALaterLifeAlone() {
        long ended = map.claimSeen(0, map.lvWord(0), 0, PageWord.EXCLUSIVE, ME);
        map.release(ended, ME, PageWord.EXCLUSIVE);
        long mine = map.claimSeen(0, map.lvWord(0), 0, PageWord.EXCLUSIVE, ME);
        Orphan.mark(map, ended);

        assertThat(map.orphans.mend(map)).isTrue();
        map.release(mine, ME, PageWord.EXCLUSIVE);
    }

    /** The steps that once freed a stranger's frame: an error, its mark, the thread's end, a sweep, another's claim. */
    @Test
    void aSweepLeavesAMarkedRunToTheMender() {
        Thread struck = Thread.ofPlatform().start(() -> Orphan.mark(map,
                map.claimSeen(0, map.lvWord(0), 10, PageWord.EXCLUSIVE, Thread.currentThread())));
        Race.join(struck);
        PageMapScan scan = new PageMapScan(map);

        assertThat(scan.sweep(Living::endedOf)).isZero();
        assertThat(map.lvWord(0) & 15).isEqualTo(PageWord.HEAD);
        assertThat(map.orphans.mend(map)).isTrue();
        long others = map.claimSeen(0, map.lvWord(0), 10, PageWord.EXCLUSIVE, ME);
        assertThat(scan.sweep(Living::endedOf)).isZero();
        assertThat(map.orphans.mend(map)).isFalse();
        map.release(others, ME, PageWord.EXCLUSIVE);
    }

    @Test
    void aMarkHasTheBitsOfTheWordAndOfTheOwnerWord() {
        assertThat(1 << Orphans.GENERATION_AT).isEqualTo(1 << Native.LABYRINTH_GENERATION_SHIFT());
        assertThat(Orphans.GENERATION).isEqualTo((1 << Native.LABYRINTH_OWNER_GENERATION_BITS()) - 1);
        assertThat(Orphans.ORPHAN >> Orphans.ORDER_SHIFT).isEqualTo(1 << Native.LABYRINTH_ORDER_BITS());
    }

    @Test
    void givesAdviceThatWasLost() {
        long handle = map.claimSeen(0, map.lvWord(0), 10, 0, ME);
        Advice.clearGroup(map, 0, 8);
        write(0, PageWord.released(map.lvWord(0)));
        assertThat(map.groupMayBeFree(0)).isFalse();
        map.orphans.adviceLost = true;
        assertThat(new PageMapScan(map).violation()).as("known to be lost is no violation").isNull();

        assertThat(new Zone(map, 1).claim(Gfp.NOWAIT.bits(), 10, ME)).isEqualTo(PageWord.nextGeneration(handle));
        map.release(PageWord.nextGeneration(handle), ME, PageWord.EXCLUSIVE);
    }

    @Test
    void walkThatFindsNothingElseFindsThem() {
        claimUnsigned(0);
        Orphan.mark(map, PageWord.handle(map.lvWord(0), 0));

        long handle = new Zone(map, 1).claim(Gfp.NOWAIT.bits(), 10, ME);
        assertThat(handle).isNotZero();
        map.release(handle, ME, PageWord.EXCLUSIVE);
    }

    @Test
    void leavesAMarkedFrameAloneThatIsNoHead() {
        mend(7);    // a TAIL

        assertThat(PageWord.isFree(map.lvWord(0), 10)).isTrue();
    }

    @Test
    void doNotKeepALabyrinthFromClosing() {
        Labyrinth labyrinth = Labyrinth.builder("orphans").frames(64).locking(Locking.PREFERRED).open();
        labyrinth.validate();
        long orphan = labyrinth.handles().alloc(Gfp.NOWAIT, 2);
        Orphan.mark(Inside.map(labyrinth), orphan);

        labyrinth.close();
        assertThatThrownBy(labyrinth::stats).isInstanceOf(LabyrinthException.Closed.class);
    }

    /** Runs of order 1 from 0 on. */
    private void cut(int frames) {
        for (int pfn = 0; pfn < frames + 16; pfn += 2) {
            map.release(map.claimSeen(pfn, map.lvWord(pfn), 1, 0, ME), ME, PageWord.EXCLUSIVE);
        }
    }
}
