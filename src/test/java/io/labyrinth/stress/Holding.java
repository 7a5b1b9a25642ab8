package io.labyrinth.stress;

import io.labyrinth.Frame;
import io.labyrinth.Handles;
import io.labyrinth.Ticket;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * One life of a run that a thread of an ownership stress holds, as a frame or as a handle, and the stamps all over it.
 */
final class Holding {

    /*
     * In every 64 bytes of a run: its mark, and behind that where it is and in which life it was stamped.
     *
     *   63     62     48 47                    0      63                  24 23        16 15         0
     *  +------+---------+-----------------------+    +----------------------+------------+------------+
     *  | left | thread  | sequence              |    | generation           | 0          | line       |
     *  +------+---------+-----------------------+    +----------------------+------------+------------+
     *
     * A mark is used for one stamping, so that no two runs, and no two lives, are ever alike. The stamp is put together
     * on the heap and copied: with an access for each line the interpreter would do nothing else.
     */

    static final int LINE = 64;
    private static final int LINE_LONGS = LINE / Long.BYTES;
    private static final int SEQUENCE_BITS = 48;
    private static final int GENERATION_AT = 24;

    private final Handles handles;
    final @Nullable Frame frame;
    /** The raw face's name for the run, of a Frame's as well: for those who forge. */
    final long handle;
    final int pfn;
    final int order;
    final long generation;
    final boolean exclusive;
    final Thread holder = Thread.currentThread();
    /** Set by {@link #stamp}, or taken over from the life before. */
    long mark;
    private long stampedGeneration;
    /** Of an EXCLUSIVE frame, once asked for: it has to die with the frame. */
    @Nullable MemorySegment view;

    Holding(Handles handles, Frame frame) {
        this.handles = handles;
        this.frame = frame;
        this.pfn = frame.pfn();
        this.order = frame.order();
        this.generation = frame.generation();
        this.exclusive = frame.isExclusive();
        this.handle = PageWord.first(generation, 0, 0) | pfn;
    }

    Holding(Handles handles, long handle, boolean exclusive) {
        this.handles = handles;
        this.frame = null;
        this.handle = handle;
        this.pfn = handles.pfn(handle);
        this.order = handles.order(handle);
        this.generation = handles.generation(handle);
        this.exclusive = exclusive;
    }

    static long mark(int thread, long sequence) {
        return (long) thread << SEQUENCE_BITS | sequence;
    }

    static String describeMark(long mark) {
        return mark == 0 ? "nobody yet" : "thread " + (mark << 1 >>> SEQUENCE_BITS + 1) + " sequence="
                + (mark & (1L << SEQUENCE_BITS) - 1);
    }

    int end() {
        return pfn + (1 << order);
    }

    long byteSize() {
        return frame != null ? frame.byteSize() : handles.byteSize(handle);
    }

    void close() {
        if (frame != null) {
            frame.close();
        } else {
            handles.free(handle);
        }
    }

    /** Ends this life; the run is what the parcel says. */
    Parcel handOff(int hops) {
        if (frame != null) {
            return new Parcel(this, frame.handOff(), 0, hops);
        }
        return new Parcel(this, null, handles.handOff(handle), hops);
    }

    /** The next life of a run in transit, with the stamp of the last one. */
    Holding accept(Parcel parcel) {
        Ticket ticket = parcel.ticket();
        Holding next = ticket != null ? new Holding(handles, ticket.accept())
                : new Holding(handles, handles.accept(parcel.rawTicket()), exclusive);
        next.mark = mark;
        next.stampedGeneration = stampedGeneration;
        return next;
    }

    // ------------------------------------------------------------------------------------------------ the stamp

    void stamp(long newMark, long[] buffer) {
        mark = newMark;
        stampedGeneration = generation;
        int lines = (int) (byteSize() / LINE);
        if (isByAccess()) {
            for (int line = 0; line < lines; line++) {
                handles.putLong(handle, (long) line * LINE, mark);
                handles.putLong(handle, (long) line * LINE + Long.BYTES, place(line));
            }
            return;
        }
        MemorySegment memory = memory();
        for (int line = 0; line < lines;) {
            int longs = Math.min(buffer.length, (lines - line) * LINE_LONGS);
            long at = (long) line * LINE;
            for (int i = 0; i < longs; i += LINE_LONGS) {
                buffer[i] = mark;
                buffer[i + 1] = place(line++);
            }
            MemorySegment.copy(buffer, 0, memory, ValueLayout.JAVA_LONG, at, longs);
        }
    }

    /** Throws if a single line of it is not as it was stamped. */
    void check(long[] buffer) {
        int lines = (int) (byteSize() / LINE);
        if (isByAccess()) {
            for (int line = 0; line < lines; line++) {
                check(line, handles.getLong(handle, (long) line * LINE),
                        handles.getLong(handle, (long) line * LINE + Long.BYTES));
            }
            return;
        }
        MemorySegment memory = memory();
        for (int line = 0; line < lines;) {
            int longs = Math.min(buffer.length, (lines - line) * LINE_LONGS);
            MemorySegment.copy(memory, ValueLayout.JAVA_LONG, (long) line * LINE, buffer, 0, longs);
            for (int i = 0; i < longs; i += LINE_LONGS) {
                check(line++, buffer[i], buffer[i + 1]);
            }
        }
    }

    void requireZeros() {
        for (long at = 0; at < byteSize(); at += Long.BYTES) {
            if ((isByAccess() ? handles.getLong(handle, at) : memory().get(ValueLayout.JAVA_LONG, at)) != 0) {
                throw new AssertionError(this + " is not zero at offset=" + at + ", although ZERO was asked for");
            }
        }
    }

    /** What is EXCLUSIVE and held by the raw face has no segment. */
    private boolean isByAccess() {
        return frame == null && exclusive;
    }

    private MemorySegment memory() {
        if (frame == null) {
            return handles.segment(handle);
        }
        view = frame.segment();
        return view;
    }

    private long place(int line) {
        return stampedGeneration << GENERATION_AT | line;
    }

    private void check(int line, long foundMark, long foundPlace) {
        if (foundMark != mark || foundPlace != place(line)) {
            throw new AssertionError(this + " was overwritten at offset=" + line * (long) LINE + ": expected "
                    + describe(mark, place(line)) + ", found " + describe(foundMark, foundPlace));
        }
    }

    private static String describe(long mark, long place) {
        return describeMark(mark) + " generation=" + (place >>> GENERATION_AT) + " line="
                + (place & (1 << GENERATION_AT) - 1);
    }

    @Override
    public String toString() {
        return (frame != null ? "frame" : "handle") + " pfn=" + pfn + " order=" + order + " generation=" + generation
                + (exclusive ? " EXCLUSIVE to " + holder.threadId() : "") + " stamped by " + describeMark(mark);
    }
}
