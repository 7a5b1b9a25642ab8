package io.labyrinth.fuzz;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthMap;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.Owner;
import io.labyrinth.internal.pagemap.PageWord;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;

/**
 * Does in Java what native/test/images.c does in C, in a child JVM. It prints one line for each file that it is given.
 */
final class UsedImage {

    /** Without a warning, which would be one more line. */
    private static final Gfp[] GFPS = {Gfp.NOWAIT.with(Gfp.NOWARN), Gfp.NOWAIT.with(Gfp.EXCLUSIVE).with(Gfp.NOWARN),
            Gfp.ATOMIC.with(Gfp.NOWARN), Gfp.ATOMIC_EXCLUSIVE.with(Gfp.NOWARN)};

    private final Path path;
    private final Set<String> bad = new TreeSet<>();
    private Labyrinth labyrinth;

    private UsedImage(Path path) {
        this.path = path;
    }

    public static void main(String[] args) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(new UsedImage(Path.of(line.substring(line.indexOf(' ') + 1))).answer());
        }
    }

    private String answer() {
        try {
            step(() -> look(LabyrinthMap.of(path)));
            labyrinth = Labyrinth.attach(path, Locking.NONE);
            use();
        } catch (LabyrinthException.NotALabyrinth e) {
            return "NOT_A_LABYRINTH";
        } catch (Throwable e) {
            bad.add(describe(e));
        }
        return bad.isEmpty() ? "OK" : "bad " + String.join(" | ", bad);
    }

    /** What goes wrong in one step is no reason not to take the next. */
    private void step(Runnable step) {
        try {
            step.run();
        } catch (Throwable e) {
            bad.add(describe(e));
        }
    }

    /** Where it happened, not what the image had in it, so that the same fault has the same answer. */
    private static String describe(Throwable e) {
        StringBuilder text = new StringBuilder(e.getClass().getSimpleName());
        if (e instanceof Insensible) {
            text.append(' ').append(e.getMessage());
        }
        int shown = 0;
        for (StackTraceElement at : e.getStackTrace()) {
            if (at.getClassName().startsWith("io.labyrinth.") && shown++ < 4) {
                text.append(" < ").append(at.getFileName()).append(':').append(at.getMethodName());
            }
        }
        return text.toString().replace(".java", "");
    }

    /** An answer that makes no sense. */
    private static final class Insensible extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Insensible(String what) {
            super(what);
        }
    }

    private static void expect(boolean holds, String what) {
        if (!holds) {
            throw new Insensible(what);
        }
    }

    private void use() {
        passes();
        for (int i = 0; i < GFPS.length; i++) {
            int turn = i;
            step(() -> allocate(GFPS[turn]));
            step(() -> useAllHandles(turn));
        }
        passes();
        try {
            labyrinth.close();
        } catch (LabyrinthException.FramesOut out) {
            labyrinth.closeNow();
        }
    }

    private void passes() {
        step(this::stats);
        step(this::validate);
        step(() -> look(labyrinth.map()));
        step(() -> expect(labyrinth.picture().length() == Inside.map(labyrinth).frames, "the picture's length"));
        step(this::owners);
        step(() -> expect(labyrinth.sweepDeadOwners() <= Inside.map(labyrinth).frames, "swept more than there is"));
        step(this::stats);
    }

    private void validate() {
        try {
            labyrinth.validate();
        } catch (AssertionError violation) {
            expect(violation.getMessage().startsWith("labyrinth="), "a violation that says nothing");
        }
    }

    private void owners() {
        int held = 0;
        for (Owner owner : labyrinth.owners()) {
            expect(owner.frames() > 0, "an owner of nothing");
            held += owner.frames();
        }
        expect(held <= Inside.map(labyrinth).frames, "owners of more than there is");
    }

    private void stats() {
        LabyrinthStats stats = labyrinth.stats();
        int sum = 0;
        for (int part : new int[] {stats.free(), stats.reserveFree(), stats.claimed(), stats.inTransit(),
                stats.quarantined()}) {
            expect(part >= 0, "a negative count");
            sum += part;
        }
        expect(sum <= stats.frames(), "counts of more than there is");
    }

    private static void look(LabyrinthMap map) {
        int next = 0;
        for (LabyrinthMap.Run run : map.runs()) {
            expect(run.pfn() == next, "runs that do not tile");
            next += run.frames();
        }
        expect(next == map.frames(), "runs that do not end with the last frame");
        expect(map.free() >= 0 && map.free() <= map.frames(), "more free than there is");
        for (int order = 0; order <= Labyrinth.MAX_ORDER; order++) {
            expect(map.available(order) >= 0 && map.available(order) <= map.frames() >> order, "too many of an order");
        }
    }

    private void isWithin(int pfn, int order) {
        expect(order >= 0 && order <= Labyrinth.MAX_ORDER, "an order that there is not");
        expect(pfn >= 0 && pfn + (1 << order) <= Inside.map(labyrinth).frames, "a run that leads beyond the labyrinth");
    }

    private void isWithin(MemorySegment segment) {
        long start = Inside.region(labyrinth).address(0);
        long end = Inside.region(labyrinth).address(Inside.map(labyrinth).frames);
        expect(segment.address() >= start && segment.address() + segment.byteSize() <= end,
                "a segment that leads beyond the labyrinth");
    }

    private void allocate(Gfp gfp) {
        for (int order = 0; order <= Labyrinth.MAX_ORDER; order++) {
            Frame frame = labyrinth.allocPages(gfp, order);
            for (int i = 0; i < 6 && frame != null; i++) {
                isWithin(frame.pfn(), frame.order());
                Frame taken = frame;
                typed(() -> isWithin(taken.segment()));
                if (i % 3 == 0) {
                    typed(taken::close);
                } else if (i % 3 == 1) {
                    typed(() -> {
                        Frame accepted = taken.handOff().accept();
                        isWithin(accepted.segment());
                    });
                }
                frame = labyrinth.allocPages(gfp, order);
            }
        }
    }

    private void useAllHandles(int turn) {
        for (int pfn = 0; pfn < Inside.map(labyrinth).frames; pfn++) {
            long handle = PageWord.handle(Inside.map(labyrinth).lvWord(pfn), pfn);
            step(() -> useHandle(handle));
            step(() -> endGeneration(handle, turn));
        }
    }

    private void endGeneration(long handle, int turn) {
        Handles handles = labyrinth.handles();
        switch ((PageWord.pfn(handle) + turn) % 4) {
            case 0 -> typed(() -> useHandle(handles.handOff(handle)));
            case 1 -> typed(() -> useHandle(handles.accept(handle)));
            case 2 -> typed(() -> {
                Frame frame = labyrinth.accept(handle);
                isWithin(frame.pfn(), frame.order());
                isWithin(frame.segment());
            });
            default -> typed(() -> handles.free(handle));
        }
    }

    private void useHandle(long handle) {
        Handles handles = labyrinth.handles();
        typed(() -> isWithin(handles.pfn(handle), handles.order(handle)));
        typed(() -> isWithin(handles.segment(handle)));
    }

    private static void typed(Runnable call) {
        try {
            call.run();
        } catch (LabyrinthException | WrongThreadException | IllegalStateException refused) {
            return;    // the latter two are the JDK's, of a frame that the image says is another's, or gone
        }
    }
}
