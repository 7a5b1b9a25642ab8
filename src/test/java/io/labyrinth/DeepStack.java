package io.labyrinth;

import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * A program for {@link NothingLostTest}. It runs each step at each depth of the stack: from the depth at which the step
 * cannot begin to the depth at which it always succeeds. Each time it looks for what was lost.
 */
final class DeepStack {

    private static final int ENOUGH_SUCCESSES = 20;

    /**
     * Parameters make the interpreter's frames 16 bytes larger each:
     * what lies between two levels of the dive is met, too.
     */
    private static final int SHIMS = 4;

    private final Held held;
    private final Step step;
    private final int stride;
    private int target;
    private int level;
    private boolean taken;

    private DeepStack(Held held, Step step, int stride) {
        this.held = held;
        this.step = step;
        this.stride = stride;
    }

    /** @param args one claim of how many is sampled, or 0; of how many depths one is tried, a divisor of the shims */
    public static void main(String[] args) throws InterruptedException {
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        Labyrinth.Builder builder = Labyrinth.builder("deep").frames(64).reserve(8);
        if (!args[0].equals("0")) {
            builder.sampleClaims(Integer.parseInt(args[0]));
        }
        int stride = Integer.parseInt(args[1]);
        Thread.ofPlatform().start(() -> all(builder, stride)).join();
        Thread.ofVirtual().start(() -> all(builder, stride)).join();
    }

