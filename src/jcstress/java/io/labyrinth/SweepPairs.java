package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.internal.os.Living;
import io.labyrinth.internal.pagemap.PageWord;
import java.util.concurrent.locks.LockSupport;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIL_Result;
import org.openjdk.jcstress.infra.results.IL_Result;
import org.openjdk.jcstress.infra.results.IZL_Result;
import org.openjdk.jcstress.infra.results.ZL_Result;

/** A sweep and another actor at one frame: it takes what dead owners have, once, and nothing of living owners. */
public class SweepPairs {

    private static final Thread DEAD = SmallMap.ended();
    private static final Thread LIVING = living(Thread.ofPlatform().daemon());
    private static final Thread LIVING_VIRTUALLY = living(Thread.ofVirtual());

    private static Thread living(Thread.Builder kind) {
        return kind.start(() -> {
            while (true) {
                LockSupport.park();
            }
        });
    }

    /** Frames that a thread had in the generation before. The thread has ended. */
    public abstract static class Inherited extends SmallMap {

        Inherited() {
            super(DEAD);
        }
    }

    /** Two sweeps at one run of a dead owner. */
    @JCStressTest
    @Outcome(id = "2, 0, -------- 1", expect = ACCEPTABLE, desc = "the first swept it")
    @Outcome(id = "0, 2, -------- 1", expect = ACCEPTABLE, desc = "the second swept it")
    @Outcome(expect = FORBIDDEN, desc = "swept twice, or not at all")
    @State
    public static class SweepSweep extends SmallMap {

        public SweepSweep() {
            claim(0, 1, EXCLUSIVE, DEAD);
        }

        @Actor
        public void one(IIL_Result r) {
            r.r1 = scan.sweep(Living::endedOf);
        }

        @Actor
        public void other(IIL_Result r) {
            r.r2 = scan.sweep(Living::endedOf);
        }

