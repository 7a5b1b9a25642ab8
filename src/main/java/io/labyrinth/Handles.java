package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

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
public final class Handles extends FrameAllocator {

    Handles(FrameAllocator face) {
        super(face.name, face.map, face.zone, face.region, face.samples);
    }

    /** {@link Labyrinth#allocPages}, with a handle for the frame and 0 for {@code null}. */
    public long alloc(Gfp gfp, int order) {
        PageWord.checkOrder(order);
        return claim(gfp.bits(), order, Thread.currentThread());
    }

    /** {@link Frame#close}. */
    public void free(long handle) {
        free(handle, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /** {@link Frame#handOff}, with a handle for the ticket. */
    public long handOff(long handle) {
        return handOff(handle, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /** {@link Ticket#accept}. */
    public long accept(long ticket) {
        return accept(ticket, Thread.currentThread(), PageWord.EXCLUSIVE);
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

    /**
     * Address of the run, for native code, after the checks of an access. From then on nothing watches over it: it is
     * good until the run is freed or handed over.
     */
    public long address(long handle) {
        checked(handle, "address");
        return region.address(PageWord.pfn(handle));
    }

    /**
     * The memory of a run that is not EXCLUSIVE, alive as long as the labyrinth. Makes an object.
     *
     * @throws LabyrinthException.InvalidRequest if the run is EXCLUSIVE: a segment that dies with it needs a Frame
     */
    public MemorySegment segment(long handle) {
        long word = checked(handle, "segment");
        if (PageWord.isExclusive(word)) {
            throw new LabyrinthException.InvalidRequest("segment refused: " + PageWord.describeHandle(handle)
                    + " is EXCLUSIVE: use getLong and its like, or allocate a Frame, whose segment dies with it");
        }
        map.requireWithin(handle, word, "segment");
        return segment(handle, PageWord.order(word));
    }

    /**
     * Reads 8 bytes, in native order, at any offset.
     *
     * @throws LabyrinthException.Stale    if this life of the run has ended
     * @throws LabyrinthException.NotOwner if the run is EXCLUSIVE to another thread
     * @throws IndexOutOfBoundsException   if they are not all within the run
     */
    public long getLong(long handle, long offset) {
        return region.frames.get(ValueLayout.JAVA_LONG_UNALIGNED, at(handle, offset, Long.BYTES));
    }

    /** Writes 8 bytes; otherwise as {@link #getLong}. */
    public void putLong(long handle, long offset, long value) {
        region.frames.set(ValueLayout.JAVA_LONG_UNALIGNED, at(handle, offset, Long.BYTES), value);
    }

    /** Reads 1 byte; otherwise as {@link #getLong}. */
    public byte getByte(long handle, long offset) {
        return region.frames.get(ValueLayout.JAVA_BYTE, at(handle, offset, 1));
    }

    /** Writes 1 byte; otherwise as {@link #getLong}. */
    public void putByte(long handle, long offset, byte value) {
        region.frames.set(ValueLayout.JAVA_BYTE, at(handle, offset, 1), value);
    }

    private long at(long handle, long offset, int bytes) {
        long size = byteSize(PageWord.order(checked(handle, "access")));
        if (offset < 0 || offset > size - bytes) {
            throw new IndexOutOfBoundsException("access refused: offset=" + offset + " bytes=" + bytes
                    + " limit=" + size);
        }
        return PageWord.pfn(handle) * region.pageSize + offset;
    }

    private long checked(long handle, String verb) {
        return checked(handle, verb, Thread.currentThread());
    }
}
