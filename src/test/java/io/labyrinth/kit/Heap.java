package io.labyrinth.kit;

/** The heap of a child JVM, which a program fills. */
public final class Heap {

    private Heap() {
    }

    /** Everything that the heap has; in coarse steps, as each ends with collections. */
    public static Object[] fillTheHeap(int largest) {
        Object[] all = null;
        for (int size = largest; size > 0; size /= 64) {
            try {
                while (true) {
                    all = new Object[] {all, new long[size]};
                }
            } catch (OutOfMemoryError e) {
                // On with the smaller ones.
            }
        }
        return all;
    }
}