        @Arbiter
        public void rest(IIL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A living owner frees. */
    @JCStressTest
    @Outcome(id = "0, true, -------- 1", expect = ACCEPTABLE, desc = "freed by its owner")
    @Outcome(expect = FORBIDDEN, desc = "swept while its owner lives")
    @State
    public static class SweepRelease extends Inherited {
        private final long handle = claim(3, 0, EXCLUSIVE, LIVING);

        @Actor
        public void sweeps(IZL_Result r) {
            r.r1 = scan.sweep(Living::endedOf);
        }

        @Actor
        public void frees(IZL_Result r) {
            r.r2 = release(handle, LIVING);
        }

        @Arbiter
        public void rest(IZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A living virtual owner frees: it leaves the page map's list of virtual owners before it frees the frame. */
    @JCStressTest
    @Outcome(id = "0, true, -------- 1", expect = ACCEPTABLE, desc = "freed by its owner")
    @Outcome(expect = FORBIDDEN, desc = "swept while its owner lives")
    @State
    public static class SweepReleaseVirtual extends Inherited {
        private final long handle = claim(3, 0, EXCLUSIVE, LIVING_VIRTUALLY);

        @Actor
        public void sweeps(IZL_Result r) {
            r.r1 = scan.sweep(Living::endedOf);
        }

        @Actor
        public void frees(IZL_Result r) {
            r.r2 = release(handle, LIVING_VIRTUALLY);
        }

        @Arbiter
        public void rest(IZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Between the CAS and the signature, the owner word still has the last owner's id. */
    @JCStressTest
    @Outcome(id = "0, true, ---E---- 0", expect = ACCEPTABLE, desc = "the living thread has it")
    @Outcome(expect = FORBIDDEN, desc = "swept because the last owner has ended")
    @State
    public static class SweepClaim extends Inherited {

        @Actor
        public void sweeps(IZL_Result r) {
            r.r1 = scan.sweep(Living::endedOf);
        }

        @Actor
        public void claims(IZL_Result r) {
            r.r2 = claim(3, 0, EXCLUSIVE, LIVING) != 0;
        }

        @Arbiter
        public void rest(IZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** The same for a run that is joined: only its first frame is ever signed. */
    @JCStressTest
    @Outcome(id = "0, true, EEEEEEEE 0", expect = ACCEPTABLE, desc = "the living thread has it")
    @Outcome(expect = FORBIDDEN, desc = "swept while it was joined")
    @State
    public static class SweepJoin extends Inherited {

        @Actor
        public void sweeps(IZL_Result r) {
            r.r1 = scan.sweep(Living::endedOf);
        }

        @Actor
        public void joins(IZL_Result r) {
            r.r2 = map.claimAndJoin(0, ORDER, EXCLUSIVE, LIVING) != 0;
        }

        @Arbiter
        public void rest(IZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** The same for a ticket: the giver has ended, the accepter has not signed yet. */
    @JCStressTest
    @Outcome(id = "0, true, ---E---- 1", expect = ACCEPTABLE, desc = "the accepter has it")
    @Outcome(expect = FORBIDDEN, desc = "swept in transit, or because its giver has ended")
    @State
    public static class SweepAccept extends SmallMap {
        private final long ticket;

        public SweepAccept() {
            super(OWNER);
            ticket = map.handOff(claim(3, 0, EXCLUSIVE, DEAD), DEAD, EXCLUSIVE);
        }

        @Actor
        public void sweeps(IZL_Result r) {
            r.r1 = scan.sweep(Living::endedOf);
        }

        @Actor
        public void takes(IZL_Result r) {
            r.r2 = accept(ticket, LIVING);
        }

        @Arbiter
        public void rest(IZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** A run that an error left behind, whose owner has ended since: it is swept or mended. */
    @JCStressTest
    @Outcome(id = "[01], -------- 1", expect = ACCEPTABLE, desc = "one of them took it back")
    @Outcome(expect = FORBIDDEN, desc = "taken back twice, or not at all")
    @State
    public static class SweepMend extends Inherited {

        public SweepMend() {
            mark(claim(3, 0, EXCLUSIVE, DEAD));
        }

        @Actor
        public void sweeps(IL_Result r) {
            r.r1 = scan.sweep(Living::endedOf);
        }

        @Actor
        public void mends(IL_Result r) {
            map.orphans.mend(map);
        }

        @Arbiter
        public void rest(IL_Result r) {
            r.r2 = verdict();
        }
    }

    /** The same with a third actor, which claims what was taken back: that run is no orphan any more. */
    @JCStressTest
    @Outcome(id = "true, ---E---- 1", expect = ACCEPTABLE, desc = "taken back, and claimed")
    @Outcome(id = "false, -------- 1", expect = ACCEPTABLE, desc = "taken back after the claim looked")
    @Outcome(expect = FORBIDDEN, desc = "taken from its next owner, or lost")
    @State
    public static class SweepMendClaim extends Inherited {

        public SweepMendClaim() {
            mark(claim(3, 0, EXCLUSIVE, DEAD));
        }

        @Actor
        public void sweepsAndClaims(ZL_Result r) {
            scan.sweep(Living::endedOf);
            r.r1 = claim(3, 0, EXCLUSIVE, LIVING) != 0;
        }

        @Actor
        public void mends(ZL_Result r) {
            map.orphans.mend(map);
        }

        @Arbiter
        public void rest(ZL_Result r) {
            map.orphans.mend(map);
            r.r2 = verdict();
        }
    }

    /** A mark of an ended generation means nothing: one claims the frame while another mends. */
    @JCStressTest
    @Outcome(id = "true, ---E---- 0", expect = ACCEPTABLE, desc = "the living thread has it")
    @Outcome(expect = FORBIDDEN, desc = "taken from its next owner")
    @State
    public static class MendClaim extends Inherited {

        public MendClaim() {
            mark(PageWord.handle(map.lvWord(3), 3) - PageWord.nextGeneration(0));
        }

        @Actor
        public void claims(ZL_Result r) {
            r.r1 = claim(3, 0, EXCLUSIVE, LIVING) != 0;
        }

        @Actor
        public void mends(ZL_Result r) {
            map.orphans.mend(map);
        }

        @Arbiter
        public void rest(ZL_Result r) {
            r.r2 = verdict();
        }
    }

    /** Two mend, one at a time: what the first claims after it has mended is no orphan for the second. */
    @JCStressTest
    @Outcome(id = "true, ---E---- 1", expect = ACCEPTABLE, desc = "mended, and claimed")
    @Outcome(id = "false, -------- 1", expect = ACCEPTABLE, desc = "still being mended when the claim looked")
    @Outcome(expect = FORBIDDEN, desc = "mended twice: the second time it had an owner")
    @State
    public static class MendMend extends Inherited {

        public MendMend() {
            mark(claim(3, 0, EXCLUSIVE, DEAD));
        }

        @Actor
        public void mendsAndClaims(ZL_Result r) {
            map.orphans.mend(map);
            r.r1 = claim(3, 0, EXCLUSIVE, LIVING) != 0;
        }

        @Actor
        public void mends(ZL_Result r) {
            map.orphans.mend(map);
        }

        @Arbiter
        public void rest(ZL_Result r) {
            r.r2 = verdict();
        }
    }
}
