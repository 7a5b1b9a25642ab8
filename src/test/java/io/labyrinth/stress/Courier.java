package io.labyrinth.stress;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.internal.pagemap.GfpFlags;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Everything that one thread of an ownership stress does with the labyrinth: it takes, stamps, passes on, accepts,
 * checks and frees runs. It trusts no answer, and counts what it does. Only one thread uses it at a time.
 */
final class Courier {

    /** Ended lives that it remembers, to come back to them late. */
    private static final int GRAVES = 32;
    /** One step in so many is followed by an attempt that must be refused. */
    private static final int MISCHIEF = 64;
    /** A virtual thread parks once in so many steps, with what it has; there, a carrier runs others meanwhile. */
    private static final int PAUSE = 64;
    private static final int MOST_HOPS = 4;
    private static final int PATIENCE = 1 << 16;
    /** 8 KiB: stays in the cache. */
    private static final int BUFFER_LONGS = 1024;

    private final OwnershipStress stress;
    private final int number;
    private final long[] buffer = new long[BUFFER_LONGS];
    private final @Nullable Holding[] graves = new Holding[GRAVES];
    final SplittableRandom random;
    final Tally tally = new Tally();
    private long sequence;
    private long published;
    private int nullsInARow;
    private long operationsSeen = -1;

    /** @param number of no other courier, 1 to 32,767 */
    Courier(OwnershipStress stress, int number) {
        this.stress = stress;
        this.number = number;
        this.random = new SplittableRandom();
    }

    /** Tells the others how far it has come. */
    void publish() {
        long operations = tally.operations();
        stress.count(operations - published);
        published = operations;
    }

    /** A run of the caller's alone, stamped; null if there is none. */
    @Nullable Holding take(Gfp gfp, int order, boolean raw) {
        Holding run = allocate(gfp, order, raw);
        if (run == null) {
            tally.nulls++;
            requireProgress();
            return null;
        }
        nullsInARow = 0;
        tally.runsByOrder[order]++;
        require((run.pfn & (1 << order) - 1) == 0 && run.order == order, run, "is not a run of order " + order);
        require(run.byteSize() == stress.labyrinth.frameSize() << order, run, "has not 2^order frames");
        if (run.end() > stress.ordinary) {
            require(GfpFlags.mayUseReserve(gfp.bits()), run, "is of the reserve, which " + gfp + " must not have");
            require(run.pfn >= stress.ordinary, run, "reaches into the reserve");
            tally.runsOfReserve++;
        }
        long mark = nextMark();
        stress.ledger.take(run, mark);
        if (GfpFlags.isZeroed(gfp.bits())) {
            run.requireZeros();
        }
        pause();
        run.stamp(mark, buffer);
        requireMine(run);
        if (run.exclusive && random.nextInt(8) == 0) {
            stress.mischief.show(run, random);
        }
        return run;
    }

    private @Nullable Holding allocate(Gfp gfp, int order, boolean raw) {
        Handles handles = stress.labyrinth.handles();
        if (raw) {
            long handle = handles.alloc(gfp, order);
            return handle == 0 ? null : new Holding(handles, handle, GfpFlags.isExclusive(gfp.bits()));
        }
        Frame frame = stress.labyrinth.allocPages(gfp, order);
        return frame == null ? null : new Holding(handles, frame);
    }

    /** So many nulls, while nobody got or gave anything: what is free cannot be found, and it would never end. */
    private void requireProgress() {
        if (++nullsInARow == PATIENCE) {
            nullsInARow = 0;
            long seen = operationsSeen;
            operationsSeen = stress.operationsSoFar();
            if (seen == operationsSeen) {
                throw new AssertionError("nobody gets a frame any more, of " + stress.labyrinth.stats());
            }
        }
    }

    private long nextMark() {
        return Holding.mark(number, ++sequence);
    }

    void check(Holding run) {
        requireMine(run);
        run.check(buffer);
    }

