package io.labyrinth.internal.os;

import io.labyrinth.internal.pagemap.GfpFlags;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Throttle;
import jdk.jfr.Timespan;

/**
 * The events of flight recordings. They are off unless a recording enables them, as {@code labyrinth.jfc} in the root
 * of the jar does. If an event cannot be recorded for want of heap, it is left out and the error is not thrown: what
 * the event reports has happened all the same.
 */
public final class FlightEvents {

    /*
     * commit() asks by itself whether a recording wants the event. So only an event that needs more heap than its own
     * object is asked before: for the text of the request's flags.
     *
     * The handler stands in each method, because a shared one would need a lambda. To link and to make a lambda takes
     * heap as well, and that outside of the handler.
     */

    private FlightEvents() {
    }

    static boolean isOn() {
        return FlightRecorder.isInitialized();
    }

    @Name("io.labyrinth.ClaimRefused")
    @Label("Claim Refused")
    @Description("A request got null. Throttled, because an exhausted labyrinth may refuse millions of them a second")
    @Category("Labyrinth")
    @Enabled(false)
    @Throttle("1000/s")
    private static final class ClaimRefused extends Event {
        @Label("Labyrinth")
        String labyrinth;
        @Label("Request flags")
        String gfp;
        @Label("Order")
        int order;
    }

    static void refused(String labyrinth, int gfp, int order) {
        try {
            ClaimRefused event = new ClaimRefused();
            if (event.shouldCommit()) {
                event.labyrinth = labyrinth;
                event.gfp = GfpFlags.describe(gfp);
                event.order = order;
                event.commit();
            }
        } catch (OutOfMemoryError untold) {
            // Left out.
        }
    }

    @Name("io.labyrinth.ReserveUsed")
    @Label("Reserve Used")
    @Description("A HIGH request was served from the reserve")
    @Category("Labyrinth")
    @Enabled(false)
    @Throttle("1000/s")
    private static final class ReserveUsed extends Event {
        @Label("Labyrinth")
        String labyrinth;
        @Label("Request flags")
        String gfp;
        @Label("Order")
        int order;
        @Label("Frame")
        int pfn;
    }

    static void reserveUsed(String labyrinth, int gfp, int order, int pfn) {
        try {
            ReserveUsed event = new ReserveUsed();
            if (event.shouldCommit()) {
                event.labyrinth = labyrinth;
                event.gfp = GfpFlags.describe(gfp);
                event.order = order;
                event.pfn = pfn;
                event.commit();
            }
        } catch (OutOfMemoryError untold) {
            // Left out.
        }
    }

    @Name("io.labyrinth.HandOver")
    @Label("Hand-over")
    @Description("A ticket was accepted: the run belongs to the thread of this event now")
    @Category("Labyrinth")
    @Enabled(false)
    @StackTrace(false)
    @Throttle("1000/s")
    private static final class HandOver extends Event {
        @Label("Labyrinth")
        String labyrinth;
        @Label("Frame")
        int pfn;
        @Label("Order")
        int order;
        @Label("Java thread id of the giver")
        long giver;
    }

    static void handedOver(String labyrinth, int pfn, int order, long giver) {
        try {
            HandOver event = new HandOver();
            event.labyrinth = labyrinth;
            event.pfn = pfn;
            event.order = order;
            event.giver = giver;
            event.commit();
        } catch (OutOfMemoryError untold) {
            // Left out.
        }
    }

    @Name("io.labyrinth.RegionOpened")
    @Label("Region Opened")
    @Description("A labyrinth has opened: its memory is mapped, faulted in and, if so asked, locked")
    @Category("Labyrinth")
    @Enabled(false)
    private static final class RegionOpened extends Event {
        @Label("Labyrinth")
        String labyrinth;
        @Label("Frames")
        int frames;
        @Label("Mapped")
        @DataAmount
        long mappedBytes;
        @Label("Locked")
        @DataAmount
        long lockedBytes;
        @Label("Took")
        @Timespan
        long took;
    }

    static void opened(String labyrinth, int frames, long mapped, long locked, long nanos) {
        try {
            RegionOpened event = new RegionOpened();
            event.labyrinth = labyrinth;
            event.frames = frames;
            event.mappedBytes = mapped;
            event.lockedBytes = locked;
            event.took = nanos;
            event.commit();
        } catch (OutOfMemoryError untold) {
            // Left out.
        }
    }

    @Name("io.labyrinth.RegionLocked")
    @Label("Region Locked")
    @Description("A labyrinth's memory was to be locked: how much of it the kernel shows as locked")
    @Category("Labyrinth")
    @Enabled(false)
    private static final class RegionLocked extends Event {
        @Label("Labyrinth")
        String labyrinth;
        @Label("Requested")
        @DataAmount
        long requestedBytes;
        @Label("Locked")
        @DataAmount
        long lockedBytes;
        @Label("Took")
        @Timespan
        long took;
    }

    static void locked(String labyrinth, long requested, long locked, long nanos) {
        try {
            RegionLocked event = new RegionLocked();
            event.labyrinth = labyrinth;
            event.requestedBytes = requested;
            event.lockedBytes = locked;
            event.took = nanos;
            event.commit();
        } catch (OutOfMemoryError untold) {
            // Left out.
        }
    }

    @Name("io.labyrinth.Sweep")
    @Label("Sweep")
    @Description("The labyrinth was searched for frames of threads and processes that have ended")
    @Category("Labyrinth")
    @Enabled(false)
    private static final class Sweep extends Event {
        @Label("Labyrinth")
        String labyrinth;
        @Label("Frames freed")
        int frames;
        @Label("Took")
        @Timespan
        long took;
    }

    static void swept(String labyrinth, int frames, long nanos) {
        try {
            Sweep event = new Sweep();
            event.labyrinth = labyrinth;
            event.frames = frames;
            event.took = nanos;
            event.commit();
        } catch (OutOfMemoryError untold) {
            // Left out.
        }
    }
}
