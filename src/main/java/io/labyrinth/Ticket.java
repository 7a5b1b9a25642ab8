package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;

/**
 * A frame in transit between owners. It belongs to nobody until somebody accepts the ticket, which succeeds once.
 *
 * <p>A ticket that is dropped keeps its frame out: whoever gives up a queue of tickets accepts and closes each.
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
     * The frame, now the calling thread's, with what the giver wrote. One CAS.
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
     * The ticket as a number, for another process that shares the labyrinth: good once there, by
     * {@link Labyrinth#accept} or {@link Handles#accept}, or once here, by {@link #accept}.
     */
    public long handle() {
        return ticket;
    }

    /** Number of the first frame within the labyrinth. */
    public int pfn() {
        return PageWord.pfn(ticket);
    }

    /** The run has 2^order frames. */
    public int order() {
        return order;
    }

    @Override
    public String toString() {
        return "ticket " + PageWord.describeHandle(ticket) + " order=" + order;
    }
}
