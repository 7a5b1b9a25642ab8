package io.labyrinth.netty;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A labyrinth's memory from one place on, as one ByteBuffer. So a Netty buffer is an offset into it, and needs no view
 * of its own. Its scope is the labyrinth's: after the labyrinth is closed, every access is refused; while a channel
 * uses it, the labyrinth cannot close. It is a record because a record's fields are final: a plain array publishes it
 * safely.
 *
 * @param memory the memory from {@code start} on
 * @param start  the lowest place that has been used so far, in bytes from the labyrinth's first frame on
 */
record Window(ByteBuffer memory, long start) {

    static final int MAX_BYTES_SHIFT = 30;
    /** Less than 2 GiB, which is a ByteBuffer's limit, and a multiple of the largest run. */
    static final long MAX_BYTES = 1L << MAX_BYTES_SHIFT;

    /** From the run or the object that the caller holds to {@code end}. */
    @SuppressWarnings("restricted")
    static Window from(MemorySegment held, long start, long end) {
        return new Window(held.reinterpret(end - start).asByteBuffer(), start);
    }
}