    private static void all(Labyrinth.Builder builder, int stride) {
        try (Labyrinth labyrinth = builder.open()) {
            for (Gfp gfp : List.of(Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT)) {
                for (Step step : Step.values()) {
                    new DeepStack(new Held(labyrinth, gfp), step, stride).everyDepth();
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
        int orphans = 0;
        for (target = 0; successes < ENOUGH_SUCCESSES; target += stride) {
            step.prepare(held);
            level = 0;
            taken = false;
            dive();
            successes = taken ? successes + 1 : 0;
            overflows += taken ? 0 : 1;
            orphans += held.labyrinth.map.orphans.any ? 1 : 0;
            held.check(!taken && step.mayHaveEnded(), step + " level=" + target + " taken=" + taken);
        }
        System.out.println(Thread.currentThread() + " " + step + " overflows=" + overflows + " orphans=" + orphans
                + " depths=" + target / stride);
    }

    /** Down to the end of the stack, and the step at the {@link #target}th level on the way up. */
    private boolean dive() {
        boolean over;
        try {
            over = dive();
        } catch (StackOverflowError e) {
            over = false;
        }
        if (!over && level++ == target / SHIMS) {
            switch (target % SHIMS) {
                case 0 -> take(0);
                case 1 -> take(0, 0);
                case 2 -> take(0, 0, 0);
                default -> take(0, 0, 0, 0);
            }
            taken = true;
            over = true;
        }
        return over;
    }

    private void take(long a) {
        step.take(held);
    }

    private void take(long a, long b) {
        step.take(held);
    }

    private void take(long a, long b, long c) {
        step.take(held);
    }

    private void take(long a, long b, long c, long d) {
        step.take(held);
    }

    /** What is held, by name; each step changes it in its last instruction. */
    static final class Held {
        final Labyrinth labyrinth;
        private final Handles handles;
        final Gfp gfp;
        private final int frames;
        private final long[] others;
        private long handle;
        private long rawTicket;
        private Frame frame;
        private Ticket ticket;

        Held(Labyrinth labyrinth, Gfp gfp) {
            this.labyrinth = labyrinth;
            this.handles = labyrinth.handles();
            this.gfp = gfp;
            this.frames = labyrinth.stats().frames();
            this.others = new long[frames];
        }

        /**
         * After a step that was taken, or that an error interrupted: nothing is lost, and all can be had again.
         *
         * @param endedPerhaps whether the life that the step is about may be over although the step failed
         */
        void check(boolean endedPerhaps, String where) {
            try {
                labyrinth.validate();
                checkVirtualOwner();
                giveAllUp(endedPerhaps);
                labyrinth.sweepDeadOwners();
                labyrinth.validate();
                LabyrinthStats stats = labyrinth.stats();
                if (stats.free() + stats.reserveFree() != frames) {
                    throw new AssertionError("lost: " + stats);
                }
                takeAll(Gfp.HIGH);
                for (long other : others) {
                    if (other == 0) {
                        throw new AssertionError("free and never found: " + labyrinth.picture());
                    }
                }
                giveAllUp(false);
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(Thread.currentThread() + " " + gfp + " " + where + " " + labyrinth.picture(),
                        e);
            }
        }

        /** Who is not noted here any more is never swept. */
        private void checkVirtualOwner() {
            Thread me = Thread.currentThread();
            long mine = frame != null ? PageWord.first(frame.generation(), 0, 0) | frame.pfn() : handle;
            if (me.isVirtual() && gfp.isExclusive() && mine != 0) {
                PageMap map = labyrinth.map;
                int pfn = PageWord.pfn(mine);
                if (PageWord.isLive(map.lvWord(pfn), mine) && map.virtualOwner(pfn) != me) {
                    throw new AssertionError("no sweep would find pfn=" + pfn);
                }
            }
        }

        void takeAll(Gfp how) {
            for (int i = 0; i < others.length; i++) {
                if (others[i] == 0) {
                    others[i] = handles.alloc(how.with(Gfp.NOWARN), 0);
                }
            }
        }

        /** The way of a user who knows what it has: none of this may fail, but for a life that had ended already. */
        void giveAllUp(boolean endedPerhaps) {
            for (int i = 0; i < others.length; i++) {
                if (others[i] != 0) {
                    handles.free(others[i]);
                    others[i] = 0;
                }
            }
            try {
                if (rawTicket != 0) {
                    handle = handles.accept(rawTicket);
                }
                if (ticket != null) {
                    frame = ticket.accept();
                }
                if (handle != 0) {
                    handles.free(handle);
                }
                if (frame != null) {
                    frame.close();
                }
            } catch (LabyrinthException.Stale e) {
                if (!endedPerhaps) {
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
    enum Step {
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
        /** Where one run is free, outside of the reserve, and nothing else. */
        ALLOC_BY_SPLIT {
            @Override
            void prepare(Held held) {
                long whole = held.handles.alloc(Gfp.NOWAIT, 5);
                held.takeAll(Gfp.NOWAIT);
                held.handles.free(whole);
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
        /** As where another thread was faster: one of the frames is not free. */
        JOIN_IN_VAIN {
            @Override
            void prepare(Held held) {
                held.takeAll(Gfp.NOWAIT);
                for (int i = 0; i < held.others.length; i++) {
                    int pfn = PageWord.pfn(held.others[i]);
                    if (held.others[i] != 0 && pfn >= 8 && pfn < 15) {
                        held.handles.free(held.others[i]);
                        held.others[i] = 0;
                    }
                }
            }

            @Override
            void take(Held held) {
                if (held.labyrinth.map.claimAndJoin(8, 3, 0, Thread.currentThread()) != 0) {
                    throw new AssertionError("joined with a frame that was not free");
                }
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
        },
        MEND {
            /** As if an error had struck behind a claim: what follows must find the run, or leave it to be found. */
            @Override
            void prepare(Held held) {
                PageMap map = held.labyrinth.map;
                OrphansTest.mark(map, held.handles.alloc(held.gfp, 1));
            }

            @Override
            void take(Held held) {
                held.labyrinth.sweepDeadOwners();
            }
        },
        SWEEP {
            @Override
            void prepare(Held held) {
                Gfp own = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
                held.labyrinth.claim(own.bits(), 0, DEAD);
                held.labyrinth.claim(own.bits(), 1, DEAD);
            }

            @Override
            void take(Held held) {
                held.labyrinth.sweepDeadOwners();
            }
        };

        /** Not a lambda's, as a lambda of this class would wait for it to be initialised. */
        static final Thread DEAD = new Thread();

        static {
            DEAD.start();
            Race.join(DEAD);
        }

        void prepare(Held held) {
        }

        abstract void take(Held held);

        /** The most free frames that a thread in the midst of the step keeps from the others. */
        int most() {
            return this == ALLOC_BY_SPLIT ? 32 : 16;
        }

        /** Whether the life that the step ends may be over although an error came out of it. */
        boolean mayHaveEnded() {
            return this == FREE || this == FREE_THE_ONLY_ONE || this == CLOSE_FRAME;
        }
    }
}
