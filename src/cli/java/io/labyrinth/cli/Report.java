package io.labyrinth.cli;

import io.labyrinth.LabyrinthStats;
import io.labyrinth.internal.os.Machine;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What a command did, as text and as data. What is null is left out of both.
 *
 * @param command    its name
 * @param work       the command's own figures
 * @param allocation all threads together. Null if another process allocates too
 * @param pageFaults of the steady part: it begins when all threads have begun, and ends when the last one is done. Null
 *                   if another process uses the frames too
 * @param memory     of the labyrinth
 * @param picture    the labyrinth at the look that saw most of it out: one string for each row. Null if nothing looked
 */
record Report(String command, Map<String, Object> work, @Nullable Allocation allocation,
        @Nullable PageFaults pageFaults, Memory memory, @Nullable List<String> picture) {

    /** How many allocations, and how long a call took. The clock itself takes 20 to 40 ns of that. */
    record Allocation(long runs, long frames, long nulls, long reserveHitsApprox, long p50Nanos, long p99Nanos,
            long p9999Nanos, long maxNanos) {
    }

    /** Faults of the whole JVM, and those of the first touches of frames that were watched. */
    record PageFaults(long minor, long major, long causedByFrames, long watchedPages) {
    }

    record Memory(long frames, long reserve, long frameBytes, long mappedBytes, long lockedBytes, long metadataBytes) {

        static Memory of(LabyrinthStats stats) {
            return new Memory(stats.frames(), stats.reserve(), stats.frameSize(), stats.mappedBytes(),
                    stats.lockedBytes(), stats.metadataBytes());
        }
    }

    /** Of a command that is not metered. */
    static Report of(String command, Map<String, Object> work, LabyrinthStats stats) {
        return new Report(command, work, null, null, Memory.of(stats), null);
    }

    static Report of(String command, Map<String, Object> work, Meter meter, FaultCounter.Count faults,
            LabyrinthStats stats, String picture) {
        Histogram nanos = meter.nanos;
        Allocation allocation = new Allocation(meter.runs, meter.frames, meter.nulls, stats.reserveHitsApprox(),
                nanos.getValueAtPercentile(50), nanos.getValueAtPercentile(99), nanos.getValueAtPercentile(99.99),
                nanos.getMaxValue());
        return new Report(command, work, allocation,
                new PageFaults(faults.minor(), faults.major(), meter.frameFaults, meter.watchedPages),
                Memory.of(stats), Picture.rows(picture));
    }

    String text(String headline, boolean coloured) {
        StringBuilder text = new StringBuilder(headline).append('\n');
        if (allocation != null) {
            text.append(line("frames       %s allocated in %s; %,d null, %,d from the reserve",
                    Count.of(allocation.frames, "frame"), Count.of(allocation.runs, "run"), allocation.nulls,
                    allocation.reserveHitsApprox));
            text.append(line("allocation   p50 %s  p99 %s  p99.99 %s  max %s", nanos(allocation.p50Nanos),
                    nanos(allocation.p99Nanos), nanos(allocation.p9999Nanos), nanos(allocation.maxNanos)));
        }
        if (pageFaults != null) {
            text.append(line("page faults  caused by frames: %,d, in %s watched; all of the JVM: %,d minor, %,d major",
                    pageFaults.causedByFrames, Count.of(pageFaults.watchedPages, "page"), pageFaults.minor,
                    pageFaults.major));
        }
        text.append(line("memory       %s locked of %s mapped: %s of %s, page map %s",
                Machine.bytes(memory.lockedBytes), Machine.bytes(memory.mappedBytes),
                Count.of(memory.frames, "frame"), Machine.bytes(memory.frameBytes),
                Machine.bytes(memory.metadataBytes)));
        if (picture != null) {
            text.append(line("picture      when most frames were out")).append(Picture.text(picture, coloured));
        }
        return text.toString();
    }

    private static String line(String format, Object... figures) {
        return String.format(Locale.ROOT, format, figures) + '\n';
    }

    private static String nanos(long nanos) {
        if (nanos < 10_000) {
            return nanos + " ns";
        }
        return nanos < 10_000_000 ? nanos / 1_000 + " us" : nanos / 1_000_000 + " ms";
    }

    /** Prints it, unless {@code quiet}, and writes it to the file, if one is wanted. */
    void publish(String headline, boolean quiet, ReportFile file) throws IOException {
        if (!quiet) {
            System.err.print(text(headline, Terminal.takesColour()));
        }
        file.write(this);
    }
}
