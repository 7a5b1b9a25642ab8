package io.labyrinth.bench;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import java.lang.management.ManagementFactory;

/**
 * A JVM that opens one labyrinth of so many frames and prints the nanoseconds that this took, and the bytes of metadata
 * that it has for each frame: those that it maps, and those that its opening added to the heap. A small one was opened
 * and closed before, so that the library is loaded when the clock starts, as the C program beside it is.
 */
public final class OpenBench {

    private OpenBench() {
    }

    public static void main(String[] args) {
        int frames = Integer.parseInt(args[0]);
        Labyrinth.builder("first").frames(1).locking(Locking.NONE).open().close();
        // The first reading loads what the second one finds loaded.
        heapInUse();
        long heap = heapInUse();
        long start = System.nanoTime();
        try (Labyrinth labyrinth = Labyrinth.builder("open").frames(frames).open()) {
            long nanos = System.nanoTime() - start;
            LabyrinthStats stats = labyrinth.stats();
            if (stats.lockedBytes() != stats.mappedBytes()) {
                throw new IllegalStateException("not all is locked: " + stats);
            }
            double metadata = (double) (stats.metadataBytes() + heapInUse() - heap) / frames;
            labyrinth.validate();
            System.out.println(nanos + " " + metadata);
        } catch (LabyrinthException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }

    private static long heapInUse() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }
}
