package io.labyrinth.misuse;

import io.labyrinth.Frame;
import io.labyrinth.LabyrinthException.NotOwner;
import io.labyrinth.LabyrinthException.Stale;
import io.labyrinth.Ticket;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;

/** Runs that are EXCLUSIVE to one thread, used by another one. */
final class Owners extends Program {

    private static final String REMEDY = "let the owner do it, or hand the frame over first";

    @Outcome(type = NotOwner.class, says = {"free refused", "is EXCLUSIVE to thread=", "caller is thread=", REMEDY})
    void wrongOwnerFree() throws Throwable {
        elsewhere(victim()::close);
    }

    @Outcome(type = NotOwner.class, says = {"free refused", "is EXCLUSIVE to thread=", "caller is thread=", REMEDY})
    void wrongOwnerFreeByVirtualThread() throws Throwable {
        inVirtualThread(victim(MINE, 3)::close);
    }

    @Outcome(type = NotOwner.class, says = {"free refused", "is EXCLUSIVE to thread=", "caller is thread=", REMEDY})
    void wrongOwnerFreeByHandle() throws Throwable {
        long handle = victimHandle(MINE, 0);
        elsewhere(() -> handles.free(handle));
    }

    /** The frame of a virtual thread that has ended, and was not swept. */
    @Outcome(type = NotOwner.class, says = {"free refused", "is EXCLUSIVE to thread=", REMEDY}, out = 1)
    void wrongOwnerFreeOfVirtualThreadsFrame() throws Throwable {
        AtomicReference<Frame> frame = new AtomicReference<>();
        inVirtualThread(() -> frame.set(labyrinth.allocPage(MINE)));
        frame.get().close();
    }

    /** That the owner has ended makes nobody its heir: that is the sweep's to find out. */
    @Outcome(type = NotOwner.class, says = {"free refused", "is EXCLUSIVE to thread=", REMEDY}, out = 4)
    void wrongOwnerFreeOfDeadThreadsFrame() throws Throwable {
        AtomicReference<Frame> frame = new AtomicReference<>();
        elsewhere(() -> frame.set(labyrinth.allocPages(MINE, 2)));
        frame.get().close();
    }

    @Outcome(type = NotOwner.class, says = {"hand-over refused", "is EXCLUSIVE to thread=", REMEDY})
    void wrongOwnerHandOver() throws Throwable {
        elsewhere(victim()::handOff);
    }

    @Outcome(type = NotOwner.class, says = {"hand-over refused", "is EXCLUSIVE to thread=", REMEDY})
    void wrongOwnerHandOverByHandle() throws Throwable {
        long handle = victimHandle(MINE, 1);
        elsewhere(() -> handles.handOff(handle));
    }

    @Outcome(type = WrongThreadException.class, says = {"segment refused", "is EXCLUSIVE to thread=", REMEDY}, out = 1)
    void wrongOwnerSegment() throws Throwable {
        Frame frame = labyrinth.allocPage(MINE);
        elsewhere(frame::segment);
    }

    @Outcome(type = WrongThreadException.class, says = "Attempted access outside owning thread")
    void wrongOwnerRead() throws Throwable {
        MemorySegment segment = victim().segment();
        elsewhere(() -> segment.get(LONG, 0));
    }

    @Outcome(type = WrongThreadException.class, says = "Attempted access outside owning thread")
    void wrongOwnerWrite() throws Throwable {
        MemorySegment segment = victim().segment();
        elsewhere(() -> segment.set(LONG, 0, 1));
    }

    @Outcome(type = WrongThreadException.class, says = "Attempted access outside owning thread")
    void wrongOwnerWriteByVirtualThread() throws Throwable {
        MemorySegment segment = victim().segment();
        inVirtualThread(() -> segment.fill((byte) 1));
    }

    @Outcome(type = NotOwner.class, says = {"access refused", "is EXCLUSIVE to thread=", REMEDY})
    void wrongOwnerReadByHandle() throws Throwable {
        long handle = victimHandle(MINE, 0);
        elsewhere(() -> handles.getLong(handle, 0));
    }

    @Outcome(type = NotOwner.class, says = {"access refused", "is EXCLUSIVE to thread=", REMEDY})
    void wrongOwnerWriteByHandle() throws Throwable {
        long handle = victimHandle(MINE, 0);
        elsewhere(() -> handles.putByte(handle, 0, (byte) 1));
    }

    /** Not even by the raw face's handle for a Frame. */
    @Outcome(type = NotOwner.class, says = {"access refused", "is EXCLUSIVE to thread=", REMEDY})
    void wrongOwnerWriteByHandleOfFrame() throws Throwable {
        long handle = handleOf(victim());
        elsewhere(() -> handles.putLong(handle, 0, 1));
    }

    @Outcome(type = NotOwner.class, says = {"address refused", "is EXCLUSIVE to thread=", REMEDY})
    void wrongOwnerAddress() throws Throwable {
        long handle = victimHandle(MINE, 0);
        elsewhere(() -> handles.address(handle));
    }

    /** The taker owns it; the giver is not even one with a live frame. */
    @Outcome(type = Stale.class, says = {"free refused", "the frame is state=HEAD order=0", "EXCLUSIVE"}, out = 1)
    void giverFreesWhatTheTakerHas() throws Throwable {
        Frame given = labyrinth.allocPage(MINE);
        elsewhere(given.handOff()::accept);
        given.close();
    }

    @Outcome(type = NotOwner.class, says = {"free refused", "is EXCLUSIVE to thread=", REMEDY}, out = 1)
    void giverFreesTheTakersFrame() throws Throwable {
        AtomicReference<Frame> taken = new AtomicReference<>();
        Frame given = labyrinth.allocPage(MINE);
        Ticket ticket = given.handOff();
        elsewhere(() -> taken.set(ticket.accept()));
        taken.get().close();
    }
}
