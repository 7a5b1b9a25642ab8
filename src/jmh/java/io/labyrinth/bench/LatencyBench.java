package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.HdrHistogram.Histogram;
import org.jctools.queues.MpmcArrayQueue;

/**
 * How long single operations take, beside an empty loop that is timed in the same way in the same run, block by block:
 * what the machine does to the empty loop, it does to all. Run in a JVM of its own, which writes a line for each round
 * and operation into latency.csv, and a picture of all rounds into latency.png.
 */
final class LatencyBench {

    static final String EMPTY = "emptyLoop";
    static final String FRAME = "framePair";
    static final String CSV = "latency.csv";
    /** So long that the first operation after another's block, with its lines cold, is rarer than what is looked at. */
    private static final int BLOCK = 50_000;
    private static final int BYTES = 4096;

    /**
     * Of a block: how many took so many ns, and those that took longer than there are counters. Small, as a CAS waits
     * for all stores before it: with every time stored in an array of its own, each of its pages was a miss that the
     * next operation had to wait for (p99.99 of a frame pair 110 to 170 ns).
     */
    private final int[] counts = new int[2048];
    private final long[] late = new long[BLOCK];
    private int lateCount;
    private final Labyrinth labyrinth = Rig.opened(1024, 0);
    private final Handles handles = labyrinth.handles();
    private final Arena arena = Arena.ofShared();
    private final MpmcArrayQueue<MemorySegment> pool = new MpmcArrayQueue<>(1024);
    /** Each in a loop of its own: through one loop for all, the compiler would not inline them. */
    private final Map<String, Runnable> blocks = new LinkedHashMap<>();

    private LatencyBench() {
        for (int i = 0; i < 1024; i++) {
            pool.add(arena.allocate(BYTES));
        }
        blocks.put(EMPTY, this::empty);
        blocks.put("handlePair", this::handle);
        blocks.put(FRAME, this::frame);
        blocks.put("malloc", this::malloc);
        blocks.put("nettyPooled", this::nettyPooled);
        blocks.put("mpmcArrayQueue", this::mpmc);
        blocks.put("arenaConfined", this::arenaConfined);
    }

    /** Arguments: the folder to write to, the rounds, the blocks of each round. */
    public static void main(String[] args) throws InterruptedException {
        Throwable[] failure = new Throwable[1];
        Thread thread = new FastThreadLocalThread(() -> {
            try {
                new LatencyBench().run(Path.of(args[0]), Integer.parseInt(args[1]), Integer.parseInt(args[2]));
            } catch (Throwable e) {
                failure[0] = e;
            }
        });
        thread.start();
        thread.join();
        if (failure[0] != null) {
            System.err.println("latency: " + failure[0]);
            System.exit(1);
        }
    }

    private void run(Path folder, int rounds, int count) throws IOException {
        Map<String, Histogram> all = new LinkedHashMap<>();
        StringBuilder csv = new StringBuilder("round,operation,p50,p99,p99.9,p99.99,max\n");
        round(count);
        for (int round = 1; round <= rounds; round++) {
            for (Map.Entry<String, Histogram> one : round(count).entrySet()) {
                csv.append(round).append(',').append(line(one.getKey(), one.getValue())).append('\n');
                all.computeIfAbsent(one.getKey(), name -> new Histogram(3)).add(one.getValue());
            }
        }
        all.forEach((name, histogram) -> csv.append("all,").append(line(name, histogram)).append('\n'));
        Files.writeString(folder.resolve(CSV), csv);
        Rig.close(labyrinth);
        arena.close();
        Picture.write(folder.resolve("latency.png"), all);
    }

    private static String line(String name, Histogram histogram) {
        return name + "," + histogram.getValueAtPercentile(50) + "," + histogram.getValueAtPercentile(99) + ","
                + histogram.getValueAtPercentile(99.9) + "," + histogram.getValueAtPercentile(99.99) + ","
                + histogram.getMaxValue();
    }

    private Map<String, Histogram> round(int count) {
        Map<String, Histogram> histograms = new LinkedHashMap<>();
        blocks.keySet().forEach(name -> histograms.put(name, new Histogram(3)));
        for (int i = 0; i < count; i++) {
            blocks.forEach((name, block) -> {
                block.run();
                drainTo(histograms.get(name));
            });
        }
        return histograms;
    }

    private void record(long time) {
        if (time < counts.length) {
            counts[(int) time]++;
        } else {
            late[lateCount++] = time;
        }
    }

    private void drainTo(Histogram histogram) {
        for (int time = 0; time < counts.length; time++) {
            histogram.recordValueWithCount(time, counts[time]);
        }
        for (int i = 0; i < lateCount; i++) {
            histogram.recordValue(late[i]);
        }
        Arrays.fill(counts, 0);
        lateCount = 0;
    }

    private void empty() {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            record(System.nanoTime() - start);
        }
    }

    private void handle() {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
            handles.free(handle);
            record(System.nanoTime() - start);
        }
    }

    private void frame() {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            framePair();
            record(System.nanoTime() - start);
        }
    }

    /** As a user's code has it, in a method of its own: within the loop, escape analysis gave up on the frame. */
    private void framePair() {
        try (Frame frame = Objects.requireNonNull(labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE))) {
            Rig.write(frame.segment());
        }
    }

    private void malloc() {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            MemorySegment buffer = Rig.malloc(BYTES);
            Rig.write(buffer);
            Rig.free(buffer);
            record(System.nanoTime() - start);
        }
    }

    private void nettyPooled() {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            ByteBuf buffer = PooledByteBufAllocator.DEFAULT.directBuffer(BYTES);
            buffer.setByte(0, 1);
            buffer.setByte(BYTES - 1, 1);
            buffer.release();
            record(System.nanoTime() - start);
        }
    }

    private void mpmc() {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            MemorySegment buffer = pool.poll();
            Rig.write(buffer);
            pool.offer(buffer);
            record(System.nanoTime() - start);
        }
    }

    private void arenaConfined() {
        for (int i = 0; i < BLOCK; i++) {
            long start = System.nanoTime();
            try (Arena confined = Arena.ofConfined()) {
                Rig.write(confined.allocate(BYTES));
            }
            record(System.nanoTime() - start);
        }
    }
}
