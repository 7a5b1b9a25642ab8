package io.labyrinth.internal.pagemap;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The cost of each pattern in looks. Looks are counted, and no time is measured. A change that makes walks longer,
 * hints useless or advice stale changes a total here, on any machine. If a change of the policy is intended, the new
 * totals are entered.
 */
class WalkStepsTest {

    private static final int EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).bits();
    private static final int SPRINT = Gfp.ATOMIC_EXCLUSIVE.bits();
    /** Stripes are chosen by thread ids and their number by the processors; both are fixed here. */
    private static final int PROCESSORS = 2;
    private static final int STRIPES = 16;
    private static final long SEED = 20_250_916;

    private final Arena arena = Arena.ofConfined();
    private final Thread giver = onStripe(0);
    private final Thread taker = onStripe(5);
    private Zone zone;
    private Tally tally = Tally.NONE;

    /**
     * What a pattern's claims came to.
     *
     * @param lost claims' compare-and-sets that failed; those that did not are byHint + byWalk, one each, as no pattern
     *             here joins runs
     */
    private record Tally(int byHint, int byWalk, int refused, long lost, long steps, long longest) {

        static final Tally NONE = new Tally(0, 0, 0, 0, 0, 0);

        Tally and(boolean claimed, long lostByIt, int stepsOfIt) {
            return new Tally(byHint + (claimed && stepsOfIt == 0 ? 1 : 0), byWalk + (claimed && stepsOfIt != 0 ? 1 : 0),
                    refused + (claimed ? 0 : 1), lost + lostByIt, steps + stepsOfIt, Math.max(longest, stepsOfIt));
        }
    }

    /** A thread that never runs: the zone asks it for its id alone. */
    private static Thread onStripe(int stripe) {
        Thread thread;
        do {
            thread = Thread.ofPlatform().unstarted(() -> { });
        } while ((thread.threadId() & STRIPES - 1) != stripe);
        return thread;
    }

    private void open(int frames, int reserve) {
        PageMap map = new PageMap(arena.allocate(Geometry.bytesFor(frames), 64), frames, reserve);
        map.tile(1);
        zone = new Zone(map, PROCESSORS);
    }

    private long claim(int gfp, int order, Thread me) {
        zone.forgetWalk(me);
        long lost = zone.lost();
        long handle = zone.claim(gfp, order, me);
        tally = tally.and(handle != 0, zone.lost() - lost, zone.lastWalkSteps(me));
        return handle;
    }

    private long[] claimAll(int gfp, int count, Thread me) {
        long[] handles = new long[count];
        for (int i = 0; i < count; i++) {
            handles[i] = claim(gfp, 0, me);
        }
        return handles;
    }

    private void free(long handle, Thread me) {
        if (zone.map.release(handle, me, PageWord.EXCLUSIVE)) {
            zone.freed(handle, me);
        }
    }

    private void freeAll(long[] handles, Thread me) {
        for (long handle : handles) {
            free(handle, me);
        }
    }

    @AfterEach
    void validate() {
        assertThat(new PageMapScan(zone.map).violation()).isNull();
        arena.close();
    }

    @Test
    void aPairWalksOnceAndThenTakesItsHint() {
        open(1024, 0);
        for (int i = 0; i < 10_000; i++) {
            free(claim(SPRINT, 0, giver), giver);
        }
        assertThat(tally).isEqualTo(new Tally(9_999, 1, 0, 0, 2, 2));
    }

    /** A hint that was used is gone: pairs with the one frame do not push out the hint of the other. */
    @Test
    void aPairLeavesTheOlderHintsAlone() {
        open(1024, 0);
        freeAll(claimAll(SPRINT, 2, giver), giver);
        int before = tally.byHint;
        for (int i = 0; i < 100; i++) {
            free(claim(SPRINT, 0, giver), giver);
        }
        freeAll(claimAll(SPRINT, 2, giver), giver);
        assertThat(tally.byHint - before).isEqualTo(102);
    }

    @ParameterizedTest
    @CsvSource({"4, 2", "9, 2", "10, 1"})
    void aPairOfAnyOrderWalksOnce(int order, long steps) {
        open(2048, 0);
        for (int i = 0; i < 1000; i++) {
            free(claim(SPRINT, order, giver), giver);
        }
        assertThat(tally).isEqualTo(new Tally(999, 1, 0, 0, steps, steps));
    }

    /** 16 hints serve the first 16 of each burst but the first; all others are the next word after the cursor. */
    @Test
    void aBurstWalksToTheNextFrame() {
        open(4096, 0);
        for (int i = 0; i < 10; i++) {
            freeAll(claimAll(SPRINT, 1000, giver), giver);
        }
        assertThat(tally).isEqualTo(new Tally(153, 9_847, 0, 0, 11_897, 2));
    }

    @ParameterizedTest
    @CsvSource({"50, 19999, 1, 0, 2, 2", "90, 19999, 1, 0, 2, 2", "99, 19999, 1, 0, 1, 1"})
    void aReplacementTakesWhatTheLastOneFreed(int percent, int byHint, int byWalk, long lost, long steps,
            long longest) {
        open(4096, 0);
        SplittableRandom random = new SplittableRandom(SEED);
        long[] live = claimAll(EXCLUSIVE, 4096 * percent / 100, giver);
        tally = Tally.NONE;
        for (int i = 0; i < 20_000; i++) {
            int at = random.nextInt(live.length);
            long taken = claim(EXCLUSIVE, 0, giver);
            free(live[at], giver);
            live[at] = taken;
        }
        assertThat(tally).isEqualTo(new Tally(byHint, byWalk, 0, lost, steps, longest));
        freeAll(live, giver);
    }

    @ParameterizedTest
    @CsvSource({"50, 6800, 18375, 0, 26874, 9", "90, 6800, 18622, 0, 106098, 47", "99, 6800, 18600, 0, 714724, 572"})
    void manyReplacedAtOnceWalkToWhatIsScattered(int percent, int byHint, int byWalk, long lost, long steps,
            long longest) {
        open(4096, 0);
        SplittableRandom random = new SplittableRandom(SEED);
        long[] live = claimAll(EXCLUSIVE, 4096 * percent / 100, giver);
        tally = Tally.NONE;
        for (int i = 0; i < 400; i++) {
            int[] at = random.ints(64, 0, live.length).distinct().toArray();
            for (int member : at) {
                free(live[member], giver);
            }
            for (int member : at) {
                live[member] = claim(EXCLUSIVE, 0, giver);
            }
        }
        assertThat(tally).isEqualTo(new Tally(byHint, byWalk, 0, lost, steps, longest));
        freeAll(live, giver);
    }

    /** What one frees the other claims, by walking: the first one's hints are all of frames that are taken. */
    @Test
    void anOutdatedHintCostsOneCompareAndSet() {
        open(256, 0);
        SplittableRandom random = new SplittableRandom(SEED);
        long[] live = claimAll(Gfp.ATOMIC.bits(), 250, giver);
        tally = Tally.NONE;
        for (int i = 0; i < 1000; i++) {
            Thread me = i % 2 == 0 ? giver : taker;
            int[] at = random.ints(40, 0, live.length).distinct().toArray();
            for (int member : at) {
                free(live[member], me);
            }
            for (int member : at) {
                live[member] = claim(Gfp.NOWAIT.bits(), 0, me == giver ? taker : giver);
            }
        }
        assertThat(tally).isEqualTo(new Tally(2_525, 34_453, 0, 14_458, 243_961, 60));
        freeAll(live, giver);
    }

    /** The taker's hints are of no use to the giver, and its frees set the advice. */
    @ParameterizedTest
    @CsvSource({"1, 0, 20000, 0, 20531, 2", "256, 0, 20000, 0, 20531, 2"})
    void aFramePassedOnIsFoundByWalking(int inTransit, int byHint, int byWalk, long lost, long steps,
            long longest) {
        open(1024, 0);
        Queue<Long> tickets = new ArrayDeque<>();
        for (int i = 0; i < 20_000; i++) {
            tickets.add(zone.map.handOff(claim(SPRINT, 0, giver), giver, PageWord.EXCLUSIVE));
            if (tickets.size() == inTransit) {
                free(zone.map.accept(tickets.remove(), taker, PageWord.EXCLUSIVE), taker);
            }
        }
        while (!tickets.isEmpty()) {
            free(zone.map.accept(tickets.remove(), taker, PageWord.EXCLUSIVE), taker);
        }
        assertThat(tally).isEqualTo(new Tally(byHint, byWalk, 0, lost, steps, longest));
    }

    /**
     * 4,096 frames have 64 groups and no spans; 2^20 have 256 spans of 64 groups, of which the last is looked at group
     * by group, as the reserve is a part of it. The first refusal clears the advice, and looks at every word for that.
     */
    @ParameterizedTest
    @CsvSource({"4096, 127, 63, 855, 135", "1048576, 2064535, 318, 492, 195"})
    void aRefusalLooksAtTheAdviceAlone(int frames, long first, long nowait, long atomic, long longestSprint) {
        open(frames, 64);
        long[] live = claimAll(EXCLUSIVE, frames - 64, giver);
        long[] reserve = claimAll(SPRINT, 64, taker);
        tally = Tally.NONE;
        claim(EXCLUSIVE, 0, giver);
        claim(EXCLUSIVE, 0, taker);
        assertThat(tally.steps).isEqualTo(first);
        tally = Tally.NONE;
        for (int i = 0; i < 100; i++) {
            claim(EXCLUSIVE, 0, giver);
        }
        assertThat(tally).isEqualTo(new Tally(0, 0, 100, 0, 100 * nowait, nowait));
        tally = Tally.NONE;
        for (int i = 0; i < 100; i++) {
            claim(SPRINT, 0, giver);
        }
        assertThat(tally).isEqualTo(new Tally(0, 0, 100, 0, atomic, longestSprint));
        assertThat(longestSprint).isLessThanOrEqualTo(Zone.sprintBound(0));
        freeAll(live, giver);
        freeAll(reserve, taker);
    }
}
