package io.labyrinth.netty;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A labyrinth's memory from one place on, seen as one ByteBuffer, so that a buffer is an offset and no object of its
 * own. Its scope is that of the labyrinth: once that is closed every access is refused, and while a channel uses it,
 * that cannot close. A record, as the memory model publishes a record's fields safely through a plain array.
 *
 * @param memory what is behind {@code start}
 * @param start  the lowest place that has been used so far, in bytes from the labyrinth's first frame on
 */
record Window(ByteBuffer memory, long start) {

    static final int MAX_BYTES_SHIFT = 30;
    /** Less than 2 GiB, the most that a ByteBuffer has, and a multiple of the largest run. */
    static final long MAX_BYTES = 1L << MAX_BYTES_SHIFT;

    /** From what its caller holds to the window's end. */
    @SuppressWarnings("restricted")
    static Window from(MemorySegment held, long start, long end) {
        return new Window(held.reinterpret(end - start).asByteBuffer(), start);
    }
}
