package io.labyrinth;

import io.labyrinth.internal.pagemap.PageWord;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * When and where runs were claimed, for 1 claim in N. Only {@link Labyrinth#owners} and messages use it.
 */
final class Samples {

    /*
     * Each frame has one place. Only the next sample of the same frame overwrites it; a free does not touch it. So a
     * place counts only if it names the life that the page word is in.
     *
     * Claims are picked at random, not by count. With a count, a program that claims in a steady rhythm would always
     * have the same call sampled.
     *
     * The claim is made before its sample, so a refusal is never sampled. An error in here costs only the sample. If
     * there is not enough stack to get here, the claim ends with that error (Allocator).
     */

    /** A stack in the JVM's own form. The reader makes it readable, because that takes longer. */
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
    /** Classes whose lines on top of a stack do not say which code claimed. */
    private final Set<String> own;
    /** By the pfn of a run's head. Racy: one thread at a time claims a frame. A Place never changes. */
    private final @Nullable Place[] places;

    /** @param own this library's classes that may be on top of a stack */
    Samples(int frames, int every, Set<String> own) {
        this.every = every;
        this.own = own;
        this.places = new Place[frames];
        places[0] = new Place(0);    // loads now what the first sample would load just after a claim
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

    /** A run that was sampled before the hand-over is sampled again, so a sampled run stays sampled. */
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
            // This sample is lost.
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
