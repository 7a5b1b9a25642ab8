package io.labyrinth.model;

import io.labyrinth.Frame;
import io.labyrinth.Ticket;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** One life of one run, as the model has it, and the objects that stand for it. */
final class ModelRun {

    /** A ticket's becomes HELD with its acceptance. */
    enum State { HELD, IN_TRANSIT, ENDED }

    final long handle;
    final int order;
    final boolean exclusive;
    /** EXCLUSIVE, and a Frame's; a ticket's until the raw face accepts it. */
    boolean framed;
    State state;
    /** The thread that has claimed or accepted it. */
    @Nullable Thread owner;
    @Nullable Frame frame;
    @Nullable Ticket ticket;
    /** What the owner of an EXCLUSIVE frame had from it. */
    @Nullable MemorySegment segment;
    /** The owner has ended the descriptor, if not the life: that ended before. */
    boolean gaveUp;

    ModelRun(long handle, int order, boolean exclusive, boolean framed, State state) {
        this.handle = handle;
        this.order = order;
        this.exclusive = exclusive;
        this.framed = framed;
        this.state = state;
    }

    boolean isOut() {
        return state != State.ENDED;
    }

    int pfn() {
        return PageWord.pfn(handle);
    }

    int frames() {
        return 1 << order;
    }

    @Override
    public String toString() {
        return PageWord.describeHandle(handle) + " order=" + order + (exclusive ? " EXCLUSIVE" : "")
                + (framed ? " FRAMED" : "") + " " + state + " owner=" + owner;
    }
}
