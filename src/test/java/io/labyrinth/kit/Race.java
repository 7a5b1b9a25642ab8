package io.labyrinth.kit;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/** Lets threads meet at one line again and again. What happens rarely in one round is certain in ten thousand. */
public final class Race {

    /** One thread's part of a round. */
    @FunctionalInterface
    public interface Actor {
        void act(int round) throws Exception;
    }

    /** A spin makes them start together, where each can have a core; after that it is left to whoever has none. */
    private static final int SPINS = 1_000;
    private static final int CROWDED = 100;
    private static final int NAP = 20_000;

    private final int actors;
    private final int patience;
    private final AtomicInteger arrived = new AtomicInteger();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private volatile int phase;

    private Race(int actors) {
        this.actors = actors;
        this.patience = actors <= Runtime.getRuntime().availableProcessors() ? SPINS : CROWDED;
    }

    /**
     * Runs all actors in each round, from one line, each in a platform thread of its own.
     *
     * @param atRest what one thread does after each round, while no other is at work
     */
    public static void run(int rounds, Actor atRest, Actor... actors) {
        Race race = new Race(actors.length);
        Thread[] threads = new Thread[actors.length];
        for (int i = 0; i < actors.length; i++) {
            Actor actor = actors[i];
            threads[i] = Thread.ofPlatform().name("actor-" + i).start(() -> race.rounds(rounds, atRest, actor));
        }
        for (Thread thread : threads) {
            join(thread);
        }
        if (race.failure.get() != null) {
            throw new AssertionError("an actor failed: " + race.failure.get(), race.failure.get());
        }
    }

    public static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError("no test interrupts its own thread", e);
        }
    }

    private void rounds(int rounds, Actor atRest, Actor actor) {
        try {
            for (int round = 0; round < rounds && failure.get() == null; round++) {
                meet(round, nothing -> { });
                stagger(round);
                actor.act(round);
                meet(round, atRest);
            }
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        }
    }

    /** Up to some 200 ns, another span each round: whoever let the others go is ahead of them by about as much. */
    private void stagger(int round) {
        long dice = (round + 1) * (Thread.currentThread().threadId() | 1) * 0x9e3779b97f4a7c15L;
        int seen = phase;
        for (long looks = dice >>> 56; looks > 0 && phase == seen; looks--) {
            // Each look is a load from the cache; a pause would be longer than what is raced for.
        }
    }

    /** The last to come does what is to be done, and lets the others go on. */
    private void meet(int round, Actor last) throws Exception {
        int seen = phase;
        if (arrived.incrementAndGet() == actors) {
            last.act(round);
            arrived.set(0);
            phase = seen + 1;
        }
        for (int spins = 0; phase == seen && failure.get() == null; spins++) {
            if (spins < patience) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(NAP);
            }
        }
    }
}
