package io.labyrinth.bench;

import com.google.gson.GsonBuilder;
import io.labyrinth.internal.os.Machine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.runner.RunnerException;

/**
 * make bench: runs everything, prints one table, and writes into target/bench summary.json (the goals' names and
 * figures), results.csv (every iteration), latency.csv and latency.png, and in log/ what JMH and the benchmarks said.
 *
 * <p>Arguments: {@code quick} or {@code full}, and names of groups if not all are to be run.
 */
public final class Bench {

    private static final Path FOLDER = Path.of("target", "bench");
    private static final Path POPULATE = Path.of("target", "native", "populate");
    private static final String OPEN = "open";
    private static final String LATENCY = "latency";
    private static final long OPENED_BYTES = 2L << 30;
    /** What the largest labyrinth of the suite takes, 2^20 frames with its page map, and a JVM beside it. */
    private static final long NEEDED_BYTES = 6L << 30;

    /** After so long QUICK=1 goes on with nothing but what the goals need once. */
    private static final int QUICK_SECONDS = 200;
    private static final int MOST_ROUNDS = 5;

    private final long start = System.nanoTime();
    private final boolean quick;
    private final List<String> groups;
    private final Results results = new Results();
    private final List<String> failures = new ArrayList<>();
    private final List<String> skipped = new ArrayList<>();
    private OptionalDouble p9999 = OptionalDouble.empty();
    private OptionalDouble openVsPopulate = OptionalDouble.empty();
    private OptionalDouble metadataBytes = OptionalDouble.empty();

    private Bench(boolean quick, List<String> groups) {
        this.quick = quick;
        this.groups = groups;
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        // Another suite that runs on the machine at the same time disturbs, but is no reason not to run at all.
        System.setProperty("jmh.ignoreLock", "true");
        List<String> groups = Arrays.asList(args).subList(Math.min(1, args.length), args.length);
        Bench bench = new Bench(args.length > 0 && args[0].equals("quick"), groups);
        if (!bench.mayStart()) {
            System.exit(2);
        }
        Summary summary = bench.run();
        System.out.print(summary.table());
        System.out.println("\n" + bench.describe() + "; " + FOLDER
                + ": summary.json results.csv latency.csv latency.png log/");
        if (!bench.skipped.isEmpty()) {
            System.out.println("the machine was too slow for these rounds: " + bench.skipped);
        }
        bench.failures.forEach(failure -> System.err.println("failed: " + failure));
        if (!bench.failures.isEmpty() || groups.isEmpty() && !summary.missing().isEmpty()) {
            System.err.println("not measured: " + summary.missing());
            System.exit(1);
        }
    }

    private List<Plan> plans() {
        return quick ? Plan.quick() : Plan.full();
    }

    private boolean mayStart() {
        TreeSet<String> known = new TreeSet<>(List.of(OPEN, LATENCY));
        plans().forEach(plan -> known.add(plan.name()));
        if (!known.containsAll(groups)) {
            System.err.println("bench: " + groups + ": there are the groups " + known);
            return false;
        }
        if (Machine.availableMemory() < NEEDED_BYTES) {
            System.err.println("bench: available=" + Machine.bytes(Machine.availableMemory()) + " needed="
                    + Machine.bytes(NEEDED_BYTES) + ": end something else first");
            return false;
        }
        if (!Machine.mayLockAnything() && Machine.lockLimitSoft() < NEEDED_BYTES) {
            System.err.println("bench: lock limit=" + Machine.bytes(Machine.lockLimitSoft()) + " needed="
                    + Machine.bytes(NEEDED_BYTES) + ": goes on with pages that are not locked, and without"
                    + " open_vs_populate; raise it (ulimit -l) to measure what users get");
        }
        return true;
    }

    private String describe() {
        return (quick ? "QUICK=1: short" : "full") + " on " + Runtime.getRuntime().availableProcessors()
                + " processors, java " + Runtime.version() + ", Linux " + System.getProperty("os.version");
    }

    private boolean wanted(String group) {
        return groups.isEmpty() || groups.contains(group);
    }

    private Summary run() throws IOException, InterruptedException {
        Files.createDirectories(FOLDER);
        // All that the goals need comes first, so that a slow machine costs rounds, not names.
        List<Plan> goals = plans().stream().filter(plan -> wanted(plan.name()) && plan.isGoal()).toList();
        goals.forEach(plan -> round(plan, 1));
        if (wanted(LATENCY)) {
            latency();
        }
        if (wanted(OPEN)) {
            open();
        }
        for (int round = 2; round <= MOST_ROUNDS; round++) {
            for (Plan plan : goals) {
                round(plan, round);
            }
        }
        for (Plan plan : plans()) {
            for (int round = 1; wanted(plan.name()) && !plan.isGoal() && round <= MOST_ROUNDS; round++) {
                round(plan, round);
            }
        }
        Summary summary = new Summary(results, p9999, openVsPopulate, metadataBytes);
        Files.writeString(FOLDER.resolve("results.csv"), results.csv());
        Files.writeString(FOLDER.resolve("summary.json"),
                new GsonBuilder().setPrettyPrinting().create().toJson(summary.numbers()) + "\n");
        return summary;
    }

