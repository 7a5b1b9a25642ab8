package io.labyrinth.internal.pagemap;

import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthException.Foreign;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.NotOwner;
import io.labyrinth.LabyrinthException.Stale;

/** The page map's refusals. They are made here, so that the map's methods stay small enough for C2 to inline. */
public final class Refusals {

    private Refusals() {
    }

    /** Refuses a use of the run, unless this thread may use it. The rare half of {@link PageMap#checked}. */
    static void requireUsable(String verb, long handle, long word, long tenant, long owner, Thread me) {
        if (!PageWord.isLive(word, handle)) {
            throw stale(verb, handle, word);
        }
        if (PageWord.isExclusive(word)) {
            if (PageWord.tenantOf(word) != tenant) {
                throw heldOtherwise(verb, handle, word, tenant);
            }
            if (!PageWord.isOwner(owner, handle, me)) {
                throw notOwner(verb, handle, owner, me);
            }
        }
    }

    public static Stale stale(String verb, long handle, long word) {
        return new Stale(verb + " refused: " + PageWord.describeHandle(handle) + ", but the frame is "
                + PageWord.describe(word) + ": this life of it has ended (freed, handed over or swept before);"
                + " use each handle or ticket once");
    }

    static Stale notAccepted(String verb, long handle) {
        return new Stale(verb + " refused: " + PageWord.describeHandle(handle) + ", but that is a ticket that another"
                + " thread is accepting just now: use what its accept returns");
    }

    static NotOwner notOwner(String verb, long handle, long owner, Thread me) {
        return new NotOwner(verb + " refused: " + PageWord.describeHandle(handle) + " is EXCLUSIVE to thread="
                + PageWord.threadId(owner) + ", caller is thread=" + me.threadId() + " \"" + me.getName()
                + "\": let the owner do it, or hand the frame over first");
    }

    /** The run is EXCLUSIVE to another process, or was claimed by the other face of this labyrinth. */
    static LabyrinthException heldOtherwise(String verb, long handle, long word, long tenant) {
        if (PageWord.tenantOf(word) != tenant) {
            return new NotOwner(verb + " refused: " + PageWord.describeHandle(handle) + " is EXCLUSIVE to another"
                    + " process, tenant=" + PageWord.tenantNumber(word) + ": let it hand the run over first");
        }
        return new InvalidRequest(verb + " refused: " + PageWord.describeHandle(handle) + " was allocated as a "
                + (PageWord.isFramed(word) ? "Frame, whose segment must die with it: use the Frame or its Ticket"
                        : "raw handle: use Handles"));
    }

    /** A word that no labyrinth writes. */
    static Foreign noRun(String verb, long handle, long word, int frames) {
        return new Foreign(verb + " refused: " + PageWord.describeHandle(handle) + ", but the frame is "
                + PageWord.describe(word) + " frames=" + frames + ": no such run fits there, so some process has"
                + " written where it may not; create the labyrinth anew");
    }

    static Foreign foreign(String verb, long handle, int frames) {
        return new Foreign(verb + " refused: " + PageWord.describeHandle(handle) + " frames=" + frames
                + ": the handle is of another labyrinth, or forged");
    }
}
