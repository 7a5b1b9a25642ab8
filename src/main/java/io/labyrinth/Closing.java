package io.labyrinth;

import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.Zone;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a labyrinth. Each step may fail, by a refusal of the system or by an error. What is done stays done, and
 * the next close goes on from there.
 */
final class Closing {

    /*
     * The only transitions, each by a thread that holds the labyrinth's monitor:
     *
     *   OPEN -> ENDED     Nothing is out, or closeNow() was called, and the shared arena of the frames is closed. This
     *                     is the point of no return. A failure before it leaves the labyrinth as it was. After it every
     *                     call is refused as Closed, whatever else fails.
     *   ENDED -> CLOSED   Nothing is mapped except what must stay reserved, nothing is locked, no file is open, no slab
     *                     is known, and the tenant's slot is given up.
     *
     * Each part of a labyrinth in ENDED knows by itself how far it is: a mapping (Mapping), a slab's words, the file. A
     * part that fails does not keep another part from its end. The tenant's slot is the exception: it is given up only
     * when nobody in this process can reach the words any more.
     *
     * keepsAddresses says what a late access may still reach. It is decided before the words are emptied, because only
     * the words show what is out, and it is remembered.
     *
     * A close needs some heap and some stack. Each step takes its heap before its system call. The close checks first
     * that there is enough stack: an error inside Arena.close() would leave an arena that is closed and says that it is
     * open.
     */

    private static final int OPEN = 0;
    private static final int ENDED = 1;
    private static final int CLOSED = 2;

    /** A depth in calls of about 100 bytes each: several times what a close needs, a small part of any stack. */
    private static final int DEPTH = 400;

    private static final Logger LOG = LoggerFactory.getLogger(Closing.class);

    private final Allocator labyrinth;
    private final Slabs slabs;
    private final Region region;
    private final PageMap map;
    private final Zone zone;
    private final PageMapScan scan;

    private int state = OPEN;
    /** Runs that were out when the labyrinth ended. */
    private int runsOut;
    private boolean keepsAddresses;
    /** Whether {@link #keepsAddresses} is decided. */
    private boolean isDecided;
    /** Whether a refused close that was then struck by an error may have left frames QUARANTINED. */
    private volatile boolean owesUndo;

    Closing(Allocator labyrinth, Slabs slabs, PageMapScan scan) {
        this.labyrinth = labyrinth;
        this.slabs = slabs;
        this.region = labyrinth.region;
        this.map = labyrinth.map;
        this.zone = labyrinth.zone;
        this.scan = scan;
    }

    /**
     * Goes on from where the last close stopped. For one thread at a time.
     *
     * @param now closes although frames are out
     * @return the number of runs that were out; 0 if all was done before
     */
    int close(boolean now) {
        try {
            if (state == OPEN && region.isOpen()) {
                end(now);
            } else if (state == OPEN) {
                // An error struck inside the arena's close: perhaps some threads have not seen the close.
                keepsAddresses = true;
                isDecided = true;
                state = ENDED;
            }
            if (state == ENDED) {
                giveBack();
            }
        } catch (OutOfMemoryError e) {
            throw Machine.heapFull("labyrinth=".concat(labyrinth.name), region.isOpen(), e);
        }
        int told = runsOut;
        runsOut = 0;
        return told;
    }

    private void end(boolean now) {
        reserveStack();
        undoIfOwed();
        map.orphans.mend(map);
        slabs.shrinkAtLast();
        try {
            // In a shared labyrinth other tenants go on claiming. A sweep frees what this process claims until the end.
            List<PageMapScan.Seen> out = region.file == null ? scan.drain(now) : scan.out();
            if (!out.isEmpty() && !now) {
                throw new LabyrinthException.FramesOut("labyrinth=" + labyrinth.name + " cannot close: "
                        + scan.describeOut(out) + ": free them, sweepDeadOwners() if their owners have ended, or"
                        + " closeNow()" + details(out));
            }
            if (!out.isEmpty() && labyrinth.samples != null) {
                LOG.warn("labyrinth={} closes now although frames are out:{}", labyrinth.name, details(out));
            }
            runsOut = out.size();
            zone.slowPath = true;
            slabs.watch(true);
            region.endAccess(labyrinth.name);
            state = ENDED;
        } catch (Throwable e) {
            owesUndo = true;    // a store cannot fail; if undo() fails, a later call does it
            try {
                undo();
            } catch (Throwable owed) {
                // The undo is still owed. The caller gets the reason why the close failed.
            }
            throw e;
        }
    }

    /** What slabs hold, and, if claims are sampled, a line for each place in the code. */
    private String details(List<PageMapScan.Seen> out) {
        return Owner.places(out, map, labyrinth.samples) + slabs.describe();
    }

    /** Checks the stack: if too little is left for a close, StackOverflowError strikes here, where it does no harm. */
    static void reserveStack() {
        reserve(DEPTH, 0, 0);
    }

    private static int reserve(int depth, long a, long b) {
        return depth == 0 ? (int) (a ^ b) : reserve(depth - 1, b + depth, a) + depth;
    }

    /** Undoes a close that failed. If the arena is closed all the same, undoes nothing, and the next close goes on. */
    private void undo() {
        if (region.isOpen()) {
            runsOut = 0;
            zone.slowPath = labyrinth.samples != null;
            slabs.watch(false);
            if (region.file == null) {
                scan.undrain(map.frames);
            }
        }
        owesUndo = false;
    }

    /** Called before each pass over all words. */
    void undoIfOwed() {
        if (owesUndo) {
            synchronized (labyrinth) {
                if (owesUndo) {
                    undo();
                }
            }
        }
    }

    private void giveBack() {
        try {
            decide();
            region.giveBack(keepsAddresses);
        } finally {
            try {
                slabs.end();
            } finally {
                if (region.file != null && region.isOutOfReach()) {
                    region.file.leave((words, tenant) -> new PageMapScan(new PageMap(words, map.frames,
                            map.frames - map.ordinary, tenant, map.virtualOwners, map.orphans)).evict(tenant));
                }
            }
        }
        state = CLOSED;
        warn();
    }

    /**
     * Other threads of this process may have claimed frames of a shared labyrinth since end(). Once the arena is closed
     * no more frames go out: its handshake lets every thread see zone.slowPath. A claim that is refused then marks its
     * run as an orphan.
     */
    private void decide() {
        if (!isDecided) {
            map.orphans.mend(map);
            keepsAddresses = runsOut > 0 || region.file != null && !scan.out().isEmpty();
            isDecided = true;
        }
    }

    private void warn() {
        if (zone.refusedUnexpectedly() > 0) {
            try {
                LOG.warn("labyrinth={} requests refused without NOWARN: about {}; open it with more frames or a larger"
                        + " reserve, or add NOWARN", labyrinth.name, zone.refusedUnexpectedly());
            } catch (OutOfMemoryError untold) {
                // The labyrinth is closed; only the warning is lost.
            }
        }
    }
}
