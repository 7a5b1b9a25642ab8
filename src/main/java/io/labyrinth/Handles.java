package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
/**
 * The raw face of a labyrinth: {@code long} handles instead of {@link Frame} objects, and every check of the first
 * face. Nothing here allocates on the heap, but for {@link #segment} and for exceptions.
 *
 * <p>A handle names one life of one run. It is never 0. The life of an EXCLUSIVE run is checked at each access, by page
 * word and owner: what the JDK's confined segments do for a {@link Frame}, {@link #getLong} and its like do here.
 *
 * <p>A run that was allocated as an EXCLUSIVE {@link Frame} is ended by that alone: its segment has to die with it.
 *
 * <p>A handle of another labyrinth is refused as well, but by chance: generations start at random, so that the odds of
 * a match are those of 2^32. A {@link Frame} knows its labyrinth.
 */
public final class Handles extends RawAllocator {

    Handles(Allocator face) {
        super(face.name, face.map, face.zone, face.region, face.samples);
    }

    /** {@link Labyrinth#allocPages}, with a handle for the frame and 0 for {@code null}. */
    public long alloc(Gfp gfp, int order) {
        PageWord.checkOrder(order);
        return claim(gfp.bits(), order, Thread.currentThread());
    }

    /** Number of the run's first frame. Not checked. */
    public int pfn(long handle) {
        return PageWord.pfn(handle);
    }

    /** The life that the handle is for. Not checked. */
    public long generation(long handle) {
        return PageWord.generation(handle);
    }

    /** The run has 2^order frames. Checked as an access is. */
    public int order(long handle) {
        long word = checked(handle, "order");
        map.requireWithin(handle, word, "order");
        return PageWord.order(word);
    }

    /** Bytes of the run. Checked as an access is. */
    public long byteSize(long handle) {
        return byteSize(order(handle));
    }

    @Override
    String withSegment() {
        return "allocate a Frame";
    }
}