    private void round(Plan plan, int round) {
        if (round > plan.pace().rounds()) {
            return;
        }
        if (quick && seconds() > QUICK_SECONDS && !(plan.isGoal() && round == 1)) {
            skipped.add(plan.name() + " " + round + "/" + plan.pace().rounds());
            return;
        }
        plan.jobs().forEach(job -> run(plan, round, job));
    }

    private long seconds() {
        return (System.nanoTime() - start) / 1_000_000_000;
    }

    private void run(Plan plan, int round, Job job) {
        List<Double> figures = List.of();
        try {
            figures = job.run(plan.pace(), FOLDER);
        } catch (RunnerException | IOException e) {
            failures.add(job.name() + ": " + e.getMessage() + " (see " + FOLDER.resolve("log") + ")");
        }
        results.add(plan.name(), job, figures);
        System.out.printf(Locale.ROOT, "%4d s  %s %d/%d  %s  %s%n", seconds(), plan.name(),
                round, plan.pace().rounds(), job.name(), figures.isEmpty() ? "failed"
                        : String.format(Locale.ROOT, "%.2f %s", Results.median(figures), job.measure().unit));
    }

    private void latency() throws IOException, InterruptedException {
        if (java(List.of("-Xms1g", "-XX:+AlwaysPreTouch"), LatencyBench.class, FOLDER.toString(), quick ? "5" : "15",
                quick ? "8" : "20") == null) {
            return;
        }
        Map<String, List<Double>> rounds = new LinkedHashMap<>();
        for (String line : Files.readAllLines(FOLDER.resolve(LatencyBench.CSV))) {
            String[] cells = line.split(",");
            System.out.printf("%-6s %-16s %8s %8s %8s %8s %12s%n", (Object[]) cells);
            if (cells[0].matches("\\d+")) {
                rounds.computeIfAbsent(cells[1], name -> new ArrayList<>()).add(Double.valueOf(cells[5]));
            }
        }
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < rounds.get(LatencyBench.EMPTY).size(); i++) {
            ratios.add(rounds.get(LatencyBench.FRAME).get(i) / rounds.get(LatencyBench.EMPTY).get(i));
        }
        p9999 = OptionalDouble.of(Results.median(ratios));
    }

    /**
     * Alternating, and the best of each. A host may take back the free memory of a virtual machine and give it again
     * when it is touched, at a tenth of the speed: whoever gets such pages measures the host. The median would be luck.
     */
    private void open() throws IOException, InterruptedException {
        double bestOpened = Double.MAX_VALUE;
        double bestPopulated = Double.MAX_VALUE;
        List<Double> metadata = new ArrayList<>();
        for (int round = 1; round <= (quick ? 5 : 15); round++) {
            // The serial collector counts objects; G1 would count regions, half empty.
            String opened = java(List.of("-XX:+UseSerialGC"), OpenBench.class,
                    String.valueOf(OPENED_BYTES / Machine.pageSize()));
            String populated = process("populate", List.of(POPULATE.toString(), String.valueOf(OPENED_BYTES)));
            if (opened == null || populated == null) {
                return;
            }
            bestOpened = Math.min(bestOpened, Double.parseDouble(opened.split(" ")[0]));
            bestPopulated = Math.min(bestPopulated, Double.parseDouble(populated));
            metadata.add(Double.valueOf(opened.split(" ")[1]));
            System.out.printf(Locale.ROOT, "open %d  2 GiB: labyrinth %.2f s, MAP_POPULATE and mlock %.2f s%n", round,
                    Double.parseDouble(opened.split(" ")[0]) / 1e9, Double.parseDouble(populated) / 1e9);
        }
        openVsPopulate = OptionalDouble.of(bestOpened / bestPopulated);
        metadataBytes = OptionalDouble.of(Results.median(metadata));
    }

    private @Nullable String java(List<String> options, Class<?> main, String... args)
            throws IOException, InterruptedException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of(java, "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", System.getProperty("java.class.path")));
        command.addAll(options);
        command.add(main.getName());
        command.addAll(List.of(args));
        return process(main.getSimpleName(), command);
    }

    /** What the process printed; null, and a failure noted, if it failed. What it says besides is shown. */
    private @Nullable String process(String name, List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String printed = new String(process.getInputStream().readAllBytes()).strip();
        if (process.waitFor() != 0) {
            failures.add(name + " ended with " + process.exitValue());
            return null;
        }
        return printed;
    }
}
