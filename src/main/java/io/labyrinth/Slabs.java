package io.labyrinth;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A labyrinth's open slabs: what they keep is asked for, checked and ended with it. */
final class Slabs {

    private final FrameAllocator labyrinth;
    private final Set<Slab> open = ConcurrentHashMap.newKeySet();

    Slabs(FrameAllocator labyrinth) {
        this.labyrinth = labyrinth;
    }

    /** A close under way, which holds the labyrinth's monitor, knows of the slab, or it does not open. */
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

    /** A line for each that has frames, and more where claims are sampled. */
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

    /** Each that has not ended; one that the system refuses keeps no other from its end. */
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
