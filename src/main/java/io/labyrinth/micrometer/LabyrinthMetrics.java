package io.labyrinth.micrometer;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.micrometer.core.instrument.Clock;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.BaseUnits;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.time.Duration;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Meters of one labyrinth. Each has the labyrinth's name as its tag {@code labyrinth}:
 *
 * <pre>
 *   labyrinth.frames           by state: free, reserve (free ones of it), claimed, in_transit, quarantined
 *   labyrinth.runs.free        by order: 0 to 10
 *   labyrinth.mapped, .locked  bytes
 *   labyrinth.lives.ended      counter: frees, hand-overs, sweeps
 *   labyrinth.refused.approx, labyrinth.reserve.hits.approx, labyrinth.lost.approx    counters; races lose some
 * </pre>
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("net-rx").frames(1024).open()) {
 *     MeterRegistry registry = new SimpleMeterRegistry();           // or that of your framework
 *     new LabyrinthMetrics(labyrinth).bindTo(registry);
 *     Gauge free = registry.get("labyrinth.frames").tag("state", "free").gauge();
 *     System.out.println(free.value());                             // 1024.0
 * }
 * }
 *
 * <p>The figures are counted from all page words when they are asked for. The same count answers for one second more,
 * so a scrape costs one count. The registry holds the labyrinth weakly. After the labyrinth is closed, gauges are NaN,
 * and counters stay as they were.
 */
@SuppressWarnings("exports")    // see module-info
public final class LabyrinthMetrics implements MeterBinder {

    private static final long GOOD_FOR = Duration.ofSeconds(1).toNanos();

    private final Labyrinth labyrinth;

    public LabyrinthMetrics(Labyrinth labyrinth) {
        this.labyrinth = labyrinth;
    }

    /** The last count, which all meters share. Must not hold the labyrinth: the registry would hold it then. */
    private static final class Count {
        private final Clock clock;
        private @Nullable LabyrinthStats stats;
        private long at;

        Count(Clock clock) {
            this.clock = clock;
        }

        synchronized double figure(Labyrinth labyrinth, ToDoubleFunction<LabyrinthStats> of, boolean evenIfClosed) {
            LabyrinthStats last = stats;
            try {
                if (last == null || clock.monotonicTime() - at >= GOOD_FOR) {
                    last = labyrinth.stats();
                    at = clock.monotonicTime();
                    stats = last;
                }
            } catch (LabyrinthException.Closed e) {
                last = evenIfClosed ? stats : null;
            }
            return last == null ? Double.NaN : of.applyAsDouble(last);
        }
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        Count count = new Count(registry.config().clock());
        frames(registry, count, "free", LabyrinthStats::free);
        frames(registry, count, "reserve", LabyrinthStats::reserveFree);
        frames(registry, count, "claimed", LabyrinthStats::claimed);
        frames(registry, count, "in_transit", LabyrinthStats::inTransit);
        frames(registry, count, "quarantined", LabyrinthStats::quarantined);
        for (int order = 0; order <= Labyrinth.MAX_ORDER; order++) {
            int index = order;
            gauge(registry, count, "labyrinth.runs.free", "Free runs of this order", "runs",
                    List.of("order", String.valueOf(order)), stats -> stats.freeRuns().get(index));
        }
        gauge(registry, count, "labyrinth.mapped", "Mapped bytes of frames, page map and slabs", BaseUnits.BYTES,
                List.of(), LabyrinthStats::mappedBytes);
        gauge(registry, count, "labyrinth.locked", "Locked bytes, of the mapped ones", BaseUnits.BYTES, List.of(),
                LabyrinthStats::lockedBytes);
        counter(registry, count, "labyrinth.lives.ended", "Frees, hand-overs and sweeps",
                LabyrinthStats::livesEnded);
        counter(registry, count, "labyrinth.refused.approx", "Requests that got null; races lose some",
                LabyrinthStats::refusedApprox);
        counter(registry, count, "labyrinth.reserve.hits.approx", "Requests served by the reserve; races lose some",
                LabyrinthStats::reserveHitsApprox);
        counter(registry, count, "labyrinth.lost.approx", "Claims lost by races and outdated hints; races lose some",
                LabyrinthStats::lostApprox);
    }

    private void frames(MeterRegistry registry, Count count, String state, ToIntFunction<LabyrinthStats> of) {
        gauge(registry, count, "labyrinth.frames", "Frames by state", "frames", List.of("state", state),
                of::applyAsInt);
    }

    private void gauge(MeterRegistry registry, Count count, String name, String description, String unit,
            List<String> tags, ToDoubleFunction<LabyrinthStats> of) {
        Gauge.builder(name, labyrinth, from -> count.figure(from, of, false)).description(description).baseUnit(unit)
                .tags("labyrinth", labyrinth.name()).tags(tags.toArray(String[]::new)).register(registry);
    }

    private void counter(MeterRegistry registry, Count count, String name, String description,
            ToDoubleFunction<LabyrinthStats> of) {
        FunctionCounter.builder(name, labyrinth, from -> count.figure(from, of, true)).description(description)
                .tags("labyrinth", labyrinth.name()).register(registry);
    }
}
