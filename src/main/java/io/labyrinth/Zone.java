package io.labyrinth;

/**
 * The policy: where an allocation looks, in which order, and how far. Decides nothing about ownership; every answer
 * comes from a compare-and-set in {@link PageMap}.
 */
final class Zone {

    /*
     * The reserve is a place, not a count. The labyrinth's last R frames are walked by HIGH requests only, and a run
     * never crosses into them; so the reserve is exact under any race, and costs the others nothing. (A counter would
     * be one contended atomic more in each allocation.)
     *
     * A lane is a striped hint: a ring of frames freed last, hot in cache, and a cursor, where the last walk ended.
     * Lanes are chosen by the thread id's low bits: ids are given out in sequence, so threads that were started
     * together get lanes of their own, and a million virtual threads share them. No ThreadLocal.
     *
     * A hint is the frame's next handle, generation and all: if the frame still is as it was left, the claim knows what
     * its word must be, and needs no look at it before the CAS. A hint is taken out when it is tried, so that none is
     * tried twice.
     *
     * Lanes are plain longs, read and written by races on purpose: a hint that is wrong, or even torn, costs one failed
     * CAS, as it is the page word that decides; and the frames that hints forget are found through the advice.
     *
     * The walk. From the cursor to the end, then from the beginning to the cursor's group: every group whose advice
     * says "maybe", each run in it by its head. A group that turns out to have nothing free has its advice settled, so
     * that the next walk is spared it. A lone caller therefore misses nothing: what is free is advised (validate()
     * checks it), and what is advised is looked at.
     */

    /** Hints a lane remembers. Two lines with the rest of the lane; more did not help a burst, which walks anyway. */
    private static final int HINTS = 16;
    private static final int TOP = HINTS;
    private static final int CURSOR = HINTS + 1;
    private static final int STEPS = HINTS + 2;
    private static final int REFUSED = HINTS + 3;
    private static final int REFUSED_QUIETLY = HINTS + 4;
    private static final int RESERVE_HITS = HINTS + 5;
    /** Longs from lane to lane: 256 bytes, as prefetchers pull in the line next door. */
    private static final int LANE = 32;

    /** A sprint's bounds, in looks at the advice, in groups searched and in words: about as long as 5 good pairs. */
    private static final int SPRINT_LOOKS = 16;
    private static final int SPRINT_GROUPS = 4;

    private static final int GROUP_FRAMES = 1 << PageMap.GROUP_ORDER;

    final PageMap map;
    /** Frames below this one are for everybody; the rest is the reserve. */
    final int ordinary;
    private final int laneMask;
    private final long[] lanes;

    Zone(PageMap map, int reserve, int processors) {
        this.map = map;
        this.ordinary = map.frames - reserve;
        int count = Integer.highestOneBit(Math.max(1, Math.min(Math.max(processors, 2) * 8, map.frames >> 3)) );
        this.laneMask = count - 1;
        this.lanes = new long[(count + 1) * LANE];
        for (int lane = 0; lane < count; lane++) {
            lanes[at(lane) + CURSOR] = (int) ((long) ordinary * lane / count) & -GROUP_FRAMES;
        }
    }

    /** One lane's worth of longs is left free at the front: the array's header is nobody's line. */
    private static int at(int lane) {
        return (lane + 1) * LANE;
    }

    private int laneOf(Thread thread) {
        return at((int) thread.threadId() & laneMask);
    }

    /**
     * Claims a run. Lock-free. A sprint looks at no more than {@link #sprintBound} words, any other walk at no more
     * than {@link #walkBound}.
     *
     * @return the handle, or 0 if nothing was found within the bound
     */
    long claim(int gfp, int order, Thread me) {
        int lane = laneOf(me);
        int top = (int) lanes[lane + TOP] & HINTS - 1;
        long hint = lanes[lane + top];
        if (hint != 0) {
            lanes[lane + top] = 0;
            lanes[lane + TOP] = top - 1;
            if (map.claimHinted(hint, order, Gfp.wordFlags(gfp), me)) {
                return hint;
            }
        }
        return walk(gfp, order, lane, me);
    }

    /**
     * Frees a run and remembers it as a hint. Wait-free for an EXCLUSIVE run, one CAS otherwise.
     */
    void free(long handle, Thread me) {
        map.release(handle, me);
        if (PageWord.pfn(handle) < ordinary) {
            int lane = laneOf(me);
            int top = (int) lanes[lane + TOP] + 1 & HINTS - 1;
            lanes[lane + top] = PageWord.nextLife(handle);
            lanes[lane + TOP] = top;
        }
    }

