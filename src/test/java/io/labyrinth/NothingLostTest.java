package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** No frame is lost to an error that strikes between a claim and its return; the errors strike in children. */
class NothingLostTest {

    private static final Gfp MINE = Gfp.ATOMIC_EXCLUSIVE;

    /** Interpreted, every call needs stack of its own; compiled, a pair is one method. Both must hold. */
    @ParameterizedTest
    @ValueSource(strings = {"-Xint", "-XX:+TieredCompilation"})
    void notByAStackOverflowAtAnyDepth(String mode) {
        ChildJvm.Result child = ChildJvm.of(DeepStack.class).jvm("-Xss256k", "-Xmx64m", "-XX:MaxJavaStackTraceDepth=8", mode).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out().lines()).hasSize(2 * 2 * Step.values().length).allSatisfy(line ->
                assertThat(Integer.parseInt(line.replaceAll(".* overflows=(\\d+) .*", "$1"))).as(line).isPositive());
    }

    /** The heap is filled but for some random kilobytes, so that the error strikes anywhere in a turn's allocations. */
    @Test
    void notByAnOutOfMemoryErrorAnywhere() {
        ChildJvm.Result child = ChildJvm.of(FullHeap.class).jvm("-Xmx8m", "-Xms8m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(Integer.parseInt(child.out().replaceAll("\\D", ""))).isGreaterThan(30);
    }

    /** Without a collector, a full heap stays full: 100,000 refusals take no time. Heap-free itself, it tells by its exit. */
    @Test
    void notBy100000OutOfMemoryErrors() {
        ChildJvm.Result child = ChildJvm.of(NoHeap.class).jvm("-XX:-UseSerialGC", "-XX:+UnlockExperimentalVMOptions",
                "-XX:+UseEpsilonGC", "-XX:-ExitOnOutOfMemoryError", "-Xmx32m", "-Xms32m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isEqualTo(NoHeap.NOTHING_LOST);
    }

    @Test
    void norAnInterrupt() throws InterruptedException {
        Thread interrupted = Thread.ofPlatform().start(() -> {
            Thread.currentThread().interrupt();
            // More than 32 MiB: opening waits for the threads that fault in.
            try (Labyrinth labyrinth = Labyrinth.builder("interrupted").frames(20_000).locking(Locking.NONE).open()) {
                for (int i = 0; i < 1000; i++) {
                    Frame frame = labyrinth.allocPages(MINE, i % 4);
                    frame.segment().set(ValueLayout.JAVA_INT, 0, i);
                    frame.handOff().accept().close();
                    labyrinth.handles().free(labyrinth.handles().alloc(Gfp.NOWAIT.with(Gfp.ZERO), i % 4));
                }
                labyrinth.sweepDeadOwners();
                assertThat(labyrinth.stats().free()).isEqualTo(20_000);
                labyrinth.validate();
            }
            if (!Thread.currentThread().isInterrupted()) {
                throw new AssertionError("the interrupt was lost");
            }
        });
        List<Throwable> thrown = new ArrayList<>();
        interrupted.setUncaughtExceptionHandler((thread, e) -> thrown.add(e));
        interrupted.join();
        assertThat(thrown).isEmpty();
    }

    // ------------------------------------------------------------------------------------------- stack

    /** What is held, by name; each step changes it in its last instruction. */
    private static final class Held {
        private final Labyrinth labyrinth;
        private final Handles handles;
        private final Gfp gfp;
        private final long[] others = new long[64];
        private long handle;
        private long rawTicket;
        private Frame frame;
        private Ticket ticket;

        Held(Labyrinth labyrinth, Gfp gfp) {
            this.labyrinth = labyrinth;
            this.handles = labyrinth.handles();
            this.gfp = gfp;
        }

        void takeAll(Gfp how) {
            for (int i = 0; i < others.length; i++) {
                others[i] = handles.alloc(how.with(Gfp.NOWARN), 0);
            }
        }

        /** The way of a user who knows what it has: none of this may fail, but for a free that had happened. */
        void giveAllUp(boolean freedPerhaps) {
            for (int i = 0; i < others.length; i++) {
                if (others[i] != 0) {
                    handles.free(others[i]);
                    others[i] = 0;
                }
            }
            if (rawTicket != 0) {
                handle = handles.accept(rawTicket);
            }
            if (ticket != null) {
                frame = ticket.accept();
            }
            try {
                if (handle != 0) {
                    handles.free(handle);
                }
                if (frame != null) {
                    frame.close();
                }
            } catch (LabyrinthException.Stale e) {
                if (!freedPerhaps) {
                    throw e;
                }
            }
            handle = 0;
            rawTicket = 0;
            frame = null;
            ticket = null;
        }
    }

    /** Each step of the two faces: what is there before, and the step. */
    private enum Step {
        ALLOC_BY_HINT {
            @Override
            void prepare(Held held) {
                held.handles.free(held.handles.alloc(held.gfp, 0));
            }

            @Override
            void take(Held held) {
                held.handle = held.handles.alloc(held.gfp, 0);
            }
        },
        ALLOC_BY_SPLIT {
            @Override
            void prepare(Held held) {
                held.handles.free(held.handles.alloc(Gfp.NOWAIT, 5));
            }

            @Override
            void take(Held held) {
                held.handle = held.handles.alloc(held.gfp, 0);
            }
        },
        ALLOC_BY_JOIN {
            @Override
            void prepare(Held held) {
                held.takeAll(Gfp.NOWAIT);
                held.giveAllUp(false);
            }

            @Override
            void take(Held held) {
                held.handle = held.handles.alloc(held.gfp, 4);
            }
        },
        ALLOC_FROM_RESERVE {
            @Override
            void prepare(Held held) {
                held.takeAll(Gfp.NOWAIT);
            }

            @Override
            void take(Held held) {
                held.handle = held.handles.alloc(held.gfp.with(Gfp.HIGH), 0);
            }
        },
        ALLOC_ZEROED {
            @Override
            void take(Held held) {
                held.handle = held.handles.alloc(held.gfp.with(Gfp.ZERO), 2);
            }
        },
        ALLOC_FRAME {
            @Override
            void take(Held held) {
                held.frame = held.labyrinth.allocPages(held.gfp, 1);
            }
        },
        FREE {
            @Override
            void prepare(Held held) {
                held.handle = held.handles.alloc(held.gfp, 1);
            }

            @Override
            void take(Held held) {
                held.handles.free(held.handle);
                held.handle = 0;
            }
        },
        /** Where all is out and known to be: the free must be found again although nothing has advised it. */
        FREE_THE_ONLY_ONE {
            @Override
            void prepare(Held held) {
                held.handle = held.handles.alloc(held.gfp, 0);
                held.takeAll(Gfp.HIGH);
            }

            @Override
            void take(Held held) {
                held.handles.free(held.handle);
                held.handle = 0;
            }
        },
        CLOSE_FRAME {
            @Override
            void prepare(Held held) {
                held.frame = held.labyrinth.allocPages(held.gfp, 1);
                held.frame.segment().set(ValueLayout.JAVA_INT, 0, 42);
            }

            @Override
            void take(Held held) {
                held.frame.close();
                held.frame = null;
            }
        },
        SEGMENT_OF_FRAME {
            @Override
            void prepare(Held held) {
                held.frame = held.labyrinth.allocPages(held.gfp, 1);
            }

            @Override
            void take(Held held) {
                held.frame.segment();
            }
        },
        HAND_OFF {
            @Override
            void prepare(Held held) {
                held.handle = held.handles.alloc(held.gfp, 1);
            }

            @Override
            void take(Held held) {
                held.rawTicket = held.handles.handOff(held.handle);
                held.handle = 0;
            }
        },
        HAND_OFF_FRAME {
            @Override
            void prepare(Held held) {
                held.frame = held.labyrinth.allocPages(held.gfp, 1);
                held.frame.segment().set(ValueLayout.JAVA_INT, 0, 42);
            }

            @Override
            void take(Held held) {
                held.ticket = held.frame.handOff();
                held.frame = null;
            }
        },
        ACCEPT {
            @Override
            void prepare(Held held) {
                held.rawTicket = held.handles.handOff(held.handles.alloc(held.gfp, 1));
            }

            @Override
            void take(Held held) {
                held.handle = held.handles.accept(held.rawTicket);
                held.rawTicket = 0;
            }
        },
        ACCEPT_FRAME {
            @Override
            void prepare(Held held) {
                held.ticket = held.labyrinth.allocPages(held.gfp, 1).handOff();
            }

            @Override
            void take(Held held) {
                held.frame = held.ticket.accept();
                held.ticket = null;
            }
        };

        void prepare(Held held) {
        }

        abstract void take(Held held);

        boolean mayHaveFreed() {
            return this == FREE || this == FREE_THE_ONLY_ONE || this == CLOSE_FRAME;
        }
    }

    /** Takes each step at each depth of the stack, from where it cannot even begin to where it always succeeds. */
    static final class DeepStack {

        private static final int ENOUGH_SUCCESSES = 20;

        private final Held held;
        private final Step step;
        private int target;
        private int level;
        private boolean taken;

        private DeepStack(Held held, Step step) {
            this.held = held;
            this.step = step;
        }

        public static void main(String[] args) throws InterruptedException {
            Thread.setDefaultUncaughtExceptionHandler((thread, e) -> {
                e.printStackTrace();
                Runtime.getRuntime().halt(1);
            });
            Thread.ofPlatform().start(DeepStack::all).join();
            Thread.ofVirtual().start(DeepStack::all).join();
        }

        private static void all() {
            try (Labyrinth labyrinth = Labyrinth.builder("deep").frames(64).reserve(8).open()) {
                for (Gfp gfp : List.of(MINE, Gfp.NOWAIT)) {
                    for (Step step : Step.values()) {
                        new DeepStack(new Held(labyrinth, gfp), step).everyDepth();
                    }
                }
                labyrinth.validate();
            }
        }

        private void everyDepth() {
            boolean interpreted = System.getProperty("java.vm.info").contains("interpreted");
            for (int i = 0; i < (interpreted ? 1 : 3000); i++) {
                step.prepare(held);
                step.take(held);
                held.giveAllUp(false);
            }
            int successes = 0;
            int overflows = 0;
            for (target = 0; successes < ENOUGH_SUCCESSES; target++) {
                step.prepare(held);
                level = 0;
                taken = false;
                dive();
                successes = taken ? successes + 1 : 0;
                overflows += taken ? 0 : 1;
                check();
            }
            System.out.println(Thread.currentThread() + " " + step + " overflows=" + overflows + " depths=" + target);
        }

        /** Down to the end of the stack, and the step at the {@link #target}th level on the way up. */
        private boolean dive() {
            boolean over;
            try {
                over = dive();
            } catch (StackOverflowError e) {
                over = false;
            }
            if (!over && level++ == target) {
                step.take(held);
                taken = true;
                over = true;
            }
            return over;
        }

        private void check() {
            try {
                held.labyrinth.validate();
                held.giveAllUp(!taken && step.mayHaveFreed());
                held.labyrinth.validate();
                LabyrinthStats stats = held.labyrinth.stats();
                if (stats.free() + stats.reserveFree() != 64) {
                    throw new AssertionError("lost: " + stats);
                }
                held.takeAll(Gfp.HIGH);
                for (long handle : held.others) {
                    if (handle == 0) {
                        throw new AssertionError("free and never found: " + held.labyrinth.picture());
                    }
                }
                held.giveAllUp(false);
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(Thread.currentThread() + " " + held.gfp + " " + step + " level=" + target + " taken="
                        + taken + " " + held.labyrinth.picture(), e);
            }
        }
    }

    // ------------------------------------------------------------------------------------------- heap

    /** Everything that the heap has; in coarse steps, as each ends with collections. */
    private static Object[] fillTheHeap(int largest) {
        Object[] all = null;
        for (int size = largest; size > 0; size /= 64) {
            try {
                while (true) {
                    all = new Object[] {all, new long[size]};
                }
            } catch (OutOfMemoryError e) {
                // On with the smaller ones.
            }
        }
        return all;
    }

    /** Turns of allocations in a heap with some kilobytes to spare; what had no error is held and given up. */
    static final class FullHeap {

        private static final int FRAMES = 256;

        public static void main(String[] args) {
            SplittableRandom random = new SplittableRandom(42);
            int errors = 0;
            try (Labyrinth labyrinth = Labyrinth.builder("full").frames(FRAMES).reserve(16).open()) {
                Frame[] frames = new Frame[64];
                Ticket[] tickets = new Ticket[64];
                long[] raw = new long[64];
                take(labyrinth, 0, frames, tickets, raw);
                giveUp(labyrinth, frames, tickets, raw);
                byte[] room = new byte[1 << 18];
                Object[] hog = fillTheHeap(1 << 17);
                for (int turn = 0; turn < 80; turn++) {
                    room = null;
                    byte[] spare = new byte[random.nextInt(10_000)];
                    Object[] rest = fillTheHeap(1 << 13);
                    spare = null;
                    try {
                        for (int i = 0; i < frames.length; i++) {
                            take(labyrinth, i, frames, tickets, raw);
                        }
                    } catch (OutOfMemoryError e) {
                        errors++;
                    }
                    rest = null;
                    giveUp(labyrinth, frames, tickets, raw);
                    labyrinth.validate();
                    if (labyrinth.stats().free() + labyrinth.stats().reserveFree() != FRAMES) {
                        throw new AssertionError("turn=" + turn + " lost: " + labyrinth.stats());
                    }
                }
                System.out.println("errors=" + errors + (hog == null ? " nothing filled" : ""));
            }
        }

        private static void take(Labyrinth labyrinth, int i, Frame[] frames, Ticket[] tickets, long[] raw) {
            frames[i] = labyrinth.allocPages(i % 2 == 0 ? MINE : Gfp.NOWAIT.with(Gfp.ZERO), i % 3 / 2);
            frames[i].segment().set(ValueLayout.JAVA_INT, 0, i);
            tickets[i] = frames[i].handOff();
            frames[i] = null;
            frames[i] = tickets[i].accept();
            tickets[i] = null;
            frames[i].segment().set(ValueLayout.JAVA_INT, 0, i);
            raw[i] = labyrinth.handles().alloc(Gfp.ATOMIC.with(Gfp.ZERO), 0);
        }

        private static void giveUp(Labyrinth labyrinth, Frame[] frames, Ticket[] tickets, long[] raw) {
            for (int i = 0; i < frames.length; i++) {
                if (tickets[i] != null) {
                    frames[i] = tickets[i].accept();
                }
                if (frames[i] != null) {
                    frames[i].close();
                }
                if (raw[i] != 0) {
                    labyrinth.handles().free(raw[i]);
                }
                tickets[i] = null;
                frames[i] = null;
                raw[i] = 0;
            }
        }
    }

    /** Nothing can be allocated any more, so the count at the end is by handles and the answer an exit code. */
    static final class NoHeap {

        static final int NOTHING_LOST = 42;
        private static final int FRAMES = 64;
        private static final Gfp ANY = Gfp.HIGH.with(Gfp.NOWARN);
        private static Object last;
        private static final Gfp ZEROED = Gfp.ATOMIC.with(Gfp.ZERO);

        public static void main(String[] args) throws ClassNotFoundException {
            Labyrinth labyrinth = Labyrinth.builder("none").frames(FRAMES).reserve(8).open();
            long[] all = new long[FRAMES + 1];
            // Once with memory, as the JVM itself needs some for what it does for the first time.
            boolean lost = loses(labyrinth, labyrinth.allocPage(MINE), labyrinth.allocPage(MINE).handOff(), 100, 0, all);
            for (int i = 0; i < FRAMES; i++) {
                labyrinth.handles().free(all[i]);
            }
            Frame held = labyrinth.allocPage(MINE);
            Ticket ticket = labyrinth.allocPage(MINE).handOff();
            Runtime runtime = Runtime.getRuntime();
            Class.forName("java.lang.Shutdown");
            Object[] hog = fillTheHeap(1 << 13);
            fillTheGaps();
            lost |= loses(labyrinth, held, ticket, 100_000, 100_000, all);
            runtime.halt(hog == null || lost ? 1 : NOTHING_LOST);
        }

        /** With the smallest objects there are: afterwards not even a ticket fits. */
        private static void fillTheGaps() {
            try {
                while (true) {
                    last = new Object();
                }
            } catch (OutOfMemoryError e) {
                // Full.
            }
        }

        private static boolean loses(Labyrinth labyrinth, Frame frame, Ticket transit, int turns, int expected, long[] all) {
            Handles handles = labyrinth.handles();
            Frame held = frame;
            Ticket ticket = transit;
            int errors = 0;
            for (int i = 0; i < turns; i++) {
                try {
                    if (i % 4 == 0) {
                        handles.free(handles.alloc(ZEROED, i / 4 % 4));
                    } else if (i % 4 == 1) {
                        held = held.handOff().accept();
                    } else if (i % 4 == 2) {
                        ticket = ticket.accept().handOff();
                    } else {
                        labyrinth.allocPages(i % 8 == 3 ? MINE : ZEROED, i / 4 % 4).close();
                    }
                } catch (OutOfMemoryError e) {
                    errors++;
                }
            }
            handles.free(held.handle);
            handles.free(handles.accept(ticket.ticket));
            return errors != expected || free(handles, all) != FRAMES;
        }

        private static int free(Handles handles, long[] all) {
            int free = 0;
            do {
                all[free] = handles.alloc(ANY, 0);
            } while (all[free++] != 0);
            return free - 1;
        }
    }
}
