package io.labyrinth;

import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.Race;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A page map of eight frames, which are one free run at first. Two actors work on it. Each sample has a new one, so all
 * of them are in one mapping, which is made once in a JVM.
 */
public abstract class SmallMap {

    static final int FRAMES = 8;
    static final int ORDER = 3;
    static final long SHARED = 0;
    static final long EXCLUSIVE = PageWord.EXCLUSIVE;

    /** A multiple of 2,048: then the generation bits of an owner word that was never written look right. */
    private static final long GENERATION = 4096;

    /**
     * Slots of memory: twice as many as maps that can be alive at once. The next epoch replaces all maps of an epoch,
     * by both workers in any order.
     */
    private static final int SLOTS = 4 * Pairs.EPOCH;
    private static final int SLOT_BYTES = 256;
    private static final int CONTENTS_BYTES = 64;
    private static final AtomicInteger NEXT = new AtomicInteger();
    static final Region REGION = region((long) SLOTS * SLOT_BYTES);

    /** An owner, for tests in which only its id matters. */
    static final Thread OWNER = Thread.ofPlatform().unstarted(() -> { });

    final PageMap map;
    final PageMapScan scan;
    /** The memory of the page map, and {@link #contents} after it. */
    final MemorySegment memory;
    /** Bytes that the holder of a run may write. */
    final MemorySegment contents;
    /** If set, the owner of all frames that are claimed in the end. */
    @Nullable Thread holder;
    private final long generationsBefore;

    /** One free run. */
    SmallMap() {
        this(null, 0);
    }

    /** Single frames, all of them freed once by this thread. */
    SmallMap(Thread lastOwner) {
        this(lastOwner, 0);
    }

    /** @param lastOwner who has freed the single frames of the map; null for one free run */
    SmallMap(@Nullable Thread lastOwner, int reserve) {
        long at = (NEXT.getAndIncrement() & SLOTS - 1) * (long) SLOT_BYTES;
        memory = REGION.frames.asSlice(at, SLOT_BYTES, 64).fill((byte) 0);
        contents = memory.asSlice(SLOT_BYTES - CONTENTS_BYTES);
        map = new PageMap(memory, FRAMES, reserve);
        map.tile(GENERATION);
        scan = new PageMapScan(map);
        for (int pfn = 0; pfn < FRAMES && lastOwner != null; pfn++) {
            map.release(claim(pfn, 0, EXCLUSIVE, lastOwner), lastOwner, EXCLUSIVE);
        }
        generationsBefore = generations();
    }

    private static Region region(long bytes) {
        return Region.open("jcstress", (int) (bytes / Libc.pageSize()), Libc.pageSize(), Locking.NONE);
    }

    /** Memory that stays mapped until the JVM ends. */
    static MemorySegment mapped(long bytes) {
        return region(bytes + Libc.pageSize()).frames;
    }

    /** A thread that has ended. (Not for this class's own initializer: the thread would wait for it.) */
    static Thread ended() {
        Thread thread = Thread.ofPlatform().start(() -> { });
        Race.join(thread);
        return thread;
    }

    private long generations() {
        long sum = 0;
        for (int pfn = 0; pfn < FRAMES; pfn++) {
            sum += PageWord.generation(map.lvWord(pfn));
        }
        return sum;
    }

    /** Claims what is free at this frame; 0 if nothing is free, or another actor was first. */
    final long claim(int pfn, int order, long flags, Thread me) {
        long word = map.lvWord(pfn);
        return PageWord.isFree(word) && PageWord.order(word) >= order ? map.claimSeen(pfn, word, order, flags, me) : 0;
    }

    /** Leaves a mark, as the handler of an error after this claim does. */
    final void mark(long handle) {
        map.orphans.marks[PageWord.pfn(handle)] =
                (char) (Orphans.ORPHAN | handle >>> Orphans.GENERATION_AT & Orphans.GENERATION);
        map.orphans.any = true;
    }

    /** Whether the release was granted. */
    final boolean release(long handle, Thread me) {
        try {
            map.release(handle, me, EXCLUSIVE);
            return true;
        } catch (LabyrinthException.Stale refused) {
            return false;
        }
    }

    /** Whether the hand-over was granted. */
    final boolean handOff(long handle, Thread me) {
        try {
            map.handOff(handle, me, EXCLUSIVE);
            return true;
        } catch (LabyrinthException.Stale refused) {
            return false;
        }
    }

    /** Whether the ticket was accepted. */
    final boolean accept(long ticket, Thread me) {
        try {
            map.accept(ticket, me, EXCLUSIVE);
            return true;
        } catch (LabyrinthException.Stale refused) {
            return false;
        }
    }

    /**
     * The map at rest: the frames as {@link PageMapScan#picture} shows them, free ones as {@code -}, and the number of
     * generations that have ended: {@code E------- 1}. If something is wrong, the violation, which no test expects.
     */
    final String verdict() {
        String violation = scan.violation();
        if (violation != null) {
            return violation;
        }
        for (int pfn = 0; pfn < FRAMES && holder != null; pfn++) {
            long word = map.lvWord(pfn);
            if (PageWord.state(word) == PageWord.HEAD && map.lvOwner(pfn) != PageWord.owner(holder, word)) {
                return "pfn=" + pfn + " is signed by another thread than its holder";
            }
        }
        return scan.picture().replace('.', '-') + " " + (generations() - generationsBefore);
    }
}
