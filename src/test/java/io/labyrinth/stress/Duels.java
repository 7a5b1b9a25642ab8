package io.labyrinth.stress;

import io.labyrinth.Gfp;
import io.labyrinth.LabyrinthException;
import io.labyrinth.kit.Race;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Two threads do something at the same moment that only one of them can succeed at. They do so in the labyrinth of the
 * crowd, while the crowd runs.
 */
final class Duels {

    private static final int ROUNDS = 4096;
    private static final Gfp OWN = Gfp.ATOMIC_EXCLUSIVE.with(Gfp.NOWARN);
    private static final Gfp SHARED = Gfp.ATOMIC.with(Gfp.NOWARN);

    private enum What { ACCEPT, ACCEPT_RAW, FREE, FREE_RAW, HAND_OVER, TAKE }

    private static final What[] KINDS = What.values();

    private final OwnershipStress stress;
    private final List<Courier> couriers;
    /** Prepares, in whichever thread comes last. */
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
        while (!stress.isOver() || run != null) {
            // New threads each time, so that they share their stripes with others of the crowd by and by.
            Race.run(ROUNDS, round -> judgeAndPrepare(), round -> duel(couriers.get(0)),
                    round -> duel(couriers.get(1)));
        }
        couriers.forEach(Courier::publish);
        second.publish();
    }

    private void duel(Courier courier) {
        if (what == What.TAKE && !stress.isOver()) {
            take(courier);
        } else if (run != null) {
            fightFor(run, courier);
        }
    }

    private void fightFor(Holding subject, Courier courier) {
        Holding accepted = null;
        Parcel handedOver = null;
        try {
            if (parcel != null) {
                accepted = subject.accept(parcel);
            } else if (what == What.HAND_OVER) {
                handedOver = subject.handOff(0);
            } else {
                subject.close();
            }
        } catch (LabyrinthException.Stale late) {
            courier.tally.refusals++;
            return;
        }
        winners.incrementAndGet();
        if (accepted != null) {
            courier.free(courier.accepted(accepted, parcel));
        } else if (handedOver != null) {
            courier.tally.handOvers++;
            courier.free(courier.unwrap(handedOver));
        } else {
            courier.tally.frees++;
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
