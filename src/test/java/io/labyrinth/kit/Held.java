package io.labyrinth.kit;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Ticket;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;

/** What a thread holds while it takes a {@link Step}. Each step changes it in its last instruction. */
public final class Held {

    public final Labyrinth labyrinth;
    public final Gfp gfp;
    final PageMap map;
    final Handles handles;
    private final int frames;
    final long[] others;
    long handle;
    long rawTicket;
    Frame frame;
    Ticket ticket;

    public Held(Labyrinth labyrinth, Gfp gfp) {
        this.labyrinth = labyrinth;
        this.map = Inside.map(labyrinth);
        this.handles = labyrinth.handles();
        this.gfp = gfp;
        this.frames = labyrinth.stats().frames();
        this.others = new long[frames];
    }

    /**
     * After a step that was taken, or that an error interrupted: nothing is lost, and all can be had again.
     *
     * @param endedPerhaps whether the life that the step is about may be over although the step failed
     */
    public void check(boolean endedPerhaps, String where) {
        try {
            labyrinth.validate();
            checkVirtualOwner();
            giveAllUp(endedPerhaps);
            labyrinth.sweepDeadOwners();
            labyrinth.validate();
            LabyrinthStats stats = labyrinth.stats();
            if (stats.free() + stats.reserveFree() != frames) {
                throw new AssertionError("lost: " + stats);
            }
            takeAll(Gfp.HIGH);
            for (long other : others) {
                if (other == 0) {
                    throw new AssertionError("free and never found: " + labyrinth.picture());
                }
            }
            giveAllUp(false);
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError(Thread.currentThread() + " " + gfp + " " + where + " " + labyrinth.picture(),
                    e);
        }
    }

    /** Who is not noted here any more is never swept. */
    private void checkVirtualOwner() {
        Thread me = Thread.currentThread();
        long mine = frame != null ? PageWord.first(frame.generation(), 0, 0) | frame.pfn() : handle;
        if (me.isVirtual() && GfpFlags.isExclusive(gfp.bits()) && mine != 0) {
            int pfn = PageWord.pfn(mine);
            if (PageWord.isLive(map.lvWord(pfn), mine) && map.virtualOwner(pfn) != me) {
                throw new AssertionError("no sweep would find pfn=" + pfn);
            }
        }
    }

    public void takeAll(Gfp how) {
        for (int i = 0; i < others.length; i++) {
            if (others[i] == 0) {
                others[i] = handles.alloc(how.with(Gfp.NOWARN), 0);
            }
        }
    }

    /** The way of a user who knows what it has: none of this may fail, but for a life that had ended already. */
    public void giveAllUp(boolean endedPerhaps) {
        for (int i = 0; i < others.length; i++) {
            if (others[i] != 0) {
                handles.free(others[i]);
                others[i] = 0;
            }
        }
        try {
            if (rawTicket != 0) {
                handle = handles.accept(rawTicket);
            }
            if (ticket != null) {
                frame = ticket.accept();
            }
            if (handle != 0) {
                handles.free(handle);
            }
            if (frame != null) {
                frame.close();
            }
        } catch (LabyrinthException.Stale e) {
            if (!endedPerhaps) {
                throw e;
            }
        }
        handle = 0;
        rawTicket = 0;
        frame = null;
        ticket = null;
    }
}
