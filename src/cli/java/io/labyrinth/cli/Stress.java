package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Lets workers use one labyrinth for some seconds. */
final class Stress {

    /*
     * Flood and ebb take turns, by the clock, for all workers at the same time. In a flood each worker wants more than
     * its share. So the labyrinth is full, requests get null, and the reserve is used. In an ebb all workers but one
     * free all that they have, and this one asks for runs of any order. Without ebbs no large run would ever be free.
     */

    private static final long FLOOD_NANOS = TimeUnit.MILLISECONDS.toNanos(45);
    private static final long EBB_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final long NAP_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long STEP_MILLIS = 50;
    /** A tenth of the time passes before the steady part begins: then the compiler has done most of its work. */
    private static final int WARM_UP = 10;
    private static final int ROUNDS = 16;

    final long ordinary;
    private final Labyrinth labyrinth;
    private final long seconds;
    private final long mostFrames;
    private final List<StressWorker> workers = new ArrayList<>();
    private final CyclicBarrier allDone;
    private final long start = System.nanoTime();
    private volatile boolean over;

    final PeakSampler sampler;
    FaultCounter.Count faults = new FaultCounter.Count(0, 0);

    Stress(Labyrinth labyrinth, int threads, long seconds, long seed) {
        this.labyrinth = labyrinth;
        LabyrinthStats stats = labyrinth.stats();
        this.ordinary = stats.frames() - stats.reserve();
        this.seconds = seconds;
        this.mostFrames = stats.frames() / threads + 1;
        this.allDone = new CyclicBarrier(threads);
        this.sampler = new PeakSampler(labyrinth);
        for (int i = 0; i < threads; i++) {
            workers.add(new StressWorker(this, labyrinth, i + 1, seed));
        }
    }

    List<StressWorker> workers() {
        return workers;
    }

    StressWorker anyOther(int number, SplittableRandom random) {
        int other = random.nextInt(Math.max(1, workers.size() - 1));
        return workers.get((number + other) % workers.size());
    }

    void run(Progress progress) throws Exception {
        WorkerGroup group = new WorkerGroup();
        CountDownLatch begun = new CountDownLatch(workers.size());
        try {
            for (int i = 0; i < workers.size(); i++) {
                int index = i;
                group.start("stress-" + (i + 1), () -> life(index, begun));
            }
            begun.await();
            progress.found(seconds);
            long warm = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds) / WARM_UP;
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
            FaultCounter.Count before = null;
            long shown = 0;
            while (System.nanoTime() < end) {
                Thread.sleep(STEP_MILLIS);
                sampler.look();
                if (before == null && System.nanoTime() >= warm) {
                    before = FaultCounter.ofProcess();
                }
                long gone = seconds - TimeUnit.NANOSECONDS.toSeconds(Math.max(0, end - System.nanoTime()));
                progress.done(gone - shown);
                shown = gone;
            }
            faults = before == null ? faults : FaultCounter.ofProcess().since(before);
            over = true;
        } catch (InterruptedException e) {
            // A worker has failed: join throws what it threw.
            group.stop();
            group.join();
            throw e;
        }
        group.join();
    }

    private void life(int index, CountDownLatch begun) throws Exception {
        StressWorker worker = workers.get(index);
        worker.begin();
        begun.countDown();
        begun.await();
        try {
            while (!over && !Thread.currentThread().isInterrupted()) {
                round(worker, index);
            }
            // After this barrier no worker sends anything.
            allDone.await();
            worker.freeAll();
        } catch (LabyrinthException | WrongThreadException | IllegalStateException refused) {
            throw new Violation("a valid call was refused: " + refused.getMessage());
        }
    }

    private void round(StressWorker worker, int index) {
        long time = System.nanoTime() - start;
        boolean ebb = time % (FLOOD_NANOS + EBB_NANOS) > FLOOD_NANOS;
        boolean mine = time / (FLOOD_NANOS + EBB_NANOS) % workers.size() == index;
        if (ebb && !mine) {
            worker.freeAll();
            LockSupport.parkNanos(NAP_NANOS);
            return;
        }
        for (int i = 0; i < ROUNDS; i++) {
            worker.work(mostFrames, ebb);
        }
    }

    void addTo(Meter sum) throws IOException {
        for (StressWorker worker : workers) {
            sum.add(worker.meter());
            worker.close();
        }
    }
}
