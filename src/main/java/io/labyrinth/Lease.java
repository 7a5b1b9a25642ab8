package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Refusals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What a {@link Frame} and a {@link SlabObject} are: one life of a run, with a segment that dies with it. */
abstract class Lease implements AutoCloseable {

    /*
     * The arena and the segment are made when they are first asked for: a frame that only passes through has neither.
     * Escape analysis removes all three objects where they stay within one compiled method; a Frame that escapes is 40
     * bytes. The arena is closed before the frame is freed, as the next owner may be writing to it a nanosecond later.
     *
     * An EXCLUSIVE run's life is ended by its owner, through this object, or after the owner's own end (the FRAMED flag
     * of its word keeps the raw face away: there, a freed run's segment would live on); so the owner needs no look at
     * the page map to know that it has not. (Looking cost 3 ns, and made segment() too large to be inlined, and with it
     * 160 bytes a frame.) To end it, the page map is asked all the same, and `ended` is set before: a
     * StackOverflowError right behind the release must not leave a descriptor that still makes segments. One that
     * strikes right before the release leaves the run out, and this descriptor good for close() alone.
     */

    static final long FLAGS = PageWord.EXCLUSIVE | PageWord.FRAMED;

    final Allocator allocator;
    /** A byte, and so is `ended`: with them an escaped Frame is 40 bytes, with an int it is 48. */
    final byte order;
    /** The thread that the run is EXCLUSIVE to; null if it is not EXCLUSIVE. */
    final @Nullable Thread owner;
    /** 0 until the claim that this object was made for has succeeded; before that it is nobody's. */
    long handle;
    private @Nullable Arena arena;
    private @Nullable MemorySegment segment;
    /** Written by the owner alone; means nothing where there is none. */
    private boolean ended;

    Lease(Allocator allocator, int order, @Nullable Thread owner) {
        this.allocator = allocator;
        this.order = (byte) order;
        this.owner = owner;
    }

    /** Of an EXCLUSIVE run, the same object each time. */
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

    /** The segment of a run that is not EXCLUSIVE; any other's is refused here. */
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

    /** Whether only the owner may touch, free or pass it on. */
    public final boolean isExclusive() {
        return owner != null;
    }

    @Override
    public abstract void close();

    /** Ends this life. */
    final void end() {
        Thread me = Thread.currentThread();
        endAccess(me);
        allocator.free(handle, me, FLAGS);
    }

    /**
     * Kills the segment, if there is one: first, as the next owner may have the run a nanosecond after its release.
     */
    final void endAccess(Thread me) {
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
}
