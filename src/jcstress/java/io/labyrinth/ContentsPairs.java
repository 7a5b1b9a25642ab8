package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.ValueLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IL_Result;

/** What a holder wrote with plain stores, the next holder reads with plain loads: the page word publishes it. */
public class ContentsPairs {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** A frame that is passed on with its contents: the next holder knows its next handle beforehand. */
    public abstract static class Written extends SmallMap {
        final long handle;
        final long next;

        Written(long flags) {
            super(OWNER);
            handle = claim(3, 0, flags, OWNER);
            next = PageWord.nextGeneration(handle);
        }

        final void write() {
            contents.set(LONG, 0, 1);
            contents.set(LONG, 56, 2);
        }

        /** 3 if everything was seen. */
        final int read() {
            return (int) (contents.get(LONG, 56) + contents.get(LONG, 0));
        }
    }

    /** By ticket. */
    @JCStressTest
    @Outcome(id = "3, ---E---- 1", expect = ACCEPTABLE, desc = "taken, and read")
    @Outcome(id = "-1, ---T---- 1", expect = ACCEPTABLE, desc = "too early")
    @Outcome(expect = FORBIDDEN, desc = "taken without what the giver wrote")
    @State
    public static class HandOffContents extends Written {

        public HandOffContents() {
            super(EXCLUSIVE);
        }

        @Actor
        public void gives() {
            write();
            handOff(handle, OWNER);
        }

        @Actor
        public void takes(IL_Result r) {
            r.r1 = accept(next, Thread.currentThread()) ? read() : -1;
        }

        @Arbiter
        public void rest(IL_Result r) {
            r.r2 = verdict();
        }
    }

    /** By a free of an EXCLUSIVE frame, which is a store. */
    @JCStressTest
    @Outcome(id = "3, ---E---- 1", expect = ACCEPTABLE, desc = "claimed, and read")
    @Outcome(id = "-1, -------- 1", expect = ACCEPTABLE, desc = "too early")
    @Outcome(expect = FORBIDDEN, desc = "claimed before the last owner had finished with it")
    @State
    public static class ReleaseContents extends Written {

        public ReleaseContents() {
            super(EXCLUSIVE);
        }

        @Actor
        public void frees() {
            write();
            release(handle, OWNER);
        }

        @Actor
        public void claims(IL_Result r) {
            r.r1 = map.claimHinted(next, 0, EXCLUSIVE, Thread.currentThread()) ? read() : -1;
        }

        @Arbiter
        public void rest(IL_Result r) {
            r.r2 = verdict();
        }
    }

    /** By a free of a frame that is not EXCLUSIVE, which is a CAS. */
    @JCStressTest
    @Outcome(id = "3, ---S---- 1", expect = ACCEPTABLE, desc = "claimed, and read")
    @Outcome(id = "-1, -------- 1", expect = ACCEPTABLE, desc = "too early")
    @Outcome(expect = FORBIDDEN, desc = "claimed before the last holder had finished with it")
    @State
    public static class SharedReleaseContents extends Written {

        public SharedReleaseContents() {
            super(SHARED);
        }

        @Actor
        public void frees() {
            write();
            release(handle, Thread.currentThread());
        }

        @Actor
        public void claims(IL_Result r) {
            r.r1 = map.claimHinted(next, 0, SHARED, Thread.currentThread()) ? read() : -1;
        }

        @Arbiter
        public void rest(IL_Result r) {
            r.r2 = verdict();
        }
    }
}