    private long walk(int gfp, int order, int lane, Thread me) {
        long flags = Gfp.wordFlags(gfp);
        int looks = Gfp.isSprint(gfp) ? SPRINT_LOOKS : Integer.MAX_VALUE;
        int groups = Gfp.isSprint(gfp) ? SPRINT_GROUPS : Integer.MAX_VALUE;
        int cursor = (int) Math.min(lanes[lane + CURSOR], ordinary);
        // Mostly the next word has what is wanted: a burst, or a giver whose frames others free, comes by in order.
        if (cursor < ordinary) {
            long word = map.lvWord(cursor);
            if (PageWord.isFree(word) && PageWord.order(word) == order) {
                long next = map.claimSeen(cursor, word, order, flags, me);
                if (next != 0) {
                    lanes[lane + STEPS] = 1;
                    lanes[lane + CURSOR] = cursor + (1 << order);
                    return next;
                }
            }
        }
        lanes[lane + STEPS] = 0;
        // The cursor's group is searched twice: from the cursor on at first, as a whole at the end.
        int wrap = Math.min((cursor | GROUP_FRAMES - 1) + 1, ordinary);
        long handle = search(cursor, ordinary, ordinary, order, flags, me, lane, looks, groups);
        if (handle == 0 && (!Gfp.isSprint(gfp) || lanes[lane + CURSOR] >= ordinary)) {
            handle = search(0, Gfp.isSprint(gfp) ? ordinary : wrap, ordinary, order, flags, me, lane, looks, groups);
        }
        if (handle == 0 && map.mendAdvice()) {
            handle = search(0, ordinary, ordinary, order, flags, me, lane, looks, groups);
        }
        if (handle == 0 && Gfp.mayUseReserve(gfp)) {
            long resume = lanes[lane + CURSOR];
            handle = search(ordinary, map.frames, map.frames, order, flags, me, lane, looks, groups);
            lanes[lane + CURSOR] = resume;
            if (handle != 0) {
                lanes[lane + RESERVE_HITS]++;
            }
        }
        if (handle == 0) {
            lanes[lane + (Gfp.isQuiet(gfp) ? REFUSED_QUIETLY : REFUSED)]++;
        }
        return handle;
    }

    /**
     * Searches the runs whose heads are in [from, to) for one of this order that ends before {@code limit}, and leaves
     * the lane's cursor where it ended.
     *
     * @param looks  the groups and spans whose advice may be looked at
     * @param groups the groups that may be searched
     */
    private long search(int from, int to, int limit, int order, long flags, Thread me, int lane, int looks, int groups) {
        long stamp = me.threadId() << 1;
        int pfn = from;
        int steps = 0;
        int looksLeft = looks;
        int groupsLeft = groups;
        int wholeSpan = -1;
        long handle = 0;
        while (pfn < to && looksLeft > 0 && groupsLeft > 0) {
            int group = pfn >> PageMap.GROUP_ORDER;
            looksLeft--;
            steps++;
            if (map.isSpanStart(group)) {
                if (wholeSpan >= 0) {
                    steps += map.settleSpan(wholeSpan, stamp);
                }
                wholeSpan = map.spanOf(group);
                if (!map.spanMayBeFree(wholeSpan)) {
                    // All that follow in one small loop: an exhausted labyrinth is little else.
                    int last = Math.min(map.spanOf(to - 1 >> PageMap.GROUP_ORDER) - wholeSpan, looksLeft) + wholeSpan;
                    int next = map.nextSpan(wholeSpan, last);
                    steps += next - wholeSpan - 1;
                    looksLeft -= next - wholeSpan - 1;
                    pfn = map.endOfSpan(next - 1);
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
                        handle = map.claimSeen(pfn, word, order, flags, me);
                    } else if ((pfn & (1 << order) - 1) == 0 && pfn + (1 << order) <= limit) {
                        steps += 1 << order;
                        handle = map.claimAndJoin(pfn, order, flags, me);
                    }
                    if (handle != 0) {
                        lanes[lane + STEPS] += steps;
                        lanes[lane + CURSOR] = pfn + (1 << order);
                        return handle;
                    }
                }
                pfn = PageMap.next(pfn, word);
            }
            if (!free) {
                steps += map.settleGroup(group, stamp);
            }
        }
        if (wholeSpan >= 0 && pfn >= map.endOfSpan(wholeSpan)) {
            steps += map.settleSpan(wholeSpan, stamp);
        }
        lanes[lane + STEPS] += steps;
        lanes[lane + CURSOR] = pfn;
        return 0;
    }

    /** Looks at words and advice that the caller's lane took in its last walk; for tests, with one thread at work. */
    int lastWalkSteps(Thread me) {
        return (int) lanes[laneOf(me) + STEPS];
    }

    /** So that 0 steps after a claim mean that a hint was taken; for tests. */
    void forgetWalk(Thread me) {
        lanes[laneOf(me) + STEPS] = 0;
    }

    /** The most looks that any walk takes, of one caller at least; in a walk that mends advice, twice as many. */
    long walkBound() {
        return 3L * map.frames + 2L * map.groups + map.spans + 4 * GROUP_FRAMES + (1 << PageWord.MAX_ORDER);
    }

    /** The most looks that a sprint of this order takes: twice its budget, for the labyrinth and for the reserve. */
    static int sprintBound(int order) {
        return 3 * (SPRINT_LOOKS + SPRINT_GROUPS * (2 * GROUP_FRAMES + Math.max(GROUP_FRAMES, 1 << order)));
    }

    /** Requests that got {@code null}, those with NOWARN included. Approximate: lanes count by plain increments. */
    long refused() {
        return sum(REFUSED) + sum(REFUSED_QUIETLY);
    }

    /** Requests that got {@code null} and had not said NOWARN. Approximate. */
    long refusedUnexpectedly() {
        return sum(REFUSED);
    }

    /** Requests served from the reserve. Approximate. */
    long reserveHits() {
        return sum(RESERVE_HITS);
    }

    private long sum(int counter) {
        long sum = 0;
        for (int lane = 0; lane <= laneMask; lane++) {
            sum += lanes[at(lane) + counter];
        }
        return sum;
    }
}
