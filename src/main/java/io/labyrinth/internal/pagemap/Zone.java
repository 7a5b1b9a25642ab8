package io.labyrinth.internal.pagemap;

import org.jspecify.annotations.Nullable;

/**
 * The policy: where an allocation looks, in which order, and how far. It decides nothing about ownership: every answer
 * comes from a compare-and-set in {@link PageMap}.
 */
public final class Zone {

    /*
     * The reserve is a place, not a count. Only HIGH requests walk the labyrinth's last R frames, and no run crosses
     * into them. So the reserve is exact under any race, and costs the other requests nothing. (A counter would be one
     * more contended atomic in each allocation.)
     *
     * A stripe holds the hints of a few threads: the run freed last, a ring of older ones, and a cursor, the place
     * where the last walk ended. The low bits of the thread id choose the stripe. Thread ids are given out in sequence.
     * So threads that were started together get different stripes, and a million virtual threads share them. There is
     * no ThreadLocal.
     *
     * A hint is the next handle of its frame, with the generation. If nobody has touched the frame since, the claim
     * knows what the word must be, and does the CAS without a look at it. A claim takes the hint out before it tries
     * it, so no hint is tried twice.
     *
     * Stripes are plain longs that threads read and write in races, on purpose. Their array is called `racy`, so each
     * access shows it. A wrong hint, even a torn one (no 64-bit JVM tears a long), costs one failed CAS, because the
     * page word decides. Walks find the frames that hints forget, through the advice. Counts are approximate. Plain
     * access is enough: a value that was read into a local stays as it was read, and no loop waits for another thread's
     * write. The C side says relaxed, in named functions. Opaque access would say the same here, but it costs a frame
     * pair 2 ns, and a function would be a call after a claim: see lost-designs, "racy".
     *
     * The walk goes from the cursor to the end, and then from the beginning to the cursor's group. It looks at every
     * group whose advice says "maybe", and in it at the head of each run. If a group has nothing free, the walk clears
     * its advice, and the next walk passes over it. So a lone caller misses nothing: what is free is advised
     * (validate() checks it), and every advised group is looked at.
     */

    /** Older hints of a stripe: two cache lines. More did not help a burst, because a burst walks anyway. */
    private static final int HINTS = 16;
    /**
     * The latest hint has a place of its own: as the ring's top, found by an index, it made a pair 1.4 ns slower. The
     * line in front of it is nearly empty, because the array's header, which all threads read, is in front of the first
     * stripe.
     */
    private static final int LAST = 8;
    /** On the line in front: only a walk of the reserve uses it, after it has looked everywhere else. */
    private static final int RESERVE_CURSOR = 7;
    private static final int LOST = 6;
    private static final int TOP = 9;
    private static final int CURSOR = 10;
    private static final int STEPS = 11;
    private static final int REFUSED = 12;
    private static final int REFUSED_QUIETLY = 13;
    private static final int RESERVE_HITS = 14;
    private static final int EXHAUSTED = 15;
    private static final int RING = 16;
    /** From stripe to stripe: 32 longs, 256 bytes, because prefetchers also fetch the neighbour of a line. */
    private static final int STRIPE_SHIFT = 5;

    /**
     * The bounds of a sprint: looks at the advice, and groups that it searches. Both together take as long as 5 to 8
     * good pairs. A run of the highest order covers 16 groups and has its head in the first. With at most 16 looks a
     * sprint would not get from one such run to the next. A look at a span counts as 5, because it stands for 64 groups
     * or more.
     */
    private static final int SPRINT_LOOKS = 21;
    private static final int LOOKS_OF_SPAN = 5;
    /**
     * The looks of a sprint if the stripe's last request got nothing, not even from the reserve. Each such sprint goes
     * on where the last one ended, until a walk finds something again. A refusal in an exhausted labyrinth looks at two
     * spans: see lost-designs, "refusal".
     */
    private static final int SPRINT_LOOKS_WHEN_EXHAUSTED = 1 + LOOKS_OF_SPAN;
    private static final int SPRINT_GROUPS = 4;
    /** A sprint clears the advice of spans up to this size, because it looks at the whole span for that. */
    private static final int SPRINT_SPAN_SHIFT = 6;

