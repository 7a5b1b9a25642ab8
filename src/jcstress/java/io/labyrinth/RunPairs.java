package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.internal.pagemap.PageWord;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZL_Result;

/** A run that is joined from smaller runs, while another actor is at one of its frames. */
public class RunPairs {

    /** Single frames, to be joined. */
    public abstract static class Frames extends SmallMap {

        Frames() {
            super(OWNER);
        }

        final boolean join(int pfn, int order, long flags) {
            return map.claimAndJoin(pfn, order, flags, Thread.currentThread()) != 0;
        }
    }

    /** One wants the run, the other one frame of it. */
    @JCStressTest
    @Outcome(id = "true, false, EEEEEEEE 0", expect = ACCEPTABLE, desc = "the run")
    @Outcome(id = "false, true, -----S-- 0", expect = ACCEPTABLE, desc = "the frame")
    @Outcome(expect = FORBIDDEN, desc = "both, none, or a trace of the run that was not claimed")
    @State
    public static class JoinClaim extends Frames {

        @Actor
        public void joins(ZZL_Result r) {
            r.r1 = join(0, ORDER, EXCLUSIVE);
        }

        @Actor
        public void claims(ZZL_Result r) {
            r.r2 = claim(5, 0, SHARED, Thread.currentThread()) != 0;
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Both want the same run. */
    @JCStressTest
    @Outcome(id = "true, false, EEEEEEEE 0", expect = ACCEPTABLE, desc = "the first has it")
    @Outcome(id = "false, true, SSSSSSSS 0", expect = ACCEPTABLE, desc = "the second has it")
    @Outcome(expect = FORBIDDEN, desc = "both have it, or none")
    @State
    public static class JoinJoin extends Frames {

        @Actor
        public void one(ZZL_Result r) {
            r.r1 = join(0, ORDER, EXCLUSIVE);
        }

        @Actor
        public void other(ZZL_Result r) {
            r.r2 = join(0, ORDER, SHARED);
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Two runs that overlap: the smaller run is the upper half of the larger run. */
    @JCStressTest
    @Outcome(id = "true, false, EEEEEEEE 0", expect = ACCEPTABLE, desc = "the larger")
    @Outcome(id = "false, true, ----SSSS 0", expect = ACCEPTABLE, desc = "the smaller")
    @Outcome(expect = FORBIDDEN, desc = "both, none, or a trace of the run that was not claimed")
    @State
    public static class JoinOverlap extends Frames {

        @Actor
        public void larger(ZZL_Result r) {
            r.r1 = join(0, ORDER, EXCLUSIVE);
        }

        @Actor
        public void smaller(ZZL_Result r) {
            r.r2 = join(4, 2, SHARED);
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A run whose last frame is out cannot be joined: exactly what was claimed on the way is given back. */
    @JCStressTest
    @Outcome(id = "false, true, -----E-S 0", expect = ACCEPTABLE, desc = "before the join was there, or after it")
    @Outcome(id = "false, false, -------S 0", expect = ACCEPTABLE, desc = "lost to a join that then gave up")
    @Outcome(expect = FORBIDDEN, desc = "the join took back what was not its own, or left something")
    @State
    public static class RollbackClaim extends Frames {
        private final long taken = claim(7, 0, SHARED, OWNER);

        @Actor
        public void joins(ZZL_Result r) {
            r.r1 = join(0, ORDER, EXCLUSIVE);
        }

        @Actor
        public void claims(ZZL_Result r) {
            r.r2 = claim(5, 0, EXCLUSIVE, Thread.currentThread()) != 0;
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            long word = PageWord.claimed(PageWord.free(taken, 0), PageWord.TENANT | SHARED);
            r.r3 = map.lvWord(7) == word ? verdict() : "pfn=7 was lost";
        }
    }

    /** One wants the run, the other a frame that is split off the run's upper half. */
    @JCStressTest
    @Outcome(id = "true, false, EEEEEEEE 1", expect = ACCEPTABLE, desc = "the run")
    @Outcome(id = "false, true, ----S--- 1", expect = ACCEPTABLE, desc = "the frame")
    @Outcome(expect = FORBIDDEN, desc = "both, none, or pieces that do not tile the labyrinth")
    @State
    public static class JoinSplit extends SmallMap {

        public JoinSplit() {
            release(claim(0, 2, EXCLUSIVE, OWNER), OWNER);    // two runs of half the frames
        }

        @Actor
        public void joins(ZZL_Result r) {
            r.r1 = map.claimAndJoin(0, ORDER, EXCLUSIVE, Thread.currentThread()) != 0;
        }

        @Actor
        public void splits(ZZL_Result r) {
            r.r2 = claim(4, 0, SHARED, Thread.currentThread()) != 0;
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** The last frame of a run becomes free while the run is joined. */
    @JCStressTest
    @Outcome(id = "true, true, EEEEEEEE 1", expect = ACCEPTABLE, desc = "free in time")
    @Outcome(id = "false, true, -------- 1", expect = ACCEPTABLE, desc = "too late")
    @Outcome(expect = FORBIDDEN, desc = "lost, or joined while it was out")
    @State
    public static class JoinRelease extends Frames {
        private final long taken = claim(7, 0, EXCLUSIVE, OWNER);

        @Actor
        public void joins(ZZL_Result r) {
            r.r1 = join(0, ORDER, EXCLUSIVE);
        }

        @Actor
        public void frees(ZZL_Result r) {
            r.r2 = release(taken, OWNER);
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }
}
