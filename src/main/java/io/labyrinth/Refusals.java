package io.labyrinth;

/** What the page map refuses, and why. Made here, so that the map's methods stay small enough to be inlined. */
final class Refusals {

    private Refusals() {
    }

    static LabyrinthException.Stale stale(String verb, long handle, long word) {
        return new LabyrinthException.Stale(verb + " refused: " + PageWord.describeHandle(handle) + ", but the frame is "
                + PageWord.describe(word) + ": this life of it has ended (freed, handed over or swept before);"
                + " use each handle or ticket once");
    }

    static LabyrinthException.Stale notAccepted(String verb, long handle) {
        return new LabyrinthException.Stale(verb + " refused: " + PageWord.describeHandle(handle) + ", but that is a ticket that another"
                + " thread is accepting just now: use what its accept returns");
    }

    static LabyrinthException.NotOwner notOwner(String verb, long handle, long owner, Thread me) {
        return new LabyrinthException.NotOwner(verb + " refused: " + PageWord.describeHandle(handle) + " is EXCLUSIVE to thread="
                + PageWord.threadId(owner) + ", caller is thread=" + me.threadId() + " \"" + me.getName()
                + "\": let the owner do it, or hand the frame over first");
    }

    /** Of another process, or of this one's other face. */
    static LabyrinthException heldOtherwise(String verb, long handle, long word, long tenant) {
        if (PageWord.tenantOf(word) != tenant) {
            return new LabyrinthException.NotOwner(verb + " refused: " + PageWord.describeHandle(handle) + " is EXCLUSIVE to another"
                    + " process, tenant=" + PageWord.tenantNumber(word) + ": let it hand the run over first");
        }
        return new LabyrinthException.InvalidRequest(verb + " refused: " + PageWord.describeHandle(handle) + " was allocated as a "
                + (PageWord.isFramed(word) ? "Frame, whose segment must die with it: use the Frame or its Ticket"
                        : "raw handle: use Handles"));
    }

    /** A word that no labyrinth writes. */
    static LabyrinthException.Foreign noRun(String verb, long handle, long word, int frames) {
        return new LabyrinthException.Foreign(verb + " refused: " + PageWord.describeHandle(handle) + ", but the frame is "
                + PageWord.describe(word) + " frames=" + frames + ": no such run fits there, so some process has written"
                + " where it may not; create the labyrinth anew");
    }

    static LabyrinthException.Foreign foreign(String verb, long handle, int frames) {
        return new LabyrinthException.Foreign(verb + " refused: " + PageWord.describeHandle(handle) + " frames=" + frames
                + ": the handle is of another labyrinth, or forged");
    }
}
