package io.labyrinth.cli;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What a frame is filled with, so that nobody else can write to it unnoticed: in each 8 bytes who stamped it, in which
 * life, how many stamps the stamper had made, and the place.
 */
final class Stamp {

    /*
     *  63      54 53              30 29                 0
     * +----------+------------------+--------------------+
     * | worker   | generation       | stamp's number     |   exclusive-or the index of the long: at most 19 bits
     * +----------+------------------+--------------------+
     */

    static final int MOST_WORKERS = (1 << 10) - 1;
    private static final int WORKER_SHIFT = 54;
    private static final int GENERATION_SHIFT = 30;
    private static final long GENERATION = (1L << 24) - 1;
    private static final long NUMBER = (1L << 30) - 1;

    private Stamp() {
    }

    /** For a worker from 1 on: memory that nobody stamped reads as worker 0. */
    static long of(int worker, long generation, long number) {
        return (long) worker << WORKER_SHIFT | (generation & GENERATION) << GENERATION_SHIFT | number & NUMBER;
    }

    static void write(MemorySegment run, long stamp) {
        int longs = (int) (run.byteSize() / Long.BYTES);
        for (int i = 0; i < longs; i++) {
            run.set(ValueLayout.JAVA_LONG, (long) i * Long.BYTES, stamp ^ i);
        }
    }

    /** Looks at the whole length. */
    static boolean isOn(MemorySegment run, long stamp) {
        int longs = (int) (run.byteSize() / Long.BYTES);
        long differences = 0;
        for (int i = 0; i < longs; i++) {
            differences |= run.get(ValueLayout.JAVA_LONG, (long) i * Long.BYTES) ^ stamp ^ i;
        }
        return differences == 0;
    }

    static boolean isZero(MemorySegment run) {
        int longs = (int) (run.byteSize() / Long.BYTES);
        long differences = 0;
        for (int i = 0; i < longs; i++) {
            differences |= run.get(ValueLayout.JAVA_LONG, (long) i * Long.BYTES);
        }
        return differences == 0;
    }

    /** Where the run first has something else, and what. */
    static String difference(MemorySegment run, long stamp) {
        int longs = (int) (run.byteSize() / Long.BYTES);
        for (int i = 0; i < longs; i++) {
            long found = run.get(ValueLayout.JAVA_LONG, (long) i * Long.BYTES) ^ i;
            if (found != stamp) {
                return "expected " + describe(stamp) + ", found " + describe(found) + " at offset="
                        + (long) i * Long.BYTES;
            }
        }
        return "expected " + describe(stamp) + ", and now it is there: somebody else is writing";
    }

    static String describe(long stamp) {
        return "worker=" + (stamp >>> WORKER_SHIFT) + " generation=" + (stamp >> GENERATION_SHIFT & GENERATION)
                + " stamp="
                + (stamp & NUMBER);
    }
}
