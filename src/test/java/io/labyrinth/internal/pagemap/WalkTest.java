package io.labyrinth.internal.pagemap;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import java.lang.foreign.Arena;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A walk has a last step. The bounds that the zone states hold for the fills that are worst for it. */
class WalkTest {

    private static final Thread ME = Thread.currentThread();

    private PageMap map;
    private Zone zone;

    /** A map in single frames, of which {@code taken} ones are claimed; all advice says "maybe", as it may. */
    private void fill(int frames, int reserve, IntPredicate taken) {
        map = new PageMap(Arena.ofAuto().allocate(Geometry.bytesFor(frames), 64), frames, reserve);
        zone = new Zone(map, 1);
        map.tile(1);
        for (int pfn = 0; pfn < frames; pfn++) {
            long handle = map.claimSeen(pfn, map.lvWord(pfn), 0, 0, ME);
            if (!taken.test(pfn)) {
                map.release(handle, ME, PageWord.EXCLUSIVE);
            }
        }
        Advice.giveAll(map);
    }

    @AfterEach
    void mapIsSound() {
        assertThat(new PageMapScan(map).violation()).isNull();
    }

    @ParameterizedTest
    @CsvSource({"1, 0", "7, 2", "64, 0", "65, 1", "511, 0", "1041, 200", "5000, 1111", "20000, 0", "20000, 3000",
        "70000, 700"})
    void everyWalkStaysWithinItsBound(int frames, int reserve) {
        for (int order = 0; order <= PageWord.MAX_ORDER; order++) {
            int size = 1 << order;
            fill(frames, reserve, pfn -> true);
            walk(order);
            fill(frames, reserve, pfn -> pfn % 2 == 0);
            walk(order);
            // Each run is all but free, and the join finds out at its last frame.
            fill(frames, reserve, pfn -> pfn % size == size - 1);
            walk(order);
            // Each group has one free frame, its last: no advice is cleared, and the walk looks at each word.
            fill(frames, reserve, pfn -> pfn % 64 != 63);
            walk(order);
        }
        assertThat(zone.walkBound()).as("what allocPages() states")
                .isLessThanOrEqualTo(3L * (map.frames + map.groups) + 2_000);
        assertThat(Zone.sprintBound(6)).as("and for ATOMIC").isLessThanOrEqualTo(3_500);
    }

