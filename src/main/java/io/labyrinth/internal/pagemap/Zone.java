package io.labyrinth.internal.pagemap;

import org.jspecify.annotations.Nullable;

/**
 * The policy: where an allocation looks, in which order, and how far. Decides nothing about ownership; every answer
 * comes from a compare-and-set in {@link PageMap}.
 */
public final class Zone {

    /*
     * The reserve is a place, not a count. The labyrinth's last R frames are walked by HIGH requests only, and a run
     * never crosses into them; so the reserve is exact under any race, and costs the others nothing. (A counter would
     * be one contended atomic more in each allocation.)
     *
     * A stripe is a striped hint: the run freed last, a ring of older ones, and a cursor, where the last walk ended.
     * Stripes are chosen by the thread id's low bits: ids are given out in sequence, so threads that were started
     * together get stripes of their own, and a million virtual threads share them. No ThreadLocal.
     *
     * A hint is the frame's next handle, generation and all: if the frame still is as it was left, the claim knows what
     * its word must be, and needs no look at it before the CAS. A hint is taken out when it is tried, so that none is
     * tried twice.
     *
     * Stripes are plain longs, read and written by races on purpose: a hint that is wrong, or even torn, costs one
     * failed CAS, as it is the page word that decides; and the frames that hints forget are found through the advice.
     *
     * The walk. From the cursor to the end, then from the beginning to the cursor's group: every group whose advice
     * says "maybe", each run in it by its head. A group that turns out to have nothing free has its advice settled, so
     * that the next walk is spared it. A lone caller therefore misses nothing: what is free is advised (validate()
     * checks it), and what is advised is looked at.
     */

    /** Older hints a stripe remembers: two cache lines; more did not help a burst, which walks anyway. */
    private static final int HINTS = 16;
    /**
     * The latest hint, in a place of its own: as the ring's top, found by an index, it made a pair 1.4 ns slower. The
     * line before it is left empty, as in front of the first stripe is the array's header, which all read.
     */
    private static final int LAST = 8;
    /** On the empty line: whoever walks the reserve has looked everywhere else. */
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
    /** Longs from stripe to stripe: 256 bytes, as prefetchers pull in the line next door. */
    private static final int STRIPE_SHIFT = 5;

    /**
     * A sprint's bounds, in looks at the advice, in groups searched and in words: 5 to 8 good pairs. A run of the
     * highest order lies in 16 groups, and has its head in the first: with fewer looks than that, a sprint would not
     * get from one to the next. A look at a span counts for more, as it stands for 64 groups or so.
     */
    private static final int SPRINT_LOOKS = 21;
    private static final int LOOKS_OF_SPAN = 5;
    /**
     * The same for a stripe whose last request got nothing, not even of the reserve: it goes on where that one ended,
     * until a walk finds something again. A refusal costs 23 ns in an exhausted labyrinth by these two spans; 8 looks
     * took 35, and SPRINT_LOOKS 58.
     */
    private static final int SPRINT_LOOKS_WHEN_EXHAUSTED = 1 + LOOKS_OF_SPAN;
    private static final int SPRINT_GROUPS = 4;
    /** Of the spans that a sprint settles, which looks at all of one: spans are larger beyond 2^20 frames. */
    private static final int SPRINT_SPAN_SHIFT = 6;

    /** Is told of what is rare. It allocates nothing, unless it is asked to listen. */
    public interface Listener {
        void refused(int gfp, int order);

        void reserveUsed(int gfp, int order, long handle);
    }

    private static final int GROUP_FRAMES = 1 << PageMap.GROUP_ORDER;

    /** The golden ratio as a fraction of 2^32: its multiples lie far apart. */
    private static final long GOLDEN = 0x9E3779B9L;

    public final PageMap map;
    /**
     * Whether a request has to look further, as the labyrinth closes, or as claims are sampled: one branch for both.
     * Written before the first claim, and before the page map is emptied.
     */
    public boolean slowPath;
    private final @Nullable Listener listener;
    /** A power of two long. */
    private final long[] stripes;

    public Zone(PageMap map, int processors) {
        this(map, processors, null);
    }

    /** @param listener null: nobody is told */
    public Zone(PageMap map, int processors, @Nullable Listener listener) {
        this.map = map;
        this.listener = listener;
        int count = Integer.highestOneBit(Math.max(1, Math.min(Math.max(processors, 2) * 8, map.frames >> 3)));
        this.stripes = new long[count << STRIPE_SHIFT];
        for (int stripe = 0; stripe < count; stripe++) {
            long start = firstCursor() + (long) map.ordinary * stripe / count;
            stripes[(stripe << STRIPE_SHIFT) + CURSOR] = (int) (start % map.ordinary) & -GROUP_FRAMES;
        }
    }

    /**
     * Tenants of one labyrinth begin in different places, spread by the golden ratio: where two began in the same one,
     * they claimed neighbours, shared the lines of their words, and reached 0.32 to 0.47 of what two threads do.
     */
    private long firstCursor() {
        int tenant = PageWord.tenantNumber(map.tenant);
        return map.tenant == PageWord.TENANT ? 0 : map.ordinary * (tenant * GOLDEN & 0xFFFFFFFFL) >>> 32;
    }

