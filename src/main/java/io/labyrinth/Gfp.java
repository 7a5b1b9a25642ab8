package io.labyrinth;

import io.labyrinth.internal.pagemap.GfpFlags;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Request flags, named as the kernel names its {@code gfp_t}; only those that mean something here. Immutable.
 *
 * <p>One chooses a base, {@link #ATOMIC} or {@link #NOWAIT}, and adds to it: {@code Gfp.NOWAIT.with(Gfp.ZERO)}.
 *
 * <p>A record, as the compiler trusts a record's fields: a request by a constant is then compiled for its flags, which
 * a handle pair shows (a final field of a class is read anew behind every fence).
 *
 * @param bits the sum of 1 HIGH, 2 ZERO, 4 EXCLUSIVE, 8 NOMEMALLOC, 16 NOWARN and 32, a sprint
 */
public record Gfp(int bits) {

    /** May use the reserve, once the rest of the labyrinth has nothing. */
    public static final Gfp HIGH = new Gfp(GfpFlags.HIGH);
    /** The frame reads as zeros. Costs one pass over it; without this flag a frame holds what its last owner left. */
    public static final Gfp ZERO = new Gfp(GfpFlags.ZERO);
    /** Only the owner, the thread that allocates or accepts, may touch, free or pass on the frame. */
    public static final Gfp EXCLUSIVE = new Gfp(GfpFlags.EXCLUSIVE);
    /** Never the reserve; contradicts {@link #HIGH}. */
    public static final Gfp NOMEMALLOC = new Gfp(GfpFlags.NOMEMALLOC);
    /** A {@code null} is expected: it is left out of the warning about refused requests that {@code close()} logs. */
    public static final Gfp NOWARN = new Gfp(GfpFlags.NOWARN);

    /** A sprint: a short walk, then the reserve, then {@code null}. For those who would rather be refused than late. */
    public static final Gfp ATOMIC = new Gfp(GfpFlags.ATOMIC);
    /** The whole labyrinth, not the reserve: {@code null} only if nothing is free. */
    public static final Gfp NOWAIT = new Gfp(GfpFlags.NOWAIT);
    /** {@link #ATOMIC} and {@link #EXCLUSIVE}: {@code alloc_page_gfp_atomic_exclusive}. */
    public static final Gfp ATOMIC_EXCLUSIVE = ATOMIC.with(EXCLUSIVE);

    private static final Map<String, Gfp> BY_NAME = Map.of("HIGH", HIGH, "ZERO", ZERO, "EXCLUSIVE", EXCLUSIVE,
            "NOMEMALLOC", NOMEMALLOC, "NOWARN", NOWARN, "ATOMIC", ATOMIC, "NOWAIT", NOWAIT,
            "ATOMIC_EXCLUSIVE", ATOMIC_EXCLUSIVE);

    private static final Set<String> SLEEPING = Set.of("KERNEL", "KERNEL_ACCOUNT", "USER", "HIGHUSER",
            "HIGHUSER_MOVABLE", "NOIO", "NOFS", "WAIT", "IO", "FS");

    private static final Map<String, String> REFUSED = Map.of(
            "RECLAIM", "it asks for reclaim",
            "DIRECT_RECLAIM", "it asks for reclaim",
            "KSWAPD_RECLAIM", "it wakes a reclaimer, and there is none",
            "NORETRY", "it reclaims once before it gives up",
            "RETRY_MAYFAIL", "it waits",
            "NOFAIL", "it waits for ever");

    /**
     * Flags by their bits.
     *
     * @throws LabyrinthException.InvalidRequest if there is no such flag, or two contradict each other
     */
    public Gfp {
        if ((bits & ~GfpFlags.ALL) != 0) {
            throw new LabyrinthException.InvalidRequest("gfp=" + bits + " limit=" + GfpFlags.ALL
                    + ": no such flag; use the constants");
        }
        if ((bits & GfpFlags.ATOMIC) == GfpFlags.SPRINT) {
            throw new LabyrinthException.InvalidRequest("gfp=" + GfpFlags.describe(bits)
                    + ": a sprint ends in the reserve; use ATOMIC");
        }
        if (GfpFlags.mayUseReserve(bits) && (bits & GfpFlags.NOMEMALLOC) != 0) {
            throw new LabyrinthException.InvalidRequest("gfp=" + GfpFlags.describe(bits)
                    + ": HIGH asks for the reserve and NOMEMALLOC forbids it; leave one out");
        }
    }

    /**
     * These flags and the others.
     *
     * @throws LabyrinthException.InvalidRequest if the two contradict each other
     */
    public Gfp with(Gfp other) {
        return new Gfp(bits | other.bits);
    }

    /**
     * Reads names joined by {@code |}, {@code +} or {@code ,}, in any case, with or without the kernel's prefixes:
     * {@code "ATOMIC|ZERO"}, {@code "GFP_ATOMIC"}, {@code "__GFP_HIGH"}.
     *
     * @throws LabyrinthException.InvalidRequest for unknown names, for contradictions, and for flags that ask to sleep
     */
    public static Gfp parse(String text) {
        Gfp all = NOWAIT;
        for (String part : text.split("[|+,]", -1)) {
            String name = part.strip().toUpperCase(Locale.ROOT).replaceFirst("^(__)?GFP_", "");
            Gfp flag = BY_NAME.get(name);
            if (flag == null) {
                String why = SLEEPING.contains(name) ? "it may sleep and reclaim" : REFUSED.get(name);
                throw new LabyrinthException.InvalidRequest("gfp=" + name + (why == null
                        ? ": no such flag; there are ATOMIC, NOWAIT, ATOMIC_EXCLUSIVE, HIGH, ZERO,"
                                + " EXCLUSIVE, NOMEMALLOC, NOWARN"
                        : ": " + why + ", and an allocation here never does;"
                                + " use NOWAIT, and take null for back-pressure"));
            }
            all = all.with(flag);
        }
        return all;
    }

    boolean isExclusive() {
        return GfpFlags.isExclusive(bits);
    }

    @Override
    public String toString() {
        return GfpFlags.describe(bits);
    }
}
