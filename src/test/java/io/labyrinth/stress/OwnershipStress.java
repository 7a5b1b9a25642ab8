package io.labyrinth.stress;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.kit.Race;
import io.labyrinth.kit.Verify;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;

/**
 * Does every run belong to the right owner? Many threads, platform and virtual, work on one labyrinth. They stamp runs
 * of all orders in every 64 bytes, and read the stamps again before each free. Runs are freed in any order and by other
 * threads, handed over in chains, left by threads that end, swept, attacked, and freed twice. A ledger next to the
 * labyrinth says which run each frame belongs to. At the end all frames must be back, and the labyrinth's counts must
 * equal those of the crowd. An operation is a change of a run's owner: an allocation, a free, a hand-over or an accept.
 *
 * <p>As a program: {@code OwnershipStress [operations]}. A violation is printed in one line, with exit code 1.
 */
final class OwnershipStress {

    /** So that the last row is ragged, and the reserve begins in the middle of a group. */
    static final int FRAMES = 4000;
    static final int RESERVE = 301;

    private static final int PLATFORM = 4;
    private static final int VIRTUAL = 10;
    /** A shorter one may miss a kind by chance: a run of the highest order, most likely. */
    private static final long ALL_KINDS_FROM = 1_000_000;

    final Labyrinth labyrinth;
    final int ordinary = FRAMES - RESERVE;
    final Ledger ledger = new Ledger(FRAMES);
    final Post post = new Post();
    final Mischief mischief;
    private final long target;
    private final AtomicLong operations = new AtomicLong();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final List<Courier> couriers = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean over;
    private long failedAfter;

    private OwnershipStress(Labyrinth labyrinth, long target) {
        this.labyrinth = labyrinth;
        this.target = target;
        this.mischief = new Mischief(labyrinth);
    }

    public static void main(String[] arguments) {
        long operations = arguments.length > 0 ? Long.parseLong(arguments[0]) : operations();
        try {
            System.out.println(run(operations));
        } catch (AssertionError violation) {
            System.err.println(violation.getMessage());
            Runtime.getRuntime().halt(1);
        }
    }

    /** As asked for by {@code -Dlabyrinth.operations=1000000000}, or as many as this run is for. */
    static long operations() {
        return Long.getLong("labyrinth.operations", Verify.scale(1_000_000, 10_000_000, 100_000_000));
    }

    /** What was done, in one line; throws an AssertionError at the first violation. */
    static String run(long operations) {
        Labyrinth labyrinth = Labyrinth.builder("ownership").frames(FRAMES).reserve(RESERVE)
                .locking(Locking.PREFERRED).open();
        OwnershipStress stress = new OwnershipStress(labyrinth, operations);
        long start = System.nanoTime();
        try {
            stress.runAll();
            Tally all = stress.settle();
            labyrinth.close();
            return describe(all, System.nanoTime() - start);
        } catch (AssertionError | RuntimeException e) {
            // Not closed: threads may still be at it, and closing a labyrinth that is broken is another matter.
            throw new AssertionError("ownership violated after about " + stress.failedAfter + " operations: "
                    + e.getMessage(), e);
        }
    }

    // ------------------------------------------------------------------------------------------------ for the crowd

    /** In batches, as the couriers publish them. */
    long operationsSoFar() {
        return operations.get();
    }

    boolean isOver() {
        return over;
    }

    void count(long more) {
        if (operations.addAndGet(more) >= target) {
            over = true;
        }
    }

    /** The first failure ends it for all. */
    void guard(Runnable work) {
        try {
            work.run();
        } catch (Throwable e) {
            if (failure.compareAndSet(null, e)) {
                failedAfter = operations.get();
            }
            over = true;
        }
    }

    // ------------------------------------------------------------------------------------------------ start to end

