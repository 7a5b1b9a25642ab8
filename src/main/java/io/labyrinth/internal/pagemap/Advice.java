package io.labyrinth.internal.pagemap;

import io.labyrinth.bindings.Native;

/**
 * Advice, looked at and cleared where it turned out to be wrong: {@code labyrinth_advice} in the header says why a walk
 * that finds nothing may do so while others free. What gives advice is a part of each free, and so in {@link PageMap}.
 */
public final class Advice {

    private Advice() {
    }

    /** Whether a walk would come by this frame if free: by its advice, or because one that finds nothing mends. */
    static boolean given(PageMap map, int pfn) {
        int group = pfn >> PageMap.GROUP_ORDER;
        return map.orphans.adviceLost
                || map.groupMayBeFree(group) && (map.spanShift < 0 || map.spanMayBeFree(group >> map.spanShift));
    }

    /** Gives it all anew, where some may have been lost. */
    public static void giveAll(PageMap map) {
        for (int group = 0; group < map.groups; group++) {
            map.advise(group << PageMap.GROUP_ORDER);
        }
    }

    /** What this thread puts into advice while it looks: its own among all threads of all tenants, never 0 or 1. */
    static long stamp(PageMap map, Thread me) {
        return (me.threadId() << Native.LABYRINTH_TENANT_BITS() | PageWord.tenantNumber(map.tenant)) << 1;
    }

    /**
     * Clears the group's advice if none of its words is FREE. Wait-free: 64 words, 2 CAS.
     *
     * <p>While it looks, its stamp stands in the advice, which still reads as "maybe": whoever freezes here hides
     * nothing. The stamp is this thread's alone, so the second CAS succeeds only if no free came between.
     *
     * @return the words it may have looked at
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

    /** As {@link #clearGroup}, for a span: its words are its groups' advice. Wait-free: 2^spanShift words, 2 CAS. */
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
