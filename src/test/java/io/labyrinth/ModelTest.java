package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A labyrinth against a set of bits: the same questions, and for a lone caller the same answers. */
class ModelTest {

    private static final Gfp[] REQUESTS = {Gfp.NOWAIT, Gfp.NOWAIT.with(Gfp.EXCLUSIVE), Gfp.NOMEMALLOC.with(Gfp.ZERO),
            Gfp.HIGH, Gfp.HIGH.with(Gfp.EXCLUSIVE), Gfp.ATOMIC, Gfp.ATOMIC_EXCLUSIVE, Gfp.ATOMIC.with(Gfp.NOWARN)};

    /** Up to here a sprint's four groups are all there are, so that its null means what NOWAIT's does. */
    private static final int WITHIN_A_SPRINT = 192;

    private final SplittableRandom random = new SplittableRandom(42);
    private final List<Frame> held = new ArrayList<>();
    private Labyrinth labyrinth;
    private BitSet free;
    private int frames;
    private int ordinary;
    private int refused;
    private int reserveHits;
    private long livesEnded;

    @ParameterizedTest
    @CsvSource({"1, 0", "2, 1", "7, 0", "7, 3", "63, 0", "64, 0", "64, 1", "65, 0", "65, 64", "190, 63", "511, 0",
        "511, 100", "1041, 0", "1041, 17", "3000, 1000", "20000, 0", "20000, 777"})
    void answersAsTheModelDoes(int frames, int reserve) {
        this.frames = frames;
        this.ordinary = frames - reserve;
        this.free = new BitSet(frames);
        free.set(0, frames);
        // Small labyrinths get many short histories, large ones a few long ones.
        int seeds = frames > 10_000 ? 3 : 12;
        int operations = Math.clamp(frames * 4L, 500, 20_000);
        try (Labyrinth opened = Labyrinth.builder("model").frames(frames).reserve(reserve).locking(Locking.NONE)
                .open()) {
            labyrinth = opened;
            for (int seed = 0; seed < seeds; seed++) {
                history(operations);
                everythingFreeCanBeHadAgainInTheLargestRuns();
            }
            labyrinth.validate();
        }
    }

    private void history(int operations) {
        int largest = random.nextInt(PageWord.MAX_ORDER + 1);
        for (int i = 0; i < operations; i++) {
            // Phases of growing and of shrinking, so that the labyrinth is full at times and nearly empty at others.
            boolean grow = random.nextInt(100) < (i / 300 % 2 == 0 ? 75 : 30);
            if (grow || held.isEmpty()) {
                allocate(REQUESTS[random.nextInt(REQUESTS.length)], random.nextInt(largest + 1));
            } else {
                giveUp(held.size() > 1 && random.nextBoolean() ? held.size() - 1 : random.nextInt(held.size()));
            }
            if (i % (operations / 10) == 0) {
                compare();
            }
        }
        compare();
        while (!held.isEmpty()) {
            giveUp(random.nextInt(held.size()));
        }
        compare();
    }

    private void allocate(Gfp gfp, int order) {
        Frame frame = labyrinth.allocPages(gfp, order);
        boolean high = Gfp.mayUseReserve(gfp.bits());
        boolean fits = exists(order, 0, ordinary) || high && exists(order, ordinary, frames);
        if (frame == null) {
            refused++;
            if (!Gfp.isSprint(gfp.bits()) || frames <= WITHIN_A_SPRINT) {
                assertThat(fits).as("%s order=%s got null", gfp, order).isFalse();
            }
            return;
        }
        int pfn = frame.pfn();
        int end = pfn + (1 << order);
        assertThat(pfn % (1 << order)).as("alignment of %s", frame).isZero();
        assertThat(end).isLessThanOrEqualTo(frames);
        assertThat(free.nextClearBit(pfn)).as("%s: all of it was free", frame).isGreaterThanOrEqualTo(end);
        if (pfn >= ordinary) {
            reserveHits++;
            assertThat(high).as("%s got pfn=%s of the reserve", gfp, pfn).isTrue();
            if (!Gfp.isSprint(gfp.bits())) {
                assertThat(exists(order, 0, ordinary)).as("the reserve comes last").isFalse();
            }
        } else {
            assertThat(end).as("%s ends before the reserve", frame).isLessThanOrEqualTo(ordinary);
        }
        assertThat(frame.byteSize()).isEqualTo(labyrinth.frameSize() << order);
        free.clear(pfn, end);
        held.add(frame);
    }

