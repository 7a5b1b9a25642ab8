package io.labyrinth.internal.pagemap;

import io.labyrinth.LabyrinthException;
import io.labyrinth.bindings.Native;

/**
 * The page word, as pure functions from word to word. They touch no memory; {@link PageMap} applies them.
 *
 * <pre>
 *   63                                    24 23      16 15       8 7     4 3     0
 *  +----------------------------------------+----------+----------+-------+-------+
 *  |               generation               |  tenant  |  flags   | order | state |
 *  +----------------------------------------+----------+----------+-------+-------+
 *  |               generation               |                 pfn                 |   the handle
 *  +----------------------------------------+-------------------------------------+
 * </pre>
 *
 * <p>{@code native/labyrinth.h} is the definition. Every number here comes from the bindings that jextract makes of it.
 */
public final class PageWord {

    public static final int FREE = Native.LABYRINTH_FREE();
    public static final int HEAD = Native.LABYRINTH_HEAD();
    public static final int TAIL = Native.LABYRINTH_TAIL();
    public static final int IN_TRANSIT = Native.LABYRINTH_IN_TRANSIT();
    public static final int QUARANTINED = Native.LABYRINTH_QUARANTINED();

    /** Number of values that the state field can have. */
    static final int STATES = 1 << Native.LABYRINTH_STATE_BITS();

    public static final int MAX_ORDER = Native.LABYRINTH_MAX_ORDER();

    private static final int ORDER_SHIFT = Native.LABYRINTH_ORDER_SHIFT();
    private static final int ORDER_MASK = (1 << Native.LABYRINTH_ORDER_BITS()) - 1;
    private static final int STATE_MASK = (1 << Native.LABYRINTH_STATE_BITS()) - 1;
    private static final int GENERATION_SHIFT = Native.LABYRINTH_GENERATION_SHIFT();

    /** Every bit below the generation; in a handle, the pfn. */
    public static final long LOW_MASK = (1L << GENERATION_SHIFT) - 1;

    private static final long ONE_GENERATION = 1L << GENERATION_SHIFT;

    /** The last generation. A frame that is released in it is quarantined, so that the generation never wraps. */
    public static final long LAST_GENERATION = (1L << Native.LABYRINTH_GENERATION_BITS()) - 1;

    /** Bit of the EXCLUSIVE flag within the word. */
    public static final long EXCLUSIVE = (long) Native.LABYRINTH_EXCLUSIVE() << Native.LABYRINTH_FLAGS_SHIFT();

    /** Bit of the FRAMED flag within the word; only together with EXCLUSIVE. */
    public static final long FRAMED = (long) Native.LABYRINTH_FRAMED() << Native.LABYRINTH_FLAGS_SHIFT();

    private static final int TENANT_SHIFT = Native.LABYRINTH_TENANT_SHIFT();
    private static final long TENANT_MASK = (1L << Native.LABYRINTH_TENANT_BITS()) - 1 << TENANT_SHIFT;

    /** The tenant of a labyrinth that is not shared, shifted to its place in the word. */
    public static final long TENANT = tenant(Native.LABYRINTH_TENANT_PRIVATE());

    /** Bit of an owner word: the owner is a virtual thread. */
    private static final long VIRTUAL = Native.LABYRINTH_OWNER_VIRTUAL();

    private static final int OWNER_GENERATION_SHIFT = Native.LABYRINTH_OWNER_ID_BITS();
    private static final long OWNER_GENERATION =
            (1L << Native.LABYRINTH_OWNER_GENERATION_BITS()) - 1 << OWNER_GENERATION_SHIFT;

    private PageWord() {
    }

    public static int state(long word) {
        return (int) word & STATE_MASK;
    }

    public static int order(long word) {
        return (int) word >>> ORDER_SHIFT & ORDER_MASK;
    }

    /** The frames in the run that this word heads. */
    public static int frames(long word) {
        return 1 << order(word);
    }

    public static long generation(long word) {
        return word >>> GENERATION_SHIFT;
    }

    /** One comparison, because the last generation is all ones. */
    public static boolean isLastGeneration(long word) {
        return Long.compareUnsigned(word, ~LOW_MASK) >= 0;
    }

    public static boolean isExclusive(long word) {
        return (word & EXCLUSIVE) != 0;
    }

