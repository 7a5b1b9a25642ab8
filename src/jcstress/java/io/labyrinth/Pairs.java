package io.labyrinth;

import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.SortedSet;
import java.util.TreeSet;
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
 * make jcstress: runs the pairs, and prints for each how often each outcome was seen. It fails if an outcome was
 * forbidden, if a pair did not run to its end, or if a weak variant was not caught. jcstress' own report is in
 * target/jcstress.
 *
 * <p>Arguments: {@code quick} or {@code long}, and a regular expression if not all pairs are to be run.
 */
public final class Pairs {

    /** So short that two actors of different length stay close to each other for most of it. */
    private static final int STRIDE = 32;
    private static final int STRIDES = 64;
    /** States that are alive at once. */
    static final int EPOCH = STRIDE * STRIDES;

    private static final Path FOLDER = Path.of("target", "jcstress");
    private static final Path LOG = FOLDER.resolve("jcstress.log");
    private static final Path RESULTS = FOLDER.resolve("results.bin.gz");
    private static final String ALL = ".*";

    private final boolean quick;
    private final String filter;
    private final List<String> failures = new ArrayList<>();
    private int pairs;
    private long samples;
    private int weak;
    private long bites;

    private Pairs(boolean quick, String filter) {
        this.quick = quick;
        this.filter = filter;
    }

    public static void main(String[] args) throws Exception {
        boolean quick = args.length > 0 && args[0].equals("quick");
        System.exit(new Pairs(quick, args.length > 1 ? args[1] : ALL).run() ? 0 : 1);
    }

    private Options options() throws IOException {
        List<String> args = new ArrayList<>(List.of("-r", FOLDER.toString(), "-t", filter, "-f", "1", "-fsm", "1",
                "-pth", "false", "-strideSize", String.valueOf(STRIDE), "-strideCount", String.valueOf(STRIDES)));
        if (quick) {
            // One JVM for each pair. It goes from the interpreter by C1 to a C2 that shuffles its instructions.
            args.addAll(List.of("-iters", "3", "-time", "200", "-sc", "false", "-jvmArgs",
                    "-XX:+StressLCM -XX:+StressGCM -XX:+StressIGVN -XX:+StressCCP"));
        } else {
            // Interpreter, C1, C2 and C2 shuffled: 4 JVMs for each pair. (All combinations of both actors' compilers
            // would be 14 JVMs, and half an hour.)
            args.addAll(List.of("-iters", "5", "-time", "300", "-sc", "false"));
        }
        Options options = new Options(args.toArray(String[]::new)) {
            @Override
            public String getResultFile() {
                return RESULTS.toString();
            }
        };
        if (!options.parse()) {
            throw new IllegalArgumentException("jcstress does not know one of " + args);
        }
        return options;
    }

    private boolean run() throws Exception {
        Files.createDirectories(FOLDER);
        Files.deleteIfExists(RESULTS);
        System.out.println("jcstress is running; " + LOG + " shows its progress");
        PrintStream console = System.out;
        SortedSet<String> missing = new TreeSet<>();
        try (PrintStream log = new PrintStream(LOG.toFile())) {
            System.setOut(log);
            JCStress jcstress = new JCStress(options());
            missing.addAll(jcstress.getTests());
            jcstress.run();
        } catch (AssertionError failed) {
            // The failures are printed below, in order.
        } finally {
            System.setOut(console);
        }
        for (TestResult result : results()) {
            missing.remove(result.getName());
            tell(result);
        }
        missing.forEach(name -> failures.add(name + " did not run"));
        if (pairs + weak == 0) {
            failures.add("nothing was run: no pair is named like " + filter + ", or there is one processor only");
        }
        System.out.printf(Locale.ROOT, "%npairs: %d, samples: %,d; weak variants: %d, caught: %,d; report: %s%n",
                pairs, samples, weak, bites, FOLDER.resolve("index.html"));
        failures.forEach(failure -> System.err.println("failed: " + failure));
        if (failures.isEmpty() && filter.equals(ALL)) {
            Verify.held("pairs of operations on one run or two", "jcstress",
                    String.format(Locale.ROOT, "%d tests, %,d samples, 0 forbidden", pairs, samples));
            Verify.held("a claim or a free without its CAS is caught", "jcstress",
                    String.format(Locale.ROOT, "%d weak variants, caught %,d times", weak, bites));
        }
        return failures.isEmpty();
    }

    private static List<TestResult> results() throws IOException, ClassNotFoundException {
        InProcessCollector read = new InProcessCollector();
        if (Files.exists(RESULTS)) {
            DiskReadCollector reader = new DiskReadCollector(RESULTS.toString(), read);
            reader.dump();
            reader.close();
        }
        List<TestResult> results = ReportUtils.mergedByName(read.getTestResults());
        results.sort(Comparator.comparing(TestResult::getName));
        return results;
    }

    /** Prints the outcomes of one pair. A test with an INTERESTING outcome is a weak variant, which must show it. */
    private void tell(TestResult result) {
        String name = result.getName();
        System.out.printf(Locale.ROOT, "%n%-60s %,15d%n", name, result.getTotalCount());
        boolean isWeak = false;
        int possible = 0;
        int seen = 0;
        for (GradingResult outcome : result.grading().gradingResults.values()) {
            System.out.printf(Locale.ROOT, "    %-56s %,15d  %s%s%n", outcome.id, outcome.count,
                    outcome.expect == Expect.FORBIDDEN ? "FORBIDDEN: " : "", outcome.description);
            possible += outcome.expect == Expect.ACCEPTABLE ? 1 : 0;
            seen += outcome.expect == Expect.ACCEPTABLE && outcome.count > 0 ? 1 : 0;
            if (outcome.expect == Expect.FORBIDDEN && outcome.count > 0) {
                failures.add(name + " showed " + outcome.id + ": " + outcome.description);
            } else if (outcome.expect == Expect.ACCEPTABLE_INTERESTING) {
                isWeak = true;
                bites += outcome.count;
                if (outcome.count == 0) {
                    failures.add(name + " did not show " + outcome.id + ": the others mean nothing then");
                }
            }
        }
        if (possible > 1 && seen < 2) {
            failures.add(name + " always went one way of " + possible + ": its actors never met");
        }
        if (isWeak) {
            weak++;
        } else {
            pairs++;
            samples += result.getTotalCount();
        }
        // Among others API_MISMATCH, which jcstress itself ignores.
        if (result.status() != Status.NORMAL) {
            failures.add(name + " ended with " + result.status());
            result.getMessages().forEach(System.out::println);
            result.getVmErr().forEach(System.out::println);
        }
    }
}
