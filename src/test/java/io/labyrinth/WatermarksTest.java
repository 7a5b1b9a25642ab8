package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Watermarks.Mark;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which listeners are told that frames are scarce, and when. */
class WatermarksTest {

    private static final Duration SHORT = Duration.ofMillis(1);
    /** Of a test whose watermarks have failed: else it would hang. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final Labyrinth labyrinth = Labyrinth.builder("marks").frames(64).reserve(16)
            .locking(Locking.PREFERRED).open();
    private final List<Frame> frames = new ArrayList<>();

    @AfterEach
    void close() {
        frames.forEach(Frame::close);
        labyrinth.validate();
        labyrinth.close();
    }

    private static <T> T next(BlockingQueue<T> told) throws InterruptedException {
        T next = told.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        assertThat(next).as("the listener is called").isNotNull();
        return next;
    }

    private void take(int count) {
        for (int i = 0; i < count; i++) {
            frames.add(labyrinth.allocPage(Gfp.NOWAIT));
        }
    }

    private void giveBack(int count) {
        for (int i = 0; i < count; i++) {
            frames.removeLast().close();
        }
    }

    @Test
    void lowAndHighAreToldInTurnsEachOnceAtItsMark() {
        List<Mark> told = new ArrayList<>();
        List<Integer> free = new ArrayList<>();
        Watermarks watermarks = new Watermarks(labyrinth, 8, 32, SHORT, (mark, stats) -> {
            told.add(mark);
            free.add(stats.free());
        });
        watermarks.look();
        take(39);
        watermarks.look();
        assertThat(told).as("9 are free").isEmpty();
        take(1);
        watermarks.look();
        watermarks.look();
        assertThat(told).containsExactly(Mark.LOW);
        giveBack(23);
        watermarks.look();
        assertThat(told).as("31 are free, and the 16 of the reserve do not count").containsExactly(Mark.LOW);
        giveBack(1);
        watermarks.look();
        watermarks.look();
        assertThat(told).containsExactly(Mark.LOW, Mark.HIGH);
        take(32);
        watermarks.look();
        assertThat(told).containsExactly(Mark.LOW, Mark.HIGH, Mark.LOW);
        assertThat(free).containsExactly(8, 32, 0);
    }

    @Test
    void theListenerIsCalledByAThreadOfItsOwnUntilItIsClosed() throws InterruptedException {
        BlockingQueue<Mark> marks = new LinkedBlockingQueue<>();
        BlockingQueue<Thread> callers = new LinkedBlockingQueue<>();
        Watermarks watermarks = labyrinth.watermarks(0, 1, SHORT, (mark, stats) -> {
            callers.add(Thread.currentThread());
            marks.add(mark);
        });
        try (watermarks) {
            take(48);
            assertThat(next(marks)).isEqualTo(Mark.LOW);
            giveBack(1);
            assertThat(next(marks)).isEqualTo(Mark.HIGH);
        }
        Thread caller = next(callers);
        assertThat(caller).isNotSameAs(Thread.currentThread());
        assertThat(caller.isDaemon()).isTrue();
        assertThat(caller.getName()).isEqualTo("labyrinth-watermarks-marks");
        assertThat(caller.join(PATIENCE)).as("the looks have ended").isTrue();
    }

    @Test
    void theLooksEndWithTheLabyrinth() throws InterruptedException {
        Labyrinth other = Labyrinth.builder("other").frames(64).locking(Locking.NONE).open();
        BlockingQueue<Thread> callers = new LinkedBlockingQueue<>();
        CountDownLatch closed = new CountDownLatch(1);
        long handle = other.handles().alloc(Gfp.NOWAIT, 6);
        other.watermarks(0, 1, SHORT, (mark, stats) -> {
            callers.add(Thread.currentThread());
            try {
                closed.await();
            } catch (InterruptedException e) {
                throw new AssertionError("nobody interrupts it", e);
            }
        });
        Thread caller = next(callers);
        other.handles().free(handle);
        other.validate();
        other.close();
        closed.countDown();
        assertThat(caller.join(PATIENCE)).as("the looks have ended").isTrue();
    }

    @Test
    void aListenerThatThrowsIsCalledAgain() throws InterruptedException {
        BlockingQueue<Mark> marks = new LinkedBlockingQueue<>();
        try (Watermarks watermarks = labyrinth.watermarks(0, 1, SHORT, (mark, stats) -> {
            marks.add(mark);
            throw new IllegalStateException("a listener's fault");
        })) {
            for (int turn = 0; turn < 3; turn++) {
                take(48);
                assertThat(next(marks)).as("%s", watermarks).isEqualTo(Mark.LOW);
                giveBack(48);
                assertThat(next(marks)).isEqualTo(Mark.HIGH);
            }
        }
    }

    /** Its interrupt is what the listener sees, and the code that it calls; parking with it would not wait. */
    @Test
    void aListenerThatRestoresItsInterruptDoesNotMakeTheLooksSpin() throws InterruptedException {
        BlockingQueue<Thread> callers = new LinkedBlockingQueue<>();
        BlockingQueue<Boolean> seen = new LinkedBlockingQueue<>();
        take(48);
        try (Watermarks watermarks = labyrinth.watermarks(0, 1, Duration.ofHours(1), (mark, stats) -> {
            Thread.currentThread().interrupt();
            seen.add(Thread.currentThread().isInterrupted());
            callers.add(Thread.currentThread());
        })) {
            Thread caller = next(callers);
            assertThat(seen).as("%s", watermarks).containsExactly(true);
            long end = System.nanoTime() + PATIENCE.toNanos();
            while ((caller.isInterrupted() || caller.getState() != Thread.State.TIMED_WAITING)
                    && System.nanoTime() < end) {
                Thread.onSpinWait();
            }
            assertThat(caller.isInterrupted()).isFalse();
            assertThat(caller.getState()).as("it waits for its next look").isEqualTo(Thread.State.TIMED_WAITING);
        }
    }

    @ParameterizedTest
    @CsvSource({"-1,1", "0,0", "5,5", "6,5", "0,49", "-2147483648,2147483647"})
    void refusesMarksThatMeanNothing(int low, int high) {
        assertThatThrownBy(() -> labyrinth.watermarks(low, high, SHORT, (mark, stats) -> { }))
                .isExactlyInstanceOf(LabyrinthException.InvalidRequest.class)
                .hasMessageContainingAll("labyrinth=marks", "low=" + low, "high=" + high, "limit=48");
    }

    @ParameterizedTest
    @CsvSource({"PT0S", "PT0.0009S", "PT-1S", "PT24H0.1S"})
    void refusesAnIntervalThatMeansNothing(Duration interval) {
        assertThatThrownBy(() -> labyrinth.watermarks(0, 1, interval, (mark, stats) -> { }))
                .isExactlyInstanceOf(LabyrinthException.InvalidRequest.class)
                .hasMessageContainingAll("interval=" + interval, "limit=1ms to 1 day");
    }
}
