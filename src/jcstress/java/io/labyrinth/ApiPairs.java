package io.labyrinth;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.lang.foreign.ValueLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/** The public methods, on one real labyrinth for all samples. */
public class ApiPairs {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** Twice as many frames as samples that are alive at once; as in {@link SmallMap}. */
    private static final Labyrinth WIDE = open(4 * Pairs.EPOCH);
    /** A single frame, which all samples share. */
    private static final Labyrinth NARROW = open(1);
    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);

    private static Labyrinth open(int frames) {
        return Labyrinth.builder("pairs").frames(frames).locking(Locking.NONE).open();
    }

    private static Frame frame(Gfp gfp) {
        Frame frame = WIDE.allocPage(gfp);
        if (frame == null) {
            throw new IllegalStateException("a frame was lost: " + WIDE.stats());
        }
        return frame;
    }

    /** Two accept one ticket, and read what was written to the frame. */
    @JCStressTest
    @Outcome(id = "7, -1", expect = ACCEPTABLE, desc = "the first took it, and read it")
    @Outcome(id = "-1, 7", expect = ACCEPTABLE, desc = "the second took it, and read it")
    @Outcome(expect = FORBIDDEN, desc = "taken twice, or never, or without its contents")
    @State
    public static class AcceptAcceptFrame {
        private final Ticket ticket = give();

        private static Ticket give() {
            Frame frame = frame(EXCLUSIVE);
            frame.segment().set(LONG, 128, 7);
            return frame.handOff();
        }

        private long take() {
            Frame frame;
            try {
                frame = ticket.accept();
            } catch (LabyrinthException.Stale refused) {
                return -1;
            }
            try (frame) {
                return frame.segment().get(LONG, 128);
            }
        }

        @Actor
        public void one(II_Result r) {
            r.r1 = (int) take();
        }

        @Actor
        public void other(II_Result r) {
            r.r2 = (int) take();
        }
    }

    /** Two close one frame. */
    @JCStressTest
    @Outcome(id = "true, false", expect = ACCEPTABLE, desc = "the first freed it")
    @Outcome(id = "false, true", expect = ACCEPTABLE, desc = "the second freed it")
    @Outcome(expect = FORBIDDEN, desc = "a double free was not found")
    @State
    public static class CloseCloseFrame {
        private final Frame frame = frame(Gfp.NOWAIT);

        private boolean free() {
            try {
                frame.close();
                return true;
            } catch (LabyrinthException.Stale refused) {
                return false;
            }
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

    /** The only frame, over and over: until an owner frees it, the owner finds what it wrote. */
    @JCStressTest
    @Outcome(id = {"0, 0", "0, 1", "1, 0", "1, 1"}, expect = ACCEPTABLE, desc = "null, or a frame of its own")
    @Outcome(expect = FORBIDDEN, desc = "another thread wrote to it")
    @State
    public static class AllocAllocFrame {

        private static int use() {
            Frame frame = NARROW.allocPage(Gfp.ATOMIC_EXCLUSIVE.with(Gfp.NOWARN));
            if (frame == null) {
                return 0;
            }
            try (frame) {
                long id = Thread.currentThread().threadId();
                frame.segment().set(LONG, 0, id);
                frame.segment().set(LONG, 2048, id);
                return frame.segment().get(LONG, 0) == id && frame.segment().get(LONG, 2048) == id ? 1 : 2;
            }
        }

        @Actor
        public void one(II_Result r) {
            r.r1 = use();
        }

        @Actor
        public void other(II_Result r) {
            r.r2 = use();
        }
    }

    /** Raw handles: another thread can do nothing with the handle of an EXCLUSIVE frame. */
    @JCStressTest
    @Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "not seen")
    @Outcome(id = "1, 1", expect = ACCEPTABLE, desc = "refused")
    @Outcome(expect = FORBIDDEN, desc = "another thread read an EXCLUSIVE frame, or ended it")
    @State
    public static class FreeForeign {
        private final Handles handles = WIDE.handles();
        private long seen;

        @Actor
        public void owns(II_Result r) {
            long handle = handles.alloc(EXCLUSIVE, 0);
            seen = handle;
            handles.putLong(handle, 0, handle);
            r.r1 = handles.getLong(handle, 0) == handle ? 1 : 2;
            handles.free(handle);
        }

        @Actor
        public void intrudes(II_Result r) {
            long handle = seen;
            if (handle == 0) {
                return;
            }
            r.r2 = 1;
            try {
                handles.getLong(handle, 0);
                r.r2 = 2;
            } catch (LabyrinthException.NotOwner | LabyrinthException.Stale refused) {
                // As it must be.
            }
            try {
                handles.free(handle);
                r.r2 = 3;
            } catch (LabyrinthException.NotOwner | LabyrinthException.Stale refused) {
                // As it must be.
            }
        }
    }
}
