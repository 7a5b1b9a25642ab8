package io.labyrinth.cli;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.io.BufferedOutputStream;
import java.io.OutputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code labyrinth digest}: SHA-256 of files, read through frames. */
@Command(name = "digest", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Prints the SHA-256 of files, and of all files in folders, as sha256sum does: 'sha256sum -c'"
                + " checks it. Files are read into locked frames, past the page cache if the file system allows it.",
        footer = {"", "A link is followed if it is a PATH. A link in a folder is skipped. If a file cannot be read, or"
                + " changes while it is read, it gets a line on standard error instead, and the exit code is 1."})
final class DigestCommand implements Callable<Integer> {

    /** Large enough for O_DIRECT, which waits for the disk at each read. */
    private static final long LARGEST_DEFAULT_RUN = 256 << 10;
    private static final int MOST_THREADS = 1024;
    private static final double MIB = 1 << 20;

    @Spec
    @Nullable CommandSpec spec;

    @Parameters(paramLabel = "PATH", arity = "1..*", description = "Files and folders.")
    List<String> paths = List.of();

    @Numbers.Within(least = 1, most = MOST_THREADS)
    @Option(names = "--threads", paramLabel = "N",
            description = "Files at work at once, each with a reading and a hashing thread. Default: one for each"
                    + " processor.")
    int threads = Runtime.getRuntime().availableProcessors();

    @Numbers.Within(least = 0, most = Labyrinth.MAX_ORDER)
    @Option(names = "--order", paramLabel = "N", description = "A read fills 2^N frames; N is 0 to 10. Default: 256 KiB"
            + " of frames, or less if a thread could not have 2 such runs.")
    @Nullable Integer order;

    @Option(names = "--gfp", paramLabel = "FLAGS", description = "Request flags, joined by |, + or comma. EXCLUSIVE and"
            + " NOWARN are always added. Default: NOWAIT.")
    String gfp = "NOWAIT";

    @Mixin
    LabyrinthOptions options = LabyrinthOptions.ofBytes(LabyrinthOptions.DEFAULT_BYTES, 0);

    @Override
    public Integer call() throws Exception {
        Gfp flags = Gfp.parse(gfp).with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);
        int chosen = order == null ? defaultOrder() : order;
        if (!options.canHold(chosen)) {
            throw new CommandLine.ParameterException(Objects.requireNonNull(spec).commandLine(), "order=" + chosen
                    + " frames=" + options.frames + " reserve=" + options.reserve() + ": no run of 2^" + chosen
                    + " frames fits: ask for a lower order, or for more frames");
        }
        try (Labyrinth labyrinth = options.open("digest"); ReportFile file = new ReportFile(options.json);
                Meter meter = new Meter(labyrinth.frameSize(), ReadHashPipeline.WATCHED)) {
            try {
                return digest(labyrinth, flags, chosen, meter, file);
            } catch (Exception | Error e) {
                labyrinth.closeNow();
                throw e;
            }
        }
    }

    private int defaultOrder() {
        return defaultOrder((options.frames - options.reserve()) / (2L * threads), LabyrinthOptions.pageSize());
    }

    /** The largest order of at most {@code runFrames} frames, and of at most {@link #LARGEST_DEFAULT_RUN} bytes. */
    static int defaultOrder(long runFrames, long pageSize) {
        long most = Math.min(runFrames, LARGEST_DEFAULT_RUN / pageSize);
        return 63 - Long.numberOfLeadingZeros(Math.max(1, most));
    }

    private int digest(Labyrinth labyrinth, Gfp flags, int chosen, Meter meter, ReportFile file) throws Exception {
        OutputStream sums = new BufferedOutputStream(new StandardOutput(), 1 << 16);
        Digest digest;
        try (Progress progress = new Progress("digest", " MiB", 1 << 20, !options.quiet)) {
            digest = new Digest(labyrinth, flags, chosen, threads, progress);
            digest.run(paths, sums);
        }
        digest.addTo(meter);
        meter.watchAll(labyrinth);
        labyrinth.validate();
        double seconds = digest.nanos / (double) TimeUnit.SECONDS.toNanos(1);
        double rate = seconds > 0 ? digest.bytes / MIB / seconds : 0;
        Map<String, Object> work = new LinkedHashMap<>();
        work.put("files", digest.files);
        work.put("failed", digest.failed);
        work.put("linksPassedOver", digest.links);
        work.put("bytes", digest.bytes);
        work.put("seconds", seconds);
        work.put("mibPerSecond", rate);
        work.put("filesReadDirect", digest.direct());
        work.put("filesReadBuffered", digest.buffered());
        work.put("threads", threads);
        work.put("order", chosen);
        work.put("gfp", flags.toString());
        String headline = String.format(Locale.ROOT, "digest       %s, %,d failed, %s skipped; %.1f MiB in %.2f s:"
                + " %.0f MiB/s; %s read past the page cache, %,d through it",
                Count.of(digest.files, "file"), digest.failed, Count.of(digest.links, "link"),
                digest.bytes / MIB, seconds, rate, Count.of(digest.direct(), "file"), digest.buffered());
        Report.of("digest", work, meter, digest.faults, labyrinth.stats(), digest.sampler.fullest()).publish(headline,
                options.quiet, file);
        return digest.failed == 0 ? LabyrinthCli.OK : LabyrinthCli.FAILED;
    }
}
