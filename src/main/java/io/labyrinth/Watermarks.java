package io.labyrinth;

import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the number of free frames at a fixed interval, and reports when frames become scarce and when there are
 * enough again: {@link Labyrinth#watermarks}. It reports LOW and HIGH in turns, LOW first.
 */
public final class Watermarks implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Watermarks.class);

    /** What the listener is told. */
    public enum Mark {
        /** At most {@code low} frames are free. */
        LOW,
        /** After LOW: at least {@code high} frames are free. */
        HIGH
    }

    private final Labyrinth labyrinth;
    private final int low;
    private final int high;
    private final long interval;
    private final BiConsumer<Mark, LabyrinthStats> listener;
    private final Thread thread;
    private volatile boolean closed;
    /** Read and written by the looking thread only. */
    private boolean scarce;

    Watermarks(Labyrinth labyrinth, int low, int high, Duration interval, BiConsumer<Mark, LabyrinthStats> listener) {
        int ordinary = labyrinth.map.ordinary;
        if (low < 0 || high <= low || high > ordinary) {
            throw new LabyrinthException.InvalidRequest("labyrinth=" + labyrinth.name() + " low=" + low + " high="
                    + high + " limit=" + ordinary + ": choose 0 <= low < high <= the frames outside the reserve");
        }
        if (interval.compareTo(Duration.ofMillis(1)) < 0 || interval.compareTo(Duration.ofDays(1)) > 0) {
            throw new LabyrinthException.InvalidRequest("interval=" + interval
                    + " limit=1ms to 1 day: a look reads a word of each run; 1 s is usually enough");
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
                    // There is no room for a log message either. The next look may have room.
                }
                Thread.interrupted();    // only a listener interrupts this thread; parking would then not wait
                LockSupport.parkNanos(this, interval);
            }
        } catch (LabyrinthException.Closed ended) {
            // The labyrinth has closed, so the looks end.
        }
    }

    /** One look, and the listener's call if it is due. For one thread. */
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

    /** Ends the looks. Does not wait for a listener call that is under way. */
    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
    }
}
