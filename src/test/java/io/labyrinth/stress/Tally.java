package io.labyrinth.stress;

import io.labyrinth.Labyrinth;

/** What one thread of an ownership stress has done. The tallies are added up when the threads have ended. */
final class Tally {

    final long[] runsByOrder = new long[Labyrinth.MAX_ORDER + 1];
    long frees;
    long handOvers;
    long accepts;
    /** Runs that a thread ended with, and their frames: what the sweeps have to return. */
    long runsLeft;
    long framesLeft;
    long framesSwept;
    /** Not operations: nothing changed. */
    long nulls;
    long refusals;
    long runsOfReserve;
    long duels;

    void add(Tally other) {
        for (int order = 0; order < runsByOrder.length; order++) {
            runsByOrder[order] += other.runsByOrder[order];
        }
        frees += other.frees;
        handOvers += other.handOvers;
        accepts += other.accepts;
        runsLeft += other.runsLeft;
        framesLeft += other.framesLeft;
        framesSwept += other.framesSwept;
        nulls += other.nulls;
        refusals += other.refusals;
        runsOfReserve += other.runsOfReserve;
        duels += other.duels;
    }

    long allocations() {
        long sum = 0;
        for (long runs : runsByOrder) {
            sum += runs;
        }
        return sum;
    }

    /** Each has changed who owns a run. */
    long operations() {
        return allocations() + frees + handOvers + accepts;
    }
}