    /**
     * Where a sprint has its second look: what one thread holds lies side by side, so 4 groups in a row can be all out
     * while most is free (with 2 threads that took 1,000 frames of 16,384 each, it was, now and then).
     */
    private int elsewhere(long cursor) {
        return (int) ((cursor + (map.ordinary * GOLDEN >>> 32)) % map.ordinary) & -GROUP_FRAMES;
    }

    /** Index of one long of this thread's stripe. The compiler knows that a mask of length - 1 needs no check. */
    private static int at(long[] stripes, Thread me, int field) {
        return ((int) me.threadId() << STRIPE_SHIFT) + field & stripes.length - 1;
    }

    /**
     * Claims a run. Lock-free. A sprint looks at no more than {@link #sprintBound} words, any other walk at no more
     * than {@link #walkBound}.
     *
     * @return the handle, or 0 if nothing was found within the bound
     */
    public long claim(int gfp, int order, Thread me) {
        long[] stripes = this.stripes;
        int last = at(stripes, me, LAST);
        long hint = stripes[last];
        if (hint != 0) {
            stripes[last] = 0;
            if (map.claimHinted(hint, order, GfpFlags.wordFlags(gfp), me)) {
                return hint;
            }
            stripes[last - LAST + LOST]++;
        }
        return claimOlder(gfp, order, last - LAST, me);
    }

    /** By the next hint, or else by a walk. */
    private long claimOlder(int gfp, int order, int stripe, Thread me) {
        int top = (int) stripes[stripe + TOP] & HINTS - 1;
        long hint = stripes[stripe + RING + top];
        if (hint != 0) {
            stripes[stripe + RING + top] = 0;
            stripes[stripe + TOP] = top - 1;
            if (map.claimHinted(hint, order, GfpFlags.wordFlags(gfp), me)) {
                return hint;
            }
            stripes[stripe + LOST]++;
        }
        return walk(gfp, order, stripe, me);
    }

    /** Remembers a run that was just freed, and is not of the reserve. */
    public void freed(long handle, Thread me) {
        long[] stripes = this.stripes;
        int last = at(stripes, me, LAST);
        long older = stripes[last];
        stripes[last] = PageWord.nextGeneration(handle);
        if (older != 0) {
            remember(last - LAST, older);
        }
    }

    private void remember(int stripe, long hint) {
        int top = (int) stripes[stripe + TOP] + 1 & HINTS - 1;
        stripes[stripe + RING + top] = hint;
        stripes[stripe + TOP] = top;
    }

    private long walk(int gfp, int order, int stripe, Thread me) {
        int ordinary = map.ordinary;
        int looks = !GfpFlags.isSprint(gfp) ? Integer.MAX_VALUE
                : stripes[stripe + EXHAUSTED] == 0 ? SPRINT_LOOKS : SPRINT_LOOKS_WHEN_EXHAUSTED;
        int cursor = (int) Math.min(stripes[stripe + CURSOR], ordinary);
        // Mostly the next word has what is wanted: a burst, or a giver whose frames others free, comes by in order.
        if (cursor < ordinary) {
            long word = map.lvWord(cursor);
            if (PageWord.isFree(word) && PageWord.order(word) == order) {
                long next = map.claimSeen(cursor, word, order, GfpFlags.wordFlags(gfp), me);
                if (next != 0) {
                    stripes[stripe + STEPS] = 1;
                    stripes[stripe + EXHAUSTED] = 0;
                    stripes[stripe + CURSOR] = cursor + (1 << order);
                    return next;
                }
                stripes[stripe + LOST]++;
            }
        }
        stripes[stripe + STEPS] = 0;
        // The cursor's group is searched twice: from the cursor on at first, as a whole at the end.
        int wrap = Math.min((cursor | GROUP_FRAMES - 1) + 1, ordinary);
        long handle = cursor == ordinary ? 0 : search(cursor, ordinary, gfp, order, me, looks);
        boolean fromTheStart = !GfpFlags.isSprint(gfp) || stripes[stripe + CURSOR] >= ordinary;
        if (handle == 0 && (fromTheStart || stripes[stripe + EXHAUSTED] == 0)) {
            int from = fromTheStart ? 0 : elsewhere(stripes[stripe + CURSOR]);
            int to = GfpFlags.isSprint(gfp) ? ordinary : wrap;
            handle = search(from, to, gfp, order, me, looks);
        }
        if (handle == 0 && map.orphans.mend(map)) {
            handle = search(0, ordinary, gfp, order, me, looks);
        }
        if (handle == 0 && ordinary < map.frames && GfpFlags.mayUseReserve(gfp)) {
            handle = walkReserve(gfp, order, stripe, me, looks);
        }
        if (handle == 0) {
            stripes[stripe + (GfpFlags.isQuiet(gfp) ? REFUSED_QUIETLY : REFUSED)]++;
            if (listener != null) {
                listener.refused(gfp, order);
            }
        }
        stripes[stripe + EXHAUSTED] = handle == 0 ? 1 : 0;
        return handle;
    }

