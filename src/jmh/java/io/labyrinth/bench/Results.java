package io.labyrinth.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/** All figures of one run: by group, by job, by round, by iteration. */
final class Results {

    /** By group and job; of each round, the iterations. A round that failed is an empty list. */
    final Map<String, Map<Job, List<List<Double>>>> rounds = new LinkedHashMap<>();

    void add(String group, Job job, List<Double> iterations) {
        rounds.computeIfAbsent(group, name -> new LinkedHashMap<>()).computeIfAbsent(job, name -> new ArrayList<>())
                .add(iterations);
    }

    /** The median of its iterations for each round. */
    List<Double> figures(String group, Job job) {
        return rounds.getOrDefault(group, Map.of()).getOrDefault(job, List.of()).stream()
                .filter(iterations -> !iterations.isEmpty()).map(Results::median).toList();
    }

    OptionalDouble figure(String group, Job job) {
        List<Double> figures = figures(group, job);
        return figures.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(median(figures));
    }

    /** The median over the rounds of one job's figure to another's: a round measures them close together. */
    OptionalDouble ratio(String group, Job over, Job under) {
        return ratio(group, List.of(over), under);
    }

    /** The same, for the one of several that is the fastest in its round. */
    OptionalDouble ratio(String group, List<Job> over, Job under) {
        List<Double> below = figures(group, under);
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round < below.size(); round++) {
            double best = Double.MAX_VALUE;
            for (Job job : over) {
                List<Double> above = figures(group, job);
                best = round < above.size() ? Math.min(best, above.get(round)) : best;
            }
            if (best < Double.MAX_VALUE) {
                ratios.add(best / below.get(round));
            }
        }
        return ratios.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(median(ratios));
    }

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    /** One line an iteration. */
    String csv() {
        StringBuilder csv = new StringBuilder("group,benchmark,params,threads,malloc,round,iteration,figure,unit\n");
        rounds.forEach((group, jobs) -> jobs.forEach((job, all) -> {
            for (int round = 0; round < all.size(); round++) {
                for (int i = 0; i < all.get(round).size(); i++) {
                    csv.append(String.join(",", group, job.benchmark(), params(job), String.valueOf(job.threads()),
                            job.malloc() == null ? "" : job.malloc(), String.valueOf(round + 1),
                            String.valueOf(i + 1), String.valueOf(all.get(round).get(i)),
                            job.measure().unit)).append('\n');
                }
            }
        }));
        return csv.toString();
    }

    private static String params(Job job) {
        return job.params().entrySet().stream().map(param -> param.getKey() + "=" + param.getValue())
                .collect(Collectors.joining(" "));
    }
}
