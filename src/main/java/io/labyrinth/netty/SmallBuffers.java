package io.labyrinth.netty;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Slab;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The place of buffers of up to 2,048 bytes: a slab for each power of two from 256 bytes to 2,048. The slabs open with
 * the allocator, because an opening calls the system, and no event loop should do that. Any thread may call every
 * method.
 */
final class SmallBuffers {

    /*
     * A slab keeps the frames that its objects have left, because the next objects want them. But no large buffer may
     * be refused because of such frames. So a request that finds the labyrinth exhausted gives them back first. It does
     * so only if a small buffer was released since the last time: a look through all slabs takes microseconds, and
     * otherwise each request to a labyrinth that stays exhausted would pay for it.
     */

    static final int LEAST = 256;
    static final int MOST = 2048;

    private static final Logger LOG = LoggerFactory.getLogger(SmallBuffers.class);
    private static final int LEAST_SHIFT = Integer.numberOfTrailingZeros(LEAST);
    private static final int SIZES = Integer.numberOfTrailingZeros(MOST) - LEAST_SHIFT + 1;

    private final Labyrinth labyrinth;
    /** By size. Null if the system refused the memory for a slab's words: buffers of this size take frames. */
    private final @Nullable Slab[] slabs = new Slab[SIZES];
    /** Whether an object was freed since the last trim began. */
    private volatile boolean anyFreed;
    private final AtomicBoolean trimming = new AtomicBoolean();

    /** Calls the system. On failure no slab stays open. */
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

    /** Bytes of the object that a small buffer takes. */
    static int bytesFor(int bytes) {
        return 1 << LEAST_SHIFT + index(bytes);
    }

    /** ceil(log2(bytes)) - LEAST_SHIFT, at least 0. */
    private static int index(int bytes) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(bytes - 1, 0) >> LEAST_SHIFT);
    }

    /** The slab for a buffer of so many bytes; null if the buffer has to take a run. */
    @Nullable Slab slab(int bytes) {
        return bytes > MOST ? null : slabs[index(bytes)];
    }

    private @Nullable Slab open(int index) {
        try {
            return labyrinth.slab(LEAST << index);
        } catch (LabyrinthException.LockRefused | LabyrinthException.MapRefused refusal) {
            LOG.warn("{}: buffers of up to {} bytes take a frame each, because there is no slab for them: {}",
                    labyrinth, LEAST << index, refusal.getMessage());
            return null;
        }
    }

    /** Whether the slab has as many frames as its own limit allows. If not, the labyrinth refused it a frame. */
    boolean isFull(Slab slab) {
        return slab.frames() * (labyrinth.frameSize() / slab.objectBytes()) >= slab.objects();
    }

    void free(Slab slab, long object) {
        slab.free(object);
        if (!anyFreed) {
            anyFreed = true;
        }
    }

    /** @return the frames given back; also 0 while another thread does it */
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
                anyFreed = true;    // the next trim looks at the slabs that this one did not
            }
            trimming.set(false);
        }
    }

    /** Frames of all slabs, with buffers in them or not. */
    int frames() {
        int frames = 0;
        for (int i = 0; i < SIZES; i++) {
            Slab slab = slabs[i];
            frames += slab == null ? 0 : slab.frames();
        }
        return frames;
    }
}
