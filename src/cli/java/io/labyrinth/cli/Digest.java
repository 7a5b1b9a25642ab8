package io.labyrinth.cli;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * The work of {@code digest}: one thread finds the files, pairs of threads read and hash them, the caller's thread
 * prints. Lines and failures come out in the order in which the files were found, whatever the number of threads.
 */
final class Digest {

    /** Files that may be found before their lines are printed. Bounds what a huge tree keeps in memory. */
    private static final int FOUND_AHEAD = 4096;

    private final Labyrinth labyrinth;
    private final Progress progress;
    private final BlockingQueue<DigestFile> toRead = new LinkedBlockingQueue<>();
    private final BlockingQueue<DigestFile> toPrint = new ArrayBlockingQueue<>(FOUND_AHEAD);
    private final List<ReadHashPipeline> pipelines = new ArrayList<>();

    long files;
    long bytes;
    long failed;
    long links;
    long nanos;
    FaultCounter.Count faults = new FaultCounter.Count(0, 0);
    final PeakSampler sampler;

    Digest(Labyrinth labyrinth, Gfp gfp, int order, int threads, Progress progress) {
        this.labyrinth = labyrinth;
        this.progress = progress;
        this.sampler = new PeakSampler(labyrinth);
        FrameReturns returns = new FrameReturns();
        for (int i = 0; i < threads; i++) {
            pipelines.add(new ReadHashPipeline(labyrinth, gfp, order, returns));
        }
    }

    void run(List<String> arguments, OutputStream sums) throws Exception {
        WorkerGroup workers = new WorkerGroup();
        CountDownLatch begun = new CountDownLatch(pipelines.size());
        try {
            for (int i = 0; i < pipelines.size(); i++) {
                ReadHashPipeline pipeline = pipelines.get(i);
                workers.start("hash-" + i, pipeline::hash);
                workers.start("read-" + i, () -> pipeline.read(toRead, begun::countDown));
            }
            begun.await();
            FaultCounter.Count before = FaultCounter.ofProcess();
            long start = System.nanoTime();
            workers.start("find", () -> find(arguments));
            print(sums);
            nanos = System.nanoTime() - start;
            faults = FaultCounter.ofProcess().since(before);
        } catch (Throwable e) {
            // An interrupt means that a worker has failed: join throws what it threw.
            workers.stop();
            workers.join();
            throw e;
        }
        workers.join();
    }

    /** Adds the figures of all readers. */
    void addTo(Meter sum) throws IOException {
        for (ReadHashPipeline pipeline : pipelines) {
            sum.add(pipeline.meter());
            pipeline.close();
        }
    }

    long direct() {
        return pipelines.stream().mapToLong(pipeline -> pipeline.direct).sum();
    }

    long buffered() {
        return pipelines.stream().mapToLong(pipeline -> pipeline.buffered).sum();
    }

    private void find(List<String> arguments) throws InterruptedException {
        FileTree tree = new FileTree(this::found);
        for (String argument : arguments) {
            tree.argument(argument);
        }
        links = tree.links;
        toRead.add(DigestFile.END);
        toPrint.put(DigestFile.END);
    }

    private void found(String name, @Nullable Path path, long size, @Nullable String failure)
            throws InterruptedException {
        DigestFile found = new DigestFile(name, path);
        progress.found(size);
        toPrint.put(found);
        if (failure == null) {
            toRead.add(found);
        } else {
            found.done(null, 0, failure);
        }
    }

    private void print(OutputStream sums) throws Exception {
        for (DigestFile found = toPrint.take(); found != DigestFile.END; found = toPrint.take()) {
            if (!found.outcome().isDone()) {
                sums.flush();
            }
            DigestFile.Outcome outcome = found.outcome().get();
            if (outcome.sum() != null) {
                sums.write(RawText.bytes(RawText.sumLine(outcome.sum(), found.name())));
                files++;
                bytes += outcome.bytes();
            } else {
                LabyrinthCli.error(RawText.visible(found.name()) + ": " + outcome.failure());
                failed++;
            }
            progress.done(outcome.bytes());
            sampler.look();
        }
        sums.flush();
    }
}
