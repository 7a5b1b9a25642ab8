package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * When and where runs were claimed: of 1 claim in N. Looked at by {@link Labyrinth#owners}; nothing else depends on it.
 */
final class Samples {

    /*
     * One place a frame, overwritten by the next sample of it and by nothing else: a free has no part in this. So a
     * place counts only if it is of the life that the page word is in.
     *
     * By chance, not by count: a program that claims in a steady rhythm would have the same call sampled each time.
     *
     * The claim stands before its sample is taken, so that none is taken of a refusal. What goes wrong with it costs
     * the sample, or, if there is no stack to get here, is the claim's end (Allocator).
     */

    /** A stack as the JVM keeps it: to make it readable takes longer, and is left to who reads it. */
    private static final class Place extends Throwable {

        private static final long serialVersionUID = 1L;

        private final long handle;
        private final long millis = System.currentTimeMillis();

        Place(long handle) {
            super(null, null, false, true);
            this.handle = handle;
        }
    }

    private final int every;
    /** Classes whose lines on top of a stack say nothing about who claimed. */
    private final Set<String> own;
    /** By the pfn of a run's head. Benign races: a frame is claimed by one thread at a time, and a place is final. */
    private final @Nullable Place[] places;

    /** @param own this library's classes that may be on top of a stack */
    Samples(int frames, int every, Set<String> own) {
        this.every = every;
        this.own = own;
        this.places = new Place[frames];
        places[0] = new Place(0);    // loads what the first sample would load, right behind a claim
    }

    /** For a slab's objects. */
    Samples ofAsMany(int objects) {
        return new Samples(objects, every, own);
    }

    void claimed(long handle) {
        if (ThreadLocalRandom.current().nextInt(every) == 0) {
            keep(handle);
        }
    }

    /** A run that was sampled before the hand-over is sampled again: who follows one follows it to its end. */
    void accepted(long handle) {
        Place before = places[PageWord.pfn(handle)];
        if (before != null && PageWord.nextGeneration(before.handle) == handle) {
            keep(handle);
        } else {
            claimed(handle);
        }
    }

    private void keep(long handle) {
        try {
            places[PageWord.pfn(handle)] = new Place(handle);
        } catch (OutOfMemoryError none) {
            // One sample less.
        }
    }

    /** What is known about a run that is out; null if it was not sampled. */
    Owner.@Nullable Claim of(int pfn, long word) {
        Place place = places[pfn];
        if (place == null) {
            return null;
        }
        // A ticket's life follows the one that the giver had.
        long handle = PageWord.state(word) == PageWord.IN_TRANSIT ? PageWord.nextGeneration(place.handle)
                : place.handle;
        if (!PageWord.sameGeneration(word, handle)) {
            return null;
        }
        List<StackTraceElement> stack = Stream.of(place.getStackTrace())
                .dropWhile(line -> own.contains(line.getClassName())).toList();
        return new Owner.Claim(pfn, PageWord.order(word), Instant.ofEpochMilli(place.millis), stack);
    }
}
