package io.labyrinth.internal.pagemap;

import io.labyrinth.LabyrinthException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;

/**
 * Runs every step of the page map and of a walk once, on a small map of its own, before the first labyrinth opens.
 *
 * <p>The first call of a VarHandle's call site links it: it loads classes and allocates, and throws if there is not
 * enough memory or stack. That must not happen between a claim and its return. Nor may the first allocation take
 * milliseconds and make system calls.
 */
public final class WarmUp {

    private static final int FRAMES = 2 << PageWord.MAX_ORDER;

    /**
     * Classes of the JDK that code names after a claim, or in its handlers. The first use of a class's name makes the
     * class loader look for the class, which takes heap. After that the loader knows the class.
     */
    private static final List<Class<?>> NAMED =
            List.of(Reference.class, Throwable.class, Error.class, Math.class, Integer.class, Long.class);

    private static boolean done;

    private WarmUp() {
    }

    /** Once in a JVM; again after an error, because an error of memory or stack may not come again. */
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
            // As if an error had struck just after the claim.
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
            // Now the exception's classes and the concatenation of its message are linked, too.
        }
    }
}
