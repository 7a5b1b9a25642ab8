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
 * The end of a labyrinth. Each step of it may fail, by the system's refusal or by an error; what is done stays done,
 * and the next close goes on.
 */
final class Closing {

    /*
     * The only transitions, each by a thread that has the labyrinth's monitor:
     *
     *   OPEN -> ENDED     nothing is out, or closeNow() was called, and the shared arena of the frames is closed: the
     *                     point of no return. Before it a failure leaves the labyrinth as it was. From here on every
     *                     call is refused as Closed, whatever else fails.
     *   ENDED -> CLOSED   nothing is mapped but what is to stay reserved, nothing is locked, no file is open, no slab
     *                     is known, and the tenant's slot is given up.
     *
     * How far a labyrinth in ENDED is, its parts know, each by itself: a mapping (Mapping), a slab's words, the file. A
     * part that fails keeps no other from its end; but for the tenant's slot, which is given up only when nobody of
     * this process can reach the words any more.
     *
     * What a late access may still reach is decided before the words are emptied, which tell it, and is remembered.
     *
     * To close needs some heap and stack. The heap that a step needs it takes before its system call. The stack is made
     * sure of first: an error inside of Arena.close() would leave an arena that is closed and says that it is not.
     */

    private static final int OPEN = 0;
    private static final int ENDED = 1;
    private static final int CLOSED = 2;

    /** Calls deep, of some 100 bytes each: several times what is needed, a small part of any thread's stack. */
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
    /** Whether that is known. */
    private boolean isDecided;
    /** Whether a close that was refused, and then struck by an error, may have left frames QUARANTINED. */
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
     * Goes on from wherever the last close came to. For one thread at a time.
     *
     * @param now although frames are out
     * @return the runs that were out; 0 if all was done before
     */
    int close(boolean now) {
        try {
            if (state == OPEN && region.isOpen()) {
                end(now);
            } else if (state == OPEN) {
                // An error struck inside of the arena's close: perhaps not all threads know of it.
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
        reserve(DEPTH, 0, 0);
        undoIfOwed();
        map.orphans.mend(map);
        slabs.shrinkAtLast();
        try {
            // Of a shared labyrinth the others go on claiming, and what this process claims to the last is swept.
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
            owesUndo = true;    // by a store: where a call fails, somebody else will do it
            try {
                undo();
            } catch (Throwable owed) {
                // It is owed still; what is told is why the close failed.
            }
            throw e;
        }
    }

    /** What slabs have, and a line for each place, where claims are sampled; else nothing. */
    private String details(List<PageMapScan.Seen> out) {
        return Owner.places(out, map, labyrinth.samples) + slabs.describe();
    }

    /** Where the stack has not so much left, it ends here, and not where that harms. */
    private static int reserve(int depth, long a, long b) {
        return depth == 0 ? (int) (a ^ b) : reserve(depth - 1, b + depth, a) + depth;
    }

    /** The close is refused, unless the arena is closed all the same: then the next close goes on. */
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

    /** For whoever looks at all words. */
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
     * Of a shared labyrinth, frames may be out that were claimed since. Once the arena is closed no more are: its
     * handshake lets every thread see that the zone is watched. (What claims are refused then is marked as orphan.)
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
                LOG.warn("labyrinth={} refused about {} requests that did not say NOWARN: more frames or a larger"
                        + " reserve?", labyrinth.name, zone.refusedUnexpectedly());
            } catch (OutOfMemoryError untold) {
                // It is closed all the same.
            }
        }
    }
}
