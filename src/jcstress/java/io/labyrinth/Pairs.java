package io.labyrinth;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.openjdk.jcstress.JCStress;
import org.openjdk.jcstress.Options;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.infra.Status;
import org.openjdk.jcstress.infra.collectors.DiskReadCollector;
import org.openjdk.jcstress.infra.collectors.InProcessCollector;
import org.openjdk.jcstress.infra.collectors.TestResult;
import org.openjdk.jcstress.infra.grading.GradingResult;
import org.openjdk.jcstress.infra.grading.ReportUtils;

/**
 * make jcstress: runs the pairs, prints one line for each, and fails if one of them showed what it forbids, if one did
 * not run, or if the weak variant got away. jcstress' own report is in target/jcstress.
 *
 * <p>Arguments: {@code quick} or {@code long}, and a regular expression if not all pairs are to be run.
 */
public final class Pairs {

    private static final int STRIDE = 32;
    private static final int STRIDES = 64;
    /** States that are alive at once. */
    static final int EPOCH = STRIDE * STRIDES;

    private static final Path FOLDER = Path.of("target", "jcstress");
    private static final String TOOL = "jcstress";

    private final List<String> failures = new ArrayList<>();

    private Pairs() {
    }

    public static void main(String[] args) throws Exception {
        boolean quick = args.length > 0 && args[0].equals("quick");
        String filter = args.length > 1 ? args[1] : ".*";
        System.exit(new Pairs().run(options(quick, filter)) ? 0 : 1);
    }

    private static Options options(boolean quick, String filter) throws IOException {
        List<String> args = new ArrayList<>(List.of("-r", FOLDER.toString(), "-t", filter,
                "-strideSize", String.valueOf(STRIDE), "-strideCount", String.valueOf(STRIDES)));
        if (quick) {
            // Each of interpreter, C1, C2 and C2 with its order of instructions shuffled, for both actors alike.
            args.addAll(List.of("-sc", "false", "-f", "1", "-fsm", "1", "-iters", "2", "-time", "150", "-pth", "false"));
        } else {
            // Each of these for each actor.
            args.addAll(List.of("-f", "1", "-fsm", "1", "-iters", "5", "-time", "400"));
        }
        Options options = new Options(args.toArray(String[]::new)) {
            @Override
            public String getResultFile() {
                return FOLDER.resolve("results.bin.gz").toString();
            }
        };
        if (!options.parse()) {
            throw new IllegalArgumentException("jcstress does not know one of " + args);
        }
        return options;
    }

    private boolean run(Options options) throws Exception {
        Files.createDirectories(FOLDER);
        Files.deleteIfExists(Path.of(options.getResultFile()));
        try {
            new JCStress(options).run();
        } catch (AssertionError failed) {
            // What it found is in the results, and told below.
        }
        InProcessCollector results = new InProcessCollector();
        if (Files.exists(Path.of(options.getResultFile()))) {
            DiskReadCollector reader = new DiskReadCollector(options.getResultFile(), results);
            reader.dump();
            reader.close();
        }
        List<TestResult> byName = ReportUtils.mergedByName(results.getTestResults());
        byName.sort(Comparator.comparing(TestResult::getName));
        byName.forEach(this::tell);
        failures.forEach(System.out::println);
        return failures.isEmpty() && !byName.isEmpty();
    }

    private void tell(TestResult result) {
        System.out.printf("%-50s %,15d%n", result.getName(), result.getTotalCount());
        if (result.status() != Status.NORMAL) {
            failures.add(result.getName() + ": " + result.status());
            result.getMessages().forEach(failures::add);
        }
        for (GradingResult g : result.grading().gradingResults.values()) {
            System.out.printf("      %-30s %15d %s%n", g.id, g.count, g.expect);
        }
    }
}
