package io.labyrinth.stress;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.kit.Race;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The threads of an ownership stress, each kind with its own task. */
final class Crowd {

    /*
     * Flood and ebb, by the count of operations, for all at once. In a flood all together want somewhat more than there
     * is, mostly single frames, so that words are contended, nulls come and the reserve is used. In an ebb all give
     * back what they have, and ask for runs of any order, one at a time: else no large run would ever be free. The
     * stress begins with an ebb. It is short, as the bytes to be stamped double with each order.
     */

    private static final long TIDES = 1 << 17;
    private static final long EBB = 1 << 13;

    /** Steps between two looks at what the others are at. */
    private static final int ROUND = 32;
    private static final int MOST_HELD = 300;
    /** Each order is asked for so much less than the one below it. */
    private static final int RARER = 4;
    /** The raw face is for small buffers; its accesses are checked one by one. */
    private static final int MOST_RAW_ORDER = 2;

    private static final long NAP_NANOS = 1_000_000;
    private static final long LIFE_NANOS = 50_000;
    static final int MORTALS = 6;

    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
    private static final List<Gfp> REQUESTS = quiet(Gfp.ATOMIC_EXCLUSIVE, Gfp.ATOMIC_EXCLUSIVE, Gfp.ATOMIC_EXCLUSIVE,
            EXCLUSIVE, EXCLUSIVE, Gfp.NOMEMALLOC.with(Gfp.EXCLUSIVE), Gfp.HIGH.with(Gfp.EXCLUSIVE),
            Gfp.ATOMIC, Gfp.ATOMIC, Gfp.NOWAIT, Gfp.NOWAIT, Gfp.NOMEMALLOC, Gfp.HIGH);
    /** Whatever wants frames and may not have those of the reserve. */
    private static final List<Gfp> ORDINARY = quiet(Gfp.NOWAIT, EXCLUSIVE, Gfp.NOMEMALLOC,
            Gfp.NOMEMALLOC.with(Gfp.EXCLUSIVE), EXCLUSIVE);
    private static final List<Gfp> OWN = quiet(Gfp.ATOMIC_EXCLUSIVE, EXCLUSIVE);
    private static final int ZEROED = 64;

    private final OwnershipStress stress;

    Crowd(OwnershipStress stress) {
        this.stress = stress;
    }

    private static List<Gfp> quiet(Gfp... gfps) {
        List<Gfp> all = new ArrayList<>();
        for (Gfp gfp : gfps) {
            all.add(gfp.with(Gfp.NOWARN));
        }
        return all;
    }

    static Gfp any(SplittableRandom random) {
        Gfp gfp = REQUESTS.get(random.nextInt(REQUESTS.size()));
        return random.nextInt(ZEROED) == 0 ? gfp.with(Gfp.ZERO) : gfp;
    }

    private boolean isEbb() {
        return stress.operationsSoFar() % TIDES < EBB;
    }

    private static int smallOrder(SplittableRandom random) {
        int order = 0;
        while (order < Labyrinth.MAX_ORDER && random.nextInt(RARER) == 0) {
            order++;
        }
        return order;
    }

    /** Lets a virtual thread's carrier go on with another. */
    private static void endRound(Courier courier) {
        courier.publish();
        if (Thread.currentThread().isVirtual()) {
            Thread.yield();
        }
    }

    /** Takes, keeps for a while, and frees or passes on, in no order. */
    void work(Courier courier) {
        List<Holding> held = new ArrayList<>();
        while (!stress.isOver()) {
            if (isEbb()) {
                freeDownTo(0, held, courier);
                takeAndGive(courier);
            } else {
                for (int i = 0; i < ROUND; i++) {
                    step(held, courier);
                }
            }
            endRound(courier);
        }
        freeDownTo(0, held, courier);
        courier.publish();
    }

