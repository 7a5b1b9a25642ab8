package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.kit.Race;
import io.labyrinth.kit.Verify;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The reserve is exact: R frames are for HIGH requests only, under any race. */
class ReserveTest {

    private static final int FRAMES = 401;
    private static final int RESERVE = 77;
    private static final int ORDINARY = FRAMES - RESERVE;

    private static Labyrinth open() {
        return Labyrinth.builder("reserve").frames(FRAMES).reserve(RESERVE).locking(Locking.PREFERRED).open();
    }

    private static List<Frame> allThereIs(Labyrinth labyrinth, Gfp gfp) {
        List<Frame> all = new ArrayList<>();
        for (Frame frame = labyrinth.allocPage(gfp); frame != null; frame = labyrinth.allocPage(gfp)) {
            all.add(frame);
        }
        return all;
    }

    @Test
    void eachFlagReachesWhatItSays() {
        Gfp[] ordinary = {Gfp.NOWAIT, Gfp.NOMEMALLOC, Gfp.EXCLUSIVE, Gfp.ZERO, Gfp.NOWARN,
            Gfp.NOMEMALLOC.with(Gfp.EXCLUSIVE).with(Gfp.ZERO)};
        Gfp[] high = {Gfp.HIGH, Gfp.HIGH.with(Gfp.EXCLUSIVE), Gfp.ATOMIC, Gfp.ATOMIC_EXCLUSIVE,
            Gfp.NOWAIT.with(Gfp.HIGH)};
        try (Labyrinth labyrinth = open()) {
            for (Gfp gfp : ordinary) {
                List<Frame> all = allThereIs(labyrinth, gfp);
                assertThat(all).as("%s", gfp).hasSize(ORDINARY).allMatch(frame -> frame.pfn() < ORDINARY);
                all.forEach(Frame::close);
            }
            List<Frame> full = allThereIs(labyrinth, Gfp.NOWAIT);
            for (Gfp gfp : high) {
                List<Frame> all = allThereIs(labyrinth, gfp);
                assertThat(all).as("%s", gfp).hasSize(RESERVE).allMatch(frame -> frame.pfn() >= ORDINARY);
                assertThat(allThereIs(labyrinth, Gfp.NOWAIT)).as("after %s", gfp).isEmpty();
                all.forEach(Frame::close);
                assertThat(allThereIs(labyrinth, Gfp.NOWAIT)).as("freed frames of the reserve stay in it").isEmpty();
            }
            assertThatThrownBy(() -> Gfp.ATOMIC.with(Gfp.NOMEMALLOC))
                    .isInstanceOf(LabyrinthException.InvalidRequest.class);
            full.forEach(Frame::close);
            labyrinth.validate();
        }
    }

    @Test
    void highTakesTheReserveLast() {
        try (Labyrinth labyrinth = open()) {
            List<Frame> all = allThereIs(labyrinth, Gfp.HIGH);
            assertThat(all).hasSize(FRAMES);
            assertThat(all.subList(0, ORDINARY)).allMatch(frame -> frame.pfn() < ORDINARY);
            assertThat(labyrinth.stats().reserveHitsApprox()).isEqualTo(RESERVE);
            all.forEach(Frame::close);
            labyrinth.validate();
        }
    }

    /** A sprint looks at 21 groups: it has to go on where the last one ended, or it would never see the rest. */
    @Test
    void aReserveLargerThanASprintIsTakenToItsLastFrame() {
        try (Labyrinth labyrinth = Labyrinth.builder("large reserve").frames(4096 + 64).reserve(4096)
                .locking(Locking.PREFERRED).open()) {
            List<Frame> ordinary = allThereIs(labyrinth, Gfp.NOWAIT);
            List<Frame> reserve = allThereIs(labyrinth, Gfp.ATOMIC);
            assertThat(reserve).hasSize(4096);
            for (int free : new int[] {4095, 0, 2000, 1}) {
                reserve.get(free).close();
                Frame found = null;
                for (int sprints = 0; found == null && sprints < 16; sprints++) {
                    found = labyrinth.allocPage(Gfp.ATOMIC.with(Gfp.NOWARN));
                }
                assertThat(found).as("%d", free).isNotNull();
                reserve.set(free, found);
            }
            reserve.forEach(Frame::close);
            ordinary.forEach(Frame::close);
            labyrinth.validate();
        }
    }

