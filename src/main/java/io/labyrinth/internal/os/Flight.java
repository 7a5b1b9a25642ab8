package io.labyrinth.internal.os;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;

/**
 * What flight recordings are told. All that touches {@code jdk.jfr} is in {@link FlightEvents}, which is not loaded
 * where that module is missing.
 */
public final class Flight {

    /*
     * Until a recording has been started in this JVM, each of these is one load and one branch, on paths that are cold
     * or that have a CAS to pay for, and allocates nothing, compiled or not. (An event that is made before it is asked
     * whether it is wanted is only free once it is compiled, and a refusal must allocate nothing on a full heap.)
     * EventType.isEnabled() would be as fast, but to have an EventType starts up half of the recorder.
     */

    /** A constant for the compiler: without the module nothing of this is left. */
    static final boolean PRESENT = ModuleLayer.boot().findModule("jdk.jfr")
            .filter(Flight.class.getModule()::canRead).isPresent();

    private Flight() {
    }

    /** Whether this JVM has ever recorded; which events are wanted is asked for each. */
    public static boolean isOn() {
        return PRESENT && FlightEvents.isOn();
    }

    /** For the claims of a labyrinth. */
    public static Zone.Listener ofClaims(String labyrinth) {
        return new Zone.Listener() {
            @Override
            public void refused(int gfp, int order) {
                if (isOn()) {
                    FlightEvents.refused(labyrinth, gfp, order);
                }
            }

            @Override
            public void reserveUsed(int gfp, int order, long handle) {
                if (isOn()) {
                    FlightEvents.reserveUsed(labyrinth, gfp, order, PageWord.pfn(handle));
                }
            }
        };
    }

    public static void handedOver(String labyrinth, int pfn, int order, long giver) {
        if (isOn()) {
            FlightEvents.handedOver(labyrinth, pfn, order, giver);
        }
    }

    static void opened(String labyrinth, int frames, long mapped, long locked, long since) {
        if (isOn()) {
            FlightEvents.opened(labyrinth, frames, mapped, locked, System.nanoTime() - since);
        }
    }

    static void locked(String labyrinth, long requested, long locked, long since) {
        if (isOn()) {
            FlightEvents.locked(labyrinth, requested, locked, System.nanoTime() - since);
        }
    }

    public static void swept(String labyrinth, int frames, long since) {
        if (isOn()) {
            FlightEvents.swept(labyrinth, frames, System.nanoTime() - since);
        }
    }
}
