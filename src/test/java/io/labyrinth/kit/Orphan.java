package io.labyrinth.kit;

import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;

/** A claim that nobody holds: an error has interrupted it. */
public final class Orphan {

    private Orphan() {
    }

    /** As a handler does. */
    public static void mark(PageMap map, long handle) {
        map.orphans.marks[PageWord.pfn(handle)] =
                (char) (Orphans.ORPHAN | handle >>> Orphans.GENERATION_AT & Orphans.GENERATION);
        map.orphans.any = true;
    }
}
