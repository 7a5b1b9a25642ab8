package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Refusals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A frame descriptor: one life of one run of 2^order frames. The life begins with the allocation (or
 * {@link Ticket#accept}) and ends with {@link #close} or {@link #handOff}. After its end every method except the plain
 * getters is refused, even if the same frames are out again under another descriptor.
 *
 * <p>An EXCLUSIVE frame belongs to its owner thread alone. Its segment is confined to that thread and dies with the
 * frame. The segment of any other frame lives as long as the labyrinth. Any thread may use such a frame, and any thread
 * may free it, once.
 */
public final class Frame extends Lease {

    Frame(Allocator allocator, int order, @Nullable Thread owner) {
        super(allocator, order, owner);
    }

    /**
     * The memory: {@link #byteSize} bytes. An EXCLUSIVE frame returns the same object each time. Wait-free; makes no
     * system call.
     *
     * <p>Its {@link MemorySegment#asByteBuffer} is direct and aligned to a page, so FileChannel (also with O_DIRECT)
     * and SocketChannel use the frame itself. The buffer keeps the segment's rules: the buffer of an EXCLUSIVE frame
     * dies with the frame, and refuses the access of another thread.
     *
     * <p>An asynchronous channel works on another thread, so it cannot use the buffer of an EXCLUSIVE frame. Do not
     * try: the future of the JDK's asynchronous file channel then never completes. While a channel uses the buffer of
     * an EXCLUSIVE frame, the frame cannot be freed. Any other frame can be freed at that time. A read that is then
     * still pending, or a segment that the caller has kept, writes into the memory of the frame's next owner, EXCLUSIVE
     * or not. The thread that frees such a frame must know that nobody uses it any more. No check finds that mistake.
     *
     * @throws LabyrinthException.Stale if this life of the frame has ended
     * @throws WrongThreadException     if the frame is EXCLUSIVE to another thread; if the owner has called this method
     *                                  before, each access to the segment throws it instead
     */
    public MemorySegment segment() {
        return memory();
    }

    /** Number of the first frame within the labyrinth. */
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

    /** Number of the life that this descriptor is for: 40 bits. The frame never has the same number again. */
    public long generation() {
        return PageWord.generation(handle);
    }

    /** Size of the run in bytes: 2^order times the frame size. */
    public long byteSize() {
        return allocator.byteSize(order);
    }

    /**
     * The 16 bytes of {@code struct labyrinth_page} (native/labyrinth.h) themselves, read-only: page word and owner
     * word. They show the present, even after this life has ended. The segment lives as long as the labyrinth.
     */
    public MemorySegment descriptor() {
        return allocator.descriptor(handle);
    }

    /**
     * Ends this life and puts the frame in transit. A thread that has the ticket may accept it, once. Only its owner
     * may hand off an EXCLUSIVE frame; then the segment dies. The accepter sees all that was written to the frame.
     * Wait-free for an EXCLUSIVE frame, one CAS otherwise. Makes no system call.
     *
     * @throws LabyrinthException.NotOwner if the frame is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the frame has ended, or is its last (of 2^40): a frame in its
     *                                     last life can only be closed
     * @throws IllegalStateException       if the frame is EXCLUSIVE and a native call or a channel is using its segment
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
     * Frees the frame. Wait-free for an EXCLUSIVE frame, one CAS otherwise. Makes no system call.
     *
     * @throws LabyrinthException.NotOwner if the frame is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the frame has ended: a double free is always found
     * @throws IllegalStateException       if the frame is EXCLUSIVE and a native call or a channel is using its segment
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
