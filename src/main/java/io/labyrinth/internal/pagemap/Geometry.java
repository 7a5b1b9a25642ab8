package io.labyrinth.internal.pagemap;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_advice;
import io.labyrinth.bindings.labyrinth_page;

/**
 * How large the parts of a page map are, and where they lie: the words, then the advice of the groups, then that of the
 * spans, if there are any. The twin of geometry.c.
 *
 * @param spanShift    log2 of the groups in a span, or -1 where there are so few groups that spans would not pay
 * @param adviceOffset from the page map's start, in bytes
 * @param bytes        of the page map
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

    /** Of a page map for so many frames. */
    public static long bytesFor(int frames) {
        return of(frames).bytes;
    }

    private static int spanShift(int groups) {
        int most = Native.LABYRINTH_MAX_SPANS();
        return groups <= most ? -1 : 32 - Integer.numberOfLeadingZeros((groups - 1) / most);
    }

    /**
     * The page map's part on the heap, with compressed references: who owns as a virtual thread, and marks of orphans.
     */
    public static long heapBytesFor(int frames) {
        return frames * (long) (Integer.BYTES + Character.BYTES);
    }
}
