package io.labyrinth.misuse;

import io.labyrinth.Frame;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthException.Foreign;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.Stale;
import io.labyrinth.Ticket;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;

/** Handles and tickets that are invented, used twice, or of another labyrinth. */
final class Forgeries extends Program {

    private static final String ENDED = "this life of it has ended (freed, handed over or swept before)";

    /** As a call is refused, so is each that follows it: the last refusal is thrown. */
    private static LabyrinthException refused(LabyrinthException before, long forged, Runnable use) {
        try {
            use.run();
        } catch (Stale | Foreign e) {
            return e;
        }
        throw new AssertionError("taken: " + Long.toHexString(forged), before);
    }

    private LabyrinthException refusedEverywhere(long forged) {
        LabyrinthException end = refused(null, forged, () -> handles.free(forged));
        end = refused(end, forged, () -> handles.handOff(forged));
        end = refused(end, forged, () -> handles.accept(forged));
        end = refused(end, forged, () -> handles.getLong(forged, 0));
        end = refused(end, forged, () -> handles.putByte(forged, 0, (byte) 1));
        end = refused(end, forged, () -> handles.address(forged));
        return refused(end, forged, () -> handles.order(forged));
    }

    /** Each bit of a good handle, alone. */
    @Outcome(type = Stale.class, says = {"order refused: pfn=", "the frame is state=HEAD order=0", ENDED})
    void forgedHandleBits() {
        long good = victimHandle(SHARED, 0);
        LabyrinthException end = null;
        for (int bit = 0; bit < Long.SIZE; bit++) {
            end = refusedEverywhere(good ^ 1L << bit);
        }
        throw end;
    }

    @Outcome(type = Stale.class, says = {"order refused", ENDED})
    void forgedHandleAtRandom() {
        long good = victimHandle(SHARED, 2);
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 10_000; i++) {
            refusedEverywhere(good ^ random.nextLong(1, Long.MAX_VALUE));
        }
        throw refusedEverywhere(good + (1L << 24));
    }

    /** The life before, and the one to come. */
    @Outcome(type = Stale.class, says = {"order refused", "the frame is state=HEAD order=1", ENDED})
    void forgedGeneration() {
        long good = victimHandle(SHARED, 1);
        refusedEverywhere(good + (1L << 24));
        throw refusedEverywhere(good - (1L << 24));
    }

    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=HEAD order=0", ENDED})
    void forgedTicketOfHandle() {
        handles.accept(victimHandle(MINE, 0));
    }

    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=HEAD order=0", ENDED})
    void forgedTicketOfNextLife() {
        handles.accept(victimHandle(SHARED, 0) + (1L << 24));
    }

    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=FREE order=", ENDED})
    void forgedTicketOfFreeFrame() {
        handles.accept(victimHandle(SHARED, 0) ^ 32);
    }

    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=HEAD order=0", ENDED}, out = 1)
    void ticketAcceptedTwice() {
        Ticket ticket = labyrinth.allocPage(MINE).handOff();
        ticket.accept();
        ticket.accept();
    }

    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=FREE order=0", ENDED})
    void ticketAcceptedAfterItsFrameWasFreed() {
        Ticket ticket = labyrinth.allocPage(MINE).handOff();
        ticket.accept().close();
        ticket.accept();
    }

    /** Another ticket is out for that frame. */
    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=IN_TRANSIT order=0", ENDED}, out = 1)
    void ticketAcceptedStale() {
        Ticket ticket = labyrinth.allocPage(MINE).handOff();
        ticket.accept().handOff();
        ticket.accept();
    }

    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=HEAD order=2", ENDED}, out = 4)
    void ticketAcceptedTwiceByHandle() {
        long ticket = handles.handOff(handles.alloc(SHARED, 2));
        handles.accept(ticket);
        handles.accept(ticket);
    }

    /** Two at once: one of them gets the frame, the other is told. */
    @Outcome(type = Stale.class, says = {"accept refused", "the frame is state=HEAD order=0", ENDED}, out = 1)
    void ticketAcceptedAtOnce() throws Throwable {
        Ticket ticket = labyrinth.allocPage(MINE).handOff();
        CountDownLatch start = new CountDownLatch(1);
        AtomicReference<LabyrinthException> theirs = new AtomicReference<>();
        Thread other = Thread.ofPlatform().start(() -> {
            try {
                start.await();
                ticket.accept();
            } catch (LabyrinthException e) {
                theirs.set(e);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        start.countDown();
        LabyrinthException mine = null;
        try {
            ticket.accept();
        } catch (LabyrinthException e) {
            mine = e;
        }
        other.join();
        mustBe((mine == null) != (theirs.get() == null), "exactly one was refused");
        throw mine != null ? mine : theirs.get();
    }

    /** In transit nothing of a frame lives on: either face may accept it, and only once. */
    @Outcome(type = Stale.class, says = {"accept refused", ENDED})
    void ticketAcceptedByBothFaces() {
        Frame frame = labyrinth.allocPage(MINE);
        Ticket ticket = frame.handOff();
        handles.free(handles.accept(handleOf(frame) + (1L << 24)));
        ticket.accept();
    }

    /** By chance, says the contract, and by odds of one to 2^32. */
    @Outcome(type = Stale.class, says = {"free refused", ENDED})
    void foreignHandleFree() {
        try (Labyrinth other = Labyrinth.builder("other").frames(FRAMES).open()) {
            long theirs = other.handles().alloc(SHARED, 0);
            mustBe(handles.pfn(victimHandle(SHARED, 0)) == handles.pfn(theirs), "the same pfn is out here, too");
            try {
                handles.free(theirs);
            } finally {
                other.handles().free(theirs);
                other.validate();
            }
        }
    }

    @Outcome(type = Foreign.class, says = {"access refused: pfn=", "frames=64", "of another labyrinth, or forged"})
    void foreignHandleOfLargerLabyrinth() {
        try (Labyrinth other = Labyrinth.builder("other").frames(256).open()) {
            long low = other.handles().alloc(SHARED, 7);
            long theirs = other.handles().alloc(SHARED, 7);
            try {
                handles.getLong(Math.max(low, theirs), 0);
            } finally {
                other.handles().free(low);
                other.handles().free(theirs);
                other.validate();
            }
        }
    }
}