    /** Hears of rare events. It allocates nothing on the heap unless somebody records the events. */
    public interface Listener {
        void refused(int gfp, int order);

        void reserveUsed(int gfp, int order, long handle);
    }

    private static final int GROUP_FRAMES = 1 << PageMap.GROUP_ORDER;

    /** The golden ratio as a fraction of 2^32: its multiples lie far apart. */
    private static final long GOLDEN = 0x9E3779B9L;

    public final PageMap map;
    /**
     * Whether a request has more to do: the labyrinth closes, or claims are sampled. One branch serves both. It is
     * written before the first claim, and before a close empties the page map. Racy: a request may read the old value
     * until the close's handshake with every thread. The close finds what such a request has claimed.
     */
    public boolean slowPath;
    private final @Nullable Listener listener;
    /** The stripes, one after the other. Its length is a power of two. Racy: see above. */
    private final long[] racy;

    public Zone(PageMap map, int processors) {
        this(map, processors, null);
    }

    /** @param listener null: nobody is told */
    public Zone(PageMap map, int processors, @Nullable Listener listener) {
        this.map = map;
        this.listener = listener;
        int count = Integer.highestOneBit(Math.max(1, Math.min(Math.max(processors, 2) * 8, map.frames >> 3)));
        this.racy = new long[count << STRIPE_SHIFT];
        for (int stripe = 0; stripe < count; stripe++) {
            long start = firstCursor() + (long) map.ordinary * stripe / count;
            racy[(stripe << STRIPE_SHIFT) + CURSOR] = (int) (start % map.ordinary) & -GROUP_FRAMES;
        }
    }

    /**
     * The tenants of one labyrinth begin at different places, spread by the golden ratio. Otherwise they would claim
     * neighbours and share the cache lines of their words: see lost-designs, "tenants".
     */
    private long firstCursor() {
        int tenant = PageWord.tenantNumber(map.tenant);
        return map.tenant == PageWord.TENANT ? 0 : map.ordinary * (tenant * GOLDEN & 0xFFFFFFFFL) >>> 32;
    }

    /**
     * The second place where a sprint looks. The runs of one thread lie side by side, so 4 groups in a row can be out
     * while most of the labyrinth is free: see lost-designs, "elsewhere".
     */
    private int elsewhere(long cursor) {
        return (int) ((cursor + (map.ordinary * GOLDEN >>> 32)) % map.ordinary) & -GROUP_FRAMES;
    }

    /** Index of one long of this thread's stripe. The compiler knows that a mask of length - 1 needs no check. */
    private static int at(long[] racy, Thread me, int field) {
        return ((int) me.threadId() << STRIPE_SHIFT) + field & racy.length - 1;
    }

    /**
     * Claims a run. Lock-free. A sprint looks at {@link #sprintBound} words at most, any other walk at
     * {@link #walkBound} at most.
     *
     * @return the handle, or 0 if nothing was found within the bound
     */
    public long claim(int gfp, int order, Thread me) {
        long[] racy = this.racy;
        int last = at(racy, me, LAST);
        long hint = racy[last];
        if (hint != 0) {
            racy[last] = 0;
            if (map.claimHinted(hint, order, GfpFlags.wordFlags(gfp), me)) {
                return hint;
            }
            racy[last - LAST + LOST]++;
        }
        return claimOlder(gfp, order, last - LAST, me);
    }

