package io.labyrinth;

import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.Zone;
import java.util.List;

/**
 * A labyrinth in figures. Frames are counted from the page words, one after the other: exact for a labyrinth at rest,
 * otherwise each figure is right for some moment of the pass. What is approximate even at rest says so in its name;
 * of a shared labyrinth, those are this process's, and all others everybody's.
 *
 * @param name            of the labyrinth
 * @param frames          in all
 * @param frameSize       bytes
 * @param free            frames that anybody may have; those of the reserve not counted
 * @param reserve         frames in the reserve
 * @param reserveFree     frames of the reserve that are free
 * @param claimed         frames that have an owner
 * @param inTransit       frames whose ticket is out
 * @param quarantined     frames out of use for good: their generations are used up, or the labyrinth is closing
 * @param freeRuns        free runs by order, index 0 to 10; adjacent ones count as they lie,
 *                        not as they could be joined
 * @param livesEnded      frees, hand-overs and sweeps so far, counted by the generations that the words have used up
 * @param refusedApprox   requests that got {@code null}; stripes count them by plain increments, so races lose some
 * @param reserveHitsApprox requests that the reserve has served; counted likewise
 * @param lostApprox      claims whose compare-and-set failed, by a race or an outdated hint: each cost the time of one,
 *                        and the search went on; counted likewise
 * @param mappedBytes     of frames, page map, and slabs' words together, and of a shared labyrinth's header and tenants
 * @param lockedBytes     of these, what the kernel showed as locked when they had been mapped
 * @param metadataBytes   of the mapped bytes, all but the frames
 */
public record LabyrinthStats(String name, int frames, long frameSize, int free, int reserve, int reserveFree,
        int claimed, int inTransit, int quarantined, List<Integer> freeRuns, long livesEnded, long refusedApprox,
        long reserveHitsApprox, long lostApprox, long mappedBytes, long lockedBytes, long metadataBytes) {

    /** Of the largest free run, as it lies; a larger one may be had by joining adjacent ones. -1 if nothing is free. */
    public int largestFreeOrder() {
        int order = freeRuns.size() - 1;
        while (order >= 0 && freeRuns.get(order) == 0) {
            order--;
        }
        return order;
    }

    static LabyrinthStats of(String name, PageMapScan.Counts counts, Zone zone, Region region) {
        return new LabyrinthStats(name, zone.map.frames, region.pageSize, counts.free(), zone.map.frames
                - zone.map.ordinary, counts.reserveFree(), counts.claimed(), counts.inTransit(), counts.quarantined(),
                counts.freeRuns(), counts.livesEnded(), zone.refused(), zone.reserveHits(), zone.lost(),
                region.mappedBytes(), region.lockedBytes(), region.metadataBytes());
    }
}
