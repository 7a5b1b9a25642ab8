package io.labyrinth.closing;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthMap;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.Slab;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One labyrinth that a test closes, for each way to open one and each way to close one. It knows what must hold if the
 * close failed, if it succeeded, and after that.
 */
final class ClosingCase {

    static final int FRAMES = 16;
    private static final Gfp MINE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN);

    /** How it is opened. */
    enum Kind { PRIVATE, CREATED, ATTACHED }

    /** Who closes what, and what is out then. */
    enum End { CLOSE, CLOSE_NOW, CLOSE_SLAB }

    private final String name;
    private final End end;
    private final ClosingState before = ClosingState.now();
    private final Labyrinth host;
    final Labyrinth labyrinth;
    private final Slab slab;
    private final Slab other;
    private final long frames;
    private final long frameBytes;
    private final long metadata;
    private final List<Frame> out = new ArrayList<>();
    private final MemorySegment late;

    /** @param host of the file that one attaches to; of the others, whose nothing must be changed */
    ClosingCase(Kind kind, End end, Labyrinth host) {
        this.name = kind + " " + end;
        this.end = end;
        this.host = host;
        Labyrinth.Builder builder = Labyrinth.builder("closing").frames(FRAMES);
        labyrinth = switch (kind) {
            case PRIVATE -> builder.open();
            case CREATED -> builder.memfd().open();
            case ATTACHED -> Labyrinth.attach(host.sharedPath());
        };
        frames = Inside.region(labyrinth).address(0);
        frameBytes = FRAMES * labyrinth.frameSize();
        metadata = labyrinth.stats().metadataBytes();
        slab = labyrinth.slab(1024, 8);
        other = labyrinth.slab(512, 8);
        slab.free(slab.alloc(MINE));
        if (end == End.CLOSE_NOW) {
            out.add(labyrinth.allocPages(MINE, 1));
            labyrinth.allocPage(MINE).handOff();
            late = out.getFirst().segment();
            late.fill((byte) 7);
            other.alloc(MINE);
        } else {
            late = MemorySegment.NULL;
        }
    }

    /** Whether the point of no return is still ahead. */
    boolean isOpen() {
        return Inside.region(labyrinth).isOpen();
    }

    /** Of a shared labyrinth, whose words lie in front of its frames. */
    boolean areWordsMapped() {
        long page = labyrinth.frameSize();
        return ClosingState.isMapped(frames - page, page);
    }

    static Labyrinth host(Path file) {
        Labyrinth.Builder builder = Labyrinth.builder("host").frames(FRAMES).locking(Locking.NONE);
        return file == null ? builder.memfd().open() : builder.shared(file).open();
    }

    /** @return what was out, as the call tells it */
    int close() {
        switch (end) {
            case CLOSE -> labyrinth.close();
            case CLOSE_NOW -> {
                return labyrinth.closeNow();
            }
            default -> slab.close();
        }
        return 0;
    }

    int expected() {
        return end == End.CLOSE_NOW ? 3 : 0;
    }

    /**
     * A close has failed. Before the point of no return all is as it was; after it the labyrinth gives no more frames.
     *
     * @param mends whether a call that looks at all words comes first, as nothing could be undone without stack
     */
    void checkAfterFailure(String what, boolean mends) {
        if (!isOpen()) {
            checkNothingCanBeHad(what);
            return;
        }
        if (mends) {
            labyrinth.stats();
        }
        labyrinth.shrinkSlabs();
        List<Frame> all = new ArrayList<>();
        for (Frame frame = labyrinth.allocPage(MINE); frame != null; frame = labyrinth.allocPage(MINE)) {
            all.add(frame);
        }
        int held = end == End.CLOSE_NOW ? 4 : 0;    // 2 of a run, 1 in transit, 1 of a slab
        require(FRAMES - held - slab.frames() == all.size(), what, "frames=" + all.size() + " " + labyrinth.stats());
        all.forEach(Frame::close);
        labyrinth.validate();
    }

    private void checkNothingCanBeHad(String what) {
        for (Runnable late : List.<Runnable>of(() -> labyrinth.allocPage(MINE), labyrinth::stats,
                () -> labyrinth.slab(64), () -> slab.alloc(MINE), () -> labyrinth.handles().alloc(Gfp.NOWAIT, 0))) {
            try {
                late.run();
                throw new AssertionError(name + " " + what + ": had something of a labyrinth that has ended");
            } catch (LabyrinthException.Closed expected) {
                // As it must be.
            }
        }
        if (late.byteSize() > 0) {    // harms nobody, whatever is there
            late.set(ValueLayout.JAVA_LONG, 0, late.get(ValueLayout.JAVA_LONG, 8));
        }
    }

    /**
     * Half-way. Where its memory alone is left to be given back, the tenant has left, so the host's is the only one; as
     * long as its threads can reach the words, it stays.
     */
    void checkTenants(String what, int expected) {
        host.sweepDeadOwners();
        List<LabyrinthMap.Tenant> tenants = host.map().tenants();
        require(tenants.size() == expected, what, "the host has " + tenants);
        if (expected == 1) {    // and its lock is given up: what still maps the file would keep it
            try (Labyrinth next = Labyrinth.attach(host.sharedPath(), Locking.NONE)) {
                int number = host.map().tenants().getLast().number();
                require(number == tenants.getLast().number() + 1, what, next + " has slot=" + number);
            }
        }
    }

    /** It has closed, and told how much was out. */
    void checkAtTheEnd(String what, int told) {
        require(told == expected(), what, "told=" + told);
        if (end == End.CLOSE_SLAB) {
            LabyrinthStats stats = labyrinth.stats();
            require(stats.metadataBytes() == metadata + stats.frameSize(), what, "counts the slab's words: " + stats);
            slab.close();
            other.close();
            labyrinth.close();
        }
        checkNothingCanBeHad(what);
        require(labyrinth.closeNow() == 0, what, "closes twice");
        require(ClosingState.isMapped(frames, frameBytes) == (end == End.CLOSE_NOW), what, "its frames' addresses");
        for (long at = 8; at < late.byteSize(); at += 8) {
            require(late.get(ValueLayout.JAVA_LONG, at) == 0, what, "a late access does not read zeros");
        }
        before.assertNothingLeft(name + " " + what);
        host.sweepDeadOwners();    // what left as if it had died
        host.validate();
        require(host.stats().free() == FRAMES, what, "the host has " + host.stats());
        require(host.map().tenants().size() == 1, what, "the host has " + host.map().tenants());
    }

    private void require(boolean holds, String what, String otherwise) {
        require(holds, name + " " + what + ": " + otherwise);
    }

    static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
