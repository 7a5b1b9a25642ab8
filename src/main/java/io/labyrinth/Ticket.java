package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;

/**
 * A frame in transit between owners. It belongs to nobody until a thread accepts the ticket. Any thread may accept; it
 * succeeds once.
 *
 * <p>A dropped ticket keeps its frame out. Before a queue of tickets is given up, accept each ticket and close its
 * frame.
 */
public final class Ticket {

    private final Allocator labyrinth;
    private final int order;
    private final boolean exclusive;
    /** The handle of the next life; 0 until the frame is in transit. */
    long ticket;

    Ticket(Allocator labyrinth, int order, boolean exclusive) {
        this.labyrinth = labyrinth;
        this.order = order;
        this.exclusive = exclusive;
    }

    /**
     * Accepts the frame, with what the giver has written. The calling thread becomes its owner. One CAS; makes no
     * system call.
     *
     * @throws LabyrinthException.Stale if the ticket was accepted before
     */
    public Frame accept() {
        Thread me = Thread.currentThread();
        Frame frame = new Frame(labyrinth, order, exclusive ? me : null);
        frame.handle = labyrinth.accept(ticket, me, Lease.FLAGS);
        return frame;
    }

    /**
     * The ticket as a number, for another process that shares the labyrinth. It can be accepted once: there, by
     * {@link Labyrinth#accept} or {@link Handles#accept}, or here, by {@link #accept}.
     */
    public long handle() {
        return ticket;
    }

    /** Number of the first frame within the labyrinth. */
    public int pfn() {
        return PageWord.pfn(ticket);
    }

    /** The run has 2^order frames: 0 to 10. */
    public int order() {
        return order;
    }

    @Override
    public String toString() {
        return "ticket " + PageWord.describeHandle(ticket) + " order=" + order;
    }
}
