package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Refusals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One object of a {@link Slab}, for one life of it: what a {@link Frame} is for a run. The segment of an EXCLUSIVE one
 * is confined to its owner and dies with it; any other may be used and freed by any thread, once, and its segment lives
 * as long as the labyrinth.
 */
public final class SlabObject implements AutoCloseable {

    // As in Frame: the segment is made when it is asked for, the arena is closed before the object is freed, `ended` is
    // set between.

    private final Slab slab;
    /** The thread that the object is EXCLUSIVE to; null if it is not EXCLUSIVE. */
    private final @Nullable Thread owner;
    /** 0 until the claim that this object was made for has succeeded; before that it is nobody's. */
    long handle;
    private @Nullable Arena arena;
    private @Nullable MemorySegment segment;
    /** Written by the owner alone; means nothing where there is none. */
    private boolean ended;

    SlabObject(Slab slab, @Nullable Thread owner) {
        this.slab = slab;
        this.owner = owner;
    }

    /**
     * The memory: {@link Slab#objectBytes} bytes. Of an EXCLUSIVE object, the same segment each time.
     *
     * @throws LabyrinthException.Stale if this life of the object has ended
     * @throws WrongThreadException     if the object is EXCLUSIVE to another thread; where the owner has called this
     *                                  before, the segment's accesses throw it
     */
    public MemorySegment segment() {
        MemorySegment made = segment;
        if (made == null) {
            if (owner != Thread.currentThread() || ended) {
                return unowned();
            }
            Arena confined = Arena.ofConfined();
            made = slab.segment(handle, confined);
            arena = confined;
            segment = made;
        }
        return made;
    }

    private MemorySegment unowned() {
        if (owner == null) {
            return slab.segment(handle);
        }
        long word;
        try {
            word = slab.checked(handle, "segment");
        } catch (LabyrinthException.NotOwner e) {
            throw (WrongThreadException) new WrongThreadException(e.getMessage()).initCause(e);
        }
        throw Refusals.stale("segment after a close() that failed half-way", handle, word);
    }

    /** Whether only the owner may touch or free the object. */
    public boolean isExclusive() {
        return owner != null;
    }

    /**
     * Frees the object. Wait-free for an EXCLUSIVE one, one CAS otherwise.
     *
     * @throws LabyrinthException.NotOwner if the object is EXCLUSIVE to another thread
     * @throws LabyrinthException.Stale    if this life of the object has ended: a double free is always found
     * @throws IllegalStateException       if the object is EXCLUSIVE, and a native call or a channel is using its
     *                                     segment right now; see {@link Frame#segment} for other objects
     */
    @Override
    public void close() {
        Thread me = Thread.currentThread();
        if (owner == me) {
            endAccess();
        }
        slab.free(handle, me, Frame.FLAGS);
    }

    private void endAccess() {
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
        return "object of " + slab + " number=" + PageWord.pfn(handle) + " generation=" + PageWord.generation(handle)
                + (owner != null ? " EXCLUSIVE" : "");
    }
}
