package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Refusals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A frame descriptor: one run of 2^order frames, for one life of it, from the allocation (or {@link Ticket#accept}) to
 * {@link #close} or {@link #handOff}. After that every method but the plain getters is refused, even when the same
 * frames are out again under another descriptor.
 *
 * <p>An EXCLUSIVE frame is its owner thread's alone: its segment is confined to that thread and dies with the frame.
 * Any other frame's segment lives as long as the labyrinth, and the frame may be used and freed by any thread, once.
 */
public final class Frame extends Lease {

    Frame(Allocator allocator, int order, @Nullable Thread owner) {
        super(allocator, order, owner);
    }

    /**
     * The memory: {@link #byteSize} bytes. Of an EXCLUSIVE frame, the same object each time.
     *
     * <p>Its {@link MemorySegment#asByteBuffer} is direct and aligned to a page, so that FileChannel, also with
     * O_DIRECT, and SocketChannel use the frame itself. It keeps the segment's rules: it dies with an EXCLUSIVE frame,
     * and another thread's access is refused. What it cannot do: an asynchronous channel works on another thread, so it
     * takes no EXCLUSIVE frame's (the JDK's file channel then never completes its future, so do not ask). While a
     * channel uses an EXCLUSIVE frame's buffer, the frame cannot be freed. Any other frame can: a read that is still
     * pending then, or a segment that is kept, writes into the memory of the frame's next owner, EXCLUSIVE or not.
     * Whoever frees such a frame must know that nobody uses it any more; nothing here finds that mistake.
     *
     * @throws LabyrinthException.Stale if this life of the frame has ended
     * @throws WrongThreadException     if the frame is EXCLUSIVE to another thread; where the owner has called this
     *                                  before, the segment's accesses throw it
     */
    public MemorySegment segment() {
        return memory();
    }

    /** Number of the first frame within the allocator. */
    public int pfn() {
        return PageWord.pfn(handle);
    }

    /** The run has 2^order frames: 0 to 10. */
    public int order() {
        return order;
    }

    /**
     * Id of the thread that allocated or accepted the frame.
     *
     * @throws LabyrinthException.Stale if this life of the frame has ended
     */
    public long owner() {
        return allocator.ownerOf(handle);
    }

    /** The life of the frame that this descriptor is for: 40 bits, never used again. */
    public long generation() {
        return PageWord.generation(handle);
    }

    /** Bytes of the run: 2^order times the frame size. */
    public long byteSize() {
        return allocator.byteSize(order);
    }

    /**
     * The 16 bytes of {@code struct labyrinth_page} (native/labyrinth.h) themselves, read-only: page word and owner, as
     * they are now, even after this life has ended. Alive as long as the allocator.
     */
    public MemorySegment descriptor() {
        return allocator.descriptor(handle);
    }

    /**
     * Ends this life and puts the frame in transit; whoever gets the ticket may accept it, once. Of an EXCLUSIVE frame
     * only its owner may do so: its segment dies, and what was written to it is visible to the accepter. Wait-free for
     * an EXCLUSIVE frame, one CAS otherwise.
     *
     * @throws LabyrinthException.NotOwner if the frame is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the frame has ended, or is its last (of 2^40): then it can
     *                                     only be closed
     * @throws IllegalStateException       if the frame is EXCLUSIVE, and a native call or a channel is using its segment
     *                                     right now; see {@link #segment} for other frames
     */
    public Ticket handOff() {
        Thread me = Thread.currentThread();
        Ticket ticket = new Ticket(allocator, order, owner != null);
        endAccess(me);
        ticket.ticket = allocator.handOff(handle, me, FLAGS);
        return ticket;
    }

    /**
     * Frees the frame. Wait-free for an EXCLUSIVE frame, one CAS otherwise.
     *
     * @throws LabyrinthException.NotOwner if the frame is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the frame has ended: a double free is always found
     * @throws IllegalStateException       if the frame is EXCLUSIVE, and a native call or a channel is using its segment
     *                                     right now; see {@link #segment} for other frames
     */
    @Override
    public void close() {
        end();
    }

    @Override
    public String toString() {
        return "frame " + PageWord.describeHandle(handle) + " order=" + order + (owner != null ? " EXCLUSIVE" : "");
    }
}
