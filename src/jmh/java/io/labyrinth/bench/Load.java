package io.labyrinth.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Netty's default allocator and the labyrinth's under the same HTTP load, in turns, each in a JVM of its own: files of
 * 1 KiB to 1 MiB, asked for by {@code wrk} on loopback. Prints each pair, and the ratios' medians.
 */
public final class Load {

    private static final int[] SIZES = {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20};
    private static final int CONNECTIONS = 32;
    private static final Pattern PORT = Pattern.compile("port=(\\d+)");
    private static final Pattern MEASURED =
            Pattern.compile("requests=(\\d+) us=(\\d+) p50=(\\d+) p99=(\\d+) errors=(\\d+)");

    /** What wrk runs: a file at random for each request, the same files in each run. */
    private static final String SCRIPT = """
            local sizes = {%s}
            function setup(thread) thread:set("seed", 42) end
            function init(args) math.randomseed(seed) end
            function request() return wrk.format("GET", "/" .. sizes[math.random(#sizes)]) end
            function done(summary, latency)
                local e = summary.errors
                io.write(string.format("requests=%%d us=%%d p50=%%d p99=%%d errors=%%d\\n", summary.requests,
                    summary.duration, latency:percentile(50), latency:percentile(99),
                    e.connect + e.read + e.write + e.status + e.timeout))
            end
            """.formatted(String.join(", ", Arrays.stream(SIZES).mapToObj(String::valueOf).toList()));

    /** One server's run. */
    private record Run(double requestsPerSecond, double cpu, long p50, long p99, long resident, long peak,
            String left) {
        @Override
        public String toString() {
            return String.format(Locale.ROOT, "%8.0f req/s  cpu %5.1f us/req  p50 %6d us  p99 %6d us"
                    + "  resident %4d MiB  peak %4d MiB", requestsPerSecond, cpu, p50, p99, resident >> 10, peak >> 10);
        }
    }

    private record Pair(Run netty, Run labyrinth) {
        double throughput() {
            return labyrinth.requestsPerSecond / netty.requestsPerSecond;
        }

        /** The server's own, kernel included: what the machine's other guests disturb least. */
        double cpu() {
            return labyrinth.cpu / netty.cpu;
        }

        double p99() {
            return (double) labyrinth.p99 / netty.p99;
        }

        double resident() {
            return (double) labyrinth.resident / netty.resident;
        }
    }

    private final Path folder;
    private final Path script;
    private final int warmUpSeconds;
    private final int seconds;

    private Load(Path folder, int warmUpSeconds, int seconds) throws IOException {
        this.folder = Files.createDirectories(folder.resolve("files"));
        this.script = Files.writeString(folder.resolve("load.lua"), SCRIPT);
        this.warmUpSeconds = warmUpSeconds;
        this.seconds = seconds;
        Random random = new Random(42);
        for (int size : SIZES) {
            byte[] bytes = new byte[size];
            random.nextBytes(bytes);
            Files.write(this.folder.resolve("" + size), bytes);
        }
    }

    /** @param arguments {@code quick} or {@code full}, and where files may be made */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        boolean quick = arguments[0].equals("quick");
        Load load = new Load(Path.of(arguments[1]), quick ? 1 : 4, quick ? 3 : 10);
        int count = quick ? 2 : 5;
        Pair[] pairs = new Pair[count];
        for (int i = 0; i < count; i++) {
            // Whoever is first in one pair is second in the next.
            Run first = load.run(i % 2 == 0 ? "netty" : "labyrinth");
            Run second = load.run(i % 2 == 0 ? "labyrinth" : "netty");
            pairs[i] = i % 2 == 0 ? new Pair(first, second) : new Pair(second, first);
            System.out.printf(Locale.ROOT, "pair %d  netty      %s%n        labyrinth  %s%n        labyrinth / netty:"
                    + "  throughput %.3f  cpu %.3f  p99 %.3f  resident %.2f%n", i + 1, pairs[i].netty,
                    pairs[i].labyrinth, pairs[i].throughput(), pairs[i].cpu(), pairs[i].p99(), pairs[i].resident());
        }
        System.out.println(pairs[0].netty.left + System.lineSeparator() + pairs[count - 1].labyrinth.left);
        System.out.printf(Locale.ROOT, "median of %d pairs, labyrinth / netty:  throughput %.3f  cpu %.3f"
                + "  p99 %.3f  resident %.2f%n", count, median(pairs, Pair::throughput), median(pairs, Pair::cpu),
                median(pairs, Pair::p99),
                median(pairs, Pair::resident));
    }

    private static double median(Pair[] pairs, ToDoubleFunction<Pair> ratio) {
        double[] sorted = Arrays.stream(pairs).mapToDouble(ratio).sorted().toArray();
        return IntStream.of((sorted.length - 1) / 2, sorted.length / 2).mapToDouble(i -> sorted[i]).average()
                .orElseThrow();
    }

    private Run run(String allocator) throws IOException, InterruptedException {
        Process server = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-Xmx256m", "-cp", System.getProperty("java.class.path"),
                LoadServer.class.getName(), allocator, folder.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader out = server.inputReader()) {
            Matcher port = PORT.matcher(String.valueOf(out.readLine()));
            if (!port.matches()) {
                throw new IllegalStateException("the server did not start: allocator=" + allocator);
            }
            String address = "http://127.0.0.1:" + port.group(1);
            check(address);
            wrk(address, warmUpSeconds);
            Duration before = cpuOf(server);
            Matcher measured = wrk(address, seconds);
            double cpu = cpuOf(server).minus(before).toNanos() / 1e3 / Double.parseDouble(measured.group(1));
            double rate = Double.parseDouble(measured.group(1)) * 1e6 / Double.parseDouble(measured.group(2));
            long resident = status(server.pid(), "VmRSS");
            long peak = status(server.pid(), "VmHWM");
            server.outputWriter().close();
            String left = out.readLine();
            if (server.waitFor() != 0 || left == null) {
                throw new IllegalStateException("the server failed: allocator=" + allocator + " " + left);
            }
            return new Run(rate, cpu, Long.parseLong(measured.group(3)), Long.parseLong(measured.group(4)), resident,
                    peak, left);
        } finally {
            server.destroy();
        }
    }

    /** That what is served are the files, byte for byte. */
    private void check(String address) throws IOException {
        for (int size : SIZES) {
            try (InputStream body = URI.create(address + "/" + size).toURL().openStream()) {
                if (!Arrays.equals(body.readAllBytes(), Files.readAllBytes(folder.resolve("" + size)))) {
                    throw new IllegalStateException("served bytes differ: size=" + size);
                }
            }
        }
    }

    private Matcher wrk(String address, int seconds) throws IOException, InterruptedException {
        List<String> command = List.of("wrk", "-t1", "-c" + CONNECTIONS, "-d" + seconds, "-s", script.toString(),
                address);
        Process wrk;
        try {
            wrk = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        } catch (IOException e) {
            throw new IllegalStateException("make load needs wrk on PATH (Debian: apt-get install wrk)", e);
        }
        String out = new String(wrk.getInputStream().readAllBytes());
        Matcher measured = MEASURED.matcher(out);
        if (wrk.waitFor() != 0 || !measured.find() || !measured.group(5).equals("0")) {
            throw new IllegalStateException("wrk failed or saw errors: " + out);
        }
        return measured;
    }

    private static Duration cpuOf(Process server) {
        return server.info().totalCpuDuration().orElseThrow();
    }

    private static long status(long pid, String key) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream().filter(line -> line.startsWith(key))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
    }
}