    static boolean isFramed(long word) {
        return (word & FRAMED) != 0;
    }

    /** The tenant's number, shifted to its place in the word. */
    public static long tenant(int number) {
        return (long) number << TENANT_SHIFT;
    }

    /** The tenant of a claimed word, still in its place in the word. */
    static long tenantOf(long word) {
        return word & TENANT_MASK;
    }

    public static int tenantNumber(long word) {
        return (int) (tenantOf(word) >>> TENANT_SHIFT);
    }

    /** Whether somebody holds the run or its ticket: it was claimed and not freed since. */
    public static boolean isOut(long word) {
        return state(word) == HEAD || state(word) == IN_TRANSIT;
    }

    /**
     * Whether the word is FREE and heads a run of exactly this order. One comparison, because FREE has no tenant and no
     * flags.
     */
    public static boolean isFree(long word, int order) {
        return (word & LOW_MASK) == low(FREE, order);
    }

    public static boolean isFree(long word) {
        return state(word) == FREE;
    }

    private static long low(int state, int order) {
        return (long) order << ORDER_SHIFT | state;
    }

    private static long with(long word, long low) {
        return word & ~LOW_MASK | low;
    }

    /** The first word that a frame ever has. */
    public static long first(long generation, int state, int order) {
        return generation << GENERATION_SHIFT | low(state, order);
    }

    /**
     * FREE to HEAD, the same run. A sum is enough, because FREE has no tenant and no flags.
     *
     * @param held the claimer's tenant and the flags of the claim: none, {@link #EXCLUSIVE}, or EXCLUSIVE and
     *             {@link #FRAMED}; here and below
     */
    public static long claimed(long word, long held) {
        return word + (HEAD - FREE + held);
    }

    /** The same claim with another order: its owner splits or joins the run. */
    public static long resized(long head, int order) {
        return head & ~((long) ORDER_MASK << ORDER_SHIFT) | (long) order << ORDER_SHIFT;
    }

    /** TAIL to HEAD in the same life: the upper half of a run that its owner splits. */
    public static long splitOff(long tail, int order, long tenant) {
        return with(tail, low(HEAD, order) | tenant);
    }

    /** HEAD to TAIL in the same life: its run becomes part of the run before it. */
    public static long joined(long head) {
        return with(head, low(TAIL, 0));
    }

    /** HEAD to FREE in the same life: a claim is undone before anybody has seen its handle. */
    public static long unclaimed(long head) {
        return with(head, low(FREE, order(head)));
    }

    /** The release: FREE in the next life; QUARANTINED after the last life. */
    public static long released(long word) {
        return isLastGeneration(word) ? quarantined(word)
                : word + ONE_GENERATION & (~LOW_MASK | (long) ORDER_MASK << ORDER_SHIFT) | FREE;
    }

    /** {@link #released} of a word that {@link #isLiveExclusive}. One sum, because all its fields are known. */
    static long releasedExclusive(long word, long held) {
        return isLastGeneration(word) ? quarantined(word) : word + (ONE_GENERATION + FREE - HEAD - held);
    }

    public static long quarantined(long word) {
        return with(word, low(QUARANTINED, order(word)));
    }

    /** HEAD to IN_TRANSIT in the next life: the giver's life ends. Not for the last life, which has no next one. */
    public static long inTransit(long head) {
        return head + ONE_GENERATION & ~(long) STATE_MASK | IN_TRANSIT;
    }

    /**
     * IN_TRANSIT to HEAD, in the life that the ticket names. EXCLUSIVE stays. Tenant and FRAMED are the accepter's,
     * because the giver's object and segment of the run have ended.
     */
    public static long accepted(long word, long held) {
        return with(word, low(HEAD, order(word)) | (isExclusive(word) ? held : tenantOf(held)));
    }

    public static long handle(long word, int pfn) {
        return word & ~LOW_MASK | pfn;
    }

    /** The handle of the same run in the next life. */
    public static long nextGeneration(long handle) {
        return handle + ONE_GENERATION;
    }

    /** The word of the run in the life that the handle names, before it is claimed. */
    public static long free(long handle, int order) {
        return handle & ~LOW_MASK | low(FREE, order);
    }

    public static int pfn(long handle) {
        return (int) (handle & LOW_MASK);
    }

