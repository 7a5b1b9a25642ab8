package io.labyrinth.netty;

/**
 * The labyrinth has no free run for a buffer, and nobody else was named to be asked. An {@link OutOfMemoryError}, as
 * Netty's own for direct memory is: a channel that gets one while it reads closes, and the event loop goes on.
 */
public final class OutOfFramesError extends OutOfMemoryError {

    private static final long serialVersionUID = 1L;

    OutOfFramesError(String message) {
        super(message);
    }
}
