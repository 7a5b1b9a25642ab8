package io.labyrinth.lincheck;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The memory of the page map in a form that {@link LincheckTest} can see. lv, so and cas of the shipped class end here,
 * for page words and owner words. All other code of that class runs unchanged.
 */
public final class Cells {

    /** An address that no memory is at. */
    static final long BASE = 1 << 20;

    private static AtomicLongArray cells = new AtomicLongArray(0);

    private Cells() {
    }

    static void clear(long bytes) {
        cells = new AtomicLongArray((int) bytes / Long.BYTES);
    }

    private static int at(long address) {
        return (int) (address - BASE) / Long.BYTES;
    }

    public static long lv(long address) {
        return cells.get(at(address));
    }

    public static void so(long address, long value) {
        cells.set(at(address), value);
    }

    public static boolean cas(long address, long from, long to) {
        return cells.compareAndSet(at(address), from, to);
    }

    public static long lvOwnerAt(long wordAt) {
        return lv(wordAt + Long.BYTES);
    }

    public static void soOwnerAt(long wordAt, long owner) {
        so(wordAt + Long.BYTES, owner);
    }

    /** The planted bug: a CAS that reads, then writes. */
    public static boolean torn(long address, long from, long to) {
        boolean good = lv(address) == from;
        if (good) {
            so(address, to);
        }
        return good;
    }
}