    /** Whether the word is HEAD of a run in the life that the handle names. */
    public static boolean isLive(long word, long handle) {
        return ((word ^ (handle & ~LOW_MASK | HEAD)) & (~LOW_MASK | STATE_MASK)) == 0;
    }

    /** Whether {@link #isLive} and held with exactly {@code held}, which has EXCLUSIVE. Compares all but the order. */
    static boolean isLiveExclusive(long word, long handle, long held) {
        return ((word ^ (handle & ~LOW_MASK | held | HEAD)) & ~((long) ORDER_MASK << ORDER_SHIFT)) == 0;
    }

    /** Whether the handle names the life that the word is in. */
    public static boolean sameGeneration(long word, long handle) {
        return ((word ^ handle) & ~LOW_MASK) == 0;
    }

    /**
     * The owner word of this thread for the life that {@code handle} (or a word of it) names.
     *
     * <pre>
     *   63   62                   52 51                                                  0
     *  +----+-----------------------+-----------------------------------------------------+
     *  |virt|  generation, 11 bits  |                      thread id                      |
     *  +----+-----------------------+-----------------------------------------------------+
     * </pre>
     */
    public static long owner(Thread thread, long handle) {
        long owner = thread.threadId() | handle << OWNER_GENERATION_SHIFT - GENERATION_SHIFT & OWNER_GENERATION;
        return thread.isVirtual() ? owner | VIRTUAL : owner;
    }

    /** Whether {@code owner} is the owner word of this thread for that life. No two threads have the same id. */
    static boolean isOwner(long owner, long handle, Thread thread) {
        return (owner & ~VIRTUAL) == (thread.threadId()
                | handle << OWNER_GENERATION_SHIFT - GENERATION_SHIFT & OWNER_GENERATION);
    }

    /**
     * Whether the owner word was written in the life that the word is in. If not, the claimer has not signed yet. An
     * owner word that was never written is 0. Its generation bits could match by chance, so the id is checked as well:
     * no thread has the id 0.
     */
    public static boolean isSigned(long word, long owner) {
        return ((word << OWNER_GENERATION_SHIFT - GENERATION_SHIFT ^ owner) & OWNER_GENERATION) == 0
                && threadId(owner) != 0;
    }

    public static boolean isVirtual(long owner) {
        return (owner & VIRTUAL) != 0;
    }

    public static long threadId(long owner) {
        return owner & (1L << OWNER_GENERATION_SHIFT) - 1;
    }

    /**
     * The next pfn in a pass over all runs, after the word at {@code pfn}: past the run, or, in a TAIL, the next frame.
     */
    public static int next(int pfn, long word) {
        return pfn + (state(word) == TAIL ? 1 : frames(word));
    }

    /**
     * Whether a run can be as the word says: the order exists, the run is aligned, lies within the labyrinth, and does
     * not cross the border of the reserve.
     *
     * @param ordinary the first frame of the reserve
     */
    static boolean fits(int pfn, long word, int ordinary, int frames) {
        return pfn + frames(word) <= (pfn < ordinary ? ordinary : frames) && (pfn & frames(word) - 1) == 0
                && order(word) <= MAX_ORDER;
    }

    static String stateName(int state) {
        if (state == FREE) {
            return "FREE";
        } else if (state == HEAD) {
            return "HEAD";
        } else if (state == TAIL) {
            return "TAIL";
        } else if (state == IN_TRANSIT) {
            return "IN_TRANSIT";
        }
        return state == QUARANTINED ? "QUARANTINED" : "none(" + state + ")";
    }

    /** {@code name=value} for messages. */
    public static String describe(long word) {
        return "state=" + stateName(state(word)) + " order=" + order(word) + " generation=" + generation(word)
                + (isExclusive(word) ? " EXCLUSIVE" : "") + (isFramed(word) ? " FRAMED" : "");
    }

    public static String describeHandle(long handle) {
        return "pfn=" + pfn(handle) + " generation=" + generation(handle);
    }

    /** Refuses a request whose order is not within 0 to {@link #MAX_ORDER}. */
    public static void checkOrder(int order) {
        if (order < 0 || order > MAX_ORDER) {
            throw new LabyrinthException.InvalidRequest("order=" + order + " limit=" + MAX_ORDER
                    + ": ask for an order from 0 to " + MAX_ORDER + ", a run of 2^order frames");
        }
    }
}
