package io.labyrinth.map;

/** What the colours of a picture tell. */
public enum ColorBy {
    /** Free, exclusive, shared, in transit. */
    STATE,
    /** Process and thread; the largest holders by themselves. */
    OWNER,
    /** Of the runs that somebody has. */
    ORDER,
    /** How many lives the first frame of each run has ended since the labyrinth opened: where the traffic is. */
    LIVES,
    /**
     * For how long somebody has had a run, at least: since the first look of this watch that saw it so. The words know
     * lives and no times, so one look alone can tell nothing, and the first can only say "not less than".
     */
    AGE
}
