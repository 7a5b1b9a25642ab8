package io.labyrinth.struck;

import io.labyrinth.FrameArena;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Slab;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.Hook;
import io.labyrinth.kit.Hooked;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A program for {@link StruckSlabsTest}. It does what {@link StruckCalls} does, for arenas and slabs: an error strikes
 * in the first call within a try block, then in the second, and so on. Each time all frames and objects must be there
 * afterwards.
 */
final class StruckArenasAndSlabs {

    private static final int FRAMES = 8;
    private static final int SIZE = 1024;
    private static final int OBJECTS = 12;
    private static final int PAGES = 3;
    /** Of {@link Slab#shrink}, in try blocks. */
    private static final int CALLS_TO_THE_SECOND_OBJECT = 8;

    private final Labyrinth labyrinth;
    private final Gfp gfp;
    private Slab slab;
    private FrameArena arena;
    /** The objects that are out. */
    private final List<Long> handles = new ArrayList<>();
    /** What a step has allocated: each stores it in its last instruction. */
    private long taken;

    private StruckArenasAndSlabs(Labyrinth labyrinth, Gfp gfp) {
        this.labyrinth = labyrinth;
        this.gfp = gfp;
        this.slab = labyrinth.slab(SIZE, OBJECTS);
        this.arena = labyrinth.arena(gfp);
    }

    public static void main(String[] args) throws InterruptedException {
        if (Hooked.runs(StruckArenasAndSlabs.class, Hooked.ARENAS_AND_SLABS)) {
            return;
        }
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        Thread.ofPlatform().start(StruckArenasAndSlabs::all).join();
        Thread.ofVirtual().start(StruckArenasAndSlabs::all).join();
        for (String place : args) {
            System.out.println((Hook.struck().contains(place) ? "struck " : "never ") + place);
        }
    }

    private static void all() {
        try (Labyrinth labyrinth = Labyrinth.builder("struck").frames(FRAMES).open()) {
            for (Gfp gfp : List.of(Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT)) {
                for (Step step : Step.values()) {
                    for (Hook.Error error : Hook.Error.values()) {
                        new StruckArenasAndSlabs(labyrinth, gfp).everyCall(step, error, false);
                    }
                    if (step == Step.CLOSE_ARENA) {    // Slabs' ends: StruckClosings
                        new StruckArenasAndSlabs(labyrinth, gfp).everyCall(step, Hook.Error.ONCE, true);
                        new StruckArenasAndSlabs(labyrinth, gfp).everyCall(step, Hook.Error.FROM_THEN_ON, true);
                    }
                }
            }
            labyrinth.validate();
        }
    }

    private void everyCall(Step step, Hook.Error error, boolean anywhere) {
        boolean struck = true;
        for (int call = 1; struck; call++) {
            step.prepare(this);
            String where = Thread.currentThread() + " " + gfp + " " + step + " error=" + error + " call=" + call;
            taken = 0;
            if (anywhere) {
                Hook.failAnywhere(call, error, false);
            } else {
                Hook.failAt(call, error);
            }
            try {
                step.take(this);
                where += " taken";
            } catch (StackOverflowError e) {
                where += " " + e.getMessage();
            }
            struck = Hook.happened();
            if (taken != 0) {
                handles.add(taken);
            }
            try {
                check();
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(where, e);
            }
        }
        slab.close();
    }

    /** Nothing is lost, and all can be had again. */
    private void check() {
        if (arena.scope().isAlive()) {
            arena.close();
        } else {
            try {
                arena.close();    // perhaps what the error left of it
            } catch (IllegalStateException e) {
                // It was closed.
            }
        }
        arena = labyrinth.arena(gfp);
        slab.validate();
        require(slab.out() == handles.size(), "objects out=" + slab.out() + " known=" + handles.size());
        try {
            slab.free(slab.alloc(gfp));
        } catch (LabyrinthException.Closed e) {
            slab = labyrinth.slab(SIZE, OBJECTS);
        }
        Set<Long> addresses = new HashSet<>();
        for (long handle : handles) {
            addresses.add(slab.address(handle));
        }
        long handle;
        while ((handle = slab.alloc(gfp)) != 0) {
            handles.add(handle);
            require(addresses.add(slab.address(handle)), "two objects in one place");
            slab.putLong(handle, SIZE - Long.BYTES, handle);
        }
        require(handles.size() == OBJECTS, "objects=" + handles.size());
        slab.validate();
        handles.forEach(slab::free);
        handles.clear();
        require(slab.shrink() == PAGES && slab.frames() == 0, "frames stayed=" + slab.frames());
        slab.validate();
        labyrinth.validate();
        require(labyrinth.stats().free() == FRAMES, "frames lost: " + labyrinth.picture());
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    /** Objects that are out, and of them the last on its page, if there is only one. */
    private void takeObjects(int taken, int freed) {
        for (int i = 0; i < taken; i++) {
            handles.add(slab.alloc(gfp));
        }
        handles.sort(Comparator.comparingInt(PageWord::pfn));
        for (int i = 0; i < freed; i++) {
            slab.free(handles.removeFirst());
        }
    }

    /** One of the only page's four objects is quarantined when an error strikes. */
    private void tear() {
        slab.free(slab.alloc(gfp));
        Hook.failAt(CALLS_TO_THE_SECOND_OBJECT, Hook.Error.ONCE);
        try {
            slab.shrink();
        } catch (StackOverflowError e) {
            // Torn.
        }
        require(Hook.happened(), "nothing was torn");
    }

    private enum Step {
        ALLOCATE_FROM_ARENA {
            @Override
            void take(StruckArenasAndSlabs on) {
                on.arena.allocate(5000);
            }
        },
        ALLOCATE_FROM_THE_SAME_RUN {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.arena.allocate(8);
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.arena.unzeroed().allocate(8);
            }
        },
        CLOSE_ARENA {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.arena.allocate(4096);
                on.arena.allocate(8192);
                on.arena.allocate(4096);
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.arena.close();
            }
        },
        GROW_SLAB {
            @Override
            void take(StruckArenasAndSlabs on) {
                on.taken = on.slab.alloc(on.gfp);
            }
        },
        GROW_SLAB_ZEROED {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.takeObjects(4, 0);
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.taken = on.slab.alloc(on.gfp.with(Gfp.ZERO));
            }
        },
        /** One of two frames goes back: no object of it is out. */
        SHRINK_SLAB {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.takeObjects(5, 4);
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.slab.shrink();
            }
        },
        /** The last object of the only frame is out. */
        SHRINK_IN_VAIN {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.takeObjects(4, 3);
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.slab.shrink();
            }
        },
        /** Whose other objects are out. */
        GROW_BESIDE_A_TORN_PAGE {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.tear();
                on.takeObjects(3, 0);
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.taken = on.slab.alloc(on.gfp);
            }
        },
        SHRINK_A_TORN_PAGE {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.tear();
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.slab.shrink();
            }
        },
        CLOSE_SLAB {
            @Override
            void prepare(StruckArenasAndSlabs on) {
                on.takeObjects(5, 5);
            }

            @Override
            void take(StruckArenasAndSlabs on) {
                on.slab.close();
            }
        };

        void prepare(StruckArenasAndSlabs on) {
        }

        abstract void take(StruckArenasAndSlabs on);
    }
}
