package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.internal.pagemap.Zone;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIL_Result;
import org.openjdk.jcstress.infra.results.LL_Result;
import org.openjdk.jcstress.infra.results.ZL_Result;

/** Passes over all words while the words change: each figure is right for some moment, and a pass changes nothing. */
public class CountPairs {

    /** While a run is split: at each halving, the frames in use and the free ones are all frames. */
    @JCStressTest
    @Outcome(id = {"0, 8, E------- 0", "8, 0, E------- 0", "4, 4, E------- 0", "2, 6, E------- 0", "1, 7, E------- 0"},
            expect = ACCEPTABLE, desc = "eight frames, at some moment of the split")
    @Outcome(expect = FORBIDDEN, desc = "frames were missed, or counted twice")
    @State
    public static class StatsSplit extends SmallMap {
        private final Zone zone = new Zone(map, 1);

        @Actor
        public void counts(IIL_Result r) {
            LabyrinthStats stats = LabyrinthStats.of("pair", scan.count(1), zone, REGION);
            r.r1 = stats.claimed();
            r.r2 = stats.free();
        }

        @Actor
        public void splits() {
            claim(0, 0, EXCLUSIVE, OWNER);
        }

        @Arbiter
        public void rest(IIL_Result r) {
            r.r3 = verdict();
        }
    }

    /** While one frame is claimed and then another one freed: a pass that sees the second step sees the first. */
    @JCStressTest
    @Outcome(id = {"E-------, -------E 1", "E------E, -------E 1", "-------E, -------E 1"}, expect = ACCEPTABLE,
            desc = "before, between or after")
    @Outcome(expect = FORBIDDEN, desc = "no frame was shown, though one was always out; or some were missing")
    @State
    public static class PictureMove extends SmallMap {
        private final long handle = claim(0, 0, EXCLUSIVE, OWNER);

        public PictureMove() {
            super(OWNER);
        }

        @Actor
        public void looks(LL_Result r) {
            r.r1 = scan.picture().replace('.', '-');
        }

        @Actor
        public void moves() {
            claim(7, 0, EXCLUSIVE, OWNER);
            release(handle, OWNER);
        }

        @Arbiter
        public void rest(LL_Result r) {
            r.r2 = verdict();
        }
    }

    /** While a frame is claimed: a violation that is found then means nothing, and one that is found at rest does. */
    @JCStressTest
    @Outcome(id = "true, ---E---- 0", expect = ACCEPTABLE, desc = "nothing was found")
    @Outcome(id = "false, ---E---- 0", expect = ACCEPTABLE, desc = "a claim that was not signed yet")
    @Outcome(expect = FORBIDDEN, desc = "the pass changed something")
    @State
    public static class ValidateClaim extends SmallMap {

        public ValidateClaim() {
            super(OWNER);
        }

        @Actor
        public void validates(ZL_Result r) {
            r.r1 = scan.violation() == null;
        }

        @Actor
        public void claims() {
            claim(3, 0, EXCLUSIVE, OWNER);
        }

        @Arbiter
        public void rest(ZL_Result r) {
            r.r2 = verdict();
        }
    }
}
