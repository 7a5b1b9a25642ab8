package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.Race;
import io.labyrinth.kit.Verify;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** Virtual threads own frames as platform threads do, by the million, and keep them while they are parked. */
class VirtualThreadTest {

    private static final int THREADS = (int) Verify.scale(1_000_000, 5_000_000);
    /** At once: five for each frame, so that null is common. More would only ask more often. */
    private static final int WAVE = 5_000;
    private static final int FRAMES = 1024;

    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    @Test
    void eachHasItsFrameToItselfAcrossAPark() {
        try (Labyrinth labyrinth = open()) {
            AtomicInteger served = new AtomicInteger();
            List<Thread> threads = new ArrayList<>(WAVE);
            for (int i = 0; i < THREADS; i++) {
                int number = i;
                if (threads.size() == WAVE) {
                    threads.forEach(Race::join);
                    threads.clear();
                }
                threads.add(Thread.ofVirtual().start(() -> {
                    try {
                        live(labyrinth, number);
                        served.incrementAndGet();
                    } catch (Throwable e) {
                        failure.compareAndSet(null, e);
                    }
                }));
            }
            threads.forEach(Race::join);
            assertThat(failure.get()).isNull();
            assertThat(served.get()).isEqualTo(THREADS);
            assertAllBack(labyrinth);
            Verify.held("a frame has one owner at most", "VirtualThreadTest", THREADS
                    + " virtual threads that park between claim and free");
        }
    }

    private static void live(Labyrinth labyrinth, int number) {
        Gfp gfp = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);
        Frame frame = labyrinth.allocPage(gfp);
        while (frame == null) {
            // The labyrinth says null, and to wait is the caller's affair. (Yields would starve those that park.)
            LockSupport.parkNanos(50_000);
            frame = labyrinth.allocPage(gfp);
        }
        long me = Thread.currentThread().threadId();
        MemorySegment segment = frame.segment();
        segment.set(ValueLayout.JAVA_LONG, 0, me);
        segment.set(ValueLayout.JAVA_LONG, 4088, ~me);
        if (number % 2 == 0) {
            Thread.yield();
        }
        LockSupport.parkNanos(1_000);
        assertThat(frame.owner()).isEqualTo(me);
        assertThat(segment.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(me);
        assertThat(segment.get(ValueLayout.JAVA_LONG, 4088)).isEqualTo(~me);
        frame.close();
    }

    /** While another is splitting the run that has the last frames, null may be the answer. */
    private static Frame takenAtLast(Labyrinth labyrinth) {
        Frame frame = labyrinth.allocPage(Gfp.NOWAIT.with(Gfp.EXCLUSIVE));
        while (frame == null) {
            LockSupport.parkNanos(1_000);
            frame = labyrinth.allocPage(Gfp.NOWAIT.with(Gfp.EXCLUSIVE));
        }
        return frame;
    }

    /** As many as there are frames, each parked with one: more than there could ever be carriers, were they pinned. */
    @Test
    void parksWithAFrameAndPinsNoCarrier() throws InterruptedException {
        try (Labyrinth labyrinth = open()) {
            CountDownLatch holding = new CountDownLatch(FRAMES);
            CountDownLatch done = new CountDownLatch(1);
            List<Thread> threads = new ArrayList<>(FRAMES);
            for (int i = 0; i < FRAMES; i++) {
                threads.add(Thread.ofVirtual().start(() -> {
                    try (Frame frame = takenAtLast(labyrinth)) {
                        frame.segment().set(ValueLayout.JAVA_LONG, 0, 1);
                        holding.countDown();
                        done.await();
                        frame.segment().set(ValueLayout.JAVA_LONG, 0, 2);
                    } catch (Throwable e) {
                        failure.compareAndSet(null, e);
                    }
                }));
            }
            boolean all = holding.await(60, TimeUnit.SECONDS);
            LabyrinthStats stats = labyrinth.stats();
            String picture = labyrinth.picture();
            done.countDown();
            threads.forEach(Race::join);
            assertThat(all).as("threads that still wait for a carrier: %s", holding.getCount()).isTrue();
            assertThat(failure.get()).isNull();
            assertThat(stats.claimed()).isEqualTo(FRAMES);
            assertThat(picture).isEqualTo("E".repeat(FRAMES));
            assertAllBack(labyrinth);
        }
    }

    @Test
    void idsOfVirtualOwnersAreWholeAndMarked() {
        try (Labyrinth labyrinth = open()) {
            Race.join(Thread.ofVirtual().start(() -> {
                try (Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
                        Frame shared = labyrinth.allocPage(Gfp.NOWAIT)) {
                    assertThat(labyrinth.zone.map.virtualOwner(shared.pfn())).as("anybody may free it").isNull();
                    long owner = labyrinth.zone.map.lvOwner(frame.pfn());
                    assertThat(PageWord.isVirtual(owner)).isTrue();
                    assertThat(PageWord.threadId(owner)).isEqualTo(Thread.currentThread().threadId());
                    assertThat(labyrinth.zone.map.virtualOwner(frame.pfn())).isSameAs(Thread.currentThread());
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                }
            }));
            assertThat(failure.get()).isNull();
            for (int pfn = 0; pfn < FRAMES; pfn++) {
                assertThat(labyrinth.zone.map.virtualOwner(pfn)).as("a free frame keeps no thread reachable").isNull();
            }
            assertAllBack(labyrinth);
        }
    }

    private static Labyrinth open() {
        return Labyrinth.builder("virtual").frames(FRAMES).locking(Locking.PREFERRED).open();
    }

    private static void assertAllBack(Labyrinth labyrinth) {
        labyrinth.validate();
        assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
        assertThat(labyrinth.sweepDeadOwners()).isZero();
    }
}
