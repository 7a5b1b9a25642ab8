package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import io.labyrinth.map.MapServer;
import io.labyrinth.map.MapWatch;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code labyrinth stress}: tries to find a mistake of the labyrinth. */
@Command(name = "stress", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Allocates runs of all orders from many threads, stamps each over its whole length, hands some"
                + " over, checks them and frees them. Stops with exit code 1 at the first violation.")
final class StressCommand implements Callable<Integer> {

    private static final long DEFAULT_BYTES = 6L << 20;
    static final long MOST_DEFAULT_RESERVE = 96;
    private static final int MOST_SECONDS = 1_000_000;

    @Numbers.Within(least = 1, most = Stamp.MOST_WORKERS)
    @Option(names = "--threads", paramLabel = "N", description = "Threads at work. Default: ${DEFAULT-VALUE}.")
    int threads = 8;

    @Numbers.Within(least = 1, most = MOST_SECONDS)
    @Option(names = "--seconds", paramLabel = "N", description = "How long it runs. Default: ${DEFAULT-VALUE}.")
    int seconds = 10;

    @Numbers.Within(least = Long.MIN_VALUE, most = Long.MAX_VALUE)
    @Option(names = "--seed", paramLabel = "N", description = "Seed of the workers' random choices. Default: a random"
            + " one; the summary says which.")
    long seed = ThreadLocalRandom.current().nextLong(1L << 32);

    @Numbers.Within(least = 0, most = MapCommand.LAST_PORT)
    @Option(names = "--serve", paramLabel = "PORT", description = "Shows the labyrinth at work on a page that"
            + " refreshes, on the loopback address. 0: any free port.")
    @Nullable Integer port;

    @Mixin
    LabyrinthOptions options = LabyrinthOptions.ofBytes(DEFAULT_BYTES, MOST_DEFAULT_RESERVE);

    @Override
    public Integer call() throws Exception {
        try (Labyrinth labyrinth = options.open("stress"); ReportFile file = new ReportFile(options.json);
                Meter meter = new Meter(labyrinth.frameSize(), 1)) {
            Stress stress = new Stress(labyrinth, threads, seconds, seed);
            try (Progress progress = new Progress("stress", " s", 1, !options.quiet);
                    MapServer server = port == null ? null : MapServer.start(new MapWatch(labyrinth::map), port)) {
                if (server != null) {
                    MapCommand.announce(server);
                }
                stress.run(progress);
            } catch (Exception | Error e) {
                labyrinth.closeNow();
                throw e;
            }
            stress.addTo(meter);
            requireAtRest(labyrinth);
            publish(labyrinth, stress, meter, file);
            return LabyrinthCli.OK;
        }
    }

    private static void requireAtRest(Labyrinth labyrinth) {
        long out = Picture.out(labyrinth.picture());
        if (out > 0) {
            throw new Violation(Count.of(out, "frame") + " still out, although all workers have freed all they had");
        }
        try {
            labyrinth.validate();
        } catch (AssertionError e) {
            throw new Violation(e.getMessage());
        }
    }

    private void publish(Labyrinth labyrinth, Stress stress, Meter meter, ReportFile file) throws Exception {
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
            throw new Violation(Count.of(allocations, "allocation") + ", but " + Count.of(frees, "free"));
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
        String headline = String.format(Locale.ROOT, "stress       %s in %d s by %s (seed %d), no violation: %s, %s,"
                + " %s; %s passed on without a ticket, %s refused",
                Count.of(operations, "operation"), seconds, Count.of(threads, "thread"), seed,
                Count.of(allocations, "allocation"), Count.of(frees, "free"), Count.of(handOvers, "hand-over"),
                Count.of(passedOn, "frame"), Count.of(refused, "late use"));
        Report.of("stress", work, meter, stress.faults, labyrinth.stats(), stress.sampler.fullest()).publish(headline,
                options.quiet, file);
    }
}
