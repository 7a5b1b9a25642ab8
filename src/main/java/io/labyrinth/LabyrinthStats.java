package io.labyrinth;

import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.Zone;
import java.util.List;

/**
 * A labyrinth in figures. Frames are counted from the page words, one word after the other. The figures are exact for a
 * labyrinth at rest. Otherwise each figure is right for some moment of the pass. A figure that is approximate even at
 * rest has {@code Approx} in its name. In a shared labyrinth the approximate figures are those of this process, and the
 * others are those of all processes.
 *
 * @param name            name of the labyrinth
 * @param frames          all frames, the reserve included
 * @param frameSize       size of a frame in bytes
 * @param free            free frames outside the reserve
 * @param reserve         frames in the reserve
 * @param reserveFree     frames of the reserve that are free
 * @param claimed         frames that have an owner
 * @param inTransit       frames whose ticket is out
 * @param quarantined     frames out of use: their generations are used up, or the labyrinth is closing
 * @param freeRuns        free runs by order, index 0 to 10; adjacent runs count one by one, not as they could be joined
 * @param livesEnded      frees, hand-overs and sweeps so far: the generations that the words have used up
 * @param refusedApprox   requests that got {@code null}; stripes count by plain increments, so races lose some
 * @param reserveHitsApprox requests that the reserve has served; counted in the same way
 * @param lostApprox      claims whose compare-and-set failed, because of a race or an outdated hint: each cost the time
 *                        of one compare-and-set, and the search went on; counted in the same way
 * @param mappedBytes     bytes of frames, page map and slabs' words, and of a shared labyrinth's header and tenants
 * @param lockedBytes     those of the mapped bytes that the kernel showed as locked after they were mapped
 * @param metadataBytes   the mapped bytes without the frames
 */
public record LabyrinthStats(String name, int frames, long frameSize, int free, int reserve, int reserveFree,
        int claimed, int inTransit, int quarantined, List<Integer> freeRuns, long livesEnded, long refusedApprox,
        long reserveHitsApprox, long lostApprox, long mappedBytes, long lockedBytes, long metadataBytes) {

    /** Order of the largest free run; -1 if nothing is free. A request may get a larger run: it joins adjacent runs. */
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
