package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import java.util.concurrent.TimeUnit;

/** Looks at a labyrinth now and then, and keeps the picture that had the most frames out. */
final class PeakSampler {

    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private final Labyrinth labyrinth;
    private String fullest = "";
    private long out = -1;
    private long last;

    PeakSampler(Labyrinth labyrinth) {
        this.labyrinth = labyrinth;
    }

    /** May be called often: it looks only if the last look was long enough ago. */
    void look() {
        if (out < 0 || System.nanoTime() - last > PAUSE_NANOS) {
            last = System.nanoTime();
            String now = labyrinth.picture();
            long outNow = Picture.out(now);
            if (outNow > out) {
                out = outNow;
                fullest = now;
            }
        }
    }

    /** {@link Labyrinth#picture} of the fullest moment; empty if nobody looked. */
    String fullest() {
        return fullest;
    }
}
