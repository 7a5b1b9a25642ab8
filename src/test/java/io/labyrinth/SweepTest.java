package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.kit.Race;
import io.labyrinth.kit.Verify;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The frames of dead threads come back, all of them and once. The frames of living threads stay theirs. */
class SweepTest {

    private static final Gfp OWN = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
    private static final int FRAMES = 1900;
    private static final int BATCH = 50;

    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private Labyrinth labyrinth;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("sweeps").frames(FRAMES).locking(Locking.PREFERRED).open();
    }

    @AfterEach
    void everythingIsBack() {
        assertThat(failure.get()).isNull();
        labyrinth.validate();
        assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
        labyrinth.close();
    }

    private void die(Thread.Builder kind, Runnable last) {
        Race.join(kind.start(last));
    }

    /** Allocates runs of mixed orders and forgets them; the sum of their frames. */
    private int leave(int runs) {
        int frames = 0;
        for (int i = 0; i < runs; i++) {
            Frame frame = labyrinth.allocPages(OWN, i % 4);
            if (frame != null) {
                frame.segment().set(ValueLayout.JAVA_LONG, 0, i);
                frames += 1 << frame.order();
            }
        }
        return frames;
    }

    @Test
    void framesOfDeadThreadsComeBackAllOfThemAndOnce() {
        for (Thread.Builder kind : List.of(Thread.ofPlatform(), Thread.ofVirtual())) {
            AtomicInteger left = new AtomicInteger();
            for (int thread = 0; thread < 300; thread++) {
                die(kind, () -> left.addAndGet(leave(3)));
            }
            assertThat(left.get()).isGreaterThan(1_000);
            assertThat(labyrinth.stats().claimed()).isEqualTo(left.get());
            assertThat(labyrinth.sweepDeadOwners()).isEqualTo(left.get());
            assertThat(labyrinth.sweepDeadOwners()).isZero();
            assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void framesOfACrowdOfDeadThreadsComeBackInOneSweep(boolean virtual) {
        int threads = (int) Verify.scale(virtual ? 100_000 : 10_000, 100_000, virtual ? 1_000_000 : 100_000);
        try (Labyrinth crowd = Labyrinth.builder("crowd").frames(threads).locking(Locking.NONE).open()) {
            for (int started = 0; started < threads; started += BATCH) {
                List<Thread> batch = new ArrayList<>(BATCH);
                for (int i = 0; i < BATCH; i++) {
                    batch.add((virtual ? Thread.ofVirtual() : Thread.ofPlatform()).start(() -> dieOwning(crowd)));
                }
                batch.forEach(Race::join);
            }
            assertThat(failure.get()).isNull();
            assertThat(crowd.stats().claimed()).isEqualTo(threads);
            assertThat(crowd.sweepDeadOwners()).isEqualTo(threads);
            assertThat(crowd.sweepDeadOwners()).isZero();
            crowd.validate();
            assertThat(crowd.stats().free()).isEqualTo(threads);
            Verify.held("no frame is lost with its thread", "SweepTest", threads + (virtual ? " virtual" : " platform")
                    + " threads that die owning a frame, one sweep");
        }
    }

    private void dieOwning(Labyrinth crowd) {
        try {
            // While another is splitting the run that has the last ones, null may be the answer.
            Frame frame = null;
            while (frame == null) {
                frame = crowd.allocPage(OWN);
            }
            frame.segment().set(ValueLayout.JAVA_LONG, 0, frame.owner());
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        }
    }

    @Test
    void sweptFrameIsRefusedAsAnyStaleOne() {
        AtomicReference<Frame> frame = new AtomicReference<>();
        die(Thread.ofPlatform(), () -> frame.set(labyrinth.allocPage(OWN)));
        assertThat(labyrinth.sweepDeadOwners()).isEqualTo(1);
        assertThatThrownBy(() -> frame.get().close()).isInstanceOf(LabyrinthException.Stale.class);
        assertThatThrownBy(() -> frame.get().segment()).isInstanceOf(LabyrinthException.Stale.class);
    }

    @Test
    void acceptedFramesOfTheDeadComeBackToo() {
        for (Thread.Builder kind : List.of(Thread.ofPlatform(), Thread.ofVirtual())) {
            Ticket ticket = labyrinth.allocPages(OWN, 2).handOff();
            die(kind, ticket::accept);
            assertThat(labyrinth.sweepDeadOwners()).isEqualTo(4);
        }
    }

    @Test
    void framesOfTheLivingStay() throws InterruptedException {
        Frame mine = labyrinth.allocPages(OWN, 1);
        CountDownLatch allocated = new CountDownLatch(2);
        CountDownLatch done = new CountDownLatch(1);
        List<Thread> living = new ArrayList<>();
        for (Thread.Builder kind : List.of(Thread.ofPlatform(), Thread.ofVirtual())) {
            living.add(kind.start(() -> {
                try (Frame frame = labyrinth.allocPages(OWN, 3)) {
                    frame.segment().set(ValueLayout.JAVA_LONG, 0, 5);
                    allocated.countDown();
                    done.await();
                    assertThat(frame.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(5);
                } catch (Throwable e) {
                    failure.set(e);
                }
            }));
        }
        allocated.await();
        assertThat(labyrinth.sweepDeadOwners()).as("parked, not dead").isZero();
        done.countDown();
        living.forEach(Race::join);
        mine.close();
    }

    @Test
    void theLivingAreSeenHoweverManyTheyAre() throws InterruptedException {
        int many = 300;
        CountDownLatch allocated = new CountDownLatch(many);
        CountDownLatch done = new CountDownLatch(1);
        List<Thread> living = new ArrayList<>();
        for (int i = 0; i < many; i++) {
            living.add(Thread.ofPlatform().start(() -> {
                try (Frame frame = labyrinth.allocPage(OWN)) {
                    allocated.countDown();
                    done.await();
                    assertThat(frame.owner()).isEqualTo(Thread.currentThread().threadId());
                } catch (Throwable e) {
                    failure.set(e);
                }
            }));
        }
        allocated.await();
        assertThat(labyrinth.sweepDeadOwners()).isZero();
        done.countDown();
        living.forEach(Race::join);
    }

    @Test
    void ticketsAndSharedFramesOfTheDeadStay() {
        AtomicReference<Ticket> ticket = new AtomicReference<>();
        AtomicReference<Frame> shared = new AtomicReference<>();
        for (Thread.Builder kind : List.of(Thread.ofPlatform(), Thread.ofVirtual())) {
            die(kind, () -> {
                ticket.set(labyrinth.allocPage(OWN).handOff());
                shared.set(labyrinth.allocPage(Gfp.NOWAIT));
            });
            assertThat(labyrinth.sweepDeadOwners()).isZero();
            ticket.get().accept().close();
            shared.get().close();
        }
    }

    @Test
    void aVirtualThreadCanSweep() {
        AtomicInteger swept = new AtomicInteger();
        Frame mine = labyrinth.allocPage(OWN);
        die(Thread.ofPlatform(), () -> leave(2));
        die(Thread.ofVirtual(), () -> swept.set(labyrinth.sweepDeadOwners()));
        assertThat(swept.get()).isEqualTo(3);
        mine.close();
    }

    @Test
    void sweepsAtOnceReturnEachFrameOnce() {
        AtomicInteger left = new AtomicInteger();
        AtomicInteger swept = new AtomicInteger();
        Race.Actor sweeper = round -> swept.addAndGet(labyrinth.sweepDeadOwners());
        die(Thread.ofPlatform(), () -> left.set(leave(20)));
        Race.run(150, round -> {
            assertThat(swept.getAndSet(0)).isEqualTo(left.get());
            die(round % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual(), () -> left.set(leave(20)));
        }, sweeper, sweeper, sweeper);
        assertThat(labyrinth.sweepDeadOwners()).isEqualTo(left.get());
    }

    /** A thread that has just won its claim must not look dead because the one that owned the frame before it is. */
    @Test
    void threadsThatClaimDuringSweepsLoseNothing() {
        AtomicInteger left = new AtomicInteger();
        AtomicInteger swept = new AtomicInteger();
        whileSweeping(labyrinth, swept, () -> {
            for (int i = 0; i < 1_000; i++) {
                boolean leaves = i % 3 == 0;
                die(i % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual(), () -> {
                    live(labyrinth, 20, 0);
                    if (leaves) {
                        left.addAndGet(leave(2));
                    }
                });
            }
        });
        assertThat(swept.get() + labyrinth.sweepDeadOwners()).isEqualTo(left.get());
    }

    /** And one that has just started must not, as it is in no list of the living yet. A wide maze makes a long pass. */
    @Test
    void threadsThatStartDuringASweepLoseNothing() {
        try (Labyrinth wide = Labyrinth.builder("wide").frames(20_000).locking(Locking.NONE).open()) {
            List<Frame> all = new ArrayList<>();
            for (int i = 0; i < 20_000; i++) {
                all.add(wide.allocPage(OWN));
            }
            all.forEach(Frame::close);
            AtomicInteger swept = new AtomicInteger();
            whileSweeping(wide, swept, () -> {
                List<Thread> threads = new ArrayList<>();
                for (int i = 0; i < 2_000; i++) {
                    threads.add(Thread.ofPlatform().start(() -> live(wide, 1, 200)));
                    if (threads.size() == 20) {
                        threads.forEach(Race::join);
                        threads.clear();
                    }
                }
            });
            assertThat(swept.get()).isZero();
            wide.validate();
        }
    }

    private void whileSweeping(Labyrinth swept, AtomicInteger frames, Runnable work) {
        AtomicBoolean done = new AtomicBoolean();
        Thread sweeper = Thread.ofPlatform().start(() -> {
            while (!done.get()) {
                frames.addAndGet(swept.sweepDeadOwners());
            }
        });
        work.run();
        done.set(true);
        Race.join(sweeper);
        assertThat(failure.get()).isNull();
    }

    /** Claims and frees, and writes for some microseconds to what it has. */
    private void live(Labyrinth in, int frames, int passes) {
        try {
            for (int i = 0; i < frames; i++) {
                Frame frame = in.allocPage(OWN);
                frame.segment().set(ValueLayout.JAVA_LONG, 0, i);
                for (int pass = 0; pass < passes; pass++) {
                    frame.segment().fill((byte) pass);
                }
                frame.close();
            }
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        }
    }
}
