package io.labyrinth;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A frame descriptor: one run of 2^order frames, for one life of it, from the allocation (or {@link Ticket#accept}) to
 * {@link #close} or {@link #handOff}. After that every method but the plain getters is refused, even when the same
 * frames are out again under another descriptor.
 *
 * <p>An EXCLUSIVE frame is its owner thread's alone: its segment is confined to that thread and dies with the frame. Any
 * other frame's segment lives as long as the labyrinth, and the frame may be used and freed by any thread, once.
 */
public final class Frame implements AutoCloseable {

    /*
     * The arena and the segment are made when they are first asked for: a frame that only passes through has neither.
     * Escape analysis removes all three objects where they stay within one compiled method; a Frame that escapes is 40
     * bytes. The arena is closed before the frame is freed, as the next owner may be writing to it a nanosecond later.
     */

    private final Labyrinth labyrinth;
    private final int order;
    private final boolean exclusive;
    /** 0 until the claim that this object was made for has succeeded; before that it is nobody's. */
    long handle;
    private @Nullable Arena arena;
    private @Nullable MemorySegment segment;

    Frame(Labyrinth labyrinth, int order, boolean exclusive) {
        this.labyrinth = labyrinth;
        this.order = order;
        this.exclusive = exclusive;
    }

    /**
     * The memory: {@link #byteSize} bytes. The same object each time.
     *
     * @throws LabyrinthException.Stale if this life of the frame has ended
     * @throws WrongThreadException     if the frame is EXCLUSIVE to another thread
     */
    public MemorySegment segment() {
        MemorySegment made = segment;
        return made != null && exclusive ? made : makeSegment();
    }

    private MemorySegment makeSegment() {
        try {
            labyrinth.checked(handle, "segment", Thread.currentThread());
        } catch (LabyrinthException.NotOwner e) {
            throw (WrongThreadException) new WrongThreadException(e.getMessage()).initCause(e);
        }
        MemorySegment made = segment;
        if (made == null) {
            if (exclusive) {
                Arena confined = Arena.ofConfined();
                made = labyrinth.region.run(pfn(), order, confined);
                arena = confined;
            } else {
                made = labyrinth.region.shared(pfn(), order);
            }
            segment = made;
        }
        return made;
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
        return exclusive;
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
        return labyrinth.region.pageSize << order;
    }

    /**
     * The 16 bytes of {@code struct labyrinth_page} (native/labyrinth.h) themselves, read-only: page word and owner, as
     * they are now, even after this life has ended. Alive as long as the labyrinth.
     */
    public MemorySegment descriptor() {
        return labyrinth.zone.map.descriptor(pfn());
    }

    /**
     * Ends this life and puts the frame in transit; whoever gets the ticket may accept it, once. Of an EXCLUSIVE frame
     * only its owner may do so: its segment dies, and what was written to it is visible to the accepter. Wait-free for
     * an EXCLUSIVE frame, one CAS otherwise.
     *
     * @throws LabyrinthException.NotOwner if the frame is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the frame has ended
     * @throws IllegalStateException       if a native call or a channel is using the segment right now
     */
    public Ticket handOff() {
        Ticket ticket = new Ticket(labyrinth, order, exclusive);
        closeArena("hand-over");
        ticket.ticket = labyrinth.handOff(handle, Thread.currentThread());
        return ticket;
    }

    /**
     * Frees the frame. Wait-free for an EXCLUSIVE frame, one CAS otherwise.
     *
     * @throws LabyrinthException.NotOwner if the frame is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the frame has ended: a double free is always found
     * @throws IllegalStateException       if a native call or a channel is using the segment right now
     */
    @Override
    public void close() {
        closeArena("free");
        try {
            labyrinth.free(handle, Thread.currentThread());
        } catch (LabyrinthException.Closed closed) {
            if (exclusive) {
                labyrinth.region.release(pfn());
            }
            throw closed;
        }
    }

    private void closeArena(String verb) {
        Arena confined = arena;
        if (confined == null) {
            return;
        }
        try {
            confined.close();
        } catch (WrongThreadException e) {
            // Names the owner, in the words of the page map.
            labyrinth.checked(handle, verb, Thread.currentThread());
            throw e;
        }
        arena = null;
    }

    @Override
    public String toString() {
        return "frame " + PageWord.describeHandle(handle) + " order=" + order + (exclusive ? " EXCLUSIVE" : "");
    }
}
