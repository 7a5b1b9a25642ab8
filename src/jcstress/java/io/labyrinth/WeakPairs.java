package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE_INTERESTING;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.lang.foreign.ValueLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/**
 * A claim that is wrong, of the same frame and by the same means as in {@link ClaimPairs.ClaimClaim}: if the forbidden
 * outcome does not show here, then all that it does not show elsewhere means nothing.
 */
public class WeakPairs {

    /** Reads, compares, and writes: anybody can come between. */
    @JCStressTest
    @Outcome(id = {"true, false", "false, true"}, expect = ACCEPTABLE, desc = "one of them has it, by luck")
    @Outcome(id = "true, true", expect = ACCEPTABLE_INTERESTING, desc = "both have it: must be seen")
    @Outcome(expect = FORBIDDEN, desc = "none has it")
    @State
    public static class WeakClaim extends SmallMap {
        private final long seen = map.lvWord(3);

        public WeakClaim() {
            super(1);
        }

        private boolean claim() {
            if (map.lvWord(3) != seen) {
                return false;
            }
            memory.set(ValueLayout.JAVA_LONG, 3 * 16, PageWord.claimed(seen, EXCLUSIVE));
            return true;
        }

        @Actor
        public void one(ZZ_Result r) {
            r.r1 = claim();
        }

        @Actor
        public void other(ZZ_Result r) {
            r.r2 = claim();
        }
    }
}
