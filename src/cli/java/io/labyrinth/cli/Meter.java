package io.labyrinth.cli;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * One thread's allocations: how many, how long each took, and whether the first touch of a run faulted. Only the thread
 * that made it may use it.
 */
final class Meter implements AutoCloseable {

    /*
     * How page faults are put down to frames. The kernel counts them for each thread. A loop writes a byte to each page
     * of a run, and does nothing else. The difference of the counts around it is what these pages cost, and now and
     * then a fault of the JVM's own (a page of its code that the kernel had taken back, a new page of stack or heap).
     * So the kernel is asked before, in /proc/self/pagemap, which pages of the run have memory. A page that has memory
     * does not fault. So a run has at most as many faults as it has pages without memory. All this costs six system
     * calls, so only 1 allocation in some is watched. At the end each page of the labyrinth is watched.
     */

    private static final long LONGEST_NANOS = TimeUnit.MINUTES.toNanos(1);

    final Histogram nanos = new Histogram(LONGEST_NANOS, 3);
    private final FaultCounter faults = FaultCounter.ofThisThread();
    private final RandomAccessFile pagemap = new RandomAccessFile("/proc/self/pagemap", "r");
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
     * @param watched watches the first touch of 1 allocation in this many
     */
    Meter(long pageSize, int watched) throws IOException {
        this.pageSize = pageSize;
        this.watched = watched;
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
            long absent = absentPages(run);
            int first = faults.read(before);
            touch(run, pageSize);
            int second = faults.read(after);
            long faulted = FaultCounter.parse(after, second).since(FaultCounter.parse(before, first)).both();
            frameFaults += Math.min(faulted, absent);
            watchedPages += run.byteSize() / pageSize;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Pages that have no memory now. Bit 63 of a page's eight bytes says that the page has memory. */
    private long absentPages(MemorySegment run) throws IOException {
        byte[] entries = new byte[(int) (run.byteSize() / pageSize * Long.BYTES)];
        pagemap.seek(run.address() / pageSize * Long.BYTES);
        pagemap.readFully(entries);
        long absent = 0;
        for (int entry = 0; entry < entries.length; entry += Long.BYTES) {
            // Little-endian numbers have their highest byte last.
            int highest = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? entry + Long.BYTES - 1 : entry;
            absent += entries[highest] < 0 ? 0 : 1;
        }
        return absent;
    }

    private static void touch(MemorySegment run, long pageSize) {
        for (long at = 0; at < run.byteSize(); at += pageSize) {
            run.set(ValueLayout.JAVA_BYTE, at, (byte) 0);
        }
    }

    /** Claims all free runs, the reserve included, and watches the first touch of each page. */
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

    /** Adds the figures of another thread. That thread must have ended. */
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
        pagemap.close();
    }
}
