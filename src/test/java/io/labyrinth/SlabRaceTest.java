package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.kit.Race;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A slab takes and returns frames while threads use it, and while the stack ends anywhere. */
class SlabRaceTest {

    private static final Gfp ANY = Gfp.NOWAIT.with(Gfp.NOWARN);
    private static final Gfp MINE = ANY.with(Gfp.EXCLUSIVE);
    private static final int FRAMES = 12;

    private Labyrinth labyrinth;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("slabs").frames(FRAMES).open();
    }

    @AfterEach
    void everythingIsBack() {
        labyrinth.validate();
        assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
        labyrinth.close();
    }

    /** Stamps objects with their handle, reads the stamps back, frees: another owner would have left another stamp. */
    private static Race.Actor user(Slab slab, Gfp gfp, int many) {
        return round -> {
            long[] taken = new long[many];
            for (int i = 0; i < many; i++) {
                taken[i] = slab.alloc(gfp);
                if (taken[i] != 0) {
                    slab.putLong(taken[i], 0, taken[i]);
                    slab.putLong(taken[i], slab.objectBytes() - 8, ~taken[i]);
                }
            }
            for (long handle : taken) {
                if (handle != 0) {
                    assertThat(slab.getLong(handle, 0)).isEqualTo(handle);
                    assertThat(slab.getLong(handle, slab.objectBytes() - 8)).isEqualTo(~handle);
                    slab.free(handle);
                }
            }
        };
    }

    /** Beside whole frames, whose owner would see an object that stands on a frame of his. */
    private Race.Actor frameUser() {
        return round -> {
            for (int i = 0; i < 3; i++) {
                try (Frame frame = labyrinth.allocPage(MINE)) {
                    if (frame != null) {
                        frame.segment().fill((byte) (round + 1));
                        assertThat(frame.segment().toArray(ValueLayout.JAVA_BYTE))
                                .containsOnly((byte) (round + 1));
                    }
                }
            }
        };
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 1024, 2048})
    void framesThatComeAndGoCarryNobodysObject(int size) {
        Slab slab = labyrinth.slab(size);
        Race.run(200, round -> {
            slab.validate();
            assertThat(slab.out()).isZero();
            assertThat(labyrinth.stats().claimed()).isEqualTo(slab.frames());
        }, user(slab, MINE, 9), user(slab, ANY, 7), round -> slab.shrink(), frameUser());
        slab.close();
    }

    @Test
    void aSlabThatClosesUnderItsUsersGivesEverythingBack() {
        AtomicReference<Slab> slab = new AtomicReference<>(labyrinth.slab(1024));
        AtomicInteger closed = new AtomicInteger();
        Race.Actor user = round -> {
            try {
                user(slab.get(), round % 2 == 0 ? MINE : ANY, 3).act(round);
            } catch (LabyrinthException.Closed e) {
                // It was, before this thread had anything of it.
            }
        };
        Race.run(200, round -> {
            slab.get().close();
            assertThat(labyrinth.stats().claimed()).as("round %s", round).isZero();
            slab.set(labyrinth.slab(1024));
        }, user, user, round -> {
            try {
                slab.get().close();
                closed.getAndIncrement();
            } catch (LabyrinthException.FramesOut e) {
                // Somebody has something of it.
            }
        });
        assertThat(closed.get()).isPositive();
        slab.get().close();
    }

    // ------------------------------------------------------------------------------------------- errors

    private int level;
    private int overflows;

    /** Down to the end of the stack, and the step at each of the lowest levels on the way up. */
    private void dive(LongConsumer step) {
        try {
            dive(step);
        } catch (StackOverflowError e) {
            level = 0;
        }
        if (level++ < 400) {
            try {
                step.accept(level);
            } catch (StackOverflowError e) {
                overflows++;
            }
        }
    }

    private void atEachDepth(LongConsumer step) {
        for (int i = 0; i < 500; i++) {
            step.accept(i);
        }
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        for (int round = 0; round < 5; round++) {
            Thread deep = new Thread(null, () -> dive(step), "deep", 256 << 10);
            deep.setUncaughtExceptionHandler((thread, e) -> thrown.set(e));
            deep.start();
            Race.join(deep);
        }
        assertThat(thrown.get()).isNull();
        assertThat(overflows).isPositive();
    }

    @Test
    void noObjectAndNoFrameIsLostByAStackOverflow() {
        Slab slab = labyrinth.slab(1024);
        List<Long> unsure = new ArrayList<>(100_000);
        atEachDepth(turn -> {
            long handle = slab.alloc(ANY.with(turn % 2 == 0 ? Gfp.ZERO : ANY));
            boolean freed = false;
            try {
                slab.free(handle);
                freed = true;
            } finally {
                if (!freed) {
                    unsure.add(handle);
                }
            }
            slab.shrink();
        });
        for (long handle : unsure) {
            try {
                slab.free(handle);
            } catch (LabyrinthException.Stale e) {
                // It was freed.
            }
        }
        assertThat(slab.out()).isZero();
        slab.shrink();
        slab.validate();
        slab.close();
        assertThat(labyrinth.stats().claimed()).isZero();
    }

    @Test
    void noRunOfAnArenaIsLostByAStackOverflow() {
        atEachDepth(turn -> {
            FrameArena arena = labyrinth.arena(MINE);
            arena.allocate(100);
            arena.allocate(5000);
            arena.close();
        });
        labyrinth.sweepDeadOwners();    // what it left open
        assertThat(labyrinth.stats().claimed()).isZero();
    }
}
