package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.jspecify.annotations.Nullable;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZL_Result;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/**
 * A close, which claims all frames, and another actor that claims or gives back. Either the labyrinth closes with
 * nothing out, or the close is refused and all is as it was.
 */
public class ClosePairs {

    /** A map that may be drained. */
    public abstract static class Closing extends SmallMap {

        Closing(@Nullable Thread lastOwner) {
            super(lastOwner, 0);
        }

        final boolean drains() {
            return scan.drain(false).isEmpty();
        }
    }

    /** The last request before the end, or the first one after it. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 0", expect = ACCEPTABLE, desc = "claimed in time, so that it cannot close")
    @Outcome(id = "false, true, QQQQQQQQ 0", expect = ACCEPTABLE, desc = "drained first")
    @Outcome(expect = FORBIDDEN, desc = "drained with a frame out, or refused and not restored")
    @State
    public static class DrainClaim extends Closing {

        public DrainClaim() {
            super(OWNER);
        }

        @Actor
        public void claims(ZZL_Result r) {
            r.r1 = claim(3, 0, EXCLUSIVE, OWNER) != 0;
        }

        @Actor
        public void drains(ZZL_Result r) {
            r.r2 = drains();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A request that splits a run. */
    @JCStressTest
    @Outcome(id = "true, false, E------- 0", expect = ACCEPTABLE, desc = "claimed in time, so that it cannot close")
    @Outcome(id = "false, true, QQQQQQQQ 0", expect = ACCEPTABLE, desc = "drained first")
    @Outcome(expect = FORBIDDEN, desc = "drained with a frame out, or refused and not restored")
    @State
    public static class DrainSplit extends Closing {

        public DrainSplit() {
            super(null);
        }

        @Actor
        public void splits(ZZL_Result r) {
            r.r1 = claim(0, 0, EXCLUSIVE, OWNER) != 0;
        }

        @Actor
        public void drains(ZZL_Result r) {
            r.r2 = drains();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A request that joins frames, and has to give up if the close was first at one of them. */
    @JCStressTest
    @Outcome(id = "true, false, EEEEEEEE 0", expect = ACCEPTABLE, desc = "claimed in time, so that it cannot close")
    @Outcome(id = "false, true, QQQQQQQQ 0", expect = ACCEPTABLE, desc = "drained first")
    @Outcome(id = "false, false, -------- 0", expect = ACCEPTABLE, desc = "both gave up, because each met the other")
    @Outcome(expect = FORBIDDEN, desc = "drained with a run out, or refused and not restored")
    @State
    public static class DrainJoin extends Closing {

        public DrainJoin() {
            super(OWNER);
        }

        @Actor
        public void joins(ZZL_Result r) {
            r.r1 = map.claimAndJoin(0, ORDER, EXCLUSIVE, OWNER) != 0;
        }

        @Actor
        public void drains(ZZL_Result r) {
            r.r2 = drains();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** The last frame that is out comes back. */
    @JCStressTest
    @Outcome(id = "true, false, -------- 1", expect = ACCEPTABLE, desc = "too late for the close")
    @Outcome(id = "true, true, QQQQQQQQ 1", expect = ACCEPTABLE, desc = "freed in time")
    @Outcome(expect = FORBIDDEN, desc = "a frame is free in a drained map, or lost in one that is open")
    @State
    public static class DrainRelease extends Closing {
        private final long handle = claim(3, 0, EXCLUSIVE, OWNER);

        public DrainRelease() {
            super(OWNER);
        }

        @Actor
        public void frees(ZZL_Result r) {
            r.r1 = release(handle, OWNER);
        }

        @Actor
        public void drains(ZZL_Result r) {
            r.r2 = drains();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A ticket counts as a frame: it is accepted, or at least not lost, and no close succeeds while it is out. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 1", expect = ACCEPTABLE, desc = "accepted")
    @Outcome(expect = FORBIDDEN, desc = "drained with a ticket out, or the ticket was lost")
    @State
    public static class DrainAccept extends Closing {
        private final long ticket = map.handOff(claim(3, 0, EXCLUSIVE, OWNER), OWNER, EXCLUSIVE);

        public DrainAccept() {
            super(OWNER);
        }

        @Actor
        public void takes(ZZL_Result r) {
            r.r1 = accept(ticket, OWNER);
        }

        @Actor
        public void drains(ZZL_Result r) {
            r.r2 = drains();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Each sample maps and unmaps a labyrinth of its own. */
    public abstract static class Whole {
        final Labyrinth labyrinth = Labyrinth.builder("pair").frames(8).locking(Locking.NONE).open();
        final Handles handles = labyrinth.handles();

        final boolean closes() {
            try {
                labyrinth.close();
                return true;
            } catch (LabyrinthException.FramesOut refused) {
                return false;
            }
        }
    }

    /** The same through the public methods. */
    @JCStressTest
    @Outcome(id = "true, false", expect = ACCEPTABLE, desc = "claimed in time, so that it cannot close")
    @Outcome(id = "false, true", expect = ACCEPTABLE, desc = "closed first")
    @Outcome(expect = FORBIDDEN, desc = "closed with a frame out, or refused with none out")
    @State
    public static class CloseAlloc extends Whole {
        private long handle;

        @Actor
        public void allocates(ZZ_Result r) {
            try {
                handle = handles.alloc(Gfp.NOWAIT.with(Gfp.NOWARN), 0);
            } catch (LabyrinthException.Closed expected) {
                handle = 0;
            }
            r.r1 = handle != 0;
        }

        @Actor
        public void closes(ZZ_Result r) {
            r.r2 = closes();
        }

        @Arbiter
        public void giveBack() {
            if (handle != 0) {
                handles.free(handle);
                labyrinth.validate();
                labyrinth.close();
            }
        }
    }

    /** A ticket is accepted and freed: the labyrinth closes after that, or not at all; never before. */
    @JCStressTest
    @Outcome(id = "true, false", expect = ACCEPTABLE, desc = "accepted and freed after the refusal")
    @Outcome(id = "true, true", expect = ACCEPTABLE, desc = "accepted and freed before the end")
    @Outcome(expect = FORBIDDEN, desc = "closed while the ticket was out")
    @State
    public static class CloseAccept extends Whole {
        private final long ticket = handles.handOff(handles.alloc(Gfp.NOWAIT, 0));

        @Actor
        public void takesAndFrees(ZZ_Result r) {
            try {
                handles.free(handles.accept(ticket));
                r.r1 = true;
            } catch (LabyrinthException.Closed refused) {
                r.r1 = false;
            }
        }

        @Actor
        public void closes(ZZ_Result r) {
            r.r2 = closes();
        }

        @Arbiter
        public void giveBack() {
            labyrinth.close();
        }
    }
}
