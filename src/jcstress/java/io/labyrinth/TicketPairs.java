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

/** A frame in transit: one thread accepts it, once. */
public class TicketPairs {

    /** A frame that its owner hands over. Its ticket is known beforehand. */
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

    /** Two have the same ticket. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 1", expect = ACCEPTABLE, desc = "the first has it")
    @Outcome(id = "false, true, ---E---- 1", expect = ACCEPTABLE, desc = "the second has it")
    @Outcome(expect = FORBIDDEN, desc = "accepted twice or never, or its owner did not sign it")
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

    /** A ticket cannot be accepted before the hand-over. */
    @JCStressTest
    @Outcome(id = "true, true, ---E---- 1", expect = ACCEPTABLE, desc = "handed over in time")
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

    /** The giver accepts its own ticket, unless another thread was first. */
    @JCStressTest
    @Outcome(id = "true, false, ---E---- 1", expect = ACCEPTABLE, desc = "taken back")
    @Outcome(id = "false, true, ---E---- 1", expect = ACCEPTABLE, desc = "taken by the other")
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

    /** One accepts, and hands the frame over again: the second ticket is another one than the first. */
    @JCStressTest
    @Outcome(id = "true, false, ---T---- 2", expect = ACCEPTABLE, desc = "accepted, and passed on")
    @Outcome(id = "false, true, ---E---- 1", expect = ACCEPTABLE, desc = "the other accepted it")
    @Outcome(expect = FORBIDDEN, desc = "accepted in a generation that the ticket does not name")
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
