package io.labyrinth;

import io.labyrinth.internal.os.Flight;
import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.jspecify.annotations.Nullable;

/**
 * What the three faces are made of, {@link Labyrinth}, {@link Handles} and {@link Slab}: requests, passed to a page map
 * and a zone, and their failures.
 */
abstract class Allocator {

    /*
     * Of a closed labyrinth the page words have no state (Region), so all but a claim is stale, and only that failure
     * asks whether it is closed; or that of the owner, as the words may be emptied between a look at the state and one
     * at the owner. A claim looks at a field, as what is under way while closeNow() empties the words can write FREE
     * into one afterwards.
     *
     * A base class, and not an object that the faces hold, as each step from a face to a page word counts: a fence
     * makes the compiler load final fields anew, so that a pair takes each step twice. One more cost it 0.6 ns of 8.4.
     *
     * The hooks are for slabs. A call of one costs nothing, as the compiler knows which face it compiles for.
     *
     * Reference.reachabilityFence costs no instruction. Without it the collector could find this object dead while a
     * call of it is still at work in the page map, as nothing else of it is needed by then.
     */

    final String name;
    final PageMap map;
    final Zone zone;
    final Region region;
    /** Null unless claims are sampled: then the zone takes its slow path. */
    final @Nullable Samples samples;

    Allocator(String name, PageMap map, Zone zone, Region region, @Nullable Samples samples) {
        this.name = name;
        this.map = map;
        this.zone = zone;
        this.region = region;
        this.samples = samples;
    }

    // ------------------------------------------------------------------------------------------------ hooks

    /** Bytes of a run. */
    long byteSize(int order) {
        return region.pageSize << order;
    }

    /** Where a run begins: in bytes from the labyrinth's first frame on. */
    long offset(long handle, String verb) {
        return PageWord.pfn(handle) * region.pageSize;
    }

    /** The memory of a run for as long as the labyrinth lives. */
    MemorySegment segment(long handle, int order) {
        return region.shared(PageWord.pfn(handle), order);
    }

    /** The memory of a run for as long as {@code arena} lives. */
    MemorySegment segment(long handle, int order, Arena arena) {
        return region.run(PageWord.pfn(handle), order, arena);
    }

    /** For whom nothing was found; 0: nothing more can be done. */
    long claimMore(int gfp, Thread me) {
        return 0;
    }

    /** What a search is told of the request. */
    int searched(int gfp) {
        return gfp;
    }

    void zero(long handle, int order) {
        segment(handle, order).fill((byte) 0);
    }

    /** The refusal as it is told, or that the labyrinth has closed. */
    LabyrinthException told(LabyrinthException refusal) {
        if (refusal instanceof LabyrinthException.Stale || refusal instanceof LabyrinthException.NotOwner) {
            checkOpen();
        }
        return refusal;
    }

    // ------------------------------------------------------------------------------------------------ requests

    long claim(int gfp, int order, Thread me) {
        boolean zeroed = GfpFlags.isZeroed(gfp);    // asked before, as behind the claim each call can run out of stack
        try {
            long handle = zone.claim(searched(gfp), order, me);
            if (handle == 0) {
                handle = claimMore(gfp, me);
            }
            if (zeroed && handle != 0 || zone.slowPath) {
                try {
                    finish(handle, order, zeroed);
                } catch (Throwable e) {
                    if (handle != 0) {
                        map.orphans.marks[(int) (handle & PageWord.LOW_MASK)] =
                                (char) (Orphans.ORPHAN | handle >>> Orphans.GENERATION_AT & Orphans.GENERATION);
                        map.orphans.any = true;
                    }
                    checkOpen();
                    throw e;
                }
            }
            return handle;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** What most requests are spared. */
    private void finish(long handle, int order, boolean zeroed) {
        if (zeroed && handle != 0) {
            zero(handle, order);
        }
        if (zone.slowPath) {
            checkOpen();
            if (samples != null && handle != 0) {
                samples.claimed(handle);
            }
        }
    }

    /** {@code flags}, here and below: what an EXCLUSIVE run of this face was claimed with. */
    void free(long handle, Thread me, long flags) {
        try {
            if (map.release(handle, me, flags)) {
                zone.freed(handle, me);
            }
        } catch (LabyrinthException e) {
            throw told(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    long handOff(long handle, Thread me, long flags) {
        try {
            return map.handOff(handle, me, flags);
        } catch (LabyrinthException e) {
            throw told(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** The word of a run whose ticket this is. */
    long inTransit(long ticket) {
        try {
            return map.inTransit(ticket);
        } catch (LabyrinthException e) {
            throw told(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    long accept(long ticket, Thread me, long flags) {
        try {
            long handle = Flight.isOn() ? acceptAndTell(ticket, me, flags) : map.accept(ticket, me, flags);
            if (zone.slowPath) {
                try {
                    finishAccept(handle);
                } catch (Error unseen) {
                    // For want of stack: the ticket is accepted, and a handler that does nothing takes none.
                }
            }
            return handle;
        } catch (LabyrinthException e) {
            throw told(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** As in {@link #finish}: who accepts while its labyrinth closes has a run whose memory may be gone. */
    private void finishAccept(long handle) {
        checkOpen();
        if (samples != null) {
            samples.accepted(handle);
        }
    }

    long acceptAndTell(long ticket, Thread me, long flags) {
        long word = map.inTransit(ticket);
        long giver = map.lvOwner(PageWord.pfn(ticket));    // still, as an owner word is never cleared
        long handle = map.accept(ticket, me, flags);
        try {
            Flight.handedOver(name, PageWord.pfn(ticket), PageWord.order(word), PageWord.threadId(giver));
        } catch (Error untold) {
            // For want of stack: the ticket is accepted, and a handler that does nothing takes none.
        }
        return handle;
    }

    /** The word of a live run that this thread may touch. */
    long checked(long handle, String verb, Thread me) {
        try {
            return map.checked(handle, verb, me);
        } catch (LabyrinthException e) {
            throw told(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    long ownerOf(long handle) {
        try {
            return PageWord.threadId(map.ownerOf(handle));
        } catch (LabyrinthException e) {
            throw told(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    MemorySegment descriptor(long handle) {
        return map.descriptor(PageWord.pfn(handle));
    }

    void checkOpen() {
        if (!region.isOpen()) {
            throw new LabyrinthException.Closed("labyrinth=" + name
                    + " is closed: whatever it handed out ended with it");
        }
    }
}
