package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.internal.pagemap.Advice;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.PageMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZL_Result;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/** Advice is cleared while a frame becomes free: then the advice must stay, or a walk would miss the frame. */
public class AdvicePairs {

    private static final long STAMP = 2;
    private static final long OTHER_STAMP = 4;

    /** An owner frees. The verdict says whether a free frame is hidden. */
    @JCStressTest
    @Outcome(id = "true, -------- 1", expect = ACCEPTABLE, desc = "free, and advised")
    @Outcome(expect = FORBIDDEN, desc = "free, and hidden")
    @State
    public static class ClearRelease extends SmallMap {
        private final long handle = claim(0, ORDER, EXCLUSIVE, OWNER);

        @Actor
        public void clears(ZL_Result r) {
            Advice.clearGroup(map, 0, STAMP);
        }

        @Actor
        public void frees(ZL_Result r) {
            r.r1 = release(handle, OWNER);
        }

        @Arbiter
        public void rest(ZL_Result r) {
            r.r2 = verdict();
        }
    }

    /** Two actors clear: neither takes the other's stamp for its own. */
    @JCStressTest
    @Outcome(id = "true, -------- 1", expect = ACCEPTABLE, desc = "free, and advised")
    @Outcome(expect = FORBIDDEN, desc = "free, and hidden")
    @State
    public static class ClearClear extends SmallMap {
        private final long handle = claim(0, ORDER, EXCLUSIVE, OWNER);

        @Actor
        public void clears(ZL_Result r) {
            Advice.clearGroup(map, 0, STAMP);
        }

        @Actor
        public void freesAndClears(ZL_Result r) {
            r.r1 = release(handle, OWNER);
            Advice.clearGroup(map, 0, OTHER_STAMP);
        }

        @Arbiter
        public void rest(ZL_Result r) {
            r.r2 = verdict();
        }
    }

    /** A split frees the rest of a run. */
    @JCStressTest
    @Outcome(id = "true, E------- 0", expect = ACCEPTABLE, desc = "the rest is free, and advised")
    @Outcome(expect = FORBIDDEN, desc = "the rest is free, and hidden")
    @State
    public static class ClearSplit extends SmallMap {

        @Actor
        public void clears(ZL_Result r) {
            Advice.clearGroup(map, 0, STAMP);
        }

        @Actor
        public void splits(ZL_Result r) {
            r.r1 = claim(0, 0, EXCLUSIVE, Thread.currentThread()) != 0;
        }

        @Arbiter
        public void rest(ZL_Result r) {
            r.r2 = verdict();
        }
    }

    /** A join that gives up frees what it had claimed. */
    @JCStressTest
    @Outcome(id = "false, -------S 0", expect = ACCEPTABLE, desc = "given back, and advised")
    @Outcome(expect = FORBIDDEN, desc = "given back, and hidden")
    @State
    public static class ClearRollback extends SmallMap {

        public ClearRollback() {
            super(OWNER);
            claim(7, 0, SHARED, OWNER);
        }

        @Actor
        public void clears(ZL_Result r) {
            Advice.clearGroup(map, 0, STAMP);
        }

        @Actor
        public void joins(ZL_Result r) {
            r.r1 = map.claimAndJoin(0, ORDER, EXCLUSIVE, Thread.currentThread()) != 0;
        }

        @Arbiter
        public void rest(ZL_Result r) {
            r.r2 = verdict();
        }
    }

    /** The same for spans: in a map with spans of two groups each. Each sample has a span of its own. */
    @JCStressTest
    @Outcome(id = "true, true", expect = ACCEPTABLE, desc = "free, and advised")
    @Outcome(expect = FORBIDDEN, desc = "free, and hidden by its group or its span")
    @State
    public static class ClearSpanRelease {
        private static final int GROUPS = 512;
        private static final int SPAN_ORDER = PageMap.GROUP_ORDER + 1;
        private static final int SPANS = GROUPS / 2;
        private static final PageMap[] MAPS = maps(4 * Pairs.EPOCH / SPANS);
        private static final AtomicInteger NEXT = new AtomicInteger();

        private final PageMap map;
        private final int span;
        private final long handle;

        public ClearSpanRelease() {
            int sample = NEXT.getAndIncrement() & 4 * Pairs.EPOCH - 1;
            map = MAPS[sample / SPANS];
            span = sample % SPANS;
            int pfn = span << SPAN_ORDER;
            handle = map.claimSeen(pfn, map.lvWord(pfn), SPAN_ORDER, SmallMap.SHARED, SmallMap.OWNER);
            if (handle == 0) {
                throw new IllegalStateException("span=" + span + " was lost");
            }
        }

        private static PageMap[] maps(int count) {
            int frames = GROUPS << PageMap.GROUP_ORDER;
            PageMap[] maps = new PageMap[count];
            for (int i = 0; i < count; i++) {
                maps[i] = new PageMap(SmallMap.mapped(Geometry.bytesFor(frames)), frames, 0);
                maps[i].tile(1);
                for (int pfn = 0; pfn < frames; pfn += 1 << SPAN_ORDER) {
                    long word = maps[i].lvWord(pfn);
                    maps[i].release(maps[i].claimSeen(pfn, word, SPAN_ORDER, SmallMap.SHARED, SmallMap.OWNER),
                            SmallMap.OWNER, SmallMap.EXCLUSIVE);
                }
            }
            return maps;
        }

        @Actor
        public void clears() {
            Advice.clearGroup(map, 2 * span, STAMP);
            Advice.clearSpan(map, span, STAMP);
        }

        @Actor
        public void frees() {
            map.release(handle, SmallMap.OWNER, SmallMap.EXCLUSIVE);
        }

        @Arbiter
        public void rest(ZZ_Result r) {
            r.r1 = map.groupMayBeFree(2 * span);
            r.r2 = map.spanMayBeFree(span);
        }
    }
}