    private void step(List<Holding> held, Courier courier) {
        SplittableRandom random = courier.random;
        int dice = random.nextInt(100);
        if (dice < 45 && held.size() < MOST_HELD) {
            int order = smallOrder(random);
            Holding run = courier.take(any(random), order, order <= MOST_RAW_ORDER && random.nextInt(8) == 0);
            if (run != null) {
                held.add(run);
            } else {
                freeDownTo(held.size() - held.size() / 8, held, courier);
                keep(courier.collect(), held);
            }
        } else if (dice < 55) {
            keep(courier.collect(), held);
        } else if (!held.isEmpty()) {
            Holding run = takeOut(random.nextInt(held.size()), held);
            if (dice < 65) {
                keep(courier.send(run), held);
            } else if (dice < 68) {
                courier.check(run);
                held.add(run);
            } else {
                courier.free(run);
            }
        }
    }

    private void takeAndGive(Courier courier) {
        int order = courier.random.nextInt(Labyrinth.MAX_ORDER + 1);
        Holding run = courier.take(any(courier.random), order, false);
        if (run != null && courier.random.nextInt(4) == 0) {
            run = courier.send(run);
        }
        if (run != null) {
            courier.free(run);
        }
        for (Holding other = courier.collect(); other != null; other = courier.collect()) {
            courier.free(other);
        }
    }

    private static void keep(@Nullable Holding run, List<Holding> held) {
        if (run != null) {
            held.add(run);
        }
    }

    private static Holding takeOut(int index, List<Holding> held) {
        Holding run = held.get(index);
        held.set(index, held.getLast());
        held.removeLast();
        return run;
    }

    private static void freeDownTo(int size, List<Holding> held, Courier courier) {
        while (held.size() > size) {
            courier.free(takeOut(courier.random.nextInt(held.size()), held));
        }
    }

    /** Takes all that is to be had without HIGH; that none of it is of the reserve, the courier sees to. */
    void attackReserve(Courier courier) {
        List<Holding> held = new ArrayList<>();
        SplittableRandom random = courier.random;
        while (!stress.isOver()) {
            Gfp gfp = ORDINARY.get(random.nextInt(ORDINARY.size()));
            int order = random.nextInt(16) == 0 ? random.nextInt(4) : 0;
            Holding run = isEbb() ? null : courier.take(gfp, order, false);
            if (run != null) {
                held.add(run);
            } else {
                // In the order of allocation, and so, mostly, of their places: they are to be joined again.
                held.forEach(courier::free);
                held.clear();
                endRound(courier);
                LockSupport.parkNanos(NAP_NANOS);
            }
        }
        freeDownTo(0, held, courier);
        courier.publish();
    }

    /** Starts threads that end with frames of theirs, and sees them end; the sweeps are others' affair. */
    void loseThreads(List<Courier> couriers) {
        while (!stress.isOver()) {
            List<Thread> mortals = new ArrayList<>();
            for (int i = 0; i < couriers.size() && !isEbb(); i++) {
                Courier courier = couriers.get(i);
                Thread.Builder kind = i % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual();
                mortals.add(kind.start(() -> stress.guard(() -> liveAndEnd(courier))));
            }
            mortals.forEach(Race::join);
            LockSupport.parkNanos(NAP_NANOS);
        }
    }

    private static void liveAndEnd(Courier courier) {
        SplittableRandom random = courier.random;
        List<Holding> left = new ArrayList<>();
        for (int i = random.nextInt(6); i >= 0; i--) {
            Holding run = i % 3 == 0 ? courier.collect()
                    : courier.take(OWN.get(random.nextInt(OWN.size())), random.nextInt(4), random.nextInt(4) == 0);
            if (run != null && run.exclusive && random.nextInt(4) != 0) {
                left.add(run);
            } else if (run != null) {
                courier.free(run);
            }
        }
        courier.publish();
        // Sweeps come by meanwhile, and must not take it for dead.
        LockSupport.parkNanos(LIFE_NANOS);
        // Last of all: from here on this thread has nothing to say, though it takes a moment until it has ended.
        left.forEach(courier::leave);
    }

    void sweep(Courier courier) {
        while (!stress.isOver()) {
            courier.tally.framesSwept += stress.labyrinth.sweepDeadOwners();
            LockSupport.parkNanos(NAP_NANOS / 2);
        }
    }
}
