package io.labyrinth;

import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * What the raw faces have in common: {@code long} handles of frames ({@link Handles}) or of smaller objects
 * ({@link Slab}). Every public method is final; otherwise javac would add a bridge method for each to the public
 * classes.
 */
abstract class RawAllocator extends Allocator {

    RawAllocator(String name, PageMap map, Zone zone, Region region, @Nullable Samples samples) {
        super(name, map, zone, region, samples);
    }

    /** How to get a segment that dies with its run; for messages. */
    abstract String withSegment();

    /**
     * Frees the run or object, and so ends this life. Wait-free if it is EXCLUSIVE, one CAS otherwise. Makes no system
     * call.
     *
     * @throws LabyrinthException.NotOwner if it is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life has ended: a double free is always found
     */
    public final void free(long handle) {
        free(handle, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /**
     * Ends this life and puts the run or object in transit. A thread that has the ticket may accept it, once. The
     * accepter sees all that was written to it. Wait-free if it is EXCLUSIVE, one CAS otherwise. Makes no system call.
     *
     * @return the ticket
     * @throws LabyrinthException.NotOwner if it is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life has ended, or is its last (of 2^40): in its last life it can
     *                                     only be freed
     */
    public final long handOff(long handle) {
        return handOff(handle, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /**
     * Accepts the run or object of a ticket. The calling thread becomes its owner. One CAS; makes no system call.
     *
     * @return the handle of the new life
     * @throws LabyrinthException.Stale if the ticket was accepted before
     */
    public final long accept(long ticket) {
        return accept(ticket, Thread.currentThread(), PageWord.EXCLUSIVE);
    }

    /**
     * The address, for native code, after the checks of an access. No later use of the address is checked. It is good
     * until the run or object is freed or handed over.
     */
    public final long address(long handle) {
        checked(handle, "address");
        return region.address(0) + offset(handle, "address");
    }

    /**
     * All frames of the labyrinth as one segment, the same object each time. With {@link #offset} it gives every access
     * of a segment (any layout, bulk, copies) after one check for a visit, and without an object on the heap.
     *
     * <p>An access checks only the bounds of the labyrinth, and whether the labyrinth is open. The caller must own what
     * it reads and writes, and must stay within it. The segment ends when the labyrinth closes.
     */
    public final MemorySegment memory() {
        return region.frames;
    }

    /**
     * Start of the run or object, in bytes from the start of {@link #memory}. Checked as an access is. It is good until
     * the run or object is freed or handed over.
     */
    public final long offset(long handle) {
        checked(handle, "offset");
        return offset(handle, "offset");
    }

    /**
     * The memory of a run or object that is not EXCLUSIVE. The segment lives as long as the labyrinth. Allocates it on
     * the heap.
     *
     * @throws LabyrinthException.InvalidRequest if it is EXCLUSIVE: only a {@link Frame} or a {@link SlabObject} has a
     *                                           segment that dies with it
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
     * Reads 8 bytes, in native byte order. Checks page word and owner, then the offset. Wait-free. It reads and checks
     * plainly: what another thread does is sure to be seen only if it happens before. So no loop may wait with it.
     *
     * @param offset in bytes from the start of the run or object; need not be aligned
     * @throws LabyrinthException.Stale    if this life has ended
     * @throws LabyrinthException.NotOwner if the run or object is EXCLUSIVE to another thread
     * @throws IndexOutOfBoundsException   if not all of the bytes are within the run or object
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
