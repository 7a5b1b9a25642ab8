package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.internal.os.Machine;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of every command that opens a labyrinth. */
final class LabyrinthOptions {

    /**
     * Must be the builder's own default; a test compares the two. The help shows it, and digest's default order follows
     * from it, before there is a labyrinth to ask.
     */
    static final long DEFAULT_BYTES = 4L << 20;
    /** Taken if the system cannot be asked for its page size: the help must work there too. */
    private static final long USUAL_PAGE = 4096;
    private static final long SHARE_OF_RESERVE = 16;

    private final long mostDefaultReserve;

    @Numbers.Within(least = 1, most = Labyrinth.MAX_FRAMES)
    @Option(names = "--frames", paramLabel = "N", description = "Frames in all; each is a page of the system."
            + " Default: ${DEFAULT-VALUE}.")
    long frames;

    @Numbers.Within(least = 0, most = Labyrinth.MAX_FRAMES - 1)
    @Option(names = "--reserve", paramLabel = "N",
            description = "Of these, frames that only HIGH (ATOMIC) requests can have. Default: 0; for stress a 16th of"
                    + " the frames, at most " + StressCommand.MOST_DEFAULT_RESERVE + ".")
    @Nullable Long reserve;

    @Option(names = "--lock", paramLabel = "HOW",
            description = "Whether the pages must be locked: required, preferred or none. Default: required.")
    Locking locking = Locking.REQUIRED;

    @Option(names = "--json", paramLabel = "FILE", description = "Writes the summary there too, as data. The file is"
            + " created, or emptied, before the work begins.")
    @Nullable String json;

    @Option(names = "--quiet", description = "Shows no progress bar and no summary on standard error.")
    boolean quiet;

    LabyrinthOptions(long frames, long mostDefaultReserve) {
        this.frames = frames;
        this.mostDefaultReserve = mostDefaultReserve;
    }

    /** With as many frames as fit into these bytes, at least one. */
    static LabyrinthOptions ofBytes(long bytes, long mostDefaultReserve) {
        return new LabyrinthOptions(framesOf(bytes, pageSize()), mostDefaultReserve);
    }

    static long framesOf(long bytes, long pageSize) {
        return Math.max(1, bytes / pageSize);
    }

    static long pageSize() {
        try {
            return Machine.pageSize();
        } catch (LabyrinthException refused) {
            return USUAL_PAGE;
        }
    }

    long reserve() {
        return reserve == null ? Math.min(mostDefaultReserve, frames / SHARE_OF_RESERVE) : reserve;
    }

    Labyrinth.Builder describe(String name) {
        return Labyrinth.builder(name).frames(frames).reserve(reserve()).locking(locking);
    }

    Labyrinth open(String name) {
        return describe(name).open();
    }

    /**
     * Whether a run of this order fits into the frames outside of the reserve. If it does not fit, a command would wait
     * for it for ever. If the reserve is as large as the frames, this is true too, and the builder refuses the reserve.
     */
    boolean canHold(int order) {
        return frames <= reserve() || frames - reserve() >= 1L << order;
    }
}
