package io.labyrinth.tenants;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.Verify;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Java and C implement one contract. The same scenarios, each with two tenants, have the same outcomes, and the misuses
 * in them have the same errors.
 */
class TwinsTest {

    private static final int STEPS = 20_000;
    /** So few frames that runs out of them; then of order 0, as which run is free depends on where the others lie. */
    private static final int TIGHT = 24;
    private static final int WIDE = 4096;
    private static final int MOST_LIVE = 60;
    private static final int[] GFPS = {0, 4, 4, 4, 5, 1, 36, 20, 9, 64};

    private final Path path = Path.of("/dev/shm/labyrinth-twins-" + ProcessHandle.current().pid());

    @AfterEach
    void remove() throws Exception {
        Files.deleteIfExists(path);
    }

    @ParameterizedTest
    @ValueSource(ints = {TIGHT, WIDE})
    void theSameScenarioHasTheSameOutcomeInJavaAndC(int frames) throws Exception {
        long scenarios = Verify.scale(4, 100);
        Map<String, Integer> seen = new TreeMap<>();
        for (long seed = 0; seed < scenarios; seed++) {
            List<String> java = new ArrayList<>();
            List<String> lines = inJava(seed, frames, java);
            List<String> c = inC(frames, lines);
            for (int step = 0; step < lines.size(); step++) {
                String outcome = java.get(step);
                assertThat(c.get(step)).as("seed=%d step=%d %s", seed, step, lines.get(step)).isEqualTo(outcome);
                seen.merge(lines.get(step).split(" ")[0] + " " + outcome.replaceAll("\\d+", "N"), 1, Integer::sum);
            }
            assertThat(c).hasSameSizeAs(lines);
        }
        assertThat(seen).containsKeys("alloc ok", "alloc INVALID_REQUEST", "free ok", "free STALE", "free NOT_OWNER",
                "free FOREIGN", "hand ok", "hand STALE", "hand NOT_OWNER", "accept ok", "accept STALE", "order N",
                "order STALE", "order NOT_OWNER");
        assertThat(seen.containsKey("alloc null")).as("%s", seen).isEqualTo(frames == TIGHT);
        Verify.held("Java and C give the same answers", "TwinsTest", frames + " frames, " + scenarios + " scenarios x "
                + STEPS + " steps");
    }

    private Labyrinth create(int frames) throws Exception {
        Files.deleteIfExists(path);
        return Labyrinth.builder("twins").frames(frames).reserve(frames / 8).locking(Locking.NONE).shared(path).open();
    }

    /** Draws the scenario as it goes, so that it has live runs to go on with; the outcomes go to {@code outcomes}. */
    private List<String> inJava(long seed, int frames, List<String> outcomes) throws Exception {
        SplittableRandom random = new SplittableRandom(seed);
        List<String> lines = new ArrayList<>();
        List<Long> runs = new ArrayList<>();
        try (Labyrinth host = create(frames)) {
            Labyrinth[] both = {Labyrinth.attach(path, Locking.NONE), Labyrinth.attach(path, Locking.NONE)};
            int live = 0;
            while (lines.size() < STEPS) {
                int who = random.nextInt(2);
                Handles handles = both[who].handles();
                int recent = runs.isEmpty() ? 0 : runs.size() - 1 - random.nextInt(Math.min(runs.size(), MOST_LIVE));
                int kind = runs.isEmpty() ? 0 : random.nextInt(12);
                String line;
                String outcome;
                if (kind < 3 && (frames == TIGHT || live < MOST_LIVE)) {
                    int gfp = GFPS[random.nextInt(GFPS.length)];
                    int order = random.nextInt(40) == 0 ? 11 : frames == TIGHT ? 0 : random.nextInt(5);
                    line = "alloc " + who + " " + gfp + " " + order;
                    outcome = outcome(runs, () -> handles.alloc(new Gfp(gfp), order));
                    live += outcome.equals("ok") ? 1 : 0;
                } else if (kind == 3 && random.nextInt(4) == 0) {
                    long bits = random.nextBoolean() ? 1L << random.nextInt(46, 64) : 1L << random.nextInt(13, 24);
                    line = "forge " + recent + " " + Long.toUnsignedString(bits);
                    runs.add(runs.get(recent) ^ bits);
                    outcome = "ok";
                } else if (kind < 7) {
                    line = "free " + who + " " + recent;
                    outcome = outcome(new ArrayList<>(), () -> {
                        handles.free(runs.get(recent));
                        return 1;
                    });
                    live -= outcome.equals("ok") ? 1 : 0;
                } else if (kind < 9) {
                    line = "hand " + who + " " + recent;
                    outcome = outcome(runs, () -> handles.handOff(runs.get(recent)));
                } else if (kind < 11) {
                    line = "accept " + who + " " + recent;
                    outcome = outcome(runs, () -> handles.accept(runs.get(recent)));
                } else {
                    line = "order " + who + " " + recent;
                    int[] order = new int[1];
                    outcome = outcome(new ArrayList<>(), () -> {
                        order[0] = handles.order(runs.get(recent));
                        return 1;
                    });
                    outcome = outcome.equals("ok") ? String.valueOf(order[0]) : outcome;
                }
                lines.add(line);
                outcomes.add(outcome);
            }
            both[0].closeNow();
            both[1].closeNow();
            assertThat(host.stats().claimed() + host.stats().inTransit()).isZero();
            host.validate();
        }
        return lines;
    }

    private interface Call {
        long make();
    }

    private static String outcome(List<Long> runs, Call call) {
        try {
            long run = call.make();
            if (run != 0) {
                runs.add(run);
            }
            return run == 0 ? "null" : "ok";
        } catch (LabyrinthException refused) {
            return refused.getClass().getSimpleName().replaceAll("(?<=.)([A-Z])", "_$1").toUpperCase();
        }
    }

    private List<String> inC(int frames, List<String> lines) throws Exception {
        try (Labyrinth host = create(frames)) {
            Path script = Files.createTempFile("twins", ".txt");
            Files.write(script, lines);
            Path answers = Files.createTempFile("twins", ".out");
            Process c = new ProcessBuilder(Built.of("test/scenario").toString(), path.toString())
                    .redirectInput(script.toFile()).redirectOutput(answers.toFile())
                    .redirectError(ProcessBuilder.Redirect.INHERIT).start();
            try {
                assertThat(c.waitFor()).isZero();
            } finally {
                c.destroyForcibly();
            }
            List<String> said = Files.readAllLines(answers);
            Files.delete(script);
            Files.delete(answers);
            host.sweepDeadOwners();
            assertThat(host.stats().claimed() + host.stats().inTransit()).isZero();
            host.validate();
            return said;
        }
    }
}
