package io.labyrinth;

/** Whether the pages must be locked in memory when a labyrinth opens. */
public enum Locking {
    /** All pages must be locked. If they cannot be, the labyrinth does not open. */
    REQUIRED,
    /** All pages are locked if the system allows it. If not, a warning says so; see {@code stats().lockedBytes()}. */
    PREFERRED,
    /** No page is locked. The pages are faulted in all the same. */
    NONE
}
