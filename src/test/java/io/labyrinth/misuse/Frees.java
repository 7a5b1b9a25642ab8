package io.labyrinth.misuse;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthException.Foreign;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.Stale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;

/** Double frees, and frees of runs that the caller may not free. */
final class Frees extends Program {

    private static final String ENDED = "this life of it has ended (freed, handed over or swept before)";

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void doubleFreeFrame() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.close();
        frame.close();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=3", ENDED})
    void doubleFreeRun() {
        Frame run = labyrinth.allocPages(MINE, 3);
        run.close();
        run.close();
    }

    @Outcome(type = Stale.class, says = {"free refused: pfn=0 ", "the frame is state=FREE order=10", ENDED})
    void doubleFreeLargest() {
        try (Labyrinth large = Labyrinth.builder("large").frames(1 << Labyrinth.MAX_ORDER).open()) {
            Frame run = large.allocPages(MINE, Labyrinth.MAX_ORDER);
            run.close();
            run.close();
        }
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void doubleFreeShared() {
        Frame frame = labyrinth.allocPage(SHARED);
        frame.close();
        frame.close();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void doubleFreeHandle() {
        long handle = handles.alloc(MINE, 0);
        handles.free(handle);
        handles.free(handle);
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=2", ENDED})
    void doubleFreeSharedHandle() {
        long handle = handles.alloc(SHARED, 2);
        handles.free(handle);
        handles.free(handle);
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=HEAD order=0", "EXCLUSIVE FRAMED", ENDED})
    void doubleFreeDelayed() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.close();
        mustBe(victim().pfn() == frame.pfn(), "the frame went to another");
        frame.close();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=HEAD order=0", "EXCLUSIVE:", ENDED})
    void doubleFreeHandleDelayed() {
        long handle = handles.alloc(MINE, 0);
        handles.free(handle);
        mustBe(handles.pfn(victimHandle(MINE, 0)) == handles.pfn(handle), "the frame went to another");
        handles.free(handle);
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=HEAD order=1", ENDED})
    void doubleFreeSharedDelayed() {
        Frame run = labyrinth.allocPages(SHARED, 1);
        run.close();
        mustBe(victim(SHARED, 1).pfn() == run.pfn(), "the run went to another");
        run.close();
    }

    /** The run came back as frames. */
    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=HEAD order=0", ENDED})
    void doubleFreeRunAfterSplit() {
        Frame run = labyrinth.allocPages(MINE, 5);
        run.close();
        Frame frame = null;
        for (int i = 0; i < FRAMES && (frame == null || frame.pfn() != run.pfn()); i++) {
            frame = victim(Gfp.HIGH.with(Gfp.EXCLUSIVE), 0);
        }
        mustBe(frame.pfn() == run.pfn(), "its first frame went to another");
        run.close();
    }

    /** The frame came back within a run. */
    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=TAIL", ENDED})
    void doubleFreeFrameAfterJoin() {
        Frame first = labyrinth.allocPage(MINE);
        Frame second = labyrinth.allocPage(MINE);
        mustBe(first.pfn() / 2 == second.pfn() / 2, "the two are a pair");
        first.close();
        second.close();
        Frame run = victim(MINE, 5);
        mustBe(run.pfn() / 32 == first.pfn() / 32, "both are in the run");
        (first.pfn() % 2 == 1 ? first : second).close();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void doubleFreeByOtherThread() throws Throwable {
        Frame frame = labyrinth.allocPage(MINE);
        frame.close();
        elsewhere(frame::close);
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void doubleFreeSharedByOtherThread() throws Throwable {
        Frame frame = labyrinth.allocPage(SHARED);
        elsewhere(frame::close);
        frame.close();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void doubleFreeByVirtualThread() throws Throwable {
        inVirtualThread(() -> {
            Frame frame = labyrinth.allocPage(MINE);
            frame.close();
            frame.close();
        });
    }

    /** Two at once: one of them frees, the other is told. */
    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void doubleFreeAtOnce() throws Throwable {
        Frame frame = labyrinth.allocPage(SHARED);
        CountDownLatch start = new CountDownLatch(1);
        AtomicReference<LabyrinthException> end = new AtomicReference<>();
        Thread other = Thread.ofPlatform().start(() -> {
            try {
                start.await();
                frame.close();
            } catch (LabyrinthException e) {
                end.set(e);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        start.countDown();
        LabyrinthException mine = null;
        try {
            frame.close();
        } catch (LabyrinthException e) {
            mine = e;
        }
        other.join();
        mustBe((mine == null) != (end.get() == null), "exactly one was refused");
        throw mine != null ? mine : end.get();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=4", ENDED})
    void freeAfterSweep() throws Throwable {
        AtomicReference<Frame> left = new AtomicReference<>();
        elsewhere(() -> left.set(labyrinth.allocPages(MINE, 4)));
        mustBe(labyrinth.sweepDeadOwners() == 16, "the sweep took it");
        left.get().close();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=IN_TRANSIT order=0", ENDED}, out = 1)
    void freeAfterHandOver() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.handOff();
        frame.close();
    }

    @Outcome(type = Stale.class, says = {"hand-over refused", "the frame is state=FREE order=0", ENDED})
    void handOverAfterFree() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.close();
        frame.handOff();
    }

    @Outcome(type = Stale.class, says = {"hand-over refused", "the frame is state=IN_TRANSIT order=0", ENDED}, out = 1)
    void handOverTwice() {
        Frame frame = labyrinth.allocPage(MINE);
        frame.handOff();
        frame.handOff();
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=IN_TRANSIT order=1", ENDED}, out = 2)
    void freeTicket() {
        handles.free(handles.handOff(handles.alloc(MINE, 1)));
    }

    @Outcome(type = Stale.class, says = {"free refused: pfn=0 generation=0,", ENDED})
    void freeNullHandle() {
        victim();
        handles.free(0);
    }

    @Outcome(type = Foreign.class, says = {"free refused: pfn=16777215 generation=1099511627775 frames=64",
        "of another labyrinth, or forged"})
    void freeOfAllOnes() {
        victim();
        handles.free(-1);
    }

    @Outcome(type = Foreign.class, says = {"free refused: pfn=64 ", "frames=64", "of another labyrinth, or forged"})
    void freePastTheEnd() {
        Frame frame = victim(SHARED, 0);
        handles.free(frame.generation() << 24 | FRAMES);
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=TAIL", ENDED})
    void freeTailOfRun() {
        handles.free(handleOf(victim(SHARED, 3)) + 7);
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=TAIL", ENDED})
    void freeMiddleOfRun() {
        handles.free(handleOf(victim(SHARED, 3)) + 4);
    }

    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=", ENDED})
    void freeNeverAllocated() {
        Frame neighbour = victim(SHARED, 0);
        handles.free(handleOf(neighbour) ^ 32);
    }

    @Outcome(type = InvalidRequest.class, says = {"free refused", "was allocated as a Frame",
        "use the Frame or its Ticket"})
    void freeFrameByRawFace() {
        handles.free(handleOf(victim()));
    }

    @Outcome(type = InvalidRequest.class, says = {"hand-over refused", "was allocated as a Frame",
        "use the Frame or its Ticket"})
    void handOverFrameByRawFace() {
        handles.handOff(handleOf(victim()));
    }

    /** A shared frame may be freed by its handle; its Frame is of an ended life then. */
    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=FREE order=0", ENDED})
    void freeSharedFrameByBothFaces() {
        Frame frame = labyrinth.allocPage(SHARED);
        handles.free(handleOf(frame));
        frame.close();
    }
}
