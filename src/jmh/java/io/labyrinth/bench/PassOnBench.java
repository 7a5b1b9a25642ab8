package io.labyrinth.bench;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Labyrinth;
import io.labyrinth.Ticket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.ToIntFunction;
import org.jctools.queues.SpscArrayQueue;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * One thread takes and writes, another reads and gives back; between them the same JCTools SPSC queue each time. A
 * figure is that of one buffer all the way, from the first take to the last one given back, over those of a batch.
 */
@State(Scope.Thread)
public class PassOnBench {

    private static final int BATCH = 20_000;
    private static final int QUEUE = 512;
    /** Spins before a yield: longer than it takes to pass on a queue full. */
    private static final int PATIENCE = 1000;
    /** As many pre-made segments as frames, so that both sides touch as much memory. */
    private static final int BUFFERS = 1024;

    /** What is passed on, and how the receiver deals with it. */
    @Param("ticket")
    Cargo cargo;

    private final SpscArrayQueue<Object> queue = new SpscArrayQueue<>(QUEUE);
    private final SpscArrayQueue<MemorySegment> returned = new SpscArrayQueue<>(BUFFERS);
    private final MemorySegment[] premade = new MemorySegment[BUFFERS];
    /** Of the two sides, with lines between them. */
    private final AtomicLongArray words = new AtomicLongArray(64);
    private Labyrinth labyrinth;
    private Handles handles;
    private Arena arena;
    private Thread receiver;
    private volatile boolean stopped;
    private volatile long received;

    /** One kind of thing to pass on, with the receiver's half of the work. */
    public enum Cargo {
        /** An EXCLUSIVE frame, handed over: the receiver accepts it, reads, and frees. */
        ticket,
        /** The same on the raw face: a boxed long is all that is made. */
        rawTicket,
        /** A frame that is not EXCLUSIVE: the receiver reads and frees. */
        sharedFrame,
        /** A pre-made segment, in turn, without asking whether it was read. */
        segment,
        /**
         * The same with one CAS on each side, on a word that nobody else touches: it waits until what was written
         * before it has left the store buffer, and so for the other core's lines. What any claim has to pay.
         */
        segmentAndCas,
        /** A pre-made segment, taken from a queue on which it comes back. */
        returnedSegment
    }

    @Setup
    public void open() {
        labyrinth = Rig.opened(BUFFERS, 0);
        handles = labyrinth.handles();
        arena = Arena.ofShared();
        for (int i = 0; i < BUFFERS; i++) {
            premade[i] = arena.allocate(4096);
            returned.offer(premade[i]);
        }
        receiver = Thread.ofPlatform().name("receiver").start(switch (cargo) {
            case ticket -> () -> receive(this::accept);
            case rawTicket -> () -> receive(this::acceptRaw);
            case sharedFrame -> () -> receive(this::readAndFree);
            case segment -> () -> receive(segment -> Rig.read((MemorySegment) segment));
            case segmentAndCas -> () -> receive(this::readAndCas);
            case returnedSegment -> () -> receive(this::readAndReturn);
        });
    }

    @TearDown
    public void close() throws InterruptedException {
        stopped = true;
        receiver.join();
        Rig.close(labyrinth);
        arena.close();
    }

    private void receive(ToIntFunction<Object> work) {
        try {
            receiveUntilStopped(work);
        } finally {
            stopped = true;
        }
    }

    private void receiveUntilStopped(ToIntFunction<Object> work) {
        long count = 0;
        while (!stopped) {
            count += receiveSome(work);
            if (count % BATCH == 0) {
                received = count;
            }
        }
    }

    /** A part of a batch, or what there is before it stops: a method of its own, so that it is compiled as one. */
    private int receiveSome(ToIntFunction<Object> work) {
        int count = 0;
        for (int idle = 0; count < BATCH / 20 && !stopped; ) {
            Object next = queue.poll();
            if (next == null) {
                spin(++idle);
                continue;
            }
            if (work.applyAsInt(next) != 2) {
                throw new IllegalStateException("not what was written");
            }
            count++;
        }
        return count;
    }

    private int accept(Object ticket) {
        try (Frame frame = ((Ticket) ticket).accept()) {
            return Rig.read(frame.segment());
        }
    }

    private int acceptRaw(Object ticket) {
        long handle = handles.accept((Long) ticket);
        int sum = handles.getByte(handle, 0) + handles.getByte(handle, 4095);
        handles.free(handle);
        return sum;
    }

    private int readAndFree(Object passed) {
        try (Frame frame = (Frame) passed) {
            return Rig.read(frame.segment());
        }
    }

    private int readAndCas(Object passed) {
        words.compareAndSet(48, words.get(48), 1);
        return Rig.read((MemorySegment) passed);
    }

    private int readAndReturn(Object passed) {
        MemorySegment segment = (MemorySegment) passed;
        int sum = Rig.read(segment);
        returned.offer(segment);
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(BATCH)
    public void pass() {
        long goal = received + BATCH;
        int times = 0;
        for (int i = 0; i < BATCH; ) {
            Object next = switch (cargo) {
                case ticket -> ticket();
                case rawTicket -> rawTicket();
                case sharedFrame -> sharedFrame();
                case segment -> written(premade[i % BUFFERS]);
                case segmentAndCas -> writtenAndCas(premade[i % BUFFERS]);
                case returnedSegment -> written(returned.poll());
            };
            if (next == null) {
                await(++times);
                continue;
            }
            for (int full = 1; !queue.offer(next); full++) {
                await(full);
            }
            i++;
        }
        for (times = 1; received < goal; times++) {
            await(times);
        }
    }

    /** Without a loop around the allocation: where two frames meet in one variable, none is optimised away. */
    private @Nullable Ticket ticket() {
        Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
        if (frame == null) {
            return null;
        }
        Rig.write(frame.segment());
        return frame.handOff();
    }

    private @Nullable Long rawTicket() {
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
        if (handle == 0) {
            return null;
        }
        handles.putByte(handle, 0, (byte) 1);
        handles.putByte(handle, 4095, (byte) 1);
        return handles.handOff(handle);
    }

    private @Nullable Frame sharedFrame() {
        Frame frame = labyrinth.allocPage(Gfp.ATOMIC);
        if (frame != null) {
            Rig.write(frame.segment());
        }
        return frame;
    }

    private MemorySegment writtenAndCas(MemorySegment segment) {
        words.compareAndSet(16, words.get(16), 1);
        Rig.write(segment);
        return segment;
    }

    private static @Nullable MemorySegment written(@Nullable MemorySegment segment) {
        if (segment != null) {
            Rig.write(segment);
        }
        return segment;
    }

    /** Spins, as both have a core; and yields after a while, where they have to share one with somebody else. */
    private static void spin(int times) {
        if (times % PATIENCE == 0) {
            Thread.yield();
        } else {
            Thread.onSpinWait();
        }
    }

    private void await(int times) {
        if (stopped) {
            throw new IllegalStateException("the receiver has failed");
        }
        spin(times);
    }
}