    void free(Holding run) {
        check(run);
        if (isTimeFor(MISCHIEF)) {
            tally.refusals += stress.mischief.onOwn(run, random);
        }
        stress.ledger.give(run);
        run.close();
        tally.frees++;
        bury(run);
    }

    /** As a thread does that ends with it: it touches nothing of it any more. */
    void leave(Holding run) {
        check(run);
        stress.ledger.leave(run);
        tally.runsLeft++;
        tally.framesLeft += 1L << run.order;
    }

    /** To be sent, accepted by whoever comes, and sent on by some of them. */
    Parcel wrap(Holding run) {
        check(run);
        return run.exclusive || random.nextBoolean() ? handOff(run, random.nextInt(MOST_HOPS + 1))
                : new Parcel(run, null, 0, 0);
    }

    Parcel handOff(Holding run, int hops) {
        Parcel parcel = run.handOff(hops);
        tally.handOvers++;
        bury(run);
        return parcel;
    }

    /** The run in the parcel, with the stamp of whoever wrote it, now the caller's. */
    Holding unwrap(Parcel parcel) {
        Holding run = parcel.run();
        if (!parcel.isInTransit()) {
            check(run);
            return run;
        }
        return accepted(run.accept(parcel), parcel);
    }

    /** The run that the caller has just accepted out of the parcel. */
    Holding accepted(Holding next, Parcel parcel) {
        Holding run = parcel.run();
        tally.accepts++;
        require(next.generation == run.generation + 1 && next.pfn == run.pfn && next.order == run.order
                && next.exclusive == run.exclusive, next, "is not the run that was handed over: " + run);
        stress.ledger.begin(next);
        pause();
        check(next);
        if (isTimeFor(MISCHIEF)) {
            tally.refusals += stress.mischief.onSpent(parcel);
        }
        if (next.exclusive && random.nextInt(8) == 0) {
            stress.mischief.show(next, random);
        }
        return next;
    }

    /** Sends it; if there is no place for it, it is the caller's again. */
    @Nullable Holding send(Holding run) {
        return post(wrap(run));
    }

    private @Nullable Holding post(Parcel parcel) {
        return stress.post.send(parcel, random) ? null : unwrap(parcel);
    }

    /** What has come in and is not to be passed on; null if nothing. */
    @Nullable Holding collect() {
        Parcel parcel = stress.post.collect(random);
        if (parcel == null) {
            return null;
        }
        Holding run = unwrap(parcel);
        if (parcel.hops() == 0) {
            return run;
        }
        if (random.nextBoolean()) {
            restamp(run);
        }
        return post(handOff(run, parcel.hops() - 1));
    }

    private void restamp(Holding run) {
        long mark = nextMark();
        stress.ledger.change(run, run.mark, mark);
        run.stamp(mark, buffer);
    }

    // ------------------------------------------------------------------------------------------------ in between

    private void bury(Holding run) {
        graves[random.nextInt(GRAVES)] = run;
        if (isTimeFor(MISCHIEF)) {
            tally.refusals += stress.mischief.onDead(run, random);
        }
        if (isTimeFor(MISCHIEF)) {
            tally.refusals += stress.mischief.onAnothers(random);
        }
        Holding old = graves[random.nextInt(GRAVES)];
        if (old != null && isTimeFor(MISCHIEF)) {
            tally.refusals += stress.mischief.onDead(old, random);
        }
    }

    private boolean isTimeFor(int oneIn) {
        return random.nextInt(oneIn) == 0;
    }

    private void pause() {
        if (Thread.currentThread().isVirtual() && isTimeFor(PAUSE)) {
            LockSupport.parkNanos(1);
        }
    }

    private void requireMine(Holding run) {
        Frame frame = run.frame;
        if (frame != null && run.exclusive) {
            require(frame.owner() == Thread.currentThread().threadId(), run, "has another owner than its holder");
        }
    }

    private static void require(boolean holds, Holding run, String violation) {
        if (!holds) {
            throw new AssertionError(run + " " + violation);
        }
    }
}
