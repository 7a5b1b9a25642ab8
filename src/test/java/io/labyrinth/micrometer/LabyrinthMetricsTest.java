package io.labyrinth.micrometer;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.labyrinth.Ticket;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MockClock;
import io.micrometer.core.instrument.simple.SimpleConfig;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a registry sees of a labyrinth. */
class LabyrinthMetricsTest {

    private final MockClock clock = new MockClock();
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry(SimpleConfig.DEFAULT, clock);

    private static Labyrinth open(String name) {
        return Labyrinth.builder(name).frames(100).reserve(10).locking(Locking.PREFERRED).open();
    }

    /** All meters, by name and tags but for the labyrinth's. */
    private Map<String, Double> figures(String labyrinth) {
        Map<String, Double> all = new HashMap<>();
        for (Meter meter : registry.getMeters()) {
            if (labyrinth.equals(meter.getId().getTag("labyrinth"))) {
                StringBuilder key = new StringBuilder(meter.getId().getName());
                meter.getId().getTags().stream().filter(tag -> !tag.getKey().equals("labyrinth"))
                        .forEach(tag -> key.append(' ').append(tag.getValue()));
                assertThat(all.put(key.toString(), meter.measure().iterator().next().getValue())).isNull();
            }
        }
        return all;
    }

    @Test
    void metersAreTheFiguresOfTheirLabyrinth() {
        try (Labyrinth labyrinth = open("one"); Labyrinth other = open("two")) {
            new LabyrinthMetrics(labyrinth).bindTo(registry);
            new LabyrinthMetrics(other).bindTo(registry);
            Frame frame = labyrinth.allocPages(Gfp.NOWAIT, 2);
            Ticket ticket = labyrinth.allocPage(Gfp.HIGH).handOff();
            labyrinth.allocPages(Gfp.NOWAIT, 10);
            labyrinth.allocPages(Gfp.NOWAIT.with(Gfp.NOWARN), 10);

            Map<String, Double> figures = figures("one");
            Map<String, Double> expected = new HashMap<>(Map.of("labyrinth.frames free", 85.0,
                    "labyrinth.frames reserve", 10.0, "labyrinth.frames claimed", 4.0,
                    "labyrinth.frames in_transit", 1.0, "labyrinth.frames quarantined", 0.0,
                    "labyrinth.refused.approx", 2.0, "labyrinth.reserve.hits.approx", 0.0,
                    "labyrinth.mapped", (double) labyrinth.stats().mappedBytes(),
                    "labyrinth.locked", (double) labyrinth.stats().lockedBytes(),
                    "labyrinth.lives.ended", (double) labyrinth.stats().livesEnded()));
            expected.put("labyrinth.lost.approx", (double) labyrinth.stats().lostApprox());
            for (int order = 0; order <= Labyrinth.MAX_ORDER; order++) {
                expected.put("labyrinth.runs.free " + order, (double) labyrinth.stats().freeRuns().get(order));
            }
            assertThat(figures).isEqualTo(expected);
            assertThat(figures("two")).containsEntry("labyrinth.frames free", 90.0).hasSameSizeAs(figures);

            frame.close();
            ticket.accept().close();
            labyrinth.validate();
            other.validate();
        }
    }

    @Test
    void aCountAnswersForASecond() {
        try (Labyrinth labyrinth = open("one")) {
            new LabyrinthMetrics(labyrinth).bindTo(registry);
            assertThat(figures("one")).containsEntry("labyrinth.frames claimed", 0.0);
            Frame frame = labyrinth.allocPage(Gfp.NOWAIT);
            clock.add(Duration.ofMillis(999));
            assertThat(figures("one")).containsEntry("labyrinth.frames claimed", 0.0);
            clock.add(Duration.ofMillis(1));
            assertThat(figures("one")).containsEntry("labyrinth.frames claimed", 1.0);
            frame.close();
            labyrinth.validate();
        }
    }

    @Test
    void ofAClosedLabyrinthGaugesAreNotANumberAndCountersStay() {
        Labyrinth labyrinth = open("one");
        new LabyrinthMetrics(labyrinth).bindTo(registry);
        labyrinth.allocPages(Gfp.NOWAIT, 10);
        assertThat(figures("one")).containsEntry("labyrinth.refused.approx", 1.0);
        labyrinth.validate();
        labyrinth.close();
        clock.add(Duration.ofSeconds(2));

        assertThat(figures("one")).containsEntry("labyrinth.refused.approx", 1.0)
                .containsEntry("labyrinth.frames free", Double.NaN).containsEntry("labyrinth.locked", Double.NaN)
                .containsEntry("labyrinth.runs.free 3", Double.NaN);
    }
}
