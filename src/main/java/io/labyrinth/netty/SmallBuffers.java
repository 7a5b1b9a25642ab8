package io.labyrinth.netty;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Slab;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where buffers of up to half a page live: a slab for each power of two from 256 bytes to 2,048, opened with the
 * allocator, as to open one calls the system, which no event loop should do. Any thread may call all of it.
 */
final class SmallBuffers {

    /*
     * A slab keeps the frames that its objects have left, as the next ones will want them; but a frame that small
     * buffers have left must not be what a large one is refused for. So whoever finds the labyrinth exhausted gives
     * them back first, if a small buffer was released since the last time: to look through all slabs takes
     * microseconds, and at a labyrinth that stays exhausted each request would pay for them.
     */

    static final int LEAST = 256;
    static final int MOST = 2048;

    private static final Logger LOG = LoggerFactory.getLogger(SmallBuffers.class);
    private static final int LEAST_SHIFT = Integer.numberOfTrailingZeros(LEAST);
    private static final int SIZES = Integer.numberOfTrailingZeros(MOST) - LEAST_SHIFT + 1;

    private final Labyrinth labyrinth;
    /** None where the labyrinth could not have the words of one: such buffers take frames. */
    private final @Nullable Slab[] slabs = new Slab[SIZES];
    /** Whether an object was freed since the last look at what could be given back. */
    private volatile boolean anyFreed;
    private final AtomicBoolean trimming = new AtomicBoolean();

    /** May call the system. On failure no slab stays. */
    SmallBuffers(Labyrinth labyrinth) {
        this.labyrinth = labyrinth;
        try {
            for (int i = 0; i < SIZES; i++) {
                slabs[i] = open(i);
            }
        } catch (Throwable e) {
            for (Slab slab : slabs) {
                close(slab, e);
            }
            throw e;
        }
    }

    /** @param failure to be told first; a slab that cannot be closed is closed with its labyrinth */
    private static void close(@Nullable Slab slab, Throwable failure) {
        try {
            if (slab != null) {
                slab.close();
            }
        } catch (LabyrinthException refused) {
            failure.addSuppressed(refused);
        }
    }

    /** What a small buffer takes. */
    static int bytesFor(int bytes) {
        return 1 << LEAST_SHIFT + index(bytes);
    }

    /** ceil(log2(bytes)), from that of the least on. */
    private static int index(int bytes) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(bytes - 1, 0) >> LEAST_SHIFT);
    }

    /** For a buffer of so many bytes; null if it has to take a run. */
    @Nullable Slab slab(int bytes) {
        return bytes > MOST ? null : slabs[index(bytes)];
    }

    private @Nullable Slab open(int index) {
        try {
            return labyrinth.slab(LEAST << index);
        } catch (LabyrinthException.LockRefused | LabyrinthException.MapRefused refusal) {
            LOG.warn("{}: buffers of up to {} bytes take a frame each, as there is no slab for them: {}", labyrinth,
                    LEAST << index, refusal.getMessage());
            return null;
        }
    }

    /** Whether it is its own limit that it gives nothing more, and not the labyrinth's. */
    boolean isFull(Slab slab) {
        return slab.frames() * (labyrinth.frameSize() / slab.objectBytes()) >= slab.objects();
    }

    void free(Slab slab, long object) {
        slab.free(object);
        if (!anyFreed) {
            anyFreed = true;
        }
    }

    /** @return the frames given back; 0 also where another thread is at it */
    int trim() {
        if (!anyFreed || !trimming.compareAndSet(false, true)) {
            return 0;
        }
        boolean all = false;
        try {
            anyFreed = false;
            int freed = 0;
            boolean busy = false;
            for (int i = 0; i < SIZES; i++) {
                Slab slab = slabs[i];
                int ofSlab = slab == null ? 0 : slab.shrink();
                busy |= ofSlab < 0;
                freed += Math.max(0, ofSlab);
            }
            all = !busy;
            return freed;
        } finally {
            if (!all) {
                anyFreed = true;    // what was not looked at is for the next time
            }
            trimming.set(false);
        }
    }

    /** Frames that slabs have, whether buffers are in them or not. */
    int frames() {
        int frames = 0;
        for (int i = 0; i < SIZES; i++) {
            Slab slab = slabs[i];
            frames += slab == null ? 0 : slab.frames();
        }
        return frames;
    }
}
