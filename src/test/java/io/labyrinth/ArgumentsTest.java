package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link Arguments}, as Jazzer finds them: by what their calls reach in the page map and around it. */
class ArgumentsTest {

    private static final String JAZZER = "com.code_intelligence.jazzer.Jazzer";
    private static final String JAZZER_API = "com.code_intelligence.jazzer.api.FuzzedDataProvider";
    private static final int INPUTS = 12_000;
    private static final long SEEDS = Verify.scale(1, 30);

    @TempDir
    private Path folder;

    @Test
    void hostileOnesGetTheRightResultOrTheTypedRefusal() throws ClassNotFoundException {
        Map<Call, int[]> counts = new HashMap<>();
        for (long seed = 1; seed <= SEEDS; seed++) {
            ChildJvm.Result ended = jazzer().jvm("-Xmx512m").with("--target_class=" + Arguments.class.getName(),
                    "--instrumentation_includes=io.labyrinth.**", "--reproducer_path=" + folder,
                    "-artifact_prefix=" + folder + "/", "-seed=" + seed, "-runs=" + INPUTS, "-max_len=200",
                    "-len_control=0", "-print_final_stats=1").run();

            assertThat(ended.exit()).as(ended.out() + ended.err()).isZero();
            assertThat(ended.err()).contains("stat::number_of_executed_units: " + INPUTS);
            ended.out().lines().filter(line -> line.matches("[A-Z_]+ taken=\\d+ refused=\\d+"))
                    .forEach(line -> add(counts, line));
        }
        for (Call call : Call.values()) {
            int[] count = counts.getOrDefault(call, new int[2]);
            assertThat(count[0]).as("%s taken", call).isPositive();
            assertThat(count[1]).as("%s refused", call).isPositive();
        }
        long calls = counts.values().stream().flatMapToInt(Arrays::stream).asLongStream().sum();
        Verify.held("A refusal is typed, says fact, limit and remedy, and changes nothing.", "ArgumentsTest (Jazzer)",
                SEEDS + " x " + INPUTS + " inputs, " + calls + " calls");
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
