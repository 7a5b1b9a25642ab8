package io.labyrinth.frozen;

import io.labyrinth.FrameArena;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.kit.Hook;
import io.labyrinth.kit.Hooked;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A program for {@link FrozenThreadTest}. A thread allocates from an arena, or closes it, and stops before the first
 * call that the arena makes. In the next round it stops before the second one, and so on. Each time another thread
 * allocates from the same arena or closes it meanwhile. Afterwards no two segments overlap, and all frames are back.
 */
final class FrozenArena {

    private static final int FRAMES = 64;

    /** What each of the two may do. */
    private enum Deed {
        /** From the run that is there. */
        ALLOCATE_LITTLE {
            @Override
            void on(FrozenArena arena) {
                arena.take(64);
            }
        },
        /** From a new one. */
        ALLOCATE_MUCH {
            @Override
            void on(FrozenArena arena) {
                arena.take(3 * 4096);
            }
        },
        CLOSE {
            @Override
            void on(FrozenArena arena) {
                arena.arena.close();
            }
        };

        abstract void on(FrozenArena arena);
    }

    private final FrameArena arena;
    private final List<MemorySegment> segments = new ArrayList<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private boolean stopped;

    private FrozenArena(Labyrinth labyrinth) {
        this.arena = labyrinth.arena(Gfp.NOWAIT);
        take(64);
    }

    public static void main(String[] args) throws InterruptedException {
        if (Hooked.runs(FrozenArena.class, Hooked.ARENAS_AND_SLABS)) {
            return;
        }
        try (Labyrinth labyrinth = Labyrinth.builder("frozen").frames(FRAMES).open()) {
            for (Deed frozen : Deed.values()) {
                for (Deed others : Deed.values()) {
                    int stops = 0;
                    boolean stopped = true;
                    while (stopped) {
                        stopped = new FrozenArena(labyrinth).stops(labyrinth, frozen, others, ++stops);
                    }
                    System.out.println(frozen + " " + others + " stops=" + (stops - 1));
                }
            }
            labyrinth.validate();
        }
    }

    private boolean stops(Labyrinth labyrinth, Deed frozen, Deed others, int call) throws InterruptedException {
        Hook.prepareToStop();
        Thread thread = Thread.ofPlatform().start(() -> {
            Hook.stopAt(call);
            try {
                attempt(frozen);
            } finally {
                stopped = Hook.happened();
                Hook.stopped();
            }
        });
        Hook.awaitStopped();
        if (thread.isAlive()) {
            attempt(others);
        }
        Hook.letGo();
        thread.join();
        if (arena.scope().isAlive()) {
            arena.close();
        }
        String where = frozen + " at call=" + call + " while " + others + ": ";
        if (failure.get() != null) {
            throw new AssertionError(where, failure.get());
        }
        segments.sort(Comparator.comparingLong(MemorySegment::address));
        for (int i = 1; i < segments.size(); i++) {
            MemorySegment before = segments.get(i - 1);
            if (before.address() + before.byteSize() > segments.get(i).address()) {
                throw new AssertionError(where + before + " overlaps " + segments.get(i));
            }
        }
        labyrinth.validate();
        if (labyrinth.stats().free() != FRAMES) {
            throw new AssertionError(where + "lost: " + labyrinth.picture());
        }
        return stopped;
    }

    /** By a thread that may find the arena closed, if somebody could have closed it, and nothing else. */
    private void attempt(Deed deed) {
        try {
            deed.on(this);
        } catch (IllegalStateException e) {
            if (arena.scope().isAlive()) {
                failure.set(e);
            }
        } catch (RuntimeException | Error e) {
            failure.set(e);
        }
    }

    private void take(long size) {
        MemorySegment segment = arena.allocate(size, 16);
        synchronized (segments) {
            segments.add(segment);
        }
    }
}
