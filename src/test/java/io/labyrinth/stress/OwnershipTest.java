package io.labyrinth.stress;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.labyrinth.Ticket;
import io.labyrinth.kit.Race;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * Does every run belong to the right owner? Each owner stamps its whole run, and reads the stamps again before it gives
 * the run up. A table next to the labyrinth says which owner has each frame. Counts alone would miss a frame that is
 * handed out twice and freed twice.
 */
class OwnershipTest {

    private static final int FRAMES = 1024;
    private static final int STRIDE = 64;
    private static final int PLATFORM = 3;
    private static final int VIRTUAL = 5;
    private static final long OPERATIONS = 2_400_000;

    /** A run that somebody else gives up: by ticket if it is EXCLUSIVE, as it is if not. */
    private record Parcel(Ticket ticket, Frame frame, int tag, long sequence) {
    }

    private final AtomicIntegerArray owners = new AtomicIntegerArray(FRAMES);
    private final ConcurrentLinkedQueue<Parcel> parcels = new ConcurrentLinkedQueue<>();
    private final AtomicLong operations = new AtomicLong();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    @Test
    void noFrameHasTwoOwners() {
        try (Labyrinth labyrinth = Labyrinth.builder("ownership").frames(FRAMES).locking(Locking.PREFERRED).open()) {
            List<Thread> threads = new ArrayList<>();
            for (int tag = 1; tag <= PLATFORM + VIRTUAL; tag++) {
                Worker worker = new Worker(labyrinth, tag);
                threads.add(tag <= PLATFORM ? Thread.ofPlatform().start(worker) : Thread.ofVirtual().start(worker));
            }
            threads.forEach(Race::join);
            if (failure.get() != null) {
                throw new AssertionError("a worker failed: " + failure.get(), failure.get());
            }
            new Worker(labyrinth, PLATFORM + VIRTUAL + 1).giveUpParcels(Integer.MAX_VALUE);
            labyrinth.validate();
            assertThat(operations.get()).isGreaterThanOrEqualTo(OPERATIONS);
            assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
            for (int pfn = 0; pfn < FRAMES; pfn++) {
                assertThat(owners.get(pfn)).as("owner of pfn=%s", pfn).isZero();
            }
        }
    }

    /** One thread's work: takes, stamps, keeps for a while, checks, and gives up or passes on, in no order. */
    private final class Worker implements Runnable {

        private static final Gfp SHARED = Gfp.NOWAIT.with(Gfp.NOWARN);
        private static final Gfp OWN = Gfp.ATOMIC_EXCLUSIVE.with(Gfp.NOWARN);

        private final Labyrinth labyrinth;
        private final int tag;
        private final SplittableRandom random;
        private final List<Frame> held = new ArrayList<>();
        private final List<Long> sequences = new ArrayList<>();
        private long sequence;
        private int done;

        Worker(Labyrinth labyrinth, int tag) {
            this.labyrinth = labyrinth;
            this.tag = tag;
            this.random = new SplittableRandom(tag);
        }

        @Override
        public void run() {
            try {
                while (operations.get() < OPERATIONS && failure.get() == null) {
                    done = 0;
                    for (int i = 0; i < 500; i++) {
                        step();
                    }
                    operations.addAndGet(done);
                    if (Thread.currentThread().isVirtual()) {
                        Thread.yield();
                    }
                }
                while (!held.isEmpty()) {
                    giveUp(held.size() - 1, false);
                }
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        }

        private void step() {
            int dice = random.nextInt(100);
            if (dice < 50 && held.size() < 60) {
                int order = dice < 44 ? 0 : random.nextInt(dice == 49 ? 8 : 3);
                Frame frame = labyrinth.allocPages(random.nextBoolean() ? OWN : SHARED, order);
                if (frame != null) {
                    take(frame);
                } else {
                    giveUpParcels(20);
                }
            } else if (dice < 96 && !held.isEmpty()) {
                giveUp(random.nextInt(held.size()), dice < 60);
            } else {
                giveUpParcels(4);
            }
        }

        private void take(Frame frame) {
            done++;
            sequence++;
            record(frame, 0, tag);
            stamp(frame, sequence);
            held.add(frame);
            sequences.add(sequence);
        }

        private void giveUp(int index, boolean pass) {
            Frame frame = held.get(index);
            long stamped = sequences.get(index);
            held.set(index, held.getLast());
            held.removeLast();
            sequences.set(index, sequences.getLast());
            sequences.removeLast();
            done++;
            if (pass && frame.isExclusive()) {
                check(frame, frame.generation(), tag, stamped);
                parcels.add(new Parcel(frame.handOff(), null, tag, stamped));
            } else if (pass) {
                parcels.add(new Parcel(null, frame, tag, stamped));
            } else {
                check(frame, frame.generation(), tag, stamped);
                record(frame, tag, 0);
                frame.close();
            }
        }

        void giveUpParcels(int most) {
            for (int i = 0; i < most; i++) {
                Parcel parcel = parcels.poll();
                if (parcel == null) {
                    return;
                }
                done++;
                Frame frame = parcel.frame;
                long generation = frame == null ? 0 : frame.generation();
                if (frame == null) {
                    done++;
                    frame = parcel.ticket.accept();
                    generation = frame.generation() - 1;
                    assertThat(frame.owner()).isEqualTo(Thread.currentThread().threadId());
                }
                check(frame, generation, parcel.tag, parcel.sequence);
                record(frame, parcel.tag, 0);
                frame.close();
            }
        }

        private void record(Frame frame, int from, int to) {
            for (int pfn = frame.pfn(); pfn < frame.pfn() + (1 << frame.order()); pfn++) {
                if (!owners.compareAndSet(pfn, from, to)) {
                    throw new AssertionError("pfn=" + pfn + " has owner " + owners.get(pfn) + ", not " + from
                            + ": " + frame);
                }
            }
        }

        private void stamp(Frame frame, long number) {
            MemorySegment memory = frame.segment();
            for (long at = 0; at < memory.byteSize(); at += STRIDE) {
                memory.set(ValueLayout.JAVA_LONG, at, frame.generation());
                memory.set(ValueLayout.JAVA_LONG, at + 8, (long) tag << 48 | number);
            }
        }

        private void check(Frame frame, long generation, int owner, long number) {
            MemorySegment memory = frame.segment();
            for (long at = 0; at < memory.byteSize(); at += STRIDE) {
                if (memory.get(ValueLayout.JAVA_LONG, at) != generation
                        || memory.get(ValueLayout.JAVA_LONG, at + 8) != ((long) owner << 48 | number)) {
                    throw new AssertionError("somebody wrote to " + frame + " at offset=" + at);
                }
            }
        }
    }
}
