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
public final class SlabObject extends Lease {

    SlabObject(Slab slab, @Nullable Thread owner) {
        super(slab, 0, owner);
    }

    /**
     * The memory: {@link Slab#objectBytes} bytes. Of an EXCLUSIVE object, the same segment each time.
     *
     * @throws LabyrinthException.Stale if this life of the object has ended
     * @throws WrongThreadException     if the object is EXCLUSIVE to another thread; where the owner has called this
     *                                  before, the segment's accesses throw it
     */
    public MemorySegment segment() {
        return memory();
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
        end();
    }

    @Override
    public String toString() {
        return "object of " + allocator + " number=" + PageWord.pfn(handle) + " generation=" + PageWord.generation(handle)
                + (owner != null ? " EXCLUSIVE" : "");
    }
}
