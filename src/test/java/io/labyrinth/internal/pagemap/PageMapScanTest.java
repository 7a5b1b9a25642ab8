package io.labyrinth.internal.pagemap;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Every test ends with validate(), so validate() itself is tested here. Each invariant is broken once, by hand. */
class PageMapScanTest {

    private static final int FRAMES = 96;
    private static final int RESERVE = 32;
    private static final long GENERATION = 7;
    private static final Thread ME = Thread.currentThread();

    private final MemorySegment memory = Arena.ofAuto().allocate(Geometry.bytesFor(FRAMES), 64);
    private final PageMap map = new PageMap(memory, FRAMES, RESERVE);
    private final PageMapScan scan = new PageMapScan(map);

    PageMapScanTest() {
        map.tile(GENERATION);
    }

    @AfterEach
    void isSoundAgain() {
        map.tile(GENERATION);
        assertThat(scan.violation()).isNull();
    }

    private void write(int pfn, long word) {
        memory.set(ValueLayout.JAVA_LONG, pfn * 16L, word);
    }

    private static long free(int order) {
        return PageWord.first(GENERATION, PageWord.FREE, order);
    }

    private void assertNamed(int pfn, String rule) {
        assertThat(scan.violation()).startsWith("pfn=" + pfn + " state=").contains(" generation=7 ", rule);
    }

    @Test
    void namesAFrameInNoRun() {
        for (int state : new int[] {PageWord.TAIL, 0, PageWord.QUARANTINED + 1, 15}) {
            write(0, PageWord.first(GENERATION, state, 0));
            assertNamed(0, "a run must begin here");
        }
        write(0, free(5));
        assertNamed(32, "a run must begin here");
    }

    @Test
    void namesARunThatIsNotAlignedOrEndsBehindTheLastFrame() {
        write(0, free(0));
        write(1, free(1));
        assertNamed(1, "a run must be aligned, within the labyrinth, of order 0 to 10");
        write(0, free(11));
        assertNamed(0, "a run must be aligned, within the labyrinth, of order 0 to 10");
        map.tile(GENERATION);
        write(64, free(6));
        assertNamed(64, "a run must be aligned, within the labyrinth, of order 0 to 10");
    }

    @Test
    void namesARunThatReachesIntoTheReserve() {
        PageMap small = new PageMap(memory, 64, 24);
        small.tile(GENERATION);
        write(32, free(5));
        assertThat(new PageMapScan(small).violation()).startsWith("pfn=32 ")
                .contains("a run must not reach into the reserve, which begins at pfn=40");
    }

    @Test
    void namesAFreeRunThatHasATenantOrFlags() {
        for (long left : new long[] {PageWord.TENANT, PageWord.EXCLUSIVE, PageWord.FRAMED}) {
            write(64, free(5) | left);
            assertNamed(64, "a free run must have no tenant and no flags");
        }
    }

    @Test
    void namesAClaimThatNobodyHasSignedInItsLife() {
        write(0, PageWord.claimed(free(6), PageWord.EXCLUSIVE));
        assertNamed(0, "a HEAD must have an owner of the same generation");
        memory.set(ValueLayout.JAVA_LONG, 8, PageWord.owner(ME, PageWord.nextGeneration(map.lvWord(0))));
        assertNamed(0, "a HEAD must have an owner of the same generation");
        memory.set(ValueLayout.JAVA_LONG, 8, PageWord.owner(ME, map.lvWord(0)));
        assertThat(scan.violation()).isNull();
    }

    @Test
    void namesAFreeRunThatIsHidden() {
        memory.set(ValueLayout.JAVA_LONG, FRAMES * 16L, 0);
        assertNamed(0, "a free run must not be hidden by its group's or its span's advice");
    }

    @Test
    void namesAFrameThatIsInTwoRuns() {
        for (int pfn : new int[] {1, 40, 63}) {
            write(pfn, free(0));
            assertNamed(0, "it covers pfn=" + pfn + " state=FREE order=0 generation=7, which is no TAIL");
            write(pfn, PageWord.first(GENERATION, PageWord.TAIL, 0));
        }
    }
}