    @Test
    void noRunCrossesIntoTheReserve() {
        try (Labyrinth labyrinth = open()) {
            // 324 to 327 would be a run of order 2 that begins at the reserve's first frame; 320 to 327 would cross.
            List<Frame> runs = new ArrayList<>();
            for (Frame run = labyrinth.allocPages(Gfp.HIGH, 3); run != null; run = labyrinth.allocPages(Gfp.HIGH, 3)) {
                runs.add(run);
            }
            assertThat(runs).hasSize(ORDINARY / 8 + (FRAMES / 8 - (ORDINARY + 7) / 8))
                    .allMatch(run -> run.pfn() + 8 <= ORDINARY || run.pfn() >= ORDINARY);
            runs.forEach(Frame::close);
            labyrinth.validate();
        }
    }

    @Test
    void ordinaryRequestersNeverGetTheReserveInARace() {
        try (Labyrinth labyrinth = open()) {
            Race.Actor ordinary = round -> churn(labyrinth, round, false);
            Race.Actor high = round -> churn(labyrinth, ~round, true);
            Race.run(60, round -> {
                labyrinth.validate();
                assertThat(labyrinth.stats().claimed()).isZero();
            }, ordinary, ordinary, high, high);
            labyrinth.validate();
        }
        Verify.held("The reserve is exact: ordinary requests never touch it, under any race.", "ReserveTest",
                "60 rounds, 2 threads against 2, 2,000 requests each");
    }

    /** Takes what it can get, gives some of it back, and again; all of it at the end. */
    private static void churn(Labyrinth labyrinth, int seed, boolean high) {
        SplittableRandom random = new SplittableRandom(seed * 31L + Thread.currentThread().threadId());
        Gfp[] gfps = high ? new Gfp[] {Gfp.HIGH, Gfp.ATOMIC_EXCLUSIVE}
                : new Gfp[] {Gfp.NOWAIT, Gfp.NOMEMALLOC, Gfp.EXCLUSIVE};
        List<Frame> held = new ArrayList<>();
        for (int i = 0; i < 2_000; i++) {
            Frame frame = labyrinth.allocPages(gfps[random.nextInt(gfps.length)], random.nextInt(20) == 0 ? 2 : 0);
            if (frame != null) {
                assertThat(high || frame.pfn() + (1 << frame.order()) <= ORDINARY).as("%s", frame).isTrue();
                held.add(frame);
            } else {
                for (int back = held.size() / 4; back > 0; back--) {
                    held.remove(random.nextInt(held.size())).close();
                }
            }
        }
        held.forEach(Frame::close);
    }

    @Test
    void highGetsExactlyTheReserveWhileOthersTakeAllElse() {
        try (Labyrinth labyrinth = open()) {
            List<List<Frame>> ordinary = List.of(new ArrayList<>(), new ArrayList<>());
            List<List<Frame>> high = List.of(new ArrayList<>(), new ArrayList<>());
            Race.Actor[] actors = new Race.Actor[4];
            for (int i = 0; i < 2; i++) {
                List<Frame> ordinaryHeld = ordinary.get(i);
                List<Frame> highHeld = high.get(i);
                actors[i] = round -> ordinaryHeld.addAll(allThereIs(labyrinth, Gfp.NOWAIT));
                actors[2 + i] = round -> highHeld.addAll(allThereIs(labyrinth, Gfp.HIGH));
            }
            Race.run(100, round -> {
                labyrinth.validate();
                assertThat(labyrinth.stats().free() + labyrinth.stats().reserveFree()).isZero();
                List<Frame> reserve = new ArrayList<>();
                high.forEach(held -> held.stream().filter(frame -> frame.pfn() >= ORDINARY).forEach(reserve::add));
                assertThat(reserve).hasSize(RESERVE);
                for (List<Frame> held : ordinary) {
                    assertThat(held).allMatch(frame -> frame.pfn() < ORDINARY);
                    held.forEach(Frame::close);
                    held.clear();
                }
                for (List<Frame> held : high) {
                    held.forEach(Frame::close);
                    held.clear();
                }
            }, actors);
            labyrinth.validate();
        }
    }
}
