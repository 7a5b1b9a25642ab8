package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
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
        description = "Prints the SHA-256 of files, as sha256sum does, with a native program at work on the same"
                + " frames: with --to it hashes what is read here, with --from it reads what is hashed here."
                + " Frames pass between the two by ticket, and no byte is copied.",
        footer = {"", "make native builds both programs: target/native/consume and target/native/produce."})
final class RelayCommand implements Callable<Integer> {

    @Spec
    @Nullable CommandSpec spec;

    @Parameters(paramLabel = "FILE", arity = "1..*", description = "Files, not folders.")
    List<String> files = List.of();

    @Option(names = "--to", paramLabel = "PROGRAM", description = "Consumes frames: 'PROGRAM LABYRINTH'.")
    @Nullable Path consumer;

    @Option(names = "--from", paramLabel = "PROGRAM", description = "Produces frames: 'PROGRAM LABYRINTH FIRST FILE...'"
            + " (FIRST is the first file's number).")
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
                    "--to=" + consumer + " --from=" + producer + ": name one program, to or from which to relay");
        }
        if (!options.canHold(Relay.ORDER)) {
            throw new CommandLine.ParameterException(mine.commandLine(), "frames=" + options.frames + " limit="
                    + (1 << Relay.ORDER) + ": a run of 2^" + Relay.ORDER + " frames has to fit");
        }
        List<Path> paths = new ArrayList<>();
        files.forEach(file -> paths.add(RawText.path(file)));
        try (Labyrinth labyrinth = options.describe("relay").memfd().open()) {
            try {
                return relay(labyrinth, paths);
            } catch (Exception | Error e) {
                labyrinth.closeNow();
                throw e;
            }
        }
    }

    private int relay(Labyrinth labyrinth, List<Path> paths) throws IOException, InterruptedException {
        OutputStream sums = new BufferedOutputStream(new StandardOutput(), 1 << 16);
        Relay relay = consumer != null ? new ToNative(labyrinth, consumer, paths, kill)
                : new FromNative(labyrinth, Objects.requireNonNull(producer), paths, kill);
        for (int file = 0; file < paths.size(); file++) {
            String sum = relay.sum(file);
            sums.write(RawText.bytes(RawText.sumLine(sum, files.get(file))));
        }
        relay.end();
        sums.flush();
        labyrinth.validate();
        if (!options.quiet) {
            System.err.printf("relay        %,d files, %,d bytes; the program was killed %,d times, and %,d frames were"
                    + " taken back%n", paths.size(), relay.bytes, relay.killed, relay.takenBack);
        }
        return LabyrinthCli.OK;
    }
}
