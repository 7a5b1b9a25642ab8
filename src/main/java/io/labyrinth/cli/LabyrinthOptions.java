package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of every command that opens a labyrinth. */
final class LabyrinthOptions {

    /** 4 MiB of 4 KiB frames: with the page map well within a lock limit of 8 MiB. */
    static final long DEFAULT_FRAMES = 1024;

    @Option(names = "--frames", paramLabel = "N", description = "Frames in all. Default: ${DEFAULT-VALUE}.")
    long frames;

    @Option(names = "--reserve", paramLabel = "N",
            description = "Of these, frames that only HIGH (ATOMIC) requests can have. Default: ${DEFAULT-VALUE}.")
    long reserve;

    @Option(names = "--lock", paramLabel = "HOW",
            description = "Whether the pages must be locked: required, preferred or none. Default: required.")
    Locking locking = Locking.REQUIRED;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the summary there as well, as data.")
    @Nullable String json;

    @Option(names = "--quiet", description = "No progress bar and no summary on standard error.")
    boolean quiet;

    LabyrinthOptions(long frames, long reserve) {
        this.frames = frames;
        this.reserve = reserve;
    }

    Labyrinth open(String name) {
        return Labyrinth.builder(name).frames(frames).reserve(reserve).locking(locking).open();
    }

    /**
     * A run larger than all frames that are not reserve would be waited for in vain. Nonsense is left to the builder.
     */
    boolean canHold(int order) {
        return frames <= reserve || frames - reserve >= 1L << order;
    }
}
