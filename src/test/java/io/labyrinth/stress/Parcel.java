package io.labyrinth.stress;

import io.labyrinth.Ticket;
import org.jspecify.annotations.Nullable;

/**
 * A run on its way from thread to thread: in transit, by one of the two kinds of ticket, or, if it is not EXCLUSIVE and
 * has neither, just as it is.
 *
 * @param run  the life of it that the sender held, with what is written there
 * @param hops how many threads are to pass it on before one frees it
 */
record Parcel(Holding run, @Nullable Ticket ticket, long rawTicket, int hops) {

    boolean isInTransit() {
        return ticket != null || rawTicket != 0;
    }
}
