package io.labyrinth;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Two threads that do at the same moment what only one of them can have done; amid the crowd, in the same labyrinth. */
final class Duels {

    private static final int ROUNDS = 4096;
    private static final Gfp OWN = Gfp.ATOMIC_EXCLUSIVE.with(Gfp.NOWARN);
    private static final Gfp SHARED = Gfp.ATOMIC.with(Gfp.NOWARN);

    private enum What { ACCEPT, ACCEPT_RAW, FREE, FREE_RAW, HAND_OVER, TAKE }

    private static final What[] KINDS = What.values();

    private final OwnershipStress stress;
    private final List<Courier> couriers;
    /** Prepares and judges, in whichever thread comes last. */
    private final Courier second;
    private final AtomicInteger winners = new AtomicInteger();
    private What what = What.TAKE;
    private @Nullable Holding run;
    private @Nullable Parcel parcel;

    Duels(OwnershipStress stress, Courier one, Courier other, Courier second) {
        this.stress = stress;
        this.couriers = List.of(one, other);
        this.second = second;
    }

    void fight() {
        while (!stress.isOver()) {
            // New threads each time, so that they share their lanes with others of the crowd by and by.
            Race.run(ROUNDS, round -> judgeAndPrepare(), round -> duel(couriers.get(0)), round -> duel(couriers.get(1)));
        }
        judge();
        couriers.forEach(Courier::publish);
        second.publish();
    }

    private void duel(Courier courier) {
        Holding subject = run;
        try {
            if (what == What.TAKE) {
                if (!stress.isOver()) {
                    take(courier);
                }
            } else if (parcel != null) {
                courier.free(courier.unwrap(parcel));
                winners.incrementAndGet();
            } else if (subject != null && what == What.HAND_OVER) {
                Parcel mine = courier.handOff(subject, 0);
                winners.incrementAndGet();
                courier.free(courier.unwrap(mine));
            } else if (subject != null) {
                subject.close();
                courier.tally.frees++;
                winners.incrementAndGet();
            }
        } catch (LabyrinthException.Stale late) {
            courier.tally.refusals++;
        }
    }

    private static void take(Courier courier) {
        Holding mine = courier.take(Crowd.any(courier.random), courier.random.nextInt(16) == 0 ? 3 : 0, false);
        if (mine != null) {
            courier.free(mine);
        }
    }

    private void judgeAndPrepare() {
        judge();
        if (stress.isOver()) {
            return;
        }
        what = KINDS[second.random.nextInt(KINDS.length)];
        boolean exclusive = what == What.ACCEPT || what == What.ACCEPT_RAW;
        if (what == What.TAKE) {
            return;
        }
        Holding fresh = second.take(exclusive ? OWN : SHARED, 0, what == What.ACCEPT_RAW || what == What.FREE_RAW);
        if (fresh != null && exclusive) {
            parcel = second.handOff(fresh, 0);
        } else if (fresh != null && what != What.HAND_OVER) {
            second.check(fresh);
            stress.ledger.give(fresh);
        }
        run = fresh;
        second.publish();
    }

    private void judge() {
        int won = winners.getAndSet(0);
        if (run != null) {
            second.tally.duels++;
            if (won != 1) {
                throw new AssertionError(won + " of 2 threads succeeded with the same " + what + " of " + run);
            }
        }
        run = null;
        parcel = null;
    }
}