    /** Tries one older hint, and then walks. */
    private long claimOlder(int gfp, int order, int stripe, Thread me) {
        int top = (int) racy[stripe + TOP] & HINTS - 1;
        long hint = racy[stripe + RING + top];
        if (hint != 0) {
            racy[stripe + RING + top] = 0;
            racy[stripe + TOP] = top - 1;
            if (map.claimHinted(hint, order, GfpFlags.wordFlags(gfp), me)) {
                return hint;
            }
            racy[stripe + LOST]++;
        }
        return walk(gfp, order, stripe, me);
    }

    /** Remembers a run that was just freed, and is not of the reserve. */
    public void freed(long handle, Thread me) {
        long[] racy = this.racy;
        int last = at(racy, me, LAST);
        long older = racy[last];
        racy[last] = PageWord.nextGeneration(handle);
        if (older != 0) {
            remember(last - LAST, older);
        }
    }

    private void remember(int stripe, long hint) {
        int top = (int) racy[stripe + TOP] + 1 & HINTS - 1;
        racy[stripe + RING + top] = hint;
        racy[stripe + TOP] = top;
    }

    private long walk(int gfp, int order, int stripe, Thread me) {
        int ordinary = map.ordinary;
        int looks = !GfpFlags.isSprint(gfp) ? Integer.MAX_VALUE
                : racy[stripe + EXHAUSTED] == 0 ? SPRINT_LOOKS : SPRINT_LOOKS_WHEN_EXHAUSTED;
        int cursor = (int) Math.min(racy[stripe + CURSOR], ordinary);
        // The word at the cursor mostly fits: a burst takes runs in order, and so does a thread that hands off all.
        if (cursor < ordinary) {
            long word = map.lvWord(cursor);
            if (PageWord.isFree(word) && PageWord.order(word) == order) {
                long next = map.claimSeen(cursor, word, order, GfpFlags.wordFlags(gfp), me);
                if (next != 0) {
                    racy[stripe + STEPS] = 1;
                    racy[stripe + EXHAUSTED] = 0;
                    racy[stripe + CURSOR] = cursor + (1 << order);
                    return next;
                }
                racy[stripe + LOST]++;
            }
        }
        racy[stripe + STEPS] = 0;
        // The cursor's group is searched twice: from the cursor on at first, as a whole at the end.
        int wrap = Math.min((cursor | GROUP_FRAMES - 1) + 1, ordinary);
        long handle = cursor == ordinary ? 0 : search(cursor, ordinary, gfp, order, me, looks);
        if (handle == 0) {    // after a claim nothing may be called: a call that finds no stack would lose the run
            boolean fromTheStart = !GfpFlags.isSprint(gfp) || racy[stripe + CURSOR] >= ordinary;
            if (fromTheStart || racy[stripe + EXHAUSTED] == 0) {
                int from = fromTheStart ? 0 : elsewhere(racy[stripe + CURSOR]);
                handle = search(from, GfpFlags.isSprint(gfp) ? ordinary : wrap, gfp, order, me, looks);
            }
        }
        if (handle == 0 && map.orphans.mend(map)) {
            handle = search(0, ordinary, gfp, order, me, looks);
        }
        if (handle == 0 && ordinary < map.frames && GfpFlags.mayUseReserve(gfp)) {
            handle = walkReserve(gfp, order, stripe, me, looks);
        }
        if (handle == 0) {
            racy[stripe + (GfpFlags.isQuiet(gfp) ? REFUSED_QUIETLY : REFUSED)]++;
            if (listener != null) {
                listener.refused(gfp, order);
            }
        }
        racy[stripe + EXHAUSTED] = handle == 0 ? 1 : 0;
        return handle;
    }

