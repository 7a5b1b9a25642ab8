package io.labyrinth.netty;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A labyrinth's memory from one run on, seen as one ByteBuffer, so that a buffer is an offset and no object of its own.
 * Its scope is that of the labyrinth: once that is closed every access is refused, and while a channel uses it, that
 * cannot close. A record, as the memory model publishes a record's fields safely through a plain array.
 *
 * @param memory   starts at frame {@code firstPfn}
 * @param firstPfn the lowest run that has been seen so far
 */
record Window(ByteBuffer memory, int firstPfn) {

    /** Less than 2 GiB, the most that a ByteBuffer has, and a multiple of the largest run. */
    static final long MAX_BYTES = 1L << 30;

    /** From this run, which its caller holds, to the window's end. */
    @SuppressWarnings("restricted")
    static Window from(MemorySegment run, int firstPfn, long bytes) {
        return new Window(run.reinterpret(bytes).asByteBuffer(), firstPfn);
    }
}
