package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.kit.Race;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A frame between two owners: it is given once and taken once, and its bytes stay as they were written. */
class TicketTest {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final int ROUNDS = 2_500;

    private Labyrinth labyrinth;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("tickets").frames(256).open();
    }

    @AfterEach
    void everythingIsBack() {
        labyrinth.validate();
        assertThat(labyrinth.stats().free()).isEqualTo(256);
        labyrinth.close();
    }

    @Test
    void endsTheGiversLifeAndBeginsTheTakers() {
        Frame given = labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, 2);
        MemorySegment segment = given.segment();
        segment.set(LONG, 0, 11);
        Ticket ticket = given.handOff();
        assertThatThrownBy(() -> segment.get(LONG, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(given::close).isInstanceOf(LabyrinthException.Stale.class);
        assertThatThrownBy(given::handOff).isInstanceOf(LabyrinthException.Stale.class);
        assertThat(labyrinth.stats().inTransit()).isEqualTo(4);
        assertThat(labyrinth.picture().substring(given.pfn(), given.pfn() + 4)).isEqualTo("TTTT");
        assertThat(ticket.pfn()).isEqualTo(given.pfn());
        assertThat(ticket.order()).isEqualTo(2);
        Frame taken = ticket.accept();
        assertThat(taken.generation()).isEqualTo(given.generation() + 1);
        assertThat(taken.order()).isEqualTo(2);
        assertThat(taken.isExclusive()).isTrue();
        assertThat(taken.segment().get(LONG, 0)).isEqualTo(11);
        assertThatThrownBy(given::close).isInstanceOf(LabyrinthException.Stale.class);
        taken.close();
    }

    @Test
    void frameWithoutASegmentPassesToo() {
        Frame given = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
        Frame taken = given.handOff().accept();
        assertThatThrownBy(given::segment).isInstanceOf(LabyrinthException.Stale.class);
        taken.close();
    }

    @Test
    void isRefusedTheSecondTimeAndAfterItsLife() {
        Ticket ticket = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE).handOff();
        Frame taken = ticket.accept();
        assertThatThrownBy(ticket::accept).isInstanceOf(LabyrinthException.Stale.class);
        taken.close();
        assertThatThrownBy(ticket::accept).isInstanceOf(LabyrinthException.Stale.class);
        Ticket next = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE).handOff();
        assertThat(next.pfn()).isEqualTo(ticket.pfn());
        assertThatThrownBy(ticket::accept).as("another ticket of that frame is out")
                .isInstanceOf(LabyrinthException.Stale.class);
        next.accept().close();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4})
    void oneOfManyTakersGetsIt(int takers) {
        AtomicReference<Ticket> ticket = new AtomicReference<>(stamped(0));
        AtomicInteger won = new AtomicInteger();
        AtomicInteger stale = new AtomicInteger();
        Race.Actor taker = round -> {
            try {
                Frame frame = ticket.get().accept();
                won.incrementAndGet();
                assertThat(frame.owner()).isEqualTo(Thread.currentThread().threadId());
                assertStamped(frame, round);
                frame.close();
            } catch (LabyrinthException.Stale expected) {
                stale.incrementAndGet();
            }
        };
        Race.Actor[] actors = new Race.Actor[takers];
        Arrays.fill(actors, taker);
        Race.run(2 * ROUNDS / takers, round -> {
            assertThat(won.getAndSet(0)).isEqualTo(1);
            assertThat(stale.getAndSet(0)).isEqualTo(takers - 1);
            ticket.set(stamped(round + 1));
        }, actors);
        ticket.get().accept().close();
    }

    private Ticket stamped(int number) {
        Frame frame = labyrinth.allocPage(number % 2 == 0 ? Gfp.ATOMIC_EXCLUSIVE : Gfp.NOWAIT);
        for (long at = 0; at < frame.byteSize(); at += 64) {
            frame.segment().set(LONG, at, number);
        }
        return frame.handOff();
    }

    private static void assertStamped(Frame frame, int number) {
        for (long at = 0; at < frame.byteSize(); at += 64) {
            assertThat(frame.segment().get(LONG, at)).as("%s at offset=%s", frame, at).isEqualTo(number);
        }
    }

    /** The ticket goes through a plain field with no order of its own: the accept publishes what the giver wrote. */
    @Test
    void publishesWhatTheGiverWrote() {
        long[] ticket = new long[1];
        Handles handles = labyrinth.handles();
        Race.run(ROUNDS, round -> {
            if (ticket[0] != 0) {
                try {
                    handles.free(handles.accept(ticket[0]));
                } catch (LabyrinthException.Stale taken) {
                    // By the other actor.
                }
            }
            ticket[0] = 0;
        }, round -> {
            long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);
            for (long at = 0; at < 4096; at += 256) {
                handles.putLong(handle, at, round);
            }
            ticket[0] = handles.handOff(handle);
        }, round -> {
            for (int looks = 0; looks < 200; looks++) {
                long seen = ticket[0];
                if (seen != 0) {
                    long handle = handles.accept(seen);
                    for (long at = 0; at < 4096; at += 256) {
                        assertThat(handles.getLong(handle, at)).isEqualTo(round);
                    }
                    handles.free(handle);
                    return;
                }
                Thread.onSpinWait();
            }
        });
    }

    @Test
    void goesThroughManyThreads() throws InterruptedException {
        int length = 40;
        List<SynchronousQueue<Ticket>> queues = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        for (int i = 0; i <= length; i++) {
            queues.add(new SynchronousQueue<>());
        }
        for (int i = 0; i < length; i++) {
            int station = i;
            Runnable link = () -> {
                try {
                    for (int turn = 0; turn < 20; turn++) {
                        Frame frame = queues.get(station).take().accept();
                        long passed = frame.segment().get(LONG, 8);
                        assertThat(passed).isEqualTo(station);
                        frame.segment().set(LONG, 8, passed + 1);
                        queues.get(station + 1).put(frame.handOff());
                    }
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                    threads.forEach(Thread::interrupt);
                }
            };
            threads.add(i % 2 == 0 ? Thread.ofPlatform().unstarted(link) : Thread.ofVirtual().unstarted(link));
        }
        threads.add(Thread.currentThread());
        threads.subList(0, length).forEach(Thread::start);
        for (int turn = 0; turn < 20; turn++) {
            Frame frame = labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, turn % 4);
            long generation = frame.generation();
            frame.segment().set(LONG, 8, 0);
            queues.getFirst().put(frame.handOff());
            Frame back = queues.getLast().take().accept();
            assertThat(back.segment().get(LONG, 8)).isEqualTo(length);
            assertThat(back.generation()).as("each hand-over is a life").isEqualTo(generation + length + 1);
            back.close();
        }
        threads.subList(0, length).forEach(Race::join);
        assertThat(failure.get()).isNull();
    }

    @Test
    void ofASharedFrameBringsASharedFrame() {
        Frame given = labyrinth.allocPage(Gfp.NOWAIT);
        MemorySegment segment = given.segment();
        segment.set(LONG, 0, 3);
        Ticket ticket = given.handOff();
        assertThatThrownBy(given::segment).isInstanceOf(LabyrinthException.Stale.class);
        assertThat(segment.get(LONG, 0)).as("its segment lives as long as the labyrinth").isEqualTo(3);
        Frame taken = ticket.accept();
        assertThat(taken.isExclusive()).isFalse();
        Race.join(Thread.ofPlatform().start(taken::close));
        assertThatThrownBy(taken::close).isInstanceOf(LabyrinthException.Stale.class);
    }

    @Test
    void rawFaceRefusesWhatATicketRefuses() {
        Handles handles = labyrinth.handles();
        for (Gfp gfp : new Gfp[] {Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT}) {
            long given = handles.alloc(gfp, 1);
            handles.putLong(given, 0, 21);
            assertThatThrownBy(() -> handles.accept(given)).as("no ticket")
                    .isInstanceOf(LabyrinthException.Stale.class);
            long ticket = handles.handOff(given);
            assertThat(handles.pfn(ticket)).isEqualTo(handles.pfn(given));
            assertThatThrownBy(() -> handles.handOff(given)).isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(() -> handles.free(given)).isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(() -> handles.getLong(given, 0)).isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(() -> handles.free(ticket)).isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(() -> handles.getLong(ticket, 0)).isInstanceOf(LabyrinthException.Stale.class);
            long taken = handles.accept(ticket);
            assertThat(handles.getLong(taken, 0)).isEqualTo(21);
            assertThatThrownBy(() -> handles.accept(ticket)).isInstanceOf(LabyrinthException.Stale.class);
            handles.free(taken);
            assertThatThrownBy(() -> handles.accept(ticket)).isInstanceOf(LabyrinthException.Stale.class);
        }
    }
}
