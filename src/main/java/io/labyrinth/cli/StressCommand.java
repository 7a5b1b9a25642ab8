package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code labyrinth stress}: an attempt to catch the labyrinth at a mistake. */
@Command(name = "stress", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Allocates runs of all orders from many threads, stamps each over its whole length, hands some"
                + " over, checks and frees them. Stops with exit code 1 at the first violation.")
final class StressCommand implements Callable<Integer> {

    private static final long DEFAULT_FRAMES = 1536;
    private static final long DEFAULT_RESERVE = 96;
    private static final int MOST_SECONDS = 1_000_000;

    @Spec
    @Nullable CommandSpec spec;

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    int threads = 8;

    @Option(names = "--seconds", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    int seconds = 10;

    @Option(names = "--seed", paramLabel = "N", description = "For the workers' choices. Default: any.")
    long seed = ThreadLocalRandom.current().nextLong(1L << 32);

    @Mixin
    LabyrinthOptions options = new LabyrinthOptions(DEFAULT_FRAMES, DEFAULT_RESERVE);

    @Override
    public Integer call() throws Exception {
        requireWithin("threads", threads, Stamp.MOST_WORKERS);
        requireWithin("seconds", seconds, MOST_SECONDS);
        try (Labyrinth labyrinth = options.open("stress"); Meter meter = new Meter(labyrinth.frameSize(), 1)) {
            Stress stress = new Stress(labyrinth, options, threads, seconds, seed);
            try (Progress progress = new Progress("stress", " s", 1, !options.quiet)) {
                stress.run(progress);
            } catch (Exception | Error e) {
                labyrinth.closeNow();
                throw e;
            }
            stress.addTo(meter);
            requireAtRest(labyrinth);
            publish(labyrinth, stress, meter);
            return CommandLineFace.OK;
        }
    }

    private void requireWithin(String name, int value, int limit) {
        if (value < 1 || value > limit) {
            throw new CommandLine.ParameterException(Objects.requireNonNull(spec).commandLine(),
                    name + "=" + value + " limit=" + limit + ": ask for 1 to " + limit);
        }
    }

    private static void requireAtRest(Labyrinth labyrinth) {
        long out = Picture.out(labyrinth.picture());
        if (out > 0) {
            throw new Violation(out + " frames are out, although all have been freed");
        }
        try {
            labyrinth.validate();
        } catch (AssertionError e) {
            throw new Violation(e.getMessage());
        }
    }

    private void publish(Labyrinth labyrinth, Stress stress, Meter meter) throws Exception {
        long allocations = meter.runs;
        long frees = 0;
        long handOvers = 0;
        long passedOn = 0;
        long refused = 0;
        for (StressWorker worker : stress.workers()) {
            frees += worker.frees;
            handOvers += worker.handOvers;
            passedOn += worker.passedOn;
            refused += worker.secondFreesRefused;
        }
        if (allocations != frees) {
            throw new Violation(allocations + " allocations, but " + frees + " frees");
        }
        meter.watchAll(labyrinth);
        requireAtRest(labyrinth);
        long operations = allocations + frees + handOvers;
        Map<String, Object> work = new LinkedHashMap<>();
        work.put("operations", operations);
        work.put("allocations", allocations);
        work.put("frees", frees);
        work.put("handOvers", handOvers);
        work.put("passedOnAsTheyWere", passedOn);
        work.put("lateUsesRefused", refused);
        work.put("violations", 0);
        work.put("threads", threads);
        work.put("seconds", seconds);
        work.put("seed", seed);
        String headline = String.format(Locale.ROOT, "stress       %,d operations in %d s by %d threads (seed %d), no"
                + " violation: %,d allocations, %,d frees, %,d hand-overs; %,d frames passed on without a"
                + " ticket, %,d late uses refused",
                operations, seconds, threads, seed, allocations, frees, handOvers, passedOn, refused);
        Report.of("stress", work, meter, stress.faults, labyrinth.stats(), stress.looks.fullest()).publish(headline,
                options);
    }
}
