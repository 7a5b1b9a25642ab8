package io.labyrinth.kit;

import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.ValueLayout;

/** Each step of frames and of handles: what is there before, and the step. */
public enum Step {
    ALLOC_BY_HINT {
        @Override
        public void prepare(Held held) {
            held.handles.free(held.handles.alloc(held.gfp, 0));
        }

        @Override
        public void take(Held held) {
            held.handle = held.handles.alloc(held.gfp, 0);
        }
    },
    /** Where one run is free, outside of the reserve, and nothing else. */
    ALLOC_BY_SPLIT {
        @Override
        public void prepare(Held held) {
            long whole = held.handles.alloc(Gfp.NOWAIT, 5);
            held.takeAll(Gfp.NOWAIT);
            held.handles.free(whole);
        }

        @Override
        public void take(Held held) {
            held.handle = held.handles.alloc(held.gfp, 0);
        }
    },
    ALLOC_BY_JOIN {
        @Override
        public void prepare(Held held) {
            held.takeAll(Gfp.NOWAIT);
            held.giveAllUp(false);
        }

        @Override
        public void take(Held held) {
            held.handle = held.handles.alloc(held.gfp, 4);
        }
    },
    /** As where another thread was faster: one of the frames is not free. */
    JOIN_IN_VAIN {
        @Override
        public void prepare(Held held) {
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
        public void take(Held held) {
            if (held.map.claimAndJoin(8, 3, 0, Thread.currentThread()) != 0) {
                throw new AssertionError("joined with a frame that was not free");
            }
        }
    },
    ALLOC_FROM_RESERVE {
        @Override
        public void prepare(Held held) {
            held.takeAll(Gfp.NOWAIT);
        }

        @Override
        public void take(Held held) {
            held.handle = held.handles.alloc(held.gfp.with(Gfp.HIGH), 0);
        }
    },
    ALLOC_ZEROED {
        @Override
        public void take(Held held) {
            held.handle = held.handles.alloc(held.gfp.with(Gfp.ZERO), 2);
        }
    },
    ALLOC_FRAME {
        @Override
        public void take(Held held) {
            held.frame = held.labyrinth.allocPages(held.gfp, 1);
        }
    },
    FREE {
        @Override
        public void prepare(Held held) {
            held.handle = held.handles.alloc(held.gfp, 1);
        }

        @Override
        public void take(Held held) {
            held.handles.free(held.handle);
            held.handle = 0;
        }
    },
    /** Where all is out and known to be: the free must be found again although nothing has advised it. */
    FREE_THE_ONLY_ONE {
        @Override
        public void prepare(Held held) {
            held.handle = held.handles.alloc(held.gfp, 0);
            held.takeAll(Gfp.HIGH);
        }

        @Override
        public void take(Held held) {
            held.handles.free(held.handle);
            held.handle = 0;
        }
    },
    CLOSE_FRAME {
        @Override
        public void prepare(Held held) {
            held.frame = held.labyrinth.allocPages(held.gfp, 1);
            held.frame.segment().set(ValueLayout.JAVA_INT, 0, 42);
        }

        @Override
        public void take(Held held) {
            held.frame.close();
            held.frame = null;
        }
    },
    SEGMENT_OF_FRAME {
        @Override
        public void prepare(Held held) {
            held.frame = held.labyrinth.allocPages(held.gfp, 1);
        }

        @Override
        public void take(Held held) {
            held.frame.segment();
        }
    },
    HAND_OFF {
        @Override
        public void prepare(Held held) {
            held.handle = held.handles.alloc(held.gfp, 1);
        }

        @Override
        public void take(Held held) {
            held.rawTicket = held.handles.handOff(held.handle);
            held.handle = 0;
        }
    },
    HAND_OFF_FRAME {
        @Override
        public void prepare(Held held) {
            held.frame = held.labyrinth.allocPages(held.gfp, 1);
            held.frame.segment().set(ValueLayout.JAVA_INT, 0, 42);
        }

        @Override
        public void take(Held held) {
            held.ticket = held.frame.handOff();
            held.frame = null;
        }
    },
    ACCEPT {
        @Override
        public void prepare(Held held) {
            held.rawTicket = held.handles.handOff(held.handles.alloc(held.gfp, 1));
        }

        @Override
        public void take(Held held) {
            held.handle = held.handles.accept(held.rawTicket);
            held.rawTicket = 0;
        }
    },
    ACCEPT_FRAME {
        @Override
        public void prepare(Held held) {
            held.ticket = held.labyrinth.allocPages(held.gfp, 1).handOff();
        }

        @Override
        public void take(Held held) {
            held.frame = held.ticket.accept();
            held.ticket = null;
        }
    },
    MEND {
        /** As if an error had struck behind a claim: what follows must find the run, or leave it to be found. */
        @Override
        public void prepare(Held held) {
            Orphan.mark(held.map, held.handles.alloc(held.gfp, 1));
        }

        @Override
        public void take(Held held) {
            held.labyrinth.sweepDeadOwners();
        }
    },
    SWEEP {
        @Override
        public void prepare(Held held) {
            Gfp own = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
            Inside.claim(held.labyrinth, own.bits(), 0, DEAD);
            Inside.claim(held.labyrinth, own.bits(), 1, DEAD);
        }

        @Override
        public void take(Held held) {
            held.labyrinth.sweepDeadOwners();
        }
    };

    /** Not a lambda's, as a lambda of this class would wait for it to be initialised. */
    public static final Thread DEAD = new Thread();

    static {
        DEAD.start();
        Race.join(DEAD);
    }

    public void prepare(Held held) {
    }

    public abstract void take(Held held);

    /** The most free frames that a thread in the midst of the step keeps from the others. */
    public int most() {
        return this == ALLOC_BY_SPLIT ? 32 : 16;
    }

    /** Whether the life that the step ends may be over although an error came out of it. */
    public boolean mayHaveEnded() {
        return this == FREE || this == FREE_THE_ONLY_ONE || this == CLOSE_FRAME;
    }
}
