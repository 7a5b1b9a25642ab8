package io.labyrinth.cli;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What a worker fills its frames with. Each 8 bytes say which worker stamped them, in which generation, with which of
 * its stamps, and at which place. So a write of another worker is noticed.
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

    /** Workers are numbered from 1: memory that nobody stamped reads as worker 0. */
    static long of(int worker, long generation, long number) {
        return (long) worker << WORKER_SHIFT | (generation & GENERATION) << GENERATION_SHIFT | number & NUMBER;
    }

    static void write(MemorySegment run, long stamp) {
        int longs = (int) (run.byteSize() / Long.BYTES);
        for (int i = 0; i < longs; i++) {
            run.set(ValueLayout.JAVA_LONG, (long) i * Long.BYTES, stamp ^ i);
        }
    }

    /** Whether the whole run has this stamp. */
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

    /** The first place where the run has another stamp, and that stamp. */
    static String difference(MemorySegment run, long stamp) {
        int longs = (int) (run.byteSize() / Long.BYTES);
        for (int i = 0; i < longs; i++) {
            long found = run.get(ValueLayout.JAVA_LONG, (long) i * Long.BYTES) ^ i;
            if (found != stamp) {
                return "expected " + describe(stamp) + ", found " + describe(found) + " at offset="
                        + (long) i * Long.BYTES;
            }
        }
        return "expected " + describe(stamp) + ", found another stamp at first, and this one just now: another writer"
                + " is at work";
    }

    static String describe(long stamp) {
        return "worker=" + (stamp >>> WORKER_SHIFT) + " generation=" + (stamp >> GENERATION_SHIFT & GENERATION)
                + " stamp="
                + (stamp & NUMBER);
    }
}
