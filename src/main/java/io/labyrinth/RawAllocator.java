package io.labyrinth;

import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The raw faces: {@code long} handles, of frames ({@link Handles}) or of smaller objects ({@link Slab}). What is public
 * here is final, as otherwise the compiler makes a method more for each in the classes that are public.
 */
abstract class RawAllocator extends Allocator {

    RawAllocator(String name, PageMap map, Zone zone, Region region, @Nullable Samples samples) {
        super(name, map, zone, region, samples);
    }

    /** How to have a segment that dies with a run. */
    abstract String withSegment();

    /**
     * Ends this life. Wait-free for an EXCLUSIVE run or object, one CAS otherwise.
     *
     * @throws LabyrinthException.NotOwner if it is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of it has ended: a double free is always found
     */
    public final void free(long handle) {
        free(handle, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /**
     * Ends this life and puts the run or object in transit; whoever gets the ticket may accept it, once. What was
     * written to it is visible to the accepter. Wait-free for an EXCLUSIVE one, one CAS otherwise.
     *
     * @return the ticket
     * @throws LabyrinthException.NotOwner if it is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of it has ended, or is its last (of 2^40): then it can only be
     *                                     freed
     */
    public final long handOff(long handle) {
        return handOff(handle, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /**
     * Makes it the calling thread's. One CAS.
     *
     * @return the handle of the new life
     * @throws LabyrinthException.Stale if the ticket was accepted before
     */
    public final long accept(long ticket) {
        return accept(ticket, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /**
     * Its address, for native code, after the checks of an access. From then on nothing watches over it: it is good
     * until the run or object is freed or handed over.
     */
    public final long address(long handle) {
        checked(handle, "address");
        return region.address(0) + offset(handle, "address");
    }

    /**
     * The memory of what is not EXCLUSIVE, alive as long as the labyrinth. Makes an object.
     *
     * @throws LabyrinthException.InvalidRequest if it is EXCLUSIVE: a segment that dies with it needs an object of its
     *                                           own, a {@link Frame} or a {@link SlabObject}
     */
    public final MemorySegment segment(long handle) {
        long word = checked(handle, "segment");
        if (PageWord.isExclusive(word)) {
            throw new LabyrinthException.InvalidRequest("segment refused: " + PageWord.describeHandle(handle)
                    + " is EXCLUSIVE: use getLong and its like, or " + withSegment() + ", whose segment dies with it");
        }
        map.requireWithin(handle, word, "segment");
        return segment(handle, PageWord.order(word));
    }

    /**
     * Reads 8 bytes, in native order, at any offset.
     *
     * @throws LabyrinthException.Stale    if this life has ended
     * @throws LabyrinthException.NotOwner if the run or object is EXCLUSIVE to another thread
     * @throws IndexOutOfBoundsException   if they are not all within it
     */
    public final long getLong(long handle, long offset) {
        return region.frames.get(ValueLayout.JAVA_LONG_UNALIGNED, at(handle, offset, Long.BYTES));
    }

    /** Writes 8 bytes; otherwise as {@link #getLong}. */
    public final void putLong(long handle, long offset, long value) {
        region.frames.set(ValueLayout.JAVA_LONG_UNALIGNED, at(handle, offset, Long.BYTES), value);
    }

    /** Reads 1 byte; otherwise as {@link #getLong}. */
    public final byte getByte(long handle, long offset) {
        return region.frames.get(ValueLayout.JAVA_BYTE, at(handle, offset, 1));
    }

    /** Writes 1 byte; otherwise as {@link #getLong}. */
    public final void putByte(long handle, long offset, byte value) {
        region.frames.set(ValueLayout.JAVA_BYTE, at(handle, offset, 1), value);
    }

    private long at(long handle, long offset, int bytes) {
        long size = byteSize(PageWord.order(checked(handle, "access")));
        if (offset < 0 || offset > size - bytes) {
            throw new IndexOutOfBoundsException("access refused: offset=" + offset + " bytes=" + bytes
                    + " limit=" + size);
        }
        return offset(handle, "access") + offset;
    }

    long checked(long handle, String verb) {
        return checked(handle, verb, Thread.currentThread());
    }
}