    /** A sprint goes on where the stripe's last one ended. Otherwise it would never see the end of a large reserve. */
    private long walkReserve(int gfp, int order, int stripe, Thread me, int looks) {
        int start = map.ordinary;
        int end = map.frames;
        long resume = racy[stripe + CURSOR];
        int from = GfpFlags.isSprint(gfp) ? Math.clamp(racy[stripe + RESERVE_CURSOR], start, end) : start;
        long handle = search(from, end, gfp, order, me, looks);
        if (handle == 0 && from != start && racy[stripe + CURSOR] >= end) {
            handle = search(start, end, gfp, order, me, looks);
        }
        racy[stripe + RESERVE_CURSOR] = racy[stripe + CURSOR];
        racy[stripe + CURSOR] = resume;
        if (handle != 0) {
            racy[stripe + RESERVE_HITS]++;
            try {
                if (listener != null) {
                    listener.reserveUsed(gfp, order, handle);
                }
            } catch (Error untold) {
                // Out of stack. The claim stands; a handler that does nothing needs no stack.
            }
        }
        return handle;
    }

    /**
     * Searches the runs whose heads are in [from, to). That range, and so the run that is found, lies either outside of
     * the reserve or in it. Leaves the stripe's cursor at the place where the search ended.
     *
     * @param looks how often this search may look at the advice of a group or span; {@link Integer#MAX_VALUE} if it is
     *              no sprint. The caller reads it from the stripe: see lost-designs, "looks"
     */
    private long search(int from, int to, int gfp, int order, Thread me, int looks) {
        int stripe = at(racy, me, 0);
        int limit = from < map.ordinary ? map.ordinary : map.frames;
        long stamp = Advice.stamp(map, me);
        int pfn = from;
        int steps = 0;
        int looksLeft = looks;
        int groupsLeft = looks == Integer.MAX_VALUE ? looks : SPRINT_GROUPS;
        int wholeSpan = looks == Integer.MAX_VALUE ? -1 : resumedSpan(from);
        long handle = 0;
        while (pfn < to && looksLeft > 0 && groupsLeft > 0) {
            int group = pfn >> PageMap.GROUP_ORDER;
            looksLeft--;
            steps++;
            if (isSpanStart(group)) {
                if (wholeSpan >= 0) {
                    steps += Advice.clearSpan(map, wholeSpan, stamp);
                }
                wholeSpan = spanOf(group);
                if (!map.spanMayBeFree(wholeSpan)) {
                    // One small loop passes over all such spans: an exhausted labyrinth has few others.
                    int last = Math.min(spanOf(to - 1 >> PageMap.GROUP_ORDER) - wholeSpan, looksLeft / LOOKS_OF_SPAN)
                            + wholeSpan;
                    int next = nextSpan(wholeSpan, last);
                    steps += next - wholeSpan - 1;
                    looksLeft -= (next - wholeSpan - 1) * LOOKS_OF_SPAN;
                    pfn = endOfSpan(next - 1);
                    wholeSpan = -1;
                    continue;
                }
            }
            int end = Math.min(to, group + 1 << PageMap.GROUP_ORDER);
            if (!map.groupMayBeFree(group)) {
                pfn = group + 1 << PageMap.GROUP_ORDER;
                continue;
            }
            groupsLeft--;
            boolean free = pfn != group << PageMap.GROUP_ORDER;
            while (pfn < end) {
                long word = map.lvWord(pfn);
                steps++;
                if (PageWord.isFree(word)) {
                    free = true;
                    wholeSpan = -1;
                    if (PageWord.order(word) >= order) {
                        handle = map.claimSeen(pfn, word, order, GfpFlags.wordFlags(gfp), me);
                        racy[stripe + LOST] += handle == 0 ? 1 : 0;
                    } else if ((pfn & (1 << order) - 1) == 0 && pfn + (1 << order) <= limit) {
                        steps += 1 << order;
                        handle = isAllFree(pfn, order)
                                ? map.claimAndJoin(pfn, order, GfpFlags.wordFlags(gfp), me) : 0;
                    }
                    if (handle != 0) {
                        racy[stripe + STEPS] += steps;
                        racy[stripe + CURSOR] = pfn + (1 << order);
                        return handle;
                    }
                }
                pfn = PageWord.next(pfn, word);
            }
            if (!free) {
                steps += Advice.clearGroup(map, group, stamp);
            }
        }
        if (wholeSpan >= 0 && pfn >= endOfSpan(wholeSpan)) {
            steps += Advice.clearSpan(map, wholeSpan, stamp);
        }
        racy[stripe + STEPS] += steps;
        racy[stripe + CURSOR] = pfn;
        return 0;
    }

