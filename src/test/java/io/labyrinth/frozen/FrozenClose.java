package io.labyrinth.frozen;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.Ticket;
import io.labyrinth.kit.Hook;
import io.labyrinth.kit.Hooked;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A program for {@link FrozenThreadTest}. A thread allocates a frame or accepts a ticket, and stops before the first
 * load, store or compare-and-set that it makes on a word of the map. In the next round it stops before the second one,
 * and so on. Each time its labyrinth closes before the thread goes on. Then the thread must not get a frame, and
 * nothing may be lost for the other tenant.
 */
final class FrozenClose {

    private static final int FRAMES = 64;
    private static final Gfp GFP = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);

    private final Labyrinth host;
    private final Labyrinth closing;
    private final boolean accepts;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private boolean stopped;

    private FrozenClose(Labyrinth host, Labyrinth closing, boolean accepts) {
        this.host = host;
        this.closing = closing;
        this.accepts = accepts;
    }

    public static void main(String[] args) throws InterruptedException {
        if (Hooked.runs(FrozenClose.class, Hooked.MAP)) {
            return;
        }
        try (Labyrinth host = Labyrinth.builder("host").frames(FRAMES).locking(Locking.NONE).memfd().open()) {
            for (boolean accepts : new boolean[] {false, true}) {
                int stops = 0;
                boolean stopped = true;
                while (stopped) {
                    Labyrinth closing = Labyrinth.attach(host.sharedPath(), Locking.NONE);
                    stopped = new FrozenClose(host, closing, accepts).stopsAt(++stops);
                }
                System.out.println((accepts ? "accept=" : "alloc=") + (stops - 1));
            }
        }
    }

    private boolean stopsAt(int call) throws InterruptedException {
        Ticket ticket = accepts ? host.allocPage(GFP).handOff() : null;
        Hook.prepareToStop();
        Thread frozen = Thread.ofPlatform().start(() -> getsNothing(ticket, call));
        Hook.awaitStopped();
        if (frozen.isAlive()) {
            try {
                closing.close();
            } catch (LabyrinthException.FramesOut half) {
                closing.closeNow();
            }
        }
        Hook.letGo();
        frozen.join();
        closing.closeNow();
        if (failure.get() != null) {
            throw new AssertionError("call=" + call + " accepts=" + accepts, failure.get());
        }
        LabyrinthStats stats = host.stats();
        if (stats.inTransit() != 0) {
            host.handles().free(host.handles().accept(ticket.handle()));
        }
        if (stats.claimed() != 0 || host.stats().free() != FRAMES) {
            throw new AssertionError("call=" + call + " accepts=" + accepts + " left behind: " + stats);
        }
        host.validate();
        return stopped;
    }

    private void getsNothing(Ticket ticket, int call) {
        try {
            Hook.stopAt(call);
            Frame frame;
            try {
                frame = accepts ? closing.accept(ticket.handle()) : closing.allocPage(GFP);
            } finally {
                stopped = Hook.happened();
            }
            if (stopped) {
                throw new AssertionError("got " + frame);
            }
            frame.segment().set(ValueLayout.JAVA_LONG, 0, 42);
        } catch (LabyrinthException.Closed closed) {
            // What it is to get.
        } catch (Throwable e) {
            failure.set(e);
        } finally {
            Hook.stopped();
        }
    }
}
