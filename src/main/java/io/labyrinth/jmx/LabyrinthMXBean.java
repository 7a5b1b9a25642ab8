package io.labyrinth.jmx;

import java.lang.management.BufferPoolMXBean;

/**
 * A labyrinth's figures. Each is -1 once the labyrinth is closed, as a {@link BufferPoolMXBean} says what is not known.
 * Those of the frames are counted anew for each, from all page words: exact at rest. What is approximate says so.
 *
 * <p>Of a {@link BufferPoolMXBean}: {@code Count} is the frames that are out, {@code TotalCapacity} the bytes of all
 * frames, {@code MemoryUsed} all bytes that are mapped, those of page map and slabs included.
 */
public interface LabyrinthMXBean extends BufferPoolMXBean {

    /** In all. */
    long getFrames();

    /** Bytes of one. */
    long getFrameSize();

    /** That anybody may have. */
    long getFreeFrames();

    /** Of the reserve, free ones. */
    long getReserveFreeFrames();

    /** That have an owner. */
    long getClaimedFrames();

    /** Whose tickets are not accepted. */
    long getInTransitFrames();

    /** Out of use for good. */
    long getQuarantinedFrames();

    /** Of the largest free run, as it lies; a larger one may be had by joining. -1 too if nothing is free. */
    long getLargestFreeOrder();

    /** Frees, hand-overs and sweeps so far. */
    long getLivesEnded();

    /** Requests that got {@code null}; racing ones may be missed. */
    long getRefusedApprox();

    /** Requests that the reserve has served; racing ones may be missed. */
    long getReserveHitsApprox();

    /** Claims that lost a race or followed an outdated hint; racing ones may be missed. */
    long getLostApprox();

    /** What was shown as locked when it had been mapped. */
    long getLockedBytes();

    /** Who holds what, as text: {@link io.labyrinth.Labyrinth#owners}. Empty once closed. */
    String describeOwners();

    /** Frees what ended threads own: {@link io.labyrinth.Labyrinth#sweepDeadOwners}. */
    long sweepDeadOwners();
}
