package io.labyrinth;

import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at how many frames are free, time and again, and tells when they become scarce and when there are enough again:
 * {@link Labyrinth#watermarks}. LOW and HIGH are told in turns, LOW first.
 */
public final class Watermarks implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Watermarks.class);

    /** What has happened. */
    public enum Mark {
        /** No more frames are free than the low mark says. */
        LOW,
        /** After LOW: as many frames are free as the high mark says, or more. */
        HIGH
    }

    private final Labyrinth labyrinth;
    private final int low;
    private final int high;
    private final long interval;
    private final BiConsumer<Mark, LabyrinthStats> listener;
    private final Thread thread;
    private volatile boolean closed;
    /** The looks' own. */
    private boolean scarce;

    Watermarks(Labyrinth labyrinth, int low, int high, Duration interval, BiConsumer<Mark, LabyrinthStats> listener) {
        int ordinary = labyrinth.map.ordinary;
        if (low < 0 || high <= low || high > ordinary) {
            throw new LabyrinthException.InvalidRequest("labyrinth=" + labyrinth.name() + " low=" + low + " high="
                    + high + " limit=" + ordinary + ": 0 <= low < high <= the frames outside of the reserve");
        }
        if (interval.compareTo(Duration.ofMillis(1)) < 0 || interval.compareTo(Duration.ofDays(1)) > 0) {
            throw new LabyrinthException.InvalidRequest("interval=" + interval
                    + " limit=1ms to 1 day: a look reads a word of each run; once a second is often");
        }
        this.labyrinth = labyrinth;
        this.low = low;
        this.high = high;
        this.interval = interval.toNanos();
        this.listener = Objects.requireNonNull(listener);
        this.thread = Thread.ofPlatform().daemon().name("labyrinth-watermarks-" + labyrinth.name())
                .unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    private void run() {
        try {
            while (!closed) {
                try {
                    look();
                } catch (OutOfMemoryError unseen) {
                    // Nor is there room to say so. The next look may have some.
                }
                Thread.interrupted();    // a listener's own, and nobody else's: with it, parking would not wait
                LockSupport.parkNanos(this, interval);
            }
        } catch (LabyrinthException.Closed ended) {
            // And so do the looks.
        }
    }

    /** One look, and what follows from it. For one thread. */
    void look() {
        int free = labyrinth.free();
        if (scarce ? free >= high : free <= low) {
            scarce = !scarce;
            try {
                listener.accept(scarce ? Mark.LOW : Mark.HIGH, labyrinth.stats());
            } catch (LabyrinthException.Closed ended) {
                throw ended;
            } catch (RuntimeException | Error e) {
                LOG.warn("labyrinth={} a listener of its watermarks failed", labyrinth.name(), e);
            }
        }
    }

    /** Ends the looks; a call that is under way comes to its end. */
    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
    }
}
