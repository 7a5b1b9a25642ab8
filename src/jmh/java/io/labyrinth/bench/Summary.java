package io.labyrinth.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/** The figures that are goals, by name, and the table of all. */
final class Summary {

    /** What -prof gc shows for no allocation at all: its own, spread over the operations. */
    private static final double NO_BYTES = 0.01;

    /** A goal: at most, or at least. */
    private record Goal(String name, boolean atMost, double bound) {

        boolean isMet(double value) {
            return atMost ? value <= bound : value >= bound;
        }

        @Override
        public String toString() {
            String text = String.valueOf(bound);
            return (atMost ? "<= " : ">= ") + (text.endsWith(".0") ? text.substring(0, text.length() - 2) : text);
        }
    }

    private final List<Goal> goals = new ArrayList<>();
    private final Map<String, OptionalDouble> measured = new LinkedHashMap<>();
    private final Results results;

    Summary(Results results, OptionalDouble p9999, OptionalDouble openVsPopulate, OptionalDouble metadataBytes) {
        this.results = results;
        String pair = Plan.PAIR;
        atMost("handle_pair_vs_cas_limit", 2.5, results.ratio(pair, Plan.HANDLE, Plan.CAS_LIMIT));
        atMost("frame_pair_vs_cas_limit", 4, results.ratio(pair, Plan.FRAME, Plan.CAS_LIMIT));
        atLeast("netty_adaptive_vs_frame_pair", 5, results.ratio(pair, Plan.NETTY_ADAPTIVE, Plan.FRAME));
        atLeast("netty_pooled_vs_frame_pair", 6, results.ratio(pair, Plan.NETTY_POOLED, Plan.FRAME));
        atLeast("malloc_vs_frame_pair", 3, results.ratio(pair, Plan.MALLOC, Plan.FRAME));
        atLeast("arena_confined_vs_frame_pair", 5, results.ratio(pair, Plan.ARENA_CONFINED, Plan.FRAME));
        atLeast("queue_pool_vs_frame_pair", 2, results.ratio(pair, Plan.POOLS, Plan.FRAME));
        atLeast("netty_adaptive_vs_frame_pair_64k", 3,
                results.ratio(Plan.LARGE, Plan.NETTY_ADAPTIVE_64K, Plan.FRAME_64K));
        atLeast("malloc_vs_frame_pair_2m", 20, results.ratio(Plan.LARGE, Plan.MALLOC_2M, Plan.FRAME_2M));
        atLeast("malloc_mmapped_vs_frame_pair_2m", 20,
                results.ratio(Plan.LARGE, Plan.MALLOC_2M_MMAPPED, Plan.FRAME_2M));
        atMost("two_threads_vs_one", 1.1, twice(results.ratio(Plan.THREADS, Plan.HANDLES_OF_1, Plan.HANDLES_OF_2)));
        atLeast("eight_threads_vs_two", 0.9, results.ratio(Plan.THREADS, Plan.HANDLES_OF_8, Plan.HANDLES_OF_2));
        atMost("replace_99_vs_50", 1.5, results.ratio(Plan.REPLACE, Plan.REPLACE_99, Plan.REPLACE_50));
        atMost("pass_on_vs_jctools_spsc", 2, results.ratio(Plan.PASS_ON, Plan.PASS_TICKET, Plan.PASS_SEGMENT));
        OptionalDouble nowait = results.ratio(Plan.SIZES, Plan.REFUSED_NOWAIT, Plan.HUGE);
        atMost("refused_vs_pair", 30, nowait);
        atMost("refused_nowait_vs_pair", 30, nowait);
        atMost("refused_atomic_vs_pair", 5, results.ratio(Plan.SIZES, Plan.REFUSED_ATOMIC, Plan.HUGE));
        atMost("size_2_20_vs_2_10", 1.2, results.ratio(Plan.SIZES, Plan.HUGE, Plan.SMALL));
        atMost("p9999_vs_empty_loop", 2, p9999);
        atMost("bytes_per_op_handle", 0, bytes(Plan.BYTES_HANDLE));
        atMost("bytes_per_op_frame", 0, bytes(Plan.BYTES_FRAME));
        atMost("open_vs_populate", 0.5, openVsPopulate);
        atMost("metadata_bytes_per_frame", 24, metadataBytes);
        if (results.rounds.containsKey(Plan.SLAB)) {    // not with QUICK=1, where none of it is missing
            Plan.SLAB_BYTES.forEach(this::slab);
        }
    }

