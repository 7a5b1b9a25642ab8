package io.labyrinth;

import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.Zone;
import java.util.List;

/**
 * What a labyrinth keeps to its own package, for tests in other packages. The library itself gives nobody these: a test
 * looks at page words, or acts for a thread that has ended.
 */
@SuppressWarnings("exports")    // no user has the tests
public final class Inside {

    private Inside() {
    }

    /** The page words, owner words and advice. */
    public static PageMap map(Labyrinth labyrinth) {
        return labyrinth.map;
    }

    /** The search for free runs. */
    public static Zone zone(Labyrinth labyrinth) {
        return labyrinth.zone;
    }

    /** The mapped memory. */
    public static Region region(Labyrinth labyrinth) {
        return labyrinth.region;
    }

    /** The handle of a frame's run. */
    public static long handle(Frame frame) {
        return frame.handle;
    }

    /** The handle of an object of a slab. */
    public static long handle(SlabObject object) {
        return object.handle;
    }

    /** Claims for any thread, also for one that has ended. Returns the handle, or 0. */
    public static long claim(Labyrinth labyrinth, int gfp, int order, Thread owner) {
        return labyrinth.claim(gfp, order, owner);
    }

    /** What a labyrinth with these parts says about itself. */
    public static LabyrinthStats stats(PageMapScan.Counts counts, Zone zone, Region region) {
        return LabyrinthStats.of("inside", counts, zone, region);
    }

    /** Who holds these runs. */
    public static List<Owner> owners(List<PageMapScan.Seen> out, PageMap map) {
        return Owner.of(out, map, null);
    }
}
