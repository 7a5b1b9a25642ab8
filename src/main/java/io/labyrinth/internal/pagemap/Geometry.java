package io.labyrinth.internal.pagemap;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_advice;
import io.labyrinth.bindings.labyrinth_page;

/**
 * Size and place of the parts of a page map: first the words, then the advice of the groups, then the advice of the
 * spans, if there are spans. The twin of geometry.c.
 *
 * @param groups       number of groups
 * @param spans        number of spans; 0 if there are too few groups for spans
 * @param spanShift    log2 of the groups in a span; -1 if there are too few groups for spans
 * @param adviceOffset start of the advice, in bytes from the start of the page map
 * @param bytes        size of the page map in bytes
 */
public record Geometry(int groups, int spans, int spanShift, long adviceOffset, long bytes) {

    private static final long LINE = labyrinth_advice.sizeof();

    static Geometry of(int frames) {
        int groups = (frames - 1 >> Native.LABYRINTH_GROUP_ORDER()) + 1;
        int shift = spanShift(groups);
        int spans = shift < 0 ? 0 : (groups - 1 >> shift) + 1;
        long adviceOffset = (frames * labyrinth_page.sizeof() + LINE - 1) / LINE * LINE;
        return new Geometry(groups, spans, shift, adviceOffset, adviceOffset + (groups + spans) * LINE);
    }

    /** Size in bytes of a page map for this number of frames. */
    public static long bytesFor(int frames) {
        return of(frames).bytes;
    }

    private static int spanShift(int groups) {
        int most = Native.LABYRINTH_MAX_SPANS();
        return groups <= most ? -1 : 32 - Integer.numberOfLeadingZeros((groups - 1) / most);
    }

    /**
     * Size in bytes of the page map's part on the heap, with compressed references: virtual owners and orphans' marks.
     */
    public static long heapBytesFor(int frames) {
        return frames * (long) (Integer.BYTES + Character.BYTES);
    }
}
