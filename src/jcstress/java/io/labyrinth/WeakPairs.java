package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE_INTERESTING;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.bindings.labyrinth_page;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.ValueLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/**
 * A claim and a free that are wrong, at the same frame and with the same means as {@link ClaimPairs.ClaimClaim} and
 * {@link ReleasePairs.ReleaseRelease}. If the forbidden outcome does not appear here, its absence there means nothing.
 */
public class WeakPairs {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final int PFN = 3;
    private static final long WORD_AT = PFN * labyrinth_page.sizeof() + labyrinth_page.word$offset();

    /** Reads, compares, and writes: another thread can come between. */
    @JCStressTest
    @Outcome(id = {"true, false", "false, true"}, expect = ACCEPTABLE, desc = "one of them has it, by luck")
    @Outcome(id = "true, true", expect = ACCEPTABLE_INTERESTING, desc = "both have it: must be seen")
    @Outcome(expect = FORBIDDEN, desc = "none has it")
    @State
    public static class WeakClaim extends SmallMap {
        private final long seen = map.lvWord(PFN);

        public WeakClaim() {
            super(OWNER);
        }

        private boolean claim() {
            if (map.lvWord(PFN) != seen) {
                return false;
            }
            memory.set(LONG, WORD_AT, PageWord.claimed(seen, EXCLUSIVE));
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

    /** The same for a free, as if the frame were EXCLUSIVE to both. */
    @JCStressTest
    @Outcome(id = {"true, false", "false, true"}, expect = ACCEPTABLE, desc = "one of them has freed it, by luck")
    @Outcome(id = "true, true", expect = ACCEPTABLE_INTERESTING, desc = "both have freed it: must be seen")
    @Outcome(expect = FORBIDDEN, desc = "none has freed it")
    @State
    public static class WeakRelease extends SmallMap {
        private final long handle = claim(PFN, 0, SHARED, OWNER);

        public WeakRelease() {
            super(OWNER);
        }

        private boolean free() {
            long word = map.lvWord(PFN);
            if (!PageWord.isLive(word, handle)) {
                return false;
            }
            memory.set(LONG, WORD_AT, PageWord.released(word));
            return true;
        }

        @Actor
        public void one(ZZ_Result r) {
            r.r1 = free();
        }

        @Actor
        public void other(ZZ_Result r) {
            r.r2 = free();
        }
    }
}
