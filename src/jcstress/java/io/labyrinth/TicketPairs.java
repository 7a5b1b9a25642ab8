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

/** A frame in transit: taken once, by whoever comes. */
public class TicketPairs {

    /** A frame that its owner hands over, and whose ticket is known beforehand. */
    public abstract static class Given extends SmallMap {
        final long handle = claim(3, 0, EXCLUSIVE, OWNER);
        final long ticket = PageWord.nextGeneration(handle);

        Given() {
            super(OWNER);
        }

        final boolean take() {
            Thread me = Thread.currentThread();
            boolean won = accept(ticket, me);
            if (won) {
                holder = me;
            }
            return won;
        }
    }

    /** Two who have the same ticket. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 1", expect = ACCEPTABLE, desc = "the one has it")
    @Outcome(id = "false, true, ---E---- 1", expect = ACCEPTABLE, desc = "the other has it")
    @Outcome(expect = FORBIDDEN, desc = "accepted twice or never, or not signed by the one who has it")
    @State
    public static class AcceptAccept extends Given {
        private final boolean given = handOff(handle, OWNER);

        @Actor
        public void one(ZZL_Result r) {
            r.r1 = given && take();
        }

        @Actor
        public void other(ZZL_Result r) {
            r.r2 = given && take();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Not before it is given. */
    @JCStressTest
    @Outcome(id = "true, true, ---E---- 1", expect = ACCEPTABLE, desc = "given in time")
    @Outcome(id = "true, false, ---T---- 1", expect = ACCEPTABLE, desc = "too early")
    @Outcome(expect = FORBIDDEN, desc = "taken from its owner, or lost")
    @State
    public static class HandOffAccept extends Given {

        @Actor
        public void gives(ZZL_Result r) {
            r.r1 = handOff(handle, OWNER);
        }

        @Actor
        public void takes(ZZL_Result r) {
            r.r2 = take();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** The giver takes it back, unless somebody was faster. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 1", expect = ACCEPTABLE, desc = "taken back")
    @Outcome(id = "false, true, ---E---- 1", expect = ACCEPTABLE, desc = "taken")
    @Outcome(expect = FORBIDDEN, desc = "accepted twice or never")
    @State
    public static class HandOffAcceptAccept extends Given {

        @Actor
        public void givesAndTakes(ZZL_Result r) {
            r.r1 = handOff(handle, OWNER) && take();
        }

        @Actor
        public void takes(ZZL_Result r) {
            r.r2 = take();
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }

    /** Accepted by one, who passes it on: the second ticket is another one, though the frame is in transit again. */
    @JCStressTest
    @Outcome(id = "true, false, ---T---- 2", expect = ACCEPTABLE, desc = "accepted, and passed on")
    @Outcome(id = "false, true, ---E---- 1", expect = ACCEPTABLE, desc = "accepted by the other")
    @Outcome(expect = FORBIDDEN, desc = "accepted in a life that the ticket does not name")
    @State
    public static class StaleTicketAccept extends Given {
        private final boolean given = handOff(handle, OWNER);

        @Actor
        public void takesAndGives(ZZL_Result r) {
            Thread me = Thread.currentThread();
            r.r1 = given && accept(ticket, me) && handOff(ticket, me);
        }

        @Actor
        public void takes(ZZL_Result r) {
            r.r2 = given && accept(ticket, Thread.currentThread());
        }

        @Arbiter
        public void rest(ZZL_Result r) {
            r.r3 = verdict();
        }
    }
}
