package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Refusals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What {@link Frame} and {@link SlabObject} have in common: one life of a run, and a segment that dies with it. */
abstract class Lease implements AutoCloseable {

    /*
     * The first call of memory() makes the arena and the segment, so a frame that only passes through has neither.
     * Escape analysis removes all three objects if they stay within one compiled method. A Frame that escapes takes 40
     * bytes. The arena is closed before the frame is freed, because the next owner may write to the frame a nanosecond
     * later.
     *
     * Only two things end the life of an EXCLUSIVE run: its owner, through this object, or a sweep after the owner
     * thread has ended. The raw face cannot end it, because the word has the FRAMED flag; if it could, the segment of a
     * freed run would live on. So the owner knows without a look at the page map that the life has not ended: see
     * lost-designs, "pair".
     *
     * At the end of the life the page map still checks the handle. `ended` is set before that: a StackOverflowError
     * just after the release must not leave a descriptor that still makes segments. If the error strikes just before
     * the release, the run stays out, and only close() of this descriptor still works.
     */

    static final long FLAGS = PageWord.EXCLUSIVE | PageWord.FRAMED;

    final Allocator allocator;
    /** A byte, as `ended` is: so an escaped Frame takes 40 bytes. See lost-designs, "pair". */
    final byte order;
    /** The thread that the run is EXCLUSIVE to; null if it is not EXCLUSIVE. */
    final @Nullable Thread owner;
    /** 0 until the claim that this object was made for has succeeded. */
    long handle;
    private @Nullable Arena arena;
    private @Nullable MemorySegment segment;
    /** Written by the owner alone. Means nothing in a run that is not EXCLUSIVE. */
    private boolean ended;

    Lease(Allocator allocator, int order, @Nullable Thread owner) {
        this.allocator = allocator;
        this.order = (byte) order;
        this.owner = owner;
    }

    /** The run's segment; for an EXCLUSIVE run, the same object each time. */
    final MemorySegment memory() {
        MemorySegment made = segment;
        if (made == null) {
            if (owner != Thread.currentThread() || ended) {
                return unowned();
            }
            Arena confined = Arena.ofConfined();
            made = allocator.segment(handle, order, confined);
            arena = confined;
            segment = made;
        }
        return made;
    }

    /** The segment of a run that is not EXCLUSIVE. Refuses an EXCLUSIVE run. */
    private MemorySegment unowned() {
        long word;
        try {
            word = allocator.checked(handle, "segment", Thread.currentThread());
        } catch (LabyrinthException.NotOwner e) {
            throw (WrongThreadException) new WrongThreadException(e.getMessage()).initCause(e);
        }
        if (owner != null) {
            throw Refusals.stale("segment after a close() or handOff() that failed half-way", handle, word);
        }
        return allocator.segment(handle, order);
    }

    /** Whether only the owner may touch it, free it or hand it off. */
    public final boolean isExclusive() {
        return owner != null;
    }

    @Override
    public abstract void close();

    /** Ends this life: first the segment, then the run. */
    final void end() {
        Thread me = Thread.currentThread();
        endAccess(me);
        allocator.free(handle, me, FLAGS);
    }

    /**
     * Ends the segment, if there is one. This comes before the release: the next owner may have the run a nanosecond
     * after it.
     */
    final void endAccess(Thread me) {
        if (owner != me) {
            return;    // not EXCLUSIVE; or EXCLUSIVE to another thread, and the page map is about to refuse this one
        }
        Arena confined = arena;
        if (confined != null) {
            try {
                confined.close();
            } catch (IllegalStateException e) {
                if (confined.scope().isAlive()) {
                    throw e;
                }
                // It was closed before: by a call that ran out of stack after the close.
            }
            arena = null;
            segment = null;
        }
        ended = true;
    }
}
