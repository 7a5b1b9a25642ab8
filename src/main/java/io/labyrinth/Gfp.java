package io.labyrinth;

import io.labyrinth.internal.pagemap.GfpFlags;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Request flags, with the names of the kernel's {@code gfp_t}; only those that mean something here. Immutable.
 *
 * <p>Choose a base, {@link #ATOMIC} or {@link #NOWAIT}, and add flags to it: {@code Gfp.NOWAIT.with(Gfp.ZERO)}.
 *
 * <p>This is a record because the compiler trusts the fields of a record. So it compiles a request with constant flags
 * for these flags. It would read a final field of a class again after every fence.
 *
 * @param bits the sum of 1 HIGH, 2 ZERO, 4 EXCLUSIVE, 8 NOMEMALLOC, 16 NOWARN and 32, a sprint
 */
public record Gfp(int bits) {

    /** May use the reserve, after the rest of the labyrinth has nothing. */
    public static final Gfp HIGH = new Gfp(GfpFlags.HIGH);
    /** The frame reads as zeros. Costs one pass over it. Without this flag a frame holds what its last owner left. */
    public static final Gfp ZERO = new Gfp(GfpFlags.ZERO);
    /** Only the owner may touch, free or hand off the frame: the thread that has allocated or accepted it. */
    public static final Gfp EXCLUSIVE = new Gfp(GfpFlags.EXCLUSIVE);
    /** Never the reserve; contradicts {@link #HIGH}. */
    public static final Gfp NOMEMALLOC = new Gfp(GfpFlags.NOMEMALLOC);
    /** The caller expects {@code null}: {@code close()} leaves it out of its warning about refused requests. */
    public static final Gfp NOWARN = new Gfp(GfpFlags.NOWARN);

    /** A sprint: a short walk, then the reserve, then {@code null}. For callers that prefer a refusal to a delay. */
    public static final Gfp ATOMIC = new Gfp(GfpFlags.ATOMIC);
    /** The whole labyrinth except the reserve: {@code null} only if nothing is free there. */
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
     * @throws LabyrinthException.InvalidRequest if a bit is not a flag, or if two flags contradict each other
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
     * Parses names joined by {@code |}, {@code +} or {@code ,}, in upper or lower case, with or without the kernel's
     * prefixes: {@code "ATOMIC|ZERO"}, {@code "GFP_ATOMIC"}, {@code "__GFP_HIGH"}.
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
