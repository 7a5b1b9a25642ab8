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
public final class Frame implements AutoCloseable {

    /*
     * The arena and the segment are made when they are first asked for: a frame that only passes through has neither.
     * Escape analysis removes all three objects where they stay within one compiled method; a Frame that escapes is 40
     * bytes. The arena is closed before the frame is freed, as the next owner may be writing to it a nanosecond later.
     *
     * An EXCLUSIVE frame's life is ended by its owner, through this object, or after the owner's own end (the FRAMED
     * flag of its word keeps the raw face away: there, a freed run's segment would live on); so the owner needs no look
     * at the page map to know that it has not. (Looking cost 3 ns, and made segment() too large to be inlined, and with
     * it 160 bytes a frame.) To end it, the page map is asked all the same, and `ended` is set before: a
     * StackOverflowError right behind the release must not leave a descriptor that still makes segments. One that
     * strikes right before the release leaves the frame out, and this descriptor good for close() alone.
     */

    static final long FLAGS = PageWord.EXCLUSIVE | PageWord.FRAMED;

    private final FrameAllocator labyrinth;
    /** A byte, and so is `ended`: with them an escaped Frame is 40 bytes, with an int it is 48. */
    private final byte order;
    /** The thread that the frame is EXCLUSIVE to; null if it is not EXCLUSIVE. */
    private final @Nullable Thread owner;
    /** 0 until the claim that this object was made for has succeeded; before that it is nobody's. */
    long handle;
    private @Nullable Arena arena;
    private @Nullable MemorySegment segment;
    /** Written by the owner alone; means nothing where there is none. */
    private boolean ended;

    Frame(FrameAllocator labyrinth, int order, @Nullable Thread owner) {
        this.labyrinth = labyrinth;
        this.order = (byte) order;
        this.owner = owner;
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
        MemorySegment made = segment;
        if (made == null) {
            if (owner != Thread.currentThread() || ended) {
                return unowned();
            }
            Arena confined = Arena.ofConfined();
            made = labyrinth.segment(handle, order, confined);
            arena = confined;
            segment = made;
        }
        return made;
    }

    /** The segment of a frame that is not EXCLUSIVE; any other's is refused here. */
    private MemorySegment unowned() {
        long word;
        try {
            word = labyrinth.checked(handle, "segment", Thread.currentThread());
        } catch (LabyrinthException.NotOwner e) {
            throw (WrongThreadException) new WrongThreadException(e.getMessage()).initCause(e);
        }
        if (owner != null) {
            throw Refusals.stale("segment after a close() or handOff() that failed half-way", handle, word);
        }
        return labyrinth.segment(handle, order);
    }

    /** Number of the first frame within the labyrinth. */
    public int pfn() {
        return PageWord.pfn(handle);
    }

    /** The run has 2^order frames: 0 to 10. */
    public int order() {
        return order;
    }

    /** Whether only the owner may touch, free or pass on the frame. */
    public boolean isExclusive() {
        return owner != null;
    }

    /**
     * Id of the thread that allocated or accepted the frame.
     *
     * @throws LabyrinthException.Stale if this life of the frame has ended
     */
    public long owner() {
        return labyrinth.ownerOf(handle);
    }

    /** The life of the frame that this descriptor is for: 40 bits, never used again. */
    public long generation() {
        return PageWord.generation(handle);
    }

    /** Bytes of the run: 2^order times the frame size. */
    public long byteSize() {
        return labyrinth.byteSize(order);
    }

    /**
     * The 16 bytes of {@code struct labyrinth_page} (native/labyrinth.h) themselves, read-only: page word and owner, as
     * they are now, even after this life has ended. Alive as long as the labyrinth.
     */
    public MemorySegment descriptor() {
        return labyrinth.descriptor(handle);
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
        Ticket ticket = new Ticket(labyrinth, order, owner != null);
        endAccess(me);
        ticket.ticket = labyrinth.handOff(handle, me, FLAGS);
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
        Thread me = Thread.currentThread();
        endAccess(me);
        labyrinth.free(handle, me, FLAGS);
    }

    /**
     * Kills the segment, if there is one: first, as the next owner may have the frame a nanosecond after its release.
     */
    private void endAccess(Thread me) {
        if (owner != me) {
            return;    // not EXCLUSIVE; or another thread's, which the page map is about to refuse
        }
        Arena confined = arena;
        if (confined != null) {
            try {
                confined.close();
            } catch (IllegalStateException e) {
                if (confined.scope().isAlive()) {
                    throw e;
                }
                // It was closed before: by a call that ran out of stack on its way back.
            }
            arena = null;
            segment = null;
        }
        ended = true;
    }

    @Override
    public String toString() {
        return "frame " + PageWord.describeHandle(handle) + " order=" + order + (owner != null ? " EXCLUSIVE" : "");
    }
}
