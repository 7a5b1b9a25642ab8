package io.labyrinth.map;

/** What the colours of a picture show. */
public enum ColorBy {
    /** Free, exclusive, shared, in transit. */
    STATE,
    /** Process and thread. The 12 owners with the most frames have a colour each; all others have one together. */
    OWNER,
    /** The order of each run that is out. */
    ORDER,
    /** How many lives of each run's first frame have ended since the labyrinth opened: where the traffic is. */
    LIVES,
    /**
     * For how long each run has been out, at least. The time counts from the first look of this watch that saw the run
     * as it is. The page words keep generations and no times, so a single look shows no age.
     */
    AGE
}
