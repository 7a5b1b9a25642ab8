package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Claims that an error interrupted, at each step of them, as their handlers leave them: all is found and freed again.
 */
class StraysTest {

    private static final int FRAMES = 1024;
    private static final Thread ME = Thread.currentThread();

    private final MemorySegment memory = Arena.ofAuto().allocate(PageMap.bytesFor(FRAMES), 64);
    private final PageMap map = new PageMap(memory, FRAMES, 0);

    StraysTest() {
        map.tile(5);
    }

    @AfterEach
    void everythingIsFreeAndSound() {
        assertThat(map.strays.mend(map)).as("something was left to mend").isFalse();
        assertThat(map.strays.marked).doesNotContain(true);
        Census census = new Census(map);
        assertThat(census.violation()).isNull();
        assertThat(census.out()).isEmpty();
    }

    private void write(int pfn, long word) {
        memory.set(ValueLayout.JAVA_LONG, pfn * 16L, word);
    }

    private void claimUnsigned(int pfn) {
        write(pfn, PageWord.claimed(map.lvWord(pfn), PageWord.TENANT | PageWord.EXCLUSIVE));
    }

    private void mend(int... marked) {
        for (int pfn : marked) {
            map.strays.marked[pfn] = true;
        }
        map.strays.any = true;
        assertThat(map.strays.mend(map)).isTrue();
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
        mend(16, 17, 18, 19, 20, 21, 22, 23);

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
        mend(16, 17, 18, 19, 20, 21, 22, 23);

        assertThat(PageWord.isFree(map.lvWord(16), 3)).isTrue();
    }

    @Test
    void givesAdviceThatWasLost() {
        long handle = map.claimSeen(0, map.lvWord(0), 10, 0, ME);
        Advice.settleGroup(map, 0, 8);
        write(0, PageWord.released(map.lvWord(0)));
        assertThat(map.groupMayBeFree(0)).isFalse();
        map.strays.adviceLost = true;
        assertThat(new Census(map).violation()).as("known to be lost is no violation").isNull();

        assertThat(new Zone(map, 1).claim(Gfp.NOWAIT.bits(), 10, ME)).isEqualTo(PageWord.nextLife(handle));
        map.release(PageWord.nextLife(handle), ME, PageWord.EXCLUSIVE);
    }

    @Test
    void walkThatFindsNothingElseFindsThem() {
        claimUnsigned(0);
        map.strays.marked[0] = true;
        map.strays.any = true;

        long handle = new Zone(map, 1).claim(Gfp.NOWAIT.bits(), 10, ME);
        assertThat(handle).isNotZero();
        map.release(handle, ME, PageWord.EXCLUSIVE);
    }

    @Test
    void leavesAMarkedFrameAloneThatIsNoHead() {
        mend(7);

        assertThat(PageWord.isFree(map.lvWord(0), 10)).isTrue();
    }

    @Test
    void doNotKeepALabyrinthFromClosing() {
        Labyrinth labyrinth = Labyrinth.builder("strays").frames(64).locking(Locking.PREFERRED).open();
        labyrinth.validate();
        long stray = labyrinth.handles().alloc(Gfp.NOWAIT, 2);
        labyrinth.map.strays.marked[PageWord.pfn(stray)] = true;
        labyrinth.map.strays.any = true;

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
