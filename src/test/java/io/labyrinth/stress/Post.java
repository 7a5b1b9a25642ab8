package io.labyrinth.stress;

import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/** The place where the threads of an ownership stress leave runs for each other, in no order and for any thread. */
final class Post {

    private static final int SLOTS = 64;
    /** Looks for a parcel; more would only find it sooner. */
    private static final int LOOKS = 4;

    private final AtomicReferenceArray<@Nullable Parcel> slots = new AtomicReferenceArray<>(SLOTS);

    /** False if there is no place for it. */
    boolean send(Parcel parcel, SplittableRandom random) {
        return slots.compareAndSet(random.nextInt(SLOTS), null, parcel);
    }

    @Nullable Parcel collect(SplittableRandom random) {
        for (int look = 0; look < LOOKS; look++) {
            Parcel parcel = take(random.nextInt(SLOTS));
            if (parcel != null) {
                return parcel;
            }
        }
        return null;
    }

    /** Any that is left; null if there is none. */
    @Nullable Parcel last() {
        for (int slot = 0; slot < SLOTS; slot++) {
            Parcel parcel = take(slot);
            if (parcel != null) {
                return parcel;
            }
        }
        return null;
    }

    private @Nullable Parcel take(int slot) {
        return slots.get(slot) == null ? null : slots.getAndSet(slot, null);
    }
}
