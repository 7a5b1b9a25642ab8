package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
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

/** {@code labyrinth relay}: SHA-256 of files, with a native program at the other end of the frames. */
@Command(name = "relay", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Prints the SHA-256 of files, as sha256sum does, together with a native program that uses the"
                + " same frames. With --to this process reads and the program hashes. With --from the program reads and"
                + " this process hashes. Frames pass between the two by ticket, and no byte is copied.",
        footer = {"", "make native builds both programs: target/native/consume and target/native/produce."})
final class RelayCommand implements Callable<Integer> {

    @Spec
    @Nullable CommandSpec spec;

    @Parameters(paramLabel = "FILE", arity = "1..*", description = "Files, not folders.")
    List<String> files = List.of();

    @Option(names = "--to", paramLabel = "PROGRAM", description = "Consumes frames: 'PROGRAM LABYRINTH'.")
    @Nullable Path consumer;

    @Option(names = "--from", paramLabel = "PROGRAM", description = "Produces frames: 'PROGRAM LABYRINTH FIRST FILE...'"
            + " (FIRST is the number of the first file).")
    @Nullable Path producer;

    @Numbers.Within(least = 0, most = Integer.MAX_VALUE)
    @Option(names = "--kill", paramLabel = "N", description = "Kills the program (kill -9) in the middle of the N-th"
            + " file, takes back what it had, and starts it again. Default: 0, never.")
    int kill;

    @Mixin
    LabyrinthOptions options = LabyrinthOptions.ofBytes(LabyrinthOptions.DEFAULT_BYTES, 0);

    @Override
    public Integer call() throws Exception {
        CommandSpec mine = Objects.requireNonNull(spec);
        if (consumer == null == (producer == null)) {
            throw new CommandLine.ParameterException(mine.commandLine(),
                    "--to=" + consumer + " --from=" + producer + ": name one program, by --to or by --from");
        }
        if (!options.canHold(Relay.ORDER)) {
            throw new CommandLine.ParameterException(mine.commandLine(), "frames=" + options.frames + " limit="
                    + (1 << Relay.ORDER) + ": a run of 2^" + Relay.ORDER + " frames must fit: ask for more frames");
        }
        List<Path> paths = new ArrayList<>();
        files.forEach(file -> paths.add(RawText.path(file)));
        try (Labyrinth labyrinth = options.describe("relay").memfd().open();
                ReportFile file = new ReportFile(options.json)) {
            try {
                return relay(labyrinth, paths, file);
            } catch (Exception | Error e) {
                labyrinth.closeNow();
                throw e;
            }
        }
    }

    private int relay(Labyrinth labyrinth, List<Path> paths, ReportFile report)
            throws IOException, InterruptedException {
        OutputStream sums = new BufferedOutputStream(new StandardOutput(), 1 << 16);
        Relay relay = consumer != null ? new ToNative(labyrinth, consumer, paths, kill)
                : new FromNative(labyrinth, Objects.requireNonNull(producer), paths, kill);
        long begun = System.nanoTime();
        for (int file = 0; file < paths.size(); file++) {
            String sum = relay.sum(file);
            sums.write(RawText.bytes(RawText.sumLine(sum, files.get(file))));
        }
        relay.end();
        sums.flush();
        long nanos = System.nanoTime() - begun;
        labyrinth.validate();
        Map<String, Object> work = new LinkedHashMap<>();
        work.put("files", paths.size());
        work.put("bytes", relay.bytes);
        work.put("seconds", nanos / (double) TimeUnit.SECONDS.toNanos(1));
        work.put(consumer != null ? "to" : "from", String.valueOf(consumer != null ? consumer : producer));
        work.put("order", Relay.ORDER);
        work.put("killed", relay.killed);
        work.put("framesTakenBack", relay.takenBack);
        String headline = String.format(Locale.ROOT, "relay        %s, %s; the program was %s, %s taken back",
                Count.of(paths.size(), "file"), Count.of(relay.bytes, "byte"),
                relay.killed == 0 ? "not killed" : "killed once", Count.of(relay.takenBack, "frame"));
        Report.of("relay", work, labyrinth.stats()).publish(headline, options.quiet, report);
        return LabyrinthCli.OK;
    }
}
