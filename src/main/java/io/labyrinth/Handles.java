package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;

/**
 * The raw face of a labyrinth: {@code long} handles instead of {@link Frame} objects, with the same checks. Only
 * {@link #segment} and exceptions allocate on the heap. Any thread may call any method at any time.
 *
 * <p>A handle names one life of one run. It is never 0. Each access ({@link #getLong} and its like) checks page word
 * and owner. For a {@link Frame} the JDK's confined segment makes that check.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("visits").frames(64).open()) {
 *     Handles handles = labyrinth.handles();
 *     long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);                // 0 at once if nothing is free
 *     if (handle != 0) {
 *         handles.putLong(handle, 0, 42L);                                 // each access is checked
 *         long at = handles.offset(handle);                                // or once for a visit
 *         System.out.println(handles.memory().get(ValueLayout.JAVA_LONG, at));    // 42
 *         handles.free(handle);
 *     }
 * }
 * }
 *
 * <p>Only a {@link Frame} can end a run that was allocated as an EXCLUSIVE {@link Frame}, because its segment must die
 * with it.
 *
 * <p>A handle of another labyrinth is refused with great probability: generations start at random, so one handle in
 * 2^32 matches. A {@link Frame} knows its labyrinth.
 */
public final class Handles extends RawAllocator {

    Handles(Allocator face) {
        super(face.name, face.map, face.zone, face.region, face.samples);
    }

    /** As {@link Labyrinth#allocPages}, but returns a handle instead of a frame, and 0 instead of {@code null}. */
    public long alloc(Gfp gfp, int order) {
        PageWord.checkOrder(order);
        return claim(gfp.bits(), order, Thread.currentThread());
    }

    /** Number of the run's first frame. Not checked. */
    public int pfn(long handle) {
        return PageWord.pfn(handle);
    }

    /** Number of the life that the handle names. Not checked. */
    public long generation(long handle) {
        return PageWord.generation(handle);
    }

    /** The run has 2^order frames: 0 to 10. Checked as an access is. */
    public int order(long handle) {
        long word = checked(handle, "order");
        map.requireWithin(handle, word, "order");
        return PageWord.order(word);
    }

    /** Size of the run in bytes. Checked as an access is. */
    public long byteSize(long handle) {
        return byteSize(order(handle));
    }

    @Override
    String withSegment() {
        return "allocate a Frame";
    }
}
