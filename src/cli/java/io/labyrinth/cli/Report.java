package io.labyrinth.cli;

import io.labyrinth.LabyrinthStats;
import io.labyrinth.internal.os.Machine;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;

/**
 * What a command did, for people and as data.
 *
 * @param command    its name
 * @param work       what it was for, in figures of its own
 * @param allocation all threads together
 * @param pageFaults of the steady part: from when all threads had begun to when the last was done
 * @param memory     of the labyrinth
 * @param picture    the labyrinth when most of it was out, as far as it was looked at: one string a row
 */
record Report(String command, Map<String, Object> work, Allocation allocation, PageFaults pageFaults, Memory memory,
        List<String> picture) {

    /** How often, and how long a call took: with what the clock itself takes, some 20 to 40 ns. */
    record Allocation(long runs, long frames, long nulls, long reserveHitsApprox, long p50Nanos, long p99Nanos,
            long p9999Nanos, long maxNanos) {
    }

    /** Of the whole JVM; and of the first touches of frames, as far as they were watched. */
    record PageFaults(long minor, long major, long causedByFrames, long watchedPages) {
    }

    record Memory(long frames, long reserve, long frameBytes, long mappedBytes, long lockedBytes, long metadataBytes) {
    }

    static Report of(String command, Map<String, Object> work, Meter meter, FaultCounter.Count faults,
            LabyrinthStats stats, String picture) {
        Histogram nanos = meter.nanos;
        Allocation allocation = new Allocation(meter.runs, meter.frames, meter.nulls, stats.reserveHitsApprox(),
                nanos.getValueAtPercentile(50), nanos.getValueAtPercentile(99), nanos.getValueAtPercentile(99.99),
                nanos.getMaxValue());
        return new Report(command, work, allocation,
                new PageFaults(faults.minor(), faults.major(), meter.frameFaults, meter.watchedPages),
                new Memory(stats.frames(), stats.reserve(), stats.frameSize(), stats.mappedBytes(), stats.lockedBytes(),
                        stats.metadataBytes()),
                Picture.rows(picture));
    }

    String text(String headline, boolean coloured) {
        return headline + '\n'
                + line("frames       %,d allocated in %,d runs; %,d null, %,d from the reserve", allocation.frames,
                        allocation.runs, allocation.nulls, allocation.reserveHitsApprox)
                + line("allocation   p50 %s  p99 %s  p99.99 %s  max %s", nanos(allocation.p50Nanos),
                        nanos(allocation.p99Nanos), nanos(allocation.p9999Nanos), nanos(allocation.maxNanos))
                + line("page faults  caused by frames: %,d, in %,d pages watched; all of the JVM: %,d minor, %,d major",
                        pageFaults.causedByFrames, pageFaults.watchedPages, pageFaults.minor, pageFaults.major)
                + line("memory       %s locked of %s mapped: %,d frames of %s, page map %s",
                        Machine.bytes(memory.lockedBytes), Machine.bytes(memory.mappedBytes), memory.frames,
                        Machine.bytes(memory.frameBytes), Machine.bytes(memory.metadataBytes))
                + line("picture      when most was out") + Picture.text(picture, coloured);
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

    /** Prints and writes what was asked for. */
    void publish(String headline, boolean quiet, ReportFile file) throws IOException {
        if (!quiet) {
            System.err.print(text(headline, Terminal.takesColour()));
        }
        file.write(this);
    }
}
