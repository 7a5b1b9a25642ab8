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

/** Two end the same generation of a frame that is not EXCLUSIVE: one of them succeeds. And what follows. */
public class ReleasePairs {

    private static final Thread HEIR = Thread.ofPlatform().unstarted(() -> { });

    /** A frame that any thread may free, once. */
    public abstract static class SharedFrame extends SmallMap {
        final long handle = claim(3, 0, SHARED, OWNER);

        SharedFrame() {
            super(OWNER);
        }
    }

    /** A double free. */
    @JCStressTest
    @Outcome(id = "true, false, -------- 1", expect = ACCEPTABLE, desc = "the first has freed it")
    @Outcome(id = "false, true, -------- 1", expect = ACCEPTABLE, desc = "the second has freed it")
    @Outcome(expect = FORBIDDEN, desc = "a double free was not found, or two generations ended")
    @State
    public static class ReleaseRelease extends SharedFrame {

        @Actor
        public void one(ZZL_Result r) {
            r.r1 = release(handle, Thread.currentThread());
        }

        @Actor
        public void other(ZZL_Result r) {
            r.r2 = release(handle, Thread.currentThread());
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** One frees it, the other hands it over. */
    @JCStressTest
    @Outcome(id = "true, false, -------- 1", expect = ACCEPTABLE, desc = "freed")
    @Outcome(id = "false, true, ---T---- 1", expect = ACCEPTABLE, desc = "handed over")
    @Outcome(expect = FORBIDDEN, desc = "both were granted, or none")
    @State
    public static class ReleaseHandOff extends SharedFrame {

        @Actor
        public void frees(ZZL_Result r) {
            r.r1 = release(handle, Thread.currentThread());
        }

        @Actor
        public void givesAway(ZZL_Result r) {
            r.r2 = handOff(handle, Thread.currentThread());
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Both hand it over. */
    @JCStressTest
    @Outcome(id = "true, false, ---T---- 1", expect = ACCEPTABLE, desc = "the first has a ticket")
    @Outcome(id = "false, true, ---T---- 1", expect = ACCEPTABLE, desc = "the second has a ticket")
    @Outcome(expect = FORBIDDEN, desc = "two tickets for one frame, or none")
    @State
    public static class HandOffHandOff extends SharedFrame {

        @Actor
        public void one(ZZL_Result r) {
            r.r1 = handOff(handle, Thread.currentThread());
        }

        @Actor
        public void other(ZZL_Result r) {
            r.r2 = handOff(handle, Thread.currentThread());
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A second free that comes late, when the frame is out again: a handle of the ended generation cannot free it. */
    @JCStressTest
    @Outcome(id = "true, false, ---S---- 1", expect = ACCEPTABLE, desc = "the first freed it and claimed it again")
    @Outcome(id = "false, true, ---S---- 1", expect = ACCEPTABLE, desc = "the second freed it, the first claimed it")
    @Outcome(expect = FORBIDDEN, desc = "a stale free ended another generation")
    @State
    public static class StaleReleaseClaim extends SharedFrame {

        @Actor
        public void freesAndClaims(ZZL_Result r) {
            Thread me = Thread.currentThread();
            r.r1 = release(handle, me);
            map.claimHinted(PageWord.nextGeneration(handle), 0, SHARED, me);
        }

        @Actor
        public void frees(ZZL_Result r) {
            r.r2 = release(handle, Thread.currentThread());
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** One asks who owns the frame of its handle, while another thread claims that frame. */
    @JCStressTest
    @Outcome(id = "true, 0, ---S---- 1", expect = ACCEPTABLE, desc = "stale")
    @Outcome(id = "true, 1, ---S---- 1", expect = ACCEPTABLE, desc = "the owner of that generation")
    @Outcome(expect = FORBIDDEN, desc = "the owner of another generation")
    @State
    public static class ReleaseOwner extends SharedFrame {

        @Actor
        public void passesOn(ZIL_Result r) {
            r.r1 = release(handle, OWNER) && map.claimHinted(PageWord.nextGeneration(handle), 0, SHARED, HEIR);
        }

        @Actor
        public void asks(ZIL_Result r) {
            try {
                r.r2 = map.ownerOf(handle) == PageWord.owner(OWNER, handle) ? 1 : 2;
            } catch (LabyrinthException.Stale expected) {
                r.r2 = 0;
            }
        }

        @Arbiter
        public void rest(ZIL_Result r) {
            r.r3 = verdict();
        }
    }
}