    /** A sprint goes on where the stripe's last one ended, or it would never see the end of a large reserve. */
    private long walkReserve(int gfp, int order, int stripe, Thread me, int looks) {
        int start = map.ordinary;
        int end = map.frames;
        long resume = stripes[stripe + CURSOR];
        int from = GfpFlags.isSprint(gfp) ? Math.clamp(stripes[stripe + RESERVE_CURSOR], start, end) : start;
        long handle = search(from, end, gfp, order, me, looks);
        if (handle == 0 && from != start && stripes[stripe + CURSOR] >= end) {
            handle = search(start, end, gfp, order, me, looks);
        }
        stripes[stripe + RESERVE_CURSOR] = stripes[stripe + CURSOR];
        stripes[stripe + CURSOR] = resume;
        if (handle != 0) {
            stripes[stripe + RESERVE_HITS]++;
            try {
                if (listener != null) {
                    listener.reserveUsed(gfp, order, handle);
                }
            } catch (Error untold) {
                // For want of stack: the claim stands, and a handler that does nothing takes none.
            }
        }
        return handle;
    }

    /**
     * Searches the runs whose heads are in [from, to), which is outside of the reserve or in it, and so is the run. It
     * leaves the stripe's cursor where it ended.
     *
     * @param looks the groups and spans whose advice this search may look at: {@link Integer#MAX_VALUE}, or else it is
     *              a sprint. The caller reads it from the stripe (see lost designs, "looks").
     */
    private long search(int from, int to, int gfp, int order, Thread me, int looks) {
        int stripe = at(stripes, me, 0);
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
                    // All that follow in one small loop: an exhausted labyrinth is little else.
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
                        stripes[stripe + LOST] += handle == 0 ? 1 : 0;
                    } else if ((pfn & (1 << order) - 1) == 0 && pfn + (1 << order) <= limit) {
                        steps += 1 << order;
                        handle = isAllFree(pfn, order)
                                ? map.claimAndJoin(pfn, order, GfpFlags.wordFlags(gfp), me) : 0;
                    }
                    if (handle != 0) {
                        stripes[stripe + STEPS] += steps;
                        stripes[stripe + CURSOR] = pfn + (1 << order);
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
        stripes[stripe + STEPS] += steps;
        stripes[stripe + CURSOR] = pfn;
        return 0;
    }

    /**
     * The span that a sprint begins in the middle of, if it may settle it at its end; -1 if none. Others have seen its
     * beginning by then, mostly this stripe's own last one: where each settled only what it saw as a whole, sprints
     * alone never settled a span, and looked at every group of an exhausted labyrinth again and again.
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

    /** The first span after this one, up to {@code last}, that may have something free; {@code last + 1} if none. */
    private int nextSpan(int span, int last) {
        int next = span + 1;
        while (next <= last && !map.spanMayBeFree(next)) {
            next++;
        }
        return next;
    }

    /** Whether the run of this order at {@code pfn} is all free now, in however many pieces. At most 2^order words. */
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

    /** Looks at words and advice that the caller's stripe took in its last walk; for tests, with one thread at work. */
    public int lastWalkSteps(Thread me) {
        return (int) stripes[at(stripes, me, STEPS)];
    }

    /** So that 0 steps after a claim mean that a hint was taken; for tests. */
    public void forgetWalk(Thread me) {
        stripes[at(stripes, me, STEPS)] = 0;
    }

    /** The most looks that any walk takes, of one caller at least; in a walk that mends advice, twice as many. */
    public long walkBound() {
        return 3L * map.frames + 2L * map.groups + map.spans + 4 * GROUP_FRAMES + (1 << PageWord.MAX_ORDER);
    }

    /** The most looks that a sprint takes: its budget up to the end and from the start, and for the reserve as well. */
    public static int sprintBound(int order) {
        return 4 * (2 * SPRINT_LOOKS + (1 << SPRINT_SPAN_SHIFT)
                + SPRINT_GROUPS * (2 * GROUP_FRAMES + Math.max(GROUP_FRAMES, 1 << order)));
    }

    /** Requests that got {@code null}, those with NOWARN included. Approximate: stripes count by plain increments. */
    public long refused() {
        return sum(REFUSED) + sum(REFUSED_QUIETLY);
    }

    /** Requests that got {@code null} and had not said NOWARN. Approximate. */
    public long refusedUnexpectedly() {
        return sum(REFUSED);
    }

    /** Claims whose compare-and-set found another word than expected. Approximate. */
    public long lost() {
        return sum(LOST);
    }

    /** Requests served from the reserve. Approximate. */
    public long reserveHits() {
        return sum(RESERVE_HITS);
    }

    private long sum(int counter) {
        long sum = 0;
        for (int at = counter; at < stripes.length; at += 1 << STRIPE_SHIFT) {
            sum += stripes[at];
        }
        return sum;
    }
}
