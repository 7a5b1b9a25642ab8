package io.labyrinth.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.PageWord;
import java.util.BitSet;

/**
 * What a labyrinth must look like to callers that call it one at a time: a set with one bit for each frame, and a few
 * sums.
 */
final class Model {

    /** Up to here a sprint's four groups are all there are, so that its null means what NOWAIT's does. */
    private static final int WITHIN_A_SPRINT = 192;

    final int frames;
    /** Frames below this one are for everybody; the rest is the reserve. */
    final int ordinary;
    final BitSet free;
    int inTransit;
    long livesEnded;
    private int refused;
    private int reserveHits;

    Model(int frames, int reserve) {
        this.frames = frames;
        this.ordinary = frames - reserve;
        this.free = new BitSet(frames);
        free.set(0, frames);
    }

    /** Whether a free aligned run of this order lies within [from, to). */
    boolean exists(int order, int from, int to) {
        int size = 1 << order;
        int pfn = from;
        while (true) {
            int next = free.nextSetBit(pfn);
            pfn = next + size - 1 & -size;
            if (next < 0 || pfn + size > to) {
                return false;
            }
            int end = free.nextClearBit(pfn);
            if (end >= pfn + size) {
                return true;
            }
            pfn = Math.max(end, pfn + 1);
        }
    }

    /**
     * A request was answered: as it had to be?
     *
     * @param pfn of the run, or -1 for null
     */
    void answered(Gfp gfp, int order, int pfn) {
        boolean high = GfpFlags.mayUseReserve(gfp.bits());
        if (pfn < 0) {
            refused++;
            if (!GfpFlags.isSprint(gfp.bits()) || frames <= WITHIN_A_SPRINT) {
                boolean fits = exists(order, 0, ordinary) || high && exists(order, ordinary, frames);
                assertThat(fits).as("%s order=%s got null", gfp, order).isFalse();
            }
            return;
        }
        int end = pfn + (1 << order);
        assertThat(pfn % (1 << order)).as("alignment of pfn=%s order=%s", pfn, order).isZero();
        assertThat(end).isLessThanOrEqualTo(frames);
        assertThat(free.nextClearBit(pfn)).as("pfn=%s order=%s: all of it was free", pfn, order)
                .isGreaterThanOrEqualTo(end);
        if (pfn >= ordinary) {
            reserveHits++;
            assertThat(high).as("%s got pfn=%s of the reserve", gfp, pfn).isTrue();
            if (!GfpFlags.isSprint(gfp.bits())) {
                assertThat(exists(order, 0, ordinary)).as("the reserve comes last").isFalse();
            }
        } else {
            assertThat(end).as("pfn=%s order=%s ends before the reserve", pfn, order).isLessThanOrEqualTo(ordinary);
        }
        free.clear(pfn, end);
    }

    /** With that, a life ended. */
    void freed(int pfn, int order) {
        free.set(pfn, pfn + (1 << order));
        livesEnded++;
    }

    void compare(Labyrinth labyrinth) {
        labyrinth.validate();
        LabyrinthStats stats = labyrinth.stats();
        assertThat(stats.free()).isEqualTo(free.get(0, ordinary).cardinality());
        assertThat(stats.reserveFree()).isEqualTo(free.get(ordinary, frames).cardinality());
        assertThat(stats.claimed()).isEqualTo(frames - free.cardinality() - inTransit);
        assertThat(stats.inTransit()).isEqualTo(inTransit);
        assertThat(stats.quarantined()).isZero();
        assertThat(stats.livesEnded()).isEqualTo(livesEnded);
        assertThat(stats.refusedApprox()).as("exact for one thread").isEqualTo(refused);
        assertThat(stats.reserveHitsApprox()).as("exact for one thread").isEqualTo(reserveHits);
        int inRuns = 0;
        for (int order = 0; order <= PageWord.MAX_ORDER; order++) {
            inRuns += stats.freeRuns().get(order) << order;
        }
        assertThat(inRuns).isEqualTo(free.cardinality());
        String picture = labyrinth.picture();
        for (int pfn = 0; pfn < frames; pfn++) {
            if (free.get(pfn) != (picture.charAt(pfn) == (pfn < ordinary ? '.' : 'r'))) {
                assertThat(picture).as("picture at pfn=%s", pfn).isEmpty();
            }
        }
    }
}
