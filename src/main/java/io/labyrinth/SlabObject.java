package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Refusals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One life of one object of a {@link Slab}: what a {@link Frame} is for a run. The segment of an EXCLUSIVE object is
 * confined to its owner thread and dies with the object. Any thread may use any other object, and any thread may free
 * it, once; its segment lives as long as the labyrinth.
 */
public final class SlabObject extends Lease {

    SlabObject(Slab slab, @Nullable Thread owner) {
        super(slab, 0, owner);
    }

    /**
     * The memory: {@link Slab#objectBytes} bytes. An EXCLUSIVE object returns the same segment each time.
     *
     * @throws LabyrinthException.Stale if this life of the object has ended
     * @throws WrongThreadException     if the object is EXCLUSIVE to another thread; if the owner has called this
     *                                  method before, each access to the segment throws it instead
     */
    public MemorySegment segment() {
        return memory();
    }

    /**
     * Frees the object. Wait-free for an EXCLUSIVE object, one CAS otherwise. Makes no system call.
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
        return "object of " + allocator + " number=" + PageWord.pfn(handle) + " generation="
                + PageWord.generation(handle) + (owner != null ? " EXCLUSIVE" : "");
    }
}
