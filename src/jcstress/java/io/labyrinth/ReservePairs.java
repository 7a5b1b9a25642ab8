package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIL_Result;

/** Two requests at the border of the reserve: an ordinary request never crosses it. */
public class ReservePairs {

    private static final int ORDINARY = 4;

    /** Single frames, the upper half of them in the reserve. Requests reach them by a walk. */
    public abstract static class Edge extends SmallMap {
        private static final int NOTHING = -1;
        private final Zone zone = new Zone(map, 1);

        Edge() {
            super(OWNER, FRAMES - ORDINARY);
        }

        /** The pfn of the run that the request gets, or -1. */
        final int claim(Gfp gfp, int order) {
            long handle = zone.claim(gfp.bits(), order, Thread.currentThread());
            return handle == 0 ? NOTHING : PageWord.pfn(handle);
        }

        /** Frees as the allocator does. */
        final void free(long handle) {
            if (map.release(handle, OWNER, EXCLUSIVE)) {
                zone.freed(handle, OWNER);
            }
        }
    }

    /** One ordinary frame is left. One request may have only it, the other may go on into the reserve. */
    @JCStressTest
    @Outcome(id = "2, 4, SSSSSrrr 0", expect = ACCEPTABLE, desc = "the ordinary request has it, the other goes on")
    @Outcome(id = "-1, 2, SSSSrrrr 0", expect = ACCEPTABLE, desc = "the other request has it, which may have either")
    @Outcome(expect = FORBIDDEN, desc = "an ordinary request got a frame of the reserve, or a frame was missed")
    @State
    public static class ReserveEdge extends Edge {

        public ReserveEdge() {
            claim(0, 0, SHARED, OWNER);
            claim(1, 0, SHARED, OWNER);
            claim(3, 0, SHARED, OWNER);
        }

        @Actor
        public void ordinary(IIL_Result r) {
            r.r1 = claim(Gfp.NOWAIT, 0);
        }

        @Actor
        public void high(IIL_Result r) {
            r.r2 = claim(Gfp.ATOMIC, 0);
        }

        @Arbiter
        public void rest(IIL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A frame of the reserve is freed while an ordinary request looks for a frame. */
    @JCStressTest
    @Outcome(id = "-1, 0, SSSSrrrr 1", expect = ACCEPTABLE, desc = "null")
    @Outcome(expect = FORBIDDEN, desc = "an ordinary request got a frame of the reserve")
    @State
    public static class ReserveRelease extends Edge {
        private final long reserved;

        public ReserveRelease() {
            for (int pfn = 0; pfn < ORDINARY; pfn++) {
                claim(pfn, 0, SHARED, OWNER);
            }
            reserved = claim(5, 0, EXCLUSIVE, OWNER);
        }

        @Actor
        public void ordinary(IIL_Result r) {
            int first = claim(Gfp.NOWAIT, 0);
            r.r1 = Math.max(first, claim(Gfp.NOWAIT, 0));
        }

        @Actor
        public void frees(IIL_Result r) {
            free(reserved);
        }

        @Arbiter
        public void rest(IIL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A request for a run: one is free in the reserve, and one outside of it after its last frame is freed. */
    @JCStressTest
    @Outcome(id = "-1, 0, ----rrrr 1", expect = ACCEPTABLE, desc = "null: too early")
    @Outcome(id = "0, 0, SSSSrrrr 1", expect = ACCEPTABLE, desc = "the run outside of the reserve")
    @Outcome(expect = FORBIDDEN, desc = "an ordinary request got a frame of the reserve")
    @State
    public static class ReserveRun extends Edge {
        private final long last = claim(3, 0, EXCLUSIVE, OWNER);

        @Actor
        public void ordinary(IIL_Result r) {
            r.r1 = claim(Gfp.NOWAIT, 2);
        }

        @Actor
        public void frees(IIL_Result r) {
            free(last);
        }

        @Arbiter
        public void rest(IIL_Result r) {
            r.r3 = verdict();
        }
    }

    /** The last frame of a run that would cross the border of the reserve is freed. */
    @JCStressTest
    @Outcome(id = "-1, 0, ----rrrr 1", expect = ACCEPTABLE, desc = "null")
    @Outcome(expect = FORBIDDEN, desc = "a run lies across the border")
    @State
    public static class ReserveAcross extends Edge {
        private final long last = claim(3, 0, EXCLUSIVE, OWNER);

        @Actor
        public void ordinary(IIL_Result r) {
            r.r1 = claim(Gfp.NOWAIT, ORDER);
        }

        @Actor
        public void frees(IIL_Result r) {
            free(last);
        }

        @Arbiter
        public void rest(IIL_Result r) {
            r.r3 = verdict();
        }
    }
}