    private void runAll() {
        Crowd crowd = new Crowd(this);
        for (int i = 0; i < PLATFORM + VIRTUAL; i++) {
            Courier courier = courier();
            start(i < PLATFORM, () -> crowd.work(courier));
        }
        for (boolean platform : new boolean[] {true, false}) {
            Courier attacker = courier();
            Courier sweeper = courier();
            start(platform, () -> crowd.attackReserve(attacker));
            start(platform, () -> crowd.sweep(sweeper));
        }
        List<Courier> mortals = IntStream.range(0, Crowd.MORTALS).mapToObj(i -> courier()).toList();
        Duels duels = new Duels(this, courier(), courier(), courier());
        start(true, () -> crowd.loseThreads(mortals));
        start(true, duels::fight);
        threads.forEach(Race::join);
        Throwable failed = failure.get();
        if (failed != null) {
            throw new AssertionError(failed.toString(), failed);
        }
    }

    private void start(boolean platform, Runnable work) {
        threads.add((platform ? Thread.ofPlatform() : Thread.ofVirtual()).start(() -> guard(work)));
    }

    private Courier courier() {
        Courier courier = new Courier(this, couriers.size() + 1);
        couriers.add(courier);
        return courier;
    }

    /** Collects what is still on its way, and compares the books. */
    private Tally settle() {
        failedAfter = operations.get();
        Courier last = courier();
        for (Parcel parcel = post.last(); parcel != null; parcel = post.last()) {
            last.free(last.unwrap(parcel));
        }
        last.tally.framesSwept += labyrinth.sweepDeadOwners();
        Tally all = new Tally();
        couriers.forEach(courier -> all.add(courier.tally));
        labyrinth.validate();
        ledger.requireNobodys();
        LabyrinthStats stats = labyrinth.stats();
        equal("free frames", stats.free(), ordinary);
        equal("free frames of the reserve", stats.reserveFree(), RESERVE);
        equal("claimed frames", stats.claimed(), 0);
        equal("frames in transit", stats.inTransit(), 0);
        equal("frames swept", all.framesSwept, all.framesLeft);
        equal("frees and ended threads' runs", all.frees + all.runsLeft, all.allocations());
        equal("accepts", all.accepts, all.handOvers);
        equal("lives that ended", stats.livesEnded(), all.frees + all.handOvers + all.runsLeft);
        atMost("refused requests", stats.refusedApprox(), all.nulls);
        atMost("runs out of the reserve", stats.reserveHitsApprox(), all.runsOfReserve);
        if (target >= ALL_KINDS_FROM) {
            requireAllKinds(all);
        }
        return all;
    }

    private static void equal(String what, long found, long expected) {
        if (found != expected) {
            throw new AssertionError(what + ": " + found + ", but it should be " + expected);
        }
    }

    private static void atMost(String what, long found, long most) {
        if (found > most) {
            throw new AssertionError(what + ": " + found + ", but there were " + most);
        }
    }

    /** A stress without one of these would say nothing about it. */
    private static void requireAllKinds(Tally all) {
        boolean allOrders = Arrays.stream(all.runsByOrder).allMatch(runs -> runs > 0);
        if (!allOrders || all.handOvers == 0 || all.framesSwept == 0 || all.nulls == 0 || all.refusals == 0
                || all.runsOfReserve == 0 || all.duels == 0) {
            throw new AssertionError("nothing was violated, but not all was tried: " + describe(all, 1));
        }
    }

    private static String describe(Tally all, long nanos) {
        return String.format(Locale.ROOT, "ownership: %,d operations in %.1f s, %,.0f/s, %s: allocations by order %s,"
                + " frees=%d handOvers=%d framesLeftAndSwept=%d nulls=%d runsOfReserve=%d refusals=%d duels=%d;"
                + " no violation, all is back", all.operations(), nanos / 1e9, all.operations() * 1e9 / nanos,
                System.getProperty("java.vm.info"), Arrays.toString(all.runsByOrder), all.frees, all.handOvers,
                all.framesSwept, all.nulls, all.runsOfReserve, all.refusals, all.duels);
    }
}
