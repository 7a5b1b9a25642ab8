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
 * What the three faces ({@link Labyrinth}, {@link Handles} and {@link Slab}) have in common: it passes requests to a
 * page map and a zone, and reports their failures.
 */
abstract class Allocator {

    /*
     * How a request finds out that the labyrinth has closed. The page words of a closed labyrinth have no state
     * (Region), so every request except a claim is refused as stale. Only then is it asked whether the labyrinth has
     * closed. The same holds for NotOwner, because the words may be emptied between the look at the state and the look
     * at the owner. A claim looks at a field instead: a request that is under way while closeNow() empties the words
     * can write FREE into a word afterwards.
     *
     * This is a base class, not an object that the faces hold. A fence makes the compiler load final fields again, so a
     * pair takes each step from a face to a page word twice: see lost-designs, "pair".
     *
     * The hooks are for slabs. A call of a hook costs nothing, because the compiler knows which face it compiles for.
     *
     * Reference.reachabilityFence costs no instruction. Without it the collector could find this object unreachable
     * while one of its calls is still at work in the page map, which needs no other field by then.
     */

    final String name;
    final PageMap map;
    final Zone zone;
    final Region region;
    /** Null unless claims are sampled. If they are, requests take the slow path. */
    final @Nullable Samples samples;

    Allocator(String name, PageMap map, Zone zone, Region region, @Nullable Samples samples) {
        this.name = name;
        this.map = map;
        this.zone = zone;
        this.region = region;
        this.samples = samples;
    }

    // ------------------------------------------------------------------------------------------------ hooks

    /** Size of a run in bytes. */
    long byteSize(int order) {
        return region.pageSize << order;
    }

    /** Start of a run, in bytes from the start of the labyrinth's first frame. */
    long offset(long handle, String verb) {
        return PageWord.pfn(handle) * region.pageSize;
    }

    /** The memory of a run; the segment lives as long as the labyrinth. */
    MemorySegment segment(long handle, int order) {
        return region.shared(PageWord.pfn(handle), order);
    }

    /** The memory of a run; the segment lives as long as {@code arena}. */
    MemorySegment segment(long handle, int order, Arena arena) {
        return region.run(PageWord.pfn(handle), order, arena);
    }

    /** A last try for a request that found nothing. 0: nothing more can be done. */
    long claimMore(int gfp, Thread me) {
        return 0;
    }

    /** The flags that the search gets, from the flags of the request. */
    int searched(int gfp) {
        return gfp;
    }

    void zero(long handle, int order) {
        segment(handle, order).fill((byte) 0);
    }

    /** The refusal as the caller gets it. Throws Closed instead if the labyrinth has closed. */
    LabyrinthException told(LabyrinthException refusal) {
        if (refusal instanceof LabyrinthException.Stale || refusal instanceof LabyrinthException.NotOwner) {
            checkOpen();
        }
        return refusal;
    }

    // ------------------------------------------------------------------------------------------------ requests

    long claim(int gfp, int order, Thread me) {
        boolean zeroed = GfpFlags.isZeroed(gfp);    // before the claim: after it each call can run out of stack
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

    /** The rest of a claim, which most requests do not need. */
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

    /** {@code flags}, here and below: the flags with which this face claims EXCLUSIVE runs. */
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

    /** The word of the run that the ticket is for. */
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
                    // Out of stack. The ticket is accepted; a handler that does nothing needs no stack.
                }
            }
            return handle;
        } catch (LabyrinthException e) {
            throw told(e);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** As in {@link #finish}: a run that is accepted while the labyrinth closes may have lost its memory. */
    private void finishAccept(long handle) {
        checkOpen();
        if (samples != null) {
            samples.accepted(handle);
        }
    }

    long acceptAndTell(long ticket, Thread me, long flags) {
        long word = map.inTransit(ticket);
        long giver = map.lvOwner(PageWord.pfn(ticket));    // still there: an owner word is never cleared
        long handle = map.accept(ticket, me, flags);
        try {
            Flight.handedOver(name, PageWord.pfn(ticket), PageWord.order(word), PageWord.threadId(giver));
        } catch (Error untold) {
            // Out of stack. The ticket is accepted; a handler that does nothing needs no stack.
        }
        return handle;
    }

    /** The word of a live run. Refuses a run that this thread may not touch. */
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
                    + " is closed: all that it handed out has ended");
        }
    }
}
