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
 * The job: one thread finds the files, pairs of threads read and hash them, the caller's prints. Lines and failures
 * come out in the order in which the files were found, whatever the number of threads.
 */
final class Digest {

    /** Files found ahead of the one whose line is due; bounds what is remembered of a huge tree. */
    private static final int FOUND_AHEAD = 4096;

    private final Labyrinth labyrinth;
    private final Progress progress;
    private final BlockingQueue<Found> toRead = new LinkedBlockingQueue<>();
    private final BlockingQueue<Found> toPrint = new ArrayBlockingQueue<>(FOUND_AHEAD);
    private final List<Pair> pairs = new ArrayList<>();

    long files;
    long bytes;
    long failed;
    long links;
    long nanos;
    FaultCounter.Count faults = new FaultCounter.Count(0, 0);
    final Looks looks;

    Digest(Labyrinth labyrinth, Gfp gfp, int order, int threads, Progress progress) {
        this.labyrinth = labyrinth;
        this.progress = progress;
        this.looks = new Looks(labyrinth);
        FrameReturns returns = new FrameReturns();
        for (int i = 0; i < threads; i++) {
            pairs.add(new Pair(labyrinth, gfp, order, returns));
        }
    }

    void run(List<String> arguments, OutputStream sums) throws Exception {
        Crew crew = new Crew();
        CountDownLatch begun = new CountDownLatch(pairs.size());
        try {
            for (int i = 0; i < pairs.size(); i++) {
                Pair pair = pairs.get(i);
                crew.start("hash-" + i, pair::hash);
                crew.start("read-" + i, () -> pair.read(toRead, begun::countDown));
            }
            begun.await();
            FaultCounter.Count before = FaultCounter.ofProcess();
            long start = System.nanoTime();
            crew.start("find", () -> find(arguments));
            print(sums);
            nanos = System.nanoTime() - start;
            faults = FaultCounter.ofProcess().since(before);
        } catch (Throwable e) {
            // Interrupted: one of the crew has failed, and join throws what.
            crew.stop();
            crew.join();
            throw e;
        }
        crew.join();
    }

    /** All readers in one. */
    void addTo(Meter sum) throws IOException {
        for (Pair pair : pairs) {
            sum.add(pair.meter());
            pair.close();
        }
    }

    long direct() {
        return pairs.stream().mapToLong(pair -> pair.direct).sum();
    }

    long buffered() {
        return pairs.stream().mapToLong(pair -> pair.buffered).sum();
    }

    private void find(List<String> arguments) throws InterruptedException {
        FileTree tree = new FileTree(this::found);
        for (String argument : arguments) {
            tree.argument(argument);
        }
        links = tree.links;
        toRead.add(Found.END);
        toPrint.put(Found.END);
    }

    private void found(String name, @Nullable Path path, long size, @Nullable String failure)
            throws InterruptedException {
        Found found = new Found(name, path);
        progress.found(size);
        toPrint.put(found);
        if (failure == null) {
            toRead.add(found);
        } else {
            found.done(null, 0, failure);
        }
    }

    private void print(OutputStream sums) throws Exception {
        for (Found found = toPrint.take(); found != Found.END; found = toPrint.take()) {
            if (!found.outcome().isDone()) {
                sums.flush();
            }
            Found.Outcome outcome = found.outcome().get();
            if (outcome.sum() != null) {
                sums.write(RawText.bytes(RawText.sumLine(outcome.sum(), found.name())));
                files++;
                bytes += outcome.bytes();
            } else {
                CommandLineFace.error(RawText.visible(found.name()) + ": " + outcome.failure());
                failed++;
            }
            progress.done(outcome.bytes());
            looks.look();
        }
        sums.flush();
    }
}