    private boolean exists(int order, int from, int to) {
        int size = 1 << order;
        int pfn = from;
        while (true) {
            int next = free.nextSetBit(pfn);
            pfn = next + size - 1 & -size;
            if (next < 0 || pfn + size > to) {
                return false;
            }
            int end = free.nextClearBit(pfn);
            if (end >= pfn + size) {
                return true;
            }
            pfn = Math.max(end, pfn + 1);
        }
    }

    private void giveUp(int index) {
        Frame frame = held.get(index);
        held.set(index, held.getLast());
        held.removeLast();
        if (random.nextInt(4) == 0) {
            frame = frame.handOff().accept();
            livesEnded++;
        }
        frame.close();
        livesEnded++;
        free.set(frame.pfn(), frame.pfn() + (1 << frame.order()));
    }

    private void compare() {
        labyrinth.validate();
        LabyrinthStats stats = labyrinth.stats();
        assertThat(stats.free()).isEqualTo(free.get(0, ordinary).cardinality());
        assertThat(stats.reserveFree()).isEqualTo(free.get(ordinary, frames).cardinality());
        assertThat(stats.claimed()).isEqualTo(frames - free.cardinality());
        assertThat(stats.inTransit() + stats.quarantined()).isZero();
        assertThat(stats.livesEnded()).isEqualTo(livesEnded);
        assertThat(stats.refusedApprox()).as("exact for one thread").isEqualTo(refused);
        assertThat(stats.reserveHitsApprox()).as("exact for one thread").isEqualTo(reserveHits);
        int inRuns = 0;
        for (int order = 0; order <= PageWord.MAX_ORDER; order++) {
            inRuns += stats.freeRuns().get(order) << order;
        }
        assertThat(inRuns).isEqualTo(free.cardinality());
        String picture = labyrinth.picture();
        for (int pfn = 0; pfn < frames; pfn++) {
            if (free.get(pfn) != (picture.charAt(pfn) == (pfn < ordinary ? '.' : 'r'))) {
                assertThat(picture).as("picture at pfn=%s", pfn).isEmpty();
            }
        }
    }

    /** However much it was split: for the last caller the maze is one again. */
    private void everythingFreeCanBeHadAgainInTheLargestRuns() {
        for (int order = PageWord.MAX_ORDER; order >= 0; order--) {
            int before = held.size();
            while (exists(order, 0, ordinary)) {
                allocate(Gfp.NOWAIT, order);
            }
            allocate(Gfp.NOWAIT, order);
            int runs = order == PageWord.MAX_ORDER ? ordinary >> order : ordinary >> order & 1;
            assertThat(held.size() - before).as("runs of order=%s", order).isEqualTo(runs);
        }
        assertThat(free.get(0, ordinary).isEmpty()).isTrue();
        compare();
        while (!held.isEmpty()) {
            giveUp(random.nextInt(held.size()));
        }
        compare();
    }

    @Test
    void nullSaysNothingFitsAndOnlyThat() {
        try (Labyrinth opened = Labyrinth.builder("checkerboard").frames(256).locking(Locking.NONE).open()) {
            List<Frame> all = new ArrayList<>();
            for (int i = 0; i < 256; i++) {
                all.add(opened.allocPage(Gfp.NOWAIT));
            }
            assertThat(opened.allocPage(Gfp.NOWAIT)).isNull();
            for (Frame frame : all) {
                if (frame.pfn() % 2 == 0) {
                    frame.close();
                }
            }
            assertThat(opened.allocPages(Gfp.NOWAIT, 1)).as("128 frames are free, no two of them a run").isNull();
            Frame neighbour = all.stream().filter(frame -> frame.pfn() == 201).findFirst().orElseThrow();
            neighbour.close();
            Frame run = opened.allocPages(Gfp.NOWAIT, 1);
            assertThat(run).isNotNull();
            assertThat(run.pfn()).isEqualTo(200);
            run.close();
            all.stream().filter(frame -> frame.pfn() % 2 == 1 && frame != neighbour).forEach(Frame::close);
            opened.validate();
        }
    }
}
