package io.labyrinth.misuse;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.LabyrinthException.Closed;
import io.labyrinth.LabyrinthException.FramesOut;
import io.labyrinth.Ticket;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CountDownLatch;

/** A labyrinth is closed while it is in use, or is used after it was closed. */
final class Closings extends Program {

    private static final String CLOSED = "labyrinth=misused is closed: all that it handed out has ended";
    private static final String CANNOT = "labyrinth=misused cannot close: ";
    private static final String REMEDY = ": free them, sweepDeadOwners() if their owners have ended, or closeNow()";

    @Outcome(type = FramesOut.class, says = {CANNOT + "thread=", " runs=2 frames=3" + REMEDY})
    void closeWithFramesOut() {
        victim(MINE, 1);
        victimHandle(MINE, 0);
        labyrinth.close();
    }

    @Outcome(type = FramesOut.class, says = {CANNOT + "not EXCLUSIVE, claimed by thread=", " runs=1 frames=8" + REMEDY})
    void closeWithSharedFramesOut() {
        victim(SHARED, 3);
        labyrinth.close();
    }

    @Outcome(type = FramesOut.class, says = CANNOT + "ticket not accepted runs=1 frames=1" + REMEDY, out = 1)
    void closeWithTicketOut() {
        labyrinth.allocPage(MINE).handOff();
        labyrinth.close();
    }

    @Outcome(type = FramesOut.class, says = {CANNOT + "thread=", "(virtual) runs=1 frames=1" + REMEDY}, out = 1)
    void closeWithDeadThreadsFrameOut() throws Throwable {
        inVirtualThread(() -> labyrinth.allocPage(MINE));
        labyrinth.close();
    }

    /** try-with-resources around a frame that somebody forgot. */
    @Outcome(type = FramesOut.class, says = {CANNOT + "thread=", " runs=1 frames=1" + REMEDY}, out = 1)
    void forgottenFrame() {
        try (labyrinth) {
            labyrinth.allocPage(MINE);
        }
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void allocAfterClose() {
        labyrinth.close();
        labyrinth.allocPage(MINE);
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void allocAfterCloseByRawFace() {
        labyrinth.close();
        handles.alloc(SHARED, 3);
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void freeAfterClose() {
        long handle = handles.alloc(MINE, 0);
        labyrinth.closeNow();
        handles.free(handle);
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void frameFreeAfterClose() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.segment().fill((byte) 1);
        labyrinth.closeNow();
        frame.close();
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void handleUseAfterClose() {
        long handle = handles.alloc(SHARED, 0);
        labyrinth.closeNow();
        handles.putLong(handle, 0, 1);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed", out = -1)
    void sharedUseAfterClose() {
        Frame frame = labyrinth.allocPage(SHARED);
        MemorySegment segment = frame.segment();
        frame.close();
        labyrinth.close();
        segment.get(LONG, 0);
    }

    @Outcome(type = IllegalStateException.class, says = "Already closed", out = -1)
    void sharedUseAfterCloseNow() {
        MemorySegment segment = labyrinth.allocPage(SHARED).segment();
        labyrinth.closeNow();
        segment.set(LONG, 0, 1);
    }

    /** An owner's segment is its own: it outlives the labyrinth, empty, and harms nobody. */
    @Outcome(out = -1)
    void exclusiveUseAfterCloseNow() {
        MemorySegment segment = labyrinth.allocPage(MINE).segment();
        segment.fill((byte) 1);
        mustBe(labyrinth.closeNow() == 1, "one run was out");
        mustBe(segment.get(LONG, 0) == 0, "it reads as zeros");
        segment.set(LONG, 0, 1);
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void ticketAfterClose() {
        Ticket ticket = labyrinth.allocPage(MINE).handOff();
        labyrinth.closeNow();
        ticket.accept();
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void handOverAfterClose() {
        Frame frame = labyrinth.allocPage(MINE);
        labyrinth.closeNow();
        frame.handOff();
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void validateAfterClose() {
        labyrinth.close();
        labyrinth.validate();
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void sweepAfterClose() {
        labyrinth.close();
        labyrinth.sweepDeadOwners();
    }

    @Outcome(out = -1)
    void closeTwice() {
        labyrinth.close();
        labyrinth.close();
        mustBe(labyrinth.closeNow() == 0, "nothing was out");
    }

    /** Closed by others than who opened it. */
    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void closeByOtherThread() throws Throwable {
        Frame frame = labyrinth.allocPage(MINE);
        elsewhere(labyrinth::closeNow);
        frame.close();
    }

    @Outcome(type = Closed.class, says = CLOSED, out = -1)
    void closeRacesAlloc() throws Throwable {
        CountDownLatch atWork = new CountDownLatch(1);
        Thread closer = Thread.ofPlatform().start(() -> {
            try {
                atWork.await();
                labyrinth.closeNow();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        try {
            for (int turns = 0; true; turns++) {
                long handle = handles.alloc(MINE.with(Gfp.NOWARN), turns % 4);
                if (handle != 0) {
                    handles.free(handle);
                }
                if (turns == 1000) {
                    atWork.countDown();
                }
            }
        } finally {
            closer.join();
        }
    }
}
