package io.labyrinth.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs {@link Arguments} with Jazzer, which finds arguments by the code that the calls reach in and around the page
 * map.
 */
class ArgumentsTest {

    private static final String JAZZER = "com.code_intelligence.jazzer.Jazzer";
    private static final String JAZZER_API = "com.code_intelligence.jazzer.api.FuzzedDataProvider";
    private static final int INPUTS = (int) Verify.scale(1_500, 4_000, 4_000);
    private static final int LENGTH = 200;
    private static final long SEEDS = Verify.scale(1, 10);

    /** What libFuzzer says in the end. */
    private static final Pattern EDGES = Pattern.compile("(?s).*cov: (\\d+) ft: .*");

    private static final Set<Call> NEVER_REFUSED = EnumSet.of(Call.THREAD_ENDS, Call.CLOSE_NOW);

    @TempDir
    private Path folder;

    @Test
    void hostileOnesGetTheRightResultOrTheTypedRefusal() throws ClassNotFoundException, IOException {
        Map<Call, int[]> counts = new HashMap<>();
        int fewestEdges = Integer.MAX_VALUE;
        for (long seed = 1; seed <= SEEDS; seed++) {
            ChildJvm.Result ended = jazzer().jvm("-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error").with(
                    "--target_class=" + Arguments.class.getName(), "--instrumentation_includes=io.labyrinth.**",
                    "--reproducer_path=" + folder, "-artifact_prefix=" + folder + "/", "-seed=" + seed,
                    // No limit of its own for memory: what counts there is inherited from the JVM that started it.
                    "-rss_limit_mb=0",
                    "-runs=" + INPUTS, "-max_len=" + LENGTH, "-print_final_stats=1", beginning(seed).toString()).run();

            assertThat(ended.exit()).as(ended.out() + ended.err()).isZero();
            assertThat(ended.err()).contains("stat::number_of_executed_units: " + INPUTS);
            Matcher edges = EDGES.matcher(ended.err());
            assertThat(edges.matches()).as("it sees what its inputs reach").isTrue();
            fewestEdges = Math.min(fewestEdges, Integer.parseInt(edges.group(1)));
            ended.out().lines().filter(line -> line.matches("[A-Z_]+ taken=\\d+ refused=\\d+"))
                    .forEach(line -> add(counts, line));
        }
        for (Call call : Call.values()) {
            int[] count = counts.getOrDefault(call, new int[2]);
            assertThat(count[0]).as("%s taken", call).isPositive();
            assertThat(count[1] > 0).as("%s refused", call).isEqualTo(!NEVER_REFUSED.contains(call));
        }
        assertThat(fewestEdges).as("edges of the core that inputs reached").isGreaterThan(1000);
        long calls = counts.values().stream().flatMapToInt(Arrays::stream).asLongStream().sum();
        Verify.held("A refusal is typed, says fact, limit and remedy, and changes nothing.", "ArgumentsTest",
                SEEDS + " x " + INPUTS + " inputs by Jazzer, " + calls + " calls, " + fewestEdges + " edges");
    }

    /** Jazzer makes longer inputs of shorter ones, slowly: so it is given long ones, of random bytes, to begin with. */
    private Path beginning(long seed) throws IOException {
        Path inputs = Files.createDirectory(folder.resolve("inputs-" + seed));
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < 50; i++) {
            byte[] bytes = new byte[LENGTH];
            random.nextBytes(bytes);
            Files.write(inputs.resolve(String.valueOf(i)), bytes);
        }
        return inputs;
    }

    private static ChildJvm jazzer() throws ClassNotFoundException {
        return ChildJvm.ofJars(JAZZER, List.of(Class.forName(JAZZER), Class.forName(JAZZER_API), Assertions.class));
    }

    private static void add(Map<Call, int[]> counts, String line) {
        String[] parts = line.split(" |=");
        int[] count = counts.computeIfAbsent(Call.valueOf(parts[0]), any -> new int[2]);
        count[0] += Integer.parseInt(parts[2]);
        count[1] += Integer.parseInt(parts[4]);
    }
}
