package io.labyrinth;

/** Whether the pages must be locked in memory when a labyrinth opens. */
public enum Locking {
    /** All of them, or the labyrinth does not open. */
    REQUIRED,
    /** All of them if the system allows it; else a warning, and {@code stats().lockedBytes()} tells. */
    PREFERRED,
    /** Not asked for. The pages are faulted in all the same. */
    NONE
}