    /**
     * If a sprint begins within a span: the span, which it may clear at the span's end. Otherwise -1. An earlier sprint
     * has seen the beginning of the span, mostly the last one of this stripe. If a sprint cleared only a span that it
     * saw as a whole, no sprint would clear any, and each would look at every group of an exhausted labyrinth again.
     */
    private int resumedSpan(int from) {
        int group = from >> PageMap.GROUP_ORDER;
        boolean none = map.spanShift < 0 || map.spanShift > SPRINT_SPAN_SHIFT || isSpanStart(group)
                || !map.spanMayBeFree(spanOf(group));
        return none ? -1 : spanOf(group);
    }

    private boolean isSpanStart(int group) {
        return map.spanShift >= 0 && (group & (1 << map.spanShift) - 1) == 0;
    }

    private int spanOf(int group) {
        return group >> map.spanShift;
    }

    private int endOfSpan(int span) {
        return Math.min(map.frames, span + 1 << map.spanShift + PageMap.GROUP_ORDER);
    }

    /** The first span after this one, up to {@code last}, that may have a free run; {@code last + 1} if none. */
    private int nextSpan(int span, int last) {
        int next = span + 1;
        while (next <= last && !map.spanMayBeFree(next)) {
            next++;
        }
        return next;
    }

    /** Whether the frames of this order at {@code pfn} are free, in any number of runs. Reads at most 2^order words. */
    private boolean isAllFree(int pfn, int order) {
        int end = pfn + (1 << order);
        int next = pfn;
        while (next < end) {
            long word = map.lvWord(next);
            if (!PageWord.isFree(word)) {
                return false;
            }
            next += PageWord.frames(word);
        }
        return next == end;
    }

    /** Words and advice that the last walk of the caller's stripe looked at. For tests with one thread at work. */
    public int lastWalkSteps(Thread me) {
        return (int) racy[at(racy, me, STEPS)];
    }

    /** Sets the steps to 0: if a claim leaves them at 0, it has taken a hint. For tests. */
    public void forgetWalk(Thread me) {
        racy[at(racy, me, STEPS)] = 0;
    }

    /** The most words and advice that a walk of a lone caller looks at; twice as many if it mends advice. */
    public long walkBound() {
        return 3L * map.frames + 2L * map.groups + map.spans + 4 * GROUP_FRAMES + (1 << PageWord.MAX_ORDER);
    }

    /** The most that a sprint looks at: its budget up to the end, from the start, and twice for the reserve. */
    public static int sprintBound(int order) {
        return 4 * (2 * SPRINT_LOOKS + (1 << SPRINT_SPAN_SHIFT)
                + SPRINT_GROUPS * (2 * GROUP_FRAMES + Math.max(GROUP_FRAMES, 1 << order)));
    }

    /** Requests that got {@code null}, with NOWARN or without. Approximate: stripes count by plain increments. */
    public long refused() {
        return sum(REFUSED) + sum(REFUSED_QUIETLY);
    }

    /** Requests without NOWARN that got {@code null}. Approximate. */
    public long refusedUnexpectedly() {
        return sum(REFUSED);
    }

    /** Claims whose compare-and-set found another word than it expected. Approximate. */
    public long lost() {
        return sum(LOST);
    }

    /** Requests served from the reserve. Approximate. */
    public long reserveHits() {
        return sum(RESERVE_HITS);
    }

    private long sum(int counter) {
        long sum = 0;
        for (int at = counter; at < racy.length; at += 1 << STRIPE_SHIFT) {
            sum += racy[at];
        }
        return sum;
    }
}
