package io.labyrinth.netty;

/**
 * The labyrinth has no free run for a buffer, and no other allocator was named. It is an {@link OutOfMemoryError}, as
 * Netty's own error for direct memory is. A channel that gets one while it reads closes, and the event loop goes on.
 */
public final class OutOfFramesError extends OutOfMemoryError {

    private static final long serialVersionUID = 1L;

    OutOfFramesError(String message) {
        super(message);
    }
}
