package io.labyrinth.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * One benchmark under one setting.
 *
 * @param benchmark class and method
 * @param params    of JMH, for the class's fields
 * @param threads   at work at once
 * @param measure   what its figure is
 * @param malloc    which one, where it is not libc's as it comes: a library to preload, or {@link #MMAPPED}
 */
record Job(String benchmark, Map<String, String> params, int threads, Measure measure, @Nullable String malloc) {

    /** What a figure means. */
    enum Measure {
        /** Time of one operation, as each thread sees it. */
        NANOS("ns"),
        /** Operations a microsecond, of all threads together. */
        THROUGHPUT("op/us"),
        /** Allocated on the heap by one operation. */
        BYTES("B");

        final String unit;

        Measure(String unit) {
            this.unit = unit;
        }
    }

    /**
     * How long to take over it.
     *
     * @param rounds     forks, each in a round with the others of its group
     * @param warmUp     milliseconds before those that count
     * @param iterations that count: many and short, so that the median passes over those that were disturbed
     * @param iteration  milliseconds of each
     */
    record Pace(int rounds, int warmUp, int iterations, int iteration) {

        Pace rounds(int other) {
            return new Pace(other, warmUp, iterations, iteration);
        }
    }

    /**
     * glibc's, with the threshold that it starts with held fast: 128 KiB and more are mapped and unmapped each time.
     * As it comes, the first free of such a buffer raises the threshold, up to 32 MiB, and the next ones are kept.
     */
    static final String MMAPPED = "mmapped";

    /** The warm-up is cut into so many, as the code that JMH puts around an iteration has to be warm as well. */
    private static final int WARM_UPS = 5;

    /** Of every fork, ours and the peers': what they need to run as fast as they can on this JDK. */
    private static final List<String> JVM = List.of("-Xms1g", "-Xmx2g", "--enable-native-access=ALL-UNNAMED",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "--sun-misc-unsafe-memory-access=allow",
            "--add-opens=java.base/java.nio=ALL-UNNAMED",
            "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED");

    static Job of(String benchmark) {
        return new Job(benchmark, Map.of(), 1, Measure.NANOS, null);
    }

    Job with(String param, Object value) {
        Map<String, String> more = new TreeMap<>(params);
        more.put(param, value.toString());
        return new Job(benchmark, more, threads, measure, malloc);
    }

    Job threads(int count) {
        return new Job(benchmark, params, count, measure, malloc);
    }

    Job measure(Measure other) {
        return new Job(benchmark, params, threads, other, malloc);
    }

    Job malloc(String other) {
        return new Job(benchmark, params, threads, measure, other);
    }

    String name() {
        StringBuilder name = new StringBuilder(benchmark);
        params.forEach((param, value) -> name.append(' ').append(param).append('=').append(value));
        if (threads > 1) {
            name.append(" threads=").append(threads);
        }
        if (malloc != null) {
            name.append(" malloc=").append(malloc);
        }
        return name.toString();
    }

    /** Where Debian and others keep the library to preload; null if it is not installed. */
    static @Nullable Path library(String name) {
        for (String folder : List.of("x86_64-linux-gnu", "aarch64-linux-gnu", "../lib64", ".")) {
            Path library = Path.of("/usr/lib", folder, "lib" + name + ".so.2");
            if (Files.exists(library)) {
                return library;
            }
        }
        return null;
    }

    /**
     * Runs it in a JVM of its own.
     *
     * @return a figure for each iteration
     * @throws RunnerException if it failed; what it printed is in a file of its name in {@code folder}
     */
    List<Double> run(Pace pace, Path folder) throws RunnerException, IOException {
        Path log = Files.createDirectories(folder.resolve("log")).resolve(name().replace(' ', '_') + ".txt");
        List<String> jvm = new ArrayList<>(JVM);
        if (benchmark.startsWith(NettyBench.class.getSimpleName())
                || benchmark.startsWith(InFlightBench.class.getSimpleName())) {
            jvm.add("-Djmh.executor=CUSTOM");
            jvm.add("-Djmh.executor.class=" + NettyBench.EventLoops.class.getName());
        }
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("\\." + Pattern.quote(benchmark) + "$")
                .mode(measure == Measure.THROUGHPUT ? Mode.Throughput : Mode.AverageTime)
                .timeUnit(measure == Measure.THROUGHPUT ? TimeUnit.MICROSECONDS : TimeUnit.NANOSECONDS)
                .threads(threads).forks(1)
                .warmupIterations(WARM_UPS).warmupTime(TimeValue.milliseconds(pace.warmUp / WARM_UPS))
                .measurementIterations(pace.iterations).measurementTime(TimeValue.milliseconds(pace.iteration))
                .shouldFailOnError(true).output(log.toString());
        params.forEach(options::param);
        if (measure == Measure.BYTES) {
            options.addProfiler(GCProfiler.class);
        }
        if (malloc != null) {
            if (!malloc.equals(MMAPPED)) {
                jvm.add("-D" + Rig.PRELOADED + "=" + malloc);
            }
            options.jvm(javaWithMalloc(folder).toString());
        }
        options.jvmArgs(jvm.toArray(String[]::new));
        RunResult result = new Runner(options.build()).runSingle();
        return result.getBenchmarkResults().iterator().next().getIterationResults().stream().map(this::figure).toList();
    }

    private double figure(IterationResult iteration) {
        Result<?> result = measure == Measure.BYTES ? iteration.getSecondaryResults().get("gc.alloc.rate.norm")
                : iteration.getPrimaryResult();
        return result.getScore();
    }

    /** A java with that malloc: JMH starts its forks with this process's environment. */
    private Path javaWithMalloc(Path folder) throws IOException {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Path script = folder.resolve("java-" + malloc);
        String variable = MMAPPED.equals(malloc) ? "MALLOC_MMAP_THRESHOLD_=131072" : "LD_PRELOAD=" + library(malloc);
        Files.writeString(script, "#!/bin/sh\n" + variable + " exec " + java + " \"$@\"\n");
        if (!script.toFile().setExecutable(true)) {
            throw new IOException(script + " cannot be made executable");
        }
        return script;
    }
}
