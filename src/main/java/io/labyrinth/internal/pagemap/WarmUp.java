package io.labyrinth.internal.pagemap;

import io.labyrinth.LabyrinthException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;

/**
 * Every step of the page map and of a walk, once, on a small map of its own, before the first labyrinth opens.
 *
 * <p>A VarHandle's call site links itself when it is first reached: it loads classes and allocates, and where there is
 * no memory or no stack for that, it throws. That must not happen between a claim and its return, nor may the first
 * allocation take milliseconds and system calls.
 */
public final class WarmUp {

    private static final int FRAMES = 2 << PageWord.MAX_ORDER;

    /**
     * Of the JDK, named by code that runs after a claim, or by its handlers. Whoever names a class first has the class
     * loader look for it, which takes heap; after that the loader knows it.
     */
    private static final List<Class<?>> NAMED =
            List.of(Reference.class, Throwable.class, Error.class, Math.class, Integer.class, Long.class);

    private static boolean done;

    private WarmUp() {
    }

    /** Once in a JVM; again only after an error, as one of memory or stack may not come again. */
    public static synchronized void ensure() {
        if (!done) {
            rehearse();
            done = true;
        }
    }

    private static void rehearse() {
        Thread me = Thread.currentThread();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(Geometry.bytesFor(FRAMES), 64);
            PageMap map = new PageMap(memory, FRAMES, 1);
            map.tile(1);
            Zone zone = new Zone(map, 1);
            // A claim of each kind: split, whole, joined, refused, from the reserve, by a hint.
            for (int order = 0; order <= PageWord.MAX_ORDER; order++) {
                free(map, zone, zone.claim(GfpFlags.NOWAIT, order, me), me);
                free(map, zone, zone.claim(GfpFlags.ATOMIC | GfpFlags.EXCLUSIVE, order, me), me);
            }
            long pair = zone.claim(GfpFlags.NOWAIT, PageWord.MAX_ORDER, me);
            refuse(() -> map.release(PageWord.nextGeneration(pair), me, PageWord.EXCLUSIVE));
            refuse(() -> map.accept(pair, me, PageWord.EXCLUSIVE));
            free(map, zone, map.accept(map.handOff(pair, me, PageWord.EXCLUSIVE), me, PageWord.EXCLUSIVE), me);
            long exclusive = zone.claim(GfpFlags.ATOMIC | GfpFlags.EXCLUSIVE, 0, me);
            exclusive = map.accept(map.handOff(exclusive, me, PageWord.EXCLUSIVE), me, PageWord.EXCLUSIVE);
            map.checked(exclusive, "rehearsal", me);
            // As if an error had struck right behind the claim.
            map.orphans.marks[PageWord.pfn(exclusive)] =
                    (char) (Orphans.ORPHAN | exclusive >>> Orphans.GENERATION_AT & Orphans.GENERATION);
            map.orphans.any = true;
            map.orphans.mend(map);
            long last;
            do {
                last = zone.claim(GfpFlags.ATOMIC | GfpFlags.NOWARN, 0, me);
            } while (last != 0);
            zone.claim(GfpFlags.NOWAIT, 3, me);
        }
    }

    private static void free(PageMap map, Zone zone, long handle, Thread me) {
        if (map.release(handle, me, PageWord.EXCLUSIVE)) {
            zone.freed(handle, me);
        }
    }

    private static void refuse(Runnable call) {
        try {
            call.run();
            throw new AssertionError("a handle of another life was taken");
        } catch (LabyrinthException.Stale expected) {
            // The exception's classes and its message's concatenation are linked now, too.
        }
    }
}
