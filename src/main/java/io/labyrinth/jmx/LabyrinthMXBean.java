package io.labyrinth.jmx;

import java.lang.management.BufferPoolMXBean;

/**
 * A labyrinth's figures. After the labyrinth is closed, each is -1: a {@link BufferPoolMXBean} says so what it does not
 * know. A figure about frames is counted from all page words when it is asked for, and is exact if no thread allocates
 * or frees. An approximate figure says so in its name.
 *
 * <p>The figures of a {@link BufferPoolMXBean}: {@code Count} is the number of frames that are out,
 * {@code TotalCapacity} the bytes of all frames, {@code MemoryUsed} all mapped bytes, those of page map and slabs
 * included.
 */
public interface LabyrinthMXBean extends BufferPoolMXBean {

    /** All frames, the reserve included. */
    long getFrames();

    /** Bytes of a frame. */
    long getFrameSize();

    /** Free frames outside of the reserve. */
    long getFreeFrames();

    /** Free frames of the reserve. */
    long getReserveFreeFrames();

    /** Frames that are claimed. */
    long getClaimedFrames();

    /** Frames whose tickets are not accepted yet. */
    long getInTransitFrames();

    /** Frames that are out of use for good. */
    long getQuarantinedFrames();

    /** Order of the largest free run. A request may get a larger one by a join. Also -1 if nothing is free. */
    long getLargestFreeOrder();

    /** Frees, hand-overs and sweeps so far. */
    long getLivesEnded();

    /** Requests that got {@code null}. Races lose some. */
    long getRefusedApprox();

    /** Requests that the reserve has served. Races lose some. */
    long getReserveHitsApprox();

    /** Claims that lost a race or followed an outdated hint. Races lose some. */
    long getLostApprox();

    /** Bytes that the kernel showed as locked when the labyrinth opened. */
    long getLockedBytes();

    /** Who holds what, as text: {@link io.labyrinth.Labyrinth#owners}. Empty after the labyrinth is closed. */
    String describeOwners();

    /** Frees the frames of ended threads: {@link io.labyrinth.Labyrinth#sweepDeadOwners}. */
    long sweepDeadOwners();
}