    /** Below a page: each face of a slab, and a burst, against what C and Netty have. */
    private void slab(int bytes) {
        slab("handle_", bytes, Plan.SLAB_HANDLE, Plan.MALLOC, Plan.NETTY_ADAPTIVE);
        slab("object_", bytes, Plan.SLAB_OBJECT, Plan.MALLOC, Plan.NETTY_ADAPTIVE);
        slab("burst_", bytes, Plan.SLAB_BURST, Plan.MALLOC_BURST, Plan.NETTY_BURST);
    }

    private void slab(String face, int bytes, Job slab, Job malloc, Job netty) {
        Job ours = slab.with("bytes", bytes);
        atLeast("malloc_vs_slab_" + face + bytes, 1,
                results.ratio(Plan.SLAB, malloc.with("bytes", bytes), ours));
        atLeast("netty_adaptive_vs_slab_" + face + bytes, 1,
                results.ratio(Plan.SLAB, netty.with("bytes", bytes), ours));
    }

    private void atMost(String name, double bound, OptionalDouble value) {
        goals.add(new Goal(name, true, bound));
        measured.put(name, value);
    }

    private void atLeast(String name, double bound, OptionalDouble value) {
        goals.add(new Goal(name, false, bound));
        measured.put(name, value);
    }

    /** Two threads have two operations done in the time of one. */
    private static OptionalDouble twice(OptionalDouble ratio) {
        return ratio.isPresent() ? OptionalDouble.of(2 * ratio.getAsDouble()) : ratio;
    }

    private OptionalDouble bytes(Job job) {
        OptionalDouble bytes = results.figure(Plan.BYTES, job);
        return bytes.isPresent() && bytes.getAsDouble() < NO_BYTES ? OptionalDouble.of(0) : bytes;
    }

    /** What was measured, rounded to four digits after the point. */
    Map<String, Double> numbers() {
        Map<String, Double> numbers = new LinkedHashMap<>();
        measured.forEach((name, value) -> value.ifPresent(
                number -> numbers.put(name, Math.round(number * 10_000) / 10_000.0)));
        return numbers;
    }

    /** Names that this run has no figure for. */
    List<String> missing() {
        return measured.entrySet().stream().filter(one -> one.getValue().isEmpty()).map(Map.Entry::getKey).toList();
    }

    String table() {
        StringBuilder table = new StringBuilder();
        results.rounds.forEach((group, jobs) -> {
            table.append(String.format("%n%-58s %12s %-6s %s%n", group, "median", "", "lowest - highest round"));
            for (Job job : jobs.keySet()) {
                List<Double> figures = results.figures(group, job).stream().sorted().toList();
                table.append(figures.isEmpty() ? String.format("  %-56s %12s%n", job.name(), "failed")
                        : String.format(Locale.ROOT, "  %-56s %12.2f %-6s %.2f - %.2f%n", job.name(),
                        Results.median(figures), job.measure().unit, figures.getFirst(), figures.getLast()));
            }
        });
        table.append(String.format("%n%-40s %10s %8s%n", "goal", "measured", "wanted"));
        for (Goal goal : goals) {
            OptionalDouble value = measured.get(goal.name);
            table.append(value.isEmpty() ? String.format("%-40s %10s %8s%n", goal.name, "-", goal)
                    : String.format(Locale.ROOT, "%-40s %10.2f %8s  %s%n", goal.name, value.getAsDouble(), goal,
                    goal.isMet(value.getAsDouble()) ? "met" : "MISSED"));
        }
        return table.toString();
    }
}
