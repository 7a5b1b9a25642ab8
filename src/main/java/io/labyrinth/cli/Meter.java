package io.labyrinth.cli;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * One thread's allocations: how many, how long each took, and whether the first touch of what it got made the kernel
 * work. For the thread that made it.
 */
final class Meter implements AutoCloseable {

    /*
     * How page faults are put down to frames. The kernel counts them for each thread. Around a loop that writes a byte
     * to each page of a run, and does nothing else, the difference is what these pages cost: had one of them not been
     * there, its first touch after the allocation would have faulted. That costs six system calls, so 1 allocation in
     * so many is watched; and when all is done, each page of the labyrinth.
     *
     * The loop is run before on other memory, so that its own first steps (linking, code, stack) are not counted.
     */

    private static final int REHEARSALS = 2_000;
    private static final long LONGEST_NANOS = TimeUnit.MINUTES.toNanos(1);

    final Histogram nanos = new Histogram(LONGEST_NANOS, 3);
    private final FaultCounter faults = FaultCounter.ofThisThread();
    private final byte[] before = new byte[1024];
    private final byte[] after = new byte[1024];
    private final long pageSize;
    private final int watched;
    long runs;
    long frames;
    long nulls;
    long watchedPages;
    long frameFaults;

    /**
     * @param watched one allocation in so many has its first touch watched
     */
    Meter(long pageSize, int watched) throws IOException {
        this.pageSize = pageSize;
        this.watched = watched;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment other = arena.allocate(pageSize, pageSize);
            for (int i = 0; i < REHEARSALS; i++) {
                watch(other);
            }
        }
        watchedPages = 0;
        frameFaults = 0;
    }

    @Nullable Frame alloc(Labyrinth labyrinth, Gfp gfp, int order) {
        long start = System.nanoTime();
        Frame frame = labyrinth.allocPages(gfp, order);
        nanos.recordValue(Math.min(System.nanoTime() - start, LONGEST_NANOS));
        if (frame == null) {
            nulls++;
            return null;
        }
        if (runs++ % watched == 0) {
            watch(frame.segment());
        }
        frames += 1L << order;
        return frame;
    }

    private void watch(MemorySegment run) {
        try {
            // The stack that a read needs, at this depth: its fault would be counted after its text.
            faults.read(before);
            int first = faults.read(before);
            touch(run, pageSize);
            int second = faults.read(after);
            frameFaults += FaultCounter.parse(after, second).since(FaultCounter.parse(before, first)).both();
            watchedPages += run.byteSize() / pageSize;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void touch(MemorySegment run, long pageSize) {
        for (long at = 0; at < run.byteSize(); at += pageSize) {
            run.set(ValueLayout.JAVA_BYTE, at, (byte) 0);
        }
    }

    /** Claims all that is free, the reserve included, and watches the first touch of each page. */
    void watchAll(Labyrinth labyrinth) {
        List<Frame> all = new ArrayList<>();
        Gfp gfp = Gfp.NOWAIT.with(Gfp.HIGH).with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);
        try {
            for (int order = Labyrinth.MAX_ORDER; order >= 0; order--) {
                Frame frame = labyrinth.allocPages(gfp, order);
                while (frame != null) {
                    all.add(frame);
                    watch(frame.segment());
                    frame = labyrinth.allocPages(gfp, order);
                }
            }
        } finally {
            all.forEach(Frame::close);
        }
    }

    /** Adds another thread's figures, when that has ended. */
    void add(Meter other) {
        nanos.add(other.nanos);
        runs += other.runs;
        frames += other.frames;
        nulls += other.nulls;
        watchedPages += other.watchedPages;
        frameFaults += other.frameFaults;
    }

    @Override
    public void close() throws IOException {
        faults.close();
    }
}
