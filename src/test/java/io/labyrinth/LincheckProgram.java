package io.labyrinth;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;

/** What {@link LincheckTest} runs in a JVM of its own: frames of order 0, claimed and given up by their handles. */
@Param(name = "pfn", gen = IntGen.class, conf = "0:1")
public final class LincheckProgram {

    private static final int FRAMES = 3;

    private final PageMap map;

    @SuppressWarnings("restricted")
    public LincheckProgram() {
        long bytes = PageMap.bytesFor(FRAMES);
        Cells.clear(bytes);
        map = new PageMap(MemorySegment.ofAddress(Cells.BASE).reinterpret(bytes), FRAMES, FRAMES - 1);
        map.tile(1);
    }

    @Operation
    public boolean claim(@Param(name = "pfn") int pfn) {
        long word = map.lvWord(pfn);
        return PageWord.isFree(word) && map.claimSeen(pfn, word, 0, 0, Thread.currentThread()) != 0;
    }

    @Operation
    public boolean free(@Param(name = "pfn") int pfn) {
        return succeeds(pfn, handle -> map.release(handle, Thread.currentThread(), PageWord.EXCLUSIVE));
    }

    @Operation
    public boolean handOff(@Param(name = "pfn") int pfn) {
        return succeeds(pfn, handle -> map.handOff(handle, Thread.currentThread(), PageWord.EXCLUSIVE));
    }

    @Operation
    public boolean accept(@Param(name = "pfn") int pfn) {
        return succeeds(pfn, ticket -> map.accept(ticket, Thread.currentThread(), PageWord.EXCLUSIVE));
    }

    private boolean succeeds(int pfn, Consumer<Long> step) {
        try {
            step.accept(PageWord.handle(map.lvWord(pfn), pfn));
            return true;
        } catch (LabyrinthException.Stale stale) {
            return false;
        }
    }

    /** What they should come to. */
    public static final class Model {

        private static final int FREE = 0;
        private static final int OUT = 1;
        private static final int ON_THE_WAY = 2;

        private final int[] state = new int[FRAMES];

        /** All are free. */
        public Model() {
        }

        private boolean move(int pfn, int from, int to) {
            boolean good = state[pfn] == from;
            if (good) {
                state[pfn] = to;
            }
            return good;
        }

        public boolean claim(int pfn) {
            return move(pfn, FREE, OUT);
        }

        public boolean free(int pfn) {
            return move(pfn, OUT, FREE);
        }

        public boolean handOff(int pfn) {
            return move(pfn, OUT, ON_THE_WAY);
        }

        public boolean accept(int pfn) {
            return move(pfn, ON_THE_WAY, OUT);
        }
    }

    /** @param args scenarios, invocations of each */
    public static void main(String[] args) {
        new ModelCheckingOptions().iterations(Integer.parseInt(args[0]))
                .invocationsPerIteration(Integer.parseInt(args[1])).threads(3).actorsPerThread(3).actorsBefore(1)
                .actorsAfter(1).sequentialSpecification(Model.class).check(LincheckProgram.class);
        System.out.println("linearizable");
        System.exit(0);    // it leaves threads behind
    }
}