    /** From many cursors: each walk leaves its own somewhere else. What was got is given back without a hint. */
    private void walk(int order) {
        int[] requests = {Gfp.NOWAIT.bits(), Gfp.HIGH.bits(), Gfp.ATOMIC.bits()};
        for (int i = 0; i < 24; i++) {
            int gfp = requests[i % 3];
            long handle = zone.claim(gfp, order, ME);
            int steps = zone.lastWalkSteps(ME);
            if (GfpFlags.isSprint(gfp)) {
                assertThat(steps).as("steps of a sprint, order=%s", order).isLessThanOrEqualTo(Zone.sprintBound(order));
            } else {
                assertThat(steps).as("steps of a walk, order=%s", order).isLessThanOrEqualTo((int) zone.walkBound());
            }
            if (handle != 0) {
                map.release(handle, ME, PageWord.EXCLUSIVE);
            }
            if (i % 5 == 4) {
                Advice.giveAll(map);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"64, 0", "1041, 0", "20000, 0", "20000, 63"})
    void oneFreeFrameIsFoundWhereverItIs(int frames, int reserve) {
        int last = frames - reserve - 1;
        for (int free : new int[] {0, 1, last / 2, last - 1, last}) {
            fill(frames, reserve, pfn -> pfn != free);
            for (int i = 0; i < 4; i++) {
                long handle = zone.claim(Gfp.NOWAIT.bits(), 0, ME);
                assertThat(handle).isNotZero();
                assertThat(PageWord.pfn(handle)).isEqualTo(free);
                assertThat(zone.lastWalkSteps(ME)).isLessThanOrEqualTo((int) zone.walkBound());
                assertThat(zone.claim(Gfp.NOWAIT.bits(), 0, ME)).isZero();
                map.release(handle, ME, PageWord.EXCLUSIVE);
            }
        }
    }

    /** Each dead end is walked once: then its advice is clear, and a walk of the same maze is short. */
    @ParameterizedTest
    @CsvSource({"1041", "20000", "70000"})
    void theSecondWalkIsSparedWhatTheFirstOneFoundOut(int frames) {
        fill(frames, 0, pfn -> true);
        assertThat(zone.claim(Gfp.NOWAIT.bits(), 0, ME)).isZero();
        assertThat(zone.lastWalkSteps(ME)).isGreaterThanOrEqualTo(frames);
        assertThat(zone.claim(Gfp.NOWAIT.bits(), 0, ME)).isZero();
        assertThat(zone.claim(Gfp.NOWAIT.bits(), 0, ME)).isZero();
        assertThat(zone.lastWalkSteps(ME)).as("looks at advice, one a group or one a span")
                .isLessThanOrEqualTo(2 + (map.spans == 0 ? map.groups : map.spans + 2 * (1 << map.spanShift)));
    }

    /** Each sprint sees a part of a span only; a million refusals would else look at group after group for ever. */
    @ParameterizedTest
    @CsvSource({"20000", "70000", "300000"})
    void sprintsAloneFindOutThatASpanIsDry(int frames) {
        fill(frames, 0, pfn -> true);
        for (int i = 0; i < 2 * map.groups; i++) {
            assertThat(zone.claim(Gfp.ATOMIC.bits(), 0, ME)).isZero();
            assertThat(zone.lastWalkSteps(ME)).isLessThanOrEqualTo(Zone.sprintBound(0));
        }
        for (int span = 0; span < map.spans; span++) {
            assertThat(map.spanMayBeFree(span)).as("advice of span=%s of %s", span, map.spans).isFalse();
        }
        map.release(PageWord.handle(map.lvWord(frames - 1), frames - 1), ME, PageWord.EXCLUSIVE);
        long handle = 0;
        for (int i = 0; handle == 0 && i < map.spans; i++) {
            handle = zone.claim(Gfp.ATOMIC.bits(), 0, ME);
        }
        assertThat(PageWord.pfn(handle)).as("and what comes back is found soon").isEqualTo(frames - 1);
    }

    @ParameterizedTest
    @CsvSource({"2000, 256", "20000, 256", "20000, 1000"})
    void sprintIsShortAndEndsInTheReserve(int frames, int reserve) {
        int reserveBegins = frames - reserve;
        fill(frames, reserve, pfn -> pfn < reserveBegins);
        long handle = zone.claim(Gfp.ATOMIC.bits(), 0, ME);
        assertThat(PageWord.pfn(handle)).isGreaterThanOrEqualTo(reserveBegins);
        assertThat(zone.lastWalkSteps(ME)).isLessThanOrEqualTo(Zone.sprintBound(0)).isLessThan(frames);
        map.release(handle, ME, PageWord.EXCLUSIVE);
    }

    /** A neighbour that holds a stretch is no reason for null. */
    @ParameterizedTest
    @CsvSource({"1024, 632", "1041, 640", "20000, 12400"})
    void sprintThatFindsNothingLooksElsewhereAsWell(int frames, int free) {
        fill(frames, 0, pfn -> pfn != 0);
        assertThat(PageWord.pfn(zone.claim(Gfp.NOWAIT.bits(), 0, ME))).as("so the next walk begins behind it").isZero();
        for (int pfn = free; pfn < frames; pfn++) {
            map.release(PageWord.handle(map.lvWord(pfn), pfn), ME, PageWord.EXCLUSIVE);
        }
        long handle = zone.claim(Gfp.ATOMIC.bits(), 0, ME);
        assertThat(PageWord.pfn(handle)).isGreaterThanOrEqualTo(free);
        assertThat(zone.lastWalkSteps(ME)).isLessThanOrEqualTo(Zone.sprintBound(0));
    }
}
