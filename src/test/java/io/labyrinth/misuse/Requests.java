package io.labyrinth.misuse;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.MapRefused;
import io.labyrinth.Locking;
import io.labyrinth.kit.ChildJvm;

/** Requests that no labyrinth can serve. */
final class Requests extends Program {

    @Outcome(type = InvalidRequest.class, says = "order=-1 limit=10: ask for an order from 0 to 10")
    void orderNegative() {
        labyrinth.allocPages(MINE, -1);
    }

    @Outcome(type = InvalidRequest.class, says = "order=11 limit=10: ask for an order from 0 to 10")
    void orderTooLarge() {
        handles.alloc(SHARED, 11);
    }

    /** In a shift by 64 and more, it would be order 0 again. */
    @Outcome(type = InvalidRequest.class, says = "order=64 limit=10: ask for an order from 0 to 10")
    void orderWrapped() {
        labyrinth.allocPages(SHARED, 64);
    }

    /** It is no mistake, and gets null: so large a run there could be, but not here. */
    @Outcome
    void orderLargerThanTheLabyrinth() {
        mustBe(labyrinth.allocPages(Gfp.HIGH.with(Gfp.NOWARN), 10) == null, "null");
    }

    /** Nor is it to ask for one more than there are. */
    @Outcome(type = NullPointerException.class)
    void allocFromExhausted() {
        for (int i = 0; i < FRAMES; i++) {
            victim(Gfp.HIGH.with(Gfp.EXCLUSIVE), 0);
        }
        Frame none = labyrinth.allocPage(MINE.with(Gfp.NOWARN));
        none.segment();
    }

    @Outcome(type = InvalidRequest.class,
            says = "gfp=KERNEL: it may sleep and reclaim, and an allocation here never does; use NOWAIT")
    void flagsThatSleep() {
        labyrinth.allocPage(Gfp.parse("GFP_KERNEL"));
    }

    @Outcome(type = InvalidRequest.class, says = "gfp=DIRECT_RECLAIM: it asks for reclaim")
    void flagsThatReclaim() {
        labyrinth.allocPage(Gfp.parse("ATOMIC|__GFP_DIRECT_RECLAIM"));
    }

    @Outcome(type = InvalidRequest.class, says = "gfp=NOFAIL: it waits for ever")
    void flagsThatNeverFail() {
        labyrinth.allocPage(Gfp.parse("NOFAIL"));
    }

    @Outcome(type = InvalidRequest.class, says = "HIGH asks for the reserve and NOMEMALLOC forbids it; leave one out")
    void flagsThatContradict() {
        labyrinth.allocPage(MINE.with(Gfp.NOMEMALLOC));
    }

    @Outcome(type = InvalidRequest.class, says = "gfp=64 limit=63: no such flag; use the constants")
    void flagsUnknown() {
        labyrinth.allocPage(new Gfp(64));
    }

    @Outcome(type = InvalidRequest.class, says = "gfp=-1 limit=63: no such flag; use the constants")
    void flagsOfAllOnes() {
        labyrinth.allocPage(new Gfp(-1));
    }

    @Outcome(type = NullPointerException.class)
    void flagsNull() {
        victim();
        labyrinth.allocPage(null);
    }

    @Outcome(type = InvalidRequest.class, says = "frames=0 limit=16777216: ask for 1 to 16777216 frames")
    void zeroFramesOpen() {
        Labyrinth.builder("refused").frames(0).open();
    }

    @Outcome(type = InvalidRequest.class, says = "frames=-1 limit=16777216: ask for 1 to 16777216 frames")
    void negativeFramesOpen() {
        Labyrinth.builder("refused").frames(-1).open();
    }

    @Outcome(type = InvalidRequest.class, says = "frames=9223372036854775807 limit=16777216")
    void impossiblyLargeOpen() {
        Labyrinth.builder("refused").frames(Long.MAX_VALUE).open();
    }

    /** The builder goes on as if it had not been asked. */
    @Outcome
    void openAfterARefusedRequest() {
        Labyrinth.Builder builder = Labyrinth.builder("built").frames(8);
        try {
            builder.frames(0);
            throw new AssertionError("taken");
        } catch (InvalidRequest e) {
            try (Labyrinth built = builder.open()) {
                mustBe(built.stats().free() == 8, "8 frames, as asked before");
            }
        }
    }

    /** In 32 bits it would be 1. */
    @Outcome(type = InvalidRequest.class, says = "frames=4294967297 limit=16777216")
    void wrappedLargeOpen() {
        Labyrinth.builder("refused").frames((1L << 32) + 1).open();
    }

    @Outcome(type = MapRefused.class, says = {"labyrinth=refused requested=64.", "ask for fewer frames"},
            ownJvm = true)
    void openLargerThanTheAddressSpace() {
        ChildJvm.limitMyself("as", ChildJvm.status("VmSize", 10) + (256 << 10) << 10);
        Labyrinth.builder("refused").frames(Labyrinth.MAX_FRAMES).locking(Locking.NONE).open();
    }

    @Outcome(type = InvalidRequest.class, says = "reserve=65 frames=64: the reserve is a part of the frames")
    void reserveLargerThanFrames() {
        Labyrinth.builder("refused").frames(64).reserve(65).open();
    }

    @Outcome(type = InvalidRequest.class, says = "reserve=64 frames=64: the reserve is a part of the frames")
    void reserveOfAllFrames() {
        Labyrinth.builder("refused").frames(64).reserve(64).open();
    }

    @Outcome(type = InvalidRequest.class, says = "reserve=-1 limit=16777215: the reserve is a part of the frames")
    void reserveNegative() {
        Labyrinth.builder("refused").reserve(-1).open();
    }

    @Outcome(type = NullPointerException.class)
    void nameNull() {
        Labyrinth.builder(null);
    }

    @Outcome(type = NullPointerException.class)
    void lockingNull() {
        Labyrinth.builder("refused").locking(null).open();
    }
}
