package io.labyrinth.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.labyrinth.internal.pagemap.PageWord;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A labyrinth against a set of bits. Both get the same requests, and for a lone caller both must give the same answers.
 */
class ModelTest {

    private static final Gfp[] REQUESTS = {Gfp.NOWAIT, Gfp.NOWAIT.with(Gfp.EXCLUSIVE), Gfp.NOMEMALLOC.with(Gfp.ZERO),
            Gfp.HIGH, Gfp.HIGH.with(Gfp.EXCLUSIVE), Gfp.ATOMIC, Gfp.ATOMIC_EXCLUSIVE, Gfp.ATOMIC.with(Gfp.NOWARN)};

    private final SplittableRandom random = new SplittableRandom(42);
    private final List<Frame> held = new ArrayList<>();
    private Labyrinth labyrinth;
    private Model model;

    @ParameterizedTest
    @CsvSource({"1, 0", "2, 1", "7, 0", "7, 3", "63, 0", "64, 0", "64, 1", "65, 0", "65, 64", "190, 63", "511, 0",
        "511, 100", "1041, 0", "1041, 17", "3000, 1000", "20000, 0", "20000, 777"})
    void answersAsTheModelDoes(int frames, int reserve) {
        model = new Model(frames, reserve);
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
                model.compare(labyrinth);
            }
        }
        model.compare(labyrinth);
        while (!held.isEmpty()) {
            giveUp(random.nextInt(held.size()));
        }
        model.compare(labyrinth);
    }

    private void allocate(Gfp gfp, int order) {
        Frame frame = labyrinth.allocPages(gfp, order);
        model.answered(gfp, order, frame == null ? -1 : frame.pfn());
        if (frame != null) {
            assertThat(frame.byteSize()).isEqualTo(labyrinth.frameSize() << order);
            held.add(frame);
        }
    }

    private void giveUp(int index) {
        Frame frame = held.get(index);
        held.set(index, held.getLast());
        held.removeLast();
        if (random.nextInt(4) == 0) {
            frame = frame.handOff().accept();
            model.livesEnded++;
        }
        frame.close();
        model.freed(frame.pfn(), frame.order());
    }

    /** However much it was split: for the last caller the maze is one again. */
    private void everythingFreeCanBeHadAgainInTheLargestRuns() {
        for (int order = PageWord.MAX_ORDER; order >= 0; order--) {
            int before = held.size();
            while (model.exists(order, 0, model.ordinary)) {
                allocate(Gfp.NOWAIT, order);
            }
            allocate(Gfp.NOWAIT, order);
            int runs = order == PageWord.MAX_ORDER ? model.ordinary >> order : model.ordinary >> order & 1;
            assertThat(held.size() - before).as("runs of order=%s", order).isEqualTo(runs);
        }
        assertThat(model.free.get(0, model.ordinary).isEmpty()).isTrue();
        model.compare(labyrinth);
        while (!held.isEmpty()) {
            giveUp(random.nextInt(held.size()));
        }
        model.compare(labyrinth);
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
