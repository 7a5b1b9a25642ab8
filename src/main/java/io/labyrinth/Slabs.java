package io.labyrinth;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The open slabs of a labyrinth. They are described, checked and closed together with the labyrinth. */
final class Slabs {

    private final Allocator labyrinth;
    private final Set<Slab> open = ConcurrentHashMap.newKeySet();

    Slabs(Allocator labyrinth) {
        this.labyrinth = labyrinth;
    }

    /** A close that has begun holds the labyrinth's monitor. It knows the slab, or the slab does not open. */
    Slab add(Slab slab) {
        try {
            synchronized (labyrinth) {
                labyrinth.checkOpen();
                open.add(slab);
            }
            return slab;
        } catch (Throwable e) {
            slab.discard();
            throw e;
        }
    }

    /** The slab has ended, by its own close or by the labyrinth's. */
    void remove(Slab slab) {
        open.remove(slab);
    }

    int shrink() {
        int freed = 0;
        for (Slab slab : open) {
            freed += Math.max(0, slab.shrink());
        }
        return freed;
    }

    @Nullable String violation() {
        for (Slab slab : open) {
            String violation = slab.violation();
            if (violation != null) {
                return violation;
            }
        }
        return null;
    }

    /** A line for each slab that has frames, and more lines if claims are sampled. */
    String describe() {
        return open.stream().map(Slab::describeFrames).filter(line -> !line.isEmpty()).sorted()
                .map(line -> "\n" + line).collect(Collectors.joining());
    }

    // ----------------------------------------------------------------- while the labyrinth closes, under its monitor

    void shrinkAtLast() {
        for (Slab slab : open) {
            slab.shrinkAtLast();
        }
    }

    void watch(boolean closing) {
        for (Slab slab : open) {
            slab.watch(closing);
        }
    }

    /** Ends each open slab. If the system refuses one, the others end all the same. */
    void end() {
        LabyrinthException.CloseRefused refusal = null;
        for (Slab slab : open) {
            try {
                slab.end();
            } catch (LabyrinthException.CloseRefused e) {
                refusal = e;
            }
        }
        if (refusal != null) {
            throw refusal;
        }
    }
}
