package io.labyrinth.internal.os;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;

/**
 * What a flight recording is told. Everything that touches {@code jdk.jfr} is in {@link FlightEvents}, which is not
 * loaded if that module is missing.
 */
public final class Flight {

    /*
     * Until a recording has been started in this JVM, each method here costs one load and one branch. Its callers are
     * cold, or pay for a CAS anyway. It allocates nothing, compiled or not. (An event object that is made before the
     * check costs nothing only after compilation, and a refusal must allocate nothing on a full heap.)
     * EventType.isEnabled() would be as fast, but to make an EventType starts half of the recorder.
     */

    /** A constant for the compiler: without the module it leaves out everything here. */
    static final boolean PRESENT = ModuleLayer.boot().findModule("jdk.jfr")
            .filter(Flight.class.getModule()::canRead).isPresent();

    private Flight() {
    }

    /** Whether this JVM has ever recorded. Each event checks by itself whether it is enabled. */
    public static boolean isOn() {
        return PRESENT && FlightEvents.isOn();
    }

    /** The listener for the claims of a labyrinth. */
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
