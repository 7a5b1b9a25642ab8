package io.labyrinth.internal.pagemap;

import io.labyrinth.bindings.Native;

/**
 * The advice tells a walk which groups may have a free run. A walk that finds nothing in a group clears its advice
 * while other threads free: {@code labyrinth_advice} in native/labyrinth.h says why that is safe. Each free gives
 * advice, so that code is in {@link PageMap}.
 */
public final class Advice {

    private Advice() {
    }

    /** Whether a walk finds this frame if it is free: by its advice, or because a walk that finds nothing mends. */
    static boolean given(PageMap map, int pfn) {
        int group = pfn >> PageMap.GROUP_ORDER;
        return map.orphans.adviceLost
                || map.groupMayBeFree(group) && (map.spanShift < 0 || map.spanMayBeFree(group >> map.spanShift));
    }

    /** Advises every group, because some advice may have been lost. */
    public static void giveAll(PageMap map) {
        for (int group = 0; group < map.groups; group++) {
            map.advise(group << PageMap.GROUP_ORDER);
        }
    }

    /** What this thread writes into advice while it looks. No other thread of any tenant has it. Never 0 or 1. */
    static long stamp(PageMap map, Thread me) {
        return (me.threadId() << Native.LABYRINTH_TENANT_BITS() | PageWord.tenantNumber(map.tenant)) << 1;
    }

    /**
     * Clears the group's advice if none of its words is FREE. Wait-free: 64 words, 2 CAS.
     *
     * <p>While it looks, its stamp is the advice, and a stamp still means "maybe". So a thread that stops here hides
     * nothing. No other thread has this stamp, so the second CAS succeeds only if no free has come since the first.
     *
     * @return the number of words that it looked at, or more
     */
    public static int clearGroup(PageMap map, int group, long stamp) {
        long seen = map.lvAdvice(group);
        if (seen != 0 && map.casAdvice(group, seen, stamp) && !hasFreeHead(map, group)) {
            map.casAdvice(group, stamp, 0);
        }
        return 1 << PageMap.GROUP_ORDER;
    }

    private static boolean hasFreeHead(PageMap map, int group) {
        int end = Math.min(map.frames, group + 1 << PageMap.GROUP_ORDER);
        for (int pfn = group << PageMap.GROUP_ORDER; pfn < end; pfn++) {
            if (PageWord.isFree(map.lvWord(pfn))) {
                return true;
            }
        }
        return false;
    }

    /** As {@link #clearGroup}, for a span: it reads the advice of its groups. Wait-free: 2^spanShift words, 2 CAS. */
    public static int clearSpan(PageMap map, int span, long stamp) {
        long seen = map.lvAdvice(map.groups + span);
        if (seen != 0 && map.casAdvice(map.groups + span, seen, stamp) && !hasAdvisedGroup(map, span)) {
            map.casAdvice(map.groups + span, stamp, 0);
        }
        return 1 << map.spanShift;
    }

    private static boolean hasAdvisedGroup(PageMap map, int span) {
        int end = Math.min(map.groups, span + 1 << map.spanShift);
        for (int group = span << map.spanShift; group < end; group++) {
            if (map.groupMayBeFree(group)) {
                return true;
            }
        }
        return false;
    }
}
