package io.labyrinth.cli;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Ticket;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;

/** One thread of a stress: it allocates, stamps, hands over, accepts and frees, and checks everything. */
final class StressWorker implements AutoCloseable {

    /** 1 allocation in so many is watched: rare enough not to change what is measured. */
    static final int WATCHED = 1024;
    /** 1 free in so many is tried a second time. */
    private static final int SECOND_FREES = 1024;
    /** Each order is asked for a quarter as often as the order below it. A run of it has twice the bytes to stamp. */
    private static final int RARER = 4;

    /** Bounds the frames on their way to one worker: otherwise a worker that does not run would get all frames. */
    private static final int MOST_MAIL = 16;

    private static final List<Request> REQUESTS = List.of(
            new Request(Gfp.ATOMIC_EXCLUSIVE, true, false),
            new Request(Gfp.ATOMIC_EXCLUSIVE, true, false),
            new Request(Gfp.NOWAIT.with(Gfp.EXCLUSIVE), false, false),
            new Request(Gfp.ATOMIC, true, false),
            new Request(Gfp.NOWAIT, false, false),
            new Request(Gfp.NOWAIT.with(Gfp.NOMEMALLOC).with(Gfp.EXCLUSIVE), false, false),
            new Request(Gfp.ATOMIC_EXCLUSIVE.with(Gfp.ZERO), true, true),
            new Request(Gfp.NOWAIT.with(Gfp.ZERO), false, true));

    private final Stress stress;
    private final Labyrinth labyrinth;
    private final int number;
    private final SplittableRandom random;
    private final List<Held> held = new ArrayList<>();
    private final Queue<Sent> mail = new ArrayBlockingQueue<>(MOST_MAIL);
    private long heldFrames;
    private long stamps;
    private @Nullable Meter meter;
    long frees;
    long handOvers;
    long passedOn;
    long secondFreesRefused;

    /** Request flags, and what must be true of the run. */
    private record Request(Gfp gfp, boolean mayUseReserve, boolean zeroed) {
        Request(Gfp gfp, boolean mayUseReserve, boolean zeroed) {
            this.gfp = gfp.with(Gfp.NOWARN);
            this.mayUseReserve = mayUseReserve;
            this.zeroed = zeroed;
        }
    }

    /** A frame that this worker has, and the stamp on it. */
    private record Held(Frame frame, long stamp) {
    }

    /** A frame on its way to another worker: by ticket, or as it is, if it is not EXCLUSIVE. */
    private record Sent(@Nullable Ticket ticket, @Nullable Frame frame, long stamp) {
    }

    StressWorker(Stress stress, Labyrinth labyrinth, int number, long seed) {
        this.stress = stress;
        this.labyrinth = labyrinth;
        this.number = number;
        this.random = new SplittableRandom(seed + number);
    }

    Meter meter() {
        if (meter == null) {
            throw new IllegalStateException("the worker has not begun");
        }
        return meter;
    }

    void begin() throws IOException {
        meter = new Meter(labyrinth.frameSize(), WATCHED);
    }

    /** One round: accepts what has come, and then does one allocation, hand-over or free. */
    void work(long mostFrames, boolean anyOrder) {
        accept();
        boolean full = heldFrames >= mostFrames;
        if (!full && (held.isEmpty() || random.nextInt(2) == 0)) {
            allocate(anyOrder ? random.nextInt(Labyrinth.MAX_ORDER + 1) : smallOrder());
        } else if (!held.isEmpty()) {
            Held one = takeOut(random.nextInt(held.size()));
            if (!full && random.nextInt(4) == 0) {
                send(one);
            } else {
                free(one);
            }
        }
    }

    /** Accepts what has come, and then frees all. */
    void freeAll() {
        accept();
        while (!held.isEmpty()) {
            free(takeOut(held.size() - 1));
        }
    }

    private int smallOrder() {
        int order = 0;
        while (order < Labyrinth.MAX_ORDER && random.nextInt(RARER) == 0) {
            order++;
        }
        return order;
    }

    private void allocate(int order) {
        Request request = REQUESTS.get(random.nextInt(REQUESTS.size()));
        Frame frame = meter().alloc(labyrinth, request.gfp, order);
        if (frame == null) {
            if (held.isEmpty()) {
                // The other workers have all frames. They need the processor to free some.
                Thread.yield();
            }
            return;
        }
        require((frame.pfn() & (1 << order) - 1) == 0, frame, "is not aligned to its size");
        require(request.mayUseReserve || frame.pfn() + (1L << order) <= stress.ordinary, frame,
                "reaches into the reserve, which this request may not have");
        require(frame.segment().byteSize() == labyrinth.frameSize() << order, frame, "does not have 2^order frames");
        require(!request.zeroed || Stamp.isZero(frame.segment()), frame, "is not zero, although ZERO was asked for");
        hold(frame);
    }

    private void hold(Frame frame) {
        require(!frame.isExclusive() || frame.owner() == Thread.currentThread().threadId(), frame,
                "has another owner than the thread that has just allocated or accepted it");
        long stamp = Stamp.of(number, frame.generation(), stamps++);
        Stamp.write(frame.segment(), stamp);
        held.add(new Held(frame, stamp));
        heldFrames += 1L << frame.order();
    }

    private Held takeOut(int index) {
        Held one = held.get(index);
        Held last = held.removeLast();
        if (one != last) {
            held.set(index, last);
        }
        heldFrames -= 1L << one.frame.order();
        return one;
    }

    private void send(Held one) {
        boolean byTicket = one.frame.isExclusive() || random.nextBoolean();
        Sent sent = byTicket ? new Sent(one.frame.handOff(), null, one.stamp) : new Sent(null, one.frame, one.stamp);
        if (!stress.anyOther(number, random).mail.offer(sent)) {
            take(sent);
        }
    }

    private void accept() {
        for (Sent sent = mail.poll(); sent != null; sent = mail.poll()) {
            take(sent);
        }
    }

    private void take(Sent sent) {
        Frame frame;
        if (sent.ticket != null) {
            frame = sent.ticket.accept();
            handOvers++;
        } else {
            frame = Objects.requireNonNull(sent.frame);
            passedOn++;
        }
        check(frame, sent.stamp);
        hold(frame);
    }

    private void check(Frame frame, long stamp) {
        MemorySegment run = frame.segment();
        if (!Stamp.isOn(run, stamp)) {
            throw new Violation(frame + " was overwritten: " + Stamp.difference(run, stamp));
        }
    }

    private void free(Held one) {
        check(one.frame, one.stamp);
        MemorySegment run = one.frame.segment();
        one.frame.close();
        if (frees++ % SECOND_FREES == 0) {
            requireRefused(one.frame, run);
        }
    }

    private void requireRefused(Frame frame, MemorySegment run) {
        try {
            frame.close();
            throw new Violation(frame + " was freed twice");
        } catch (LabyrinthException.Stale expected) {
            secondFreesRefused++;
        }
        if (frame.isExclusive()) {
            try {
                run.get(ValueLayout.JAVA_BYTE, 0);
                throw new Violation(frame + " could be read after its free");
            } catch (IllegalStateException expected) {
                secondFreesRefused++;
            }
        }
    }

    private static void require(boolean holds, Frame frame, String violation) {
        if (!holds) {
            throw new Violation(frame + " " + violation);
        }
    }

    @Override
    public void close() throws IOException {
        if (meter != null) {
            meter.close();
        }
    }
}
