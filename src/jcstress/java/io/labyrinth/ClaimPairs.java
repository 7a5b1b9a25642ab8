package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.internal.pagemap.PageWord;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZIL_Result;
import org.openjdk.jcstress.infra.results.ZZL_Result;

/** Two actors want the same frame, or frames of the same run. */
public class ClaimPairs {

    /** Both have seen that the frame is free. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 0", expect = ACCEPTABLE, desc = "the first has it")
    @Outcome(id = "false, true, ---E---- 0", expect = ACCEPTABLE, desc = "the second has it")
    @Outcome(expect = FORBIDDEN, desc = "none or both have it, or its owner did not sign it")
    @State
    public static class ClaimClaim extends SmallMap {
        private final long seen = map.lvWord(3);

        public ClaimClaim() {
            super(OWNER);
        }

        @Actor
        public void one(ZZL_Result r) {
            r.r1 = claim();
        }

        @Actor
        public void other(ZZL_Result r) {
            r.r2 = claim();
        }

        private boolean claim() {
            Thread me = Thread.currentThread();
            boolean won = map.claimSeen(3, seen, 0, EXCLUSIVE, me) != 0;
            if (won) {
                holder = me;
            }
            return won;
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** One has a hint, and makes its CAS without a look. The other has seen the frame. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 0", expect = ACCEPTABLE, desc = "by the hint")
    @Outcome(id = "false, true, ---S---- 0", expect = ACCEPTABLE, desc = "by the look")
    @Outcome(expect = FORBIDDEN, desc = "none or both have it")
    @State
    public static class HintClaim extends SmallMap {
        private final long hint = PageWord.handle(map.lvWord(3), 3);

        public HintClaim() {
            super(OWNER);
        }

        @Actor
        public void hinted(ZZL_Result r) {
            r.r1 = map.claimHinted(hint, 0, EXCLUSIVE, Thread.currentThread());
        }

        @Actor
        public void seen(ZZL_Result r) {
            r.r2 = claim(3, 0, SHARED, Thread.currentThread()) != 0;
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Both want one frame out of the same larger run. */
    @JCStressTest
    @Outcome(id = "true, false, E------- 0", expect = ACCEPTABLE, desc = "the first has split it")
    @Outcome(id = "false, true, S------- 0", expect = ACCEPTABLE, desc = "the second has split it")
    @Outcome(expect = FORBIDDEN, desc = "none or both have split it, or its halves do not tile it")
    @State
    public static class SplitSplit extends SmallMap {
        private final long seen = map.lvWord(0);

        @Actor
        public void one(ZZL_Result r) {
            r.r1 = map.claimSeen(0, seen, 0, EXCLUSIVE, Thread.currentThread()) != 0;
        }

        @Actor
        public void other(ZZL_Result r) {
            r.r2 = map.claimSeen(0, seen, 0, SHARED, Thread.currentThread()) != 0;
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** One splits a run, the other claims the upper half as soon as it is free. */
    @JCStressTest
    @Outcome(id = "true, 0, E------- 0", expect = ACCEPTABLE, desc = "too early for the upper half")
    @Outcome(id = "true, 1, E---SSSS 0", expect = ACCEPTABLE, desc = "the upper half, outside of the first half")
    @Outcome(expect = FORBIDDEN, desc = "two live runs overlap, or do not tile the labyrinth")
    @State
    public static class SplitClaim extends SmallMap {

        @Actor
        public void splits(ZIL_Result r) {
            r.r1 = claim(0, 0, EXCLUSIVE, Thread.currentThread()) != 0;
        }

        @Actor
        public void claims(ZIL_Result r) {
            Thread me = Thread.currentThread();
            for (int look = 0; look < 16 && r.r2 == 0; look++) {
                long upper = map.lvWord(4);
                long head = map.lvWord(0);
                if (PageWord.isFree(upper)) {
                    r.r2 = PageWord.order(head) <= 2 && map.claimSeen(4, upper, 2, SHARED, me) != 0 ? 1 : 2;
                }
            }
        }

        @Arbiter
        public void rest(ZIL_Result r) {
            r.r3 = verdict();
        }
    }

    /** The owner frees a frame. The other claims its next generation by a hint. */
    @JCStressTest
    @Outcome(id = "true, true, ---S---- 1", expect = ACCEPTABLE, desc = "free in time")
    @Outcome(id = "true, false, -------- 1", expect = ACCEPTABLE, desc = "too early")
    @Outcome(expect = FORBIDDEN, desc = "refused, lost, or claimed in the generation that was ending")
    @State
    public static class ReleaseClaim extends SmallMap {
        private final long handle = claim(3, 0, EXCLUSIVE, OWNER);

        public ReleaseClaim() {
            super(OWNER);
        }

        @Actor
        public void frees(ZZL_Result r) {
            r.r1 = release(handle, OWNER);
        }

        @Actor
        public void claims(ZZL_Result r) {
            Thread me = Thread.currentThread();
            boolean won = false;
            for (int attempt = 0; attempt < 4 && !won; attempt++) {
                won = map.claimHinted(PageWord.nextGeneration(handle), 0, SHARED, me);
            }
            holder = won ? me : null;
            r.r2 = won;
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }
}
