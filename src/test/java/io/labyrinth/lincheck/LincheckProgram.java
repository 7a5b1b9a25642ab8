package io.labyrinth.lincheck;

import static org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt.forClasses;

import io.labyrinth.LabyrinthException;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;

/**
 * What {@link LincheckTest} runs in child JVMs: threads claim, give up and pass on two frames. Any thread may free the
 * first one. The second one is EXCLUSIVE.
 */
@Param(name = "pfn", gen = IntGen.class, conf = "0:1")
@Param(name = "thread", gen = ThreadIdGen.class)
public final class LincheckProgram {

    private static final int FRAMES = 2;
    private static final int MOST_THREADS = 3;

    /** One for each of Lincheck's, before and behind them one for what it does alone. */
    private final Thread[] threads = new Thread[MOST_THREADS + 2];
    private final PageMap map;

    @SuppressWarnings("restricted")
    public LincheckProgram() {
        Arrays.setAll(threads, any -> new Thread());
        long bytes = Geometry.bytesFor(FRAMES);
        Cells.clear(bytes);
        map = new PageMap(MemorySegment.ofAddress(Cells.BASE).reinterpret(bytes), FRAMES, 1);
        map.tile(1);
    }

    private static boolean isExclusive(int pfn) {
        return pfn == 1;
    }

    /** The life that the frame is in now, or 0. */
    @Operation
    public long claim(@Param(name = "pfn") int pfn, @Param(name = "thread") int thread) {
        long word = map.lvWord(pfn);
        return PageWord.generation(PageWord.isFree(word)
                ? map.claimSeen(pfn, word, 0, isExclusive(pfn) ? PageWord.EXCLUSIVE : 0, threads[thread]) : 0);
    }

    @Operation
    public boolean free(@Param(name = "pfn") int pfn, @Param(name = "thread") int thread) {
        return succeeds(pfn, handle -> map.release(handle, threads[thread], PageWord.EXCLUSIVE));
    }

    @Operation
    public boolean handOff(@Param(name = "pfn") int pfn, @Param(name = "thread") int thread) {
        return succeeds(pfn, handle -> map.handOff(handle, threads[thread], PageWord.EXCLUSIVE));
    }

    @Operation
    public boolean accept(@Param(name = "pfn") int pfn, @Param(name = "thread") int thread) {
        return succeeds(pfn, ticket -> map.accept(ticket, threads[thread], PageWord.EXCLUSIVE));
    }

    private boolean succeeds(int pfn, Consumer<Long> step) {
        try {
            step.accept(PageWord.handle(signed(pfn), pfn));
            return true;
        } catch (LabyrinthException.Stale | LabyrinthException.NotOwner refusal) {
            return false;
        }
    }

    /** Handles are guessed from the word. Nobody has one before its claimer or accepter has signed, so this waits. */
    private long signed(int pfn) {
        long word = map.lvWord(pfn);
        while (PageWord.state(word) == PageWord.HEAD && !PageWord.isSigned(word, map.lvOwner(pfn))) {
            Thread.onSpinWait();
            word = map.lvWord(pfn);
        }
        return word;
    }

    /** What they should come to, one after the other. */
    public static final class Model {

        private static final int FREE = -1;
        private static final int IN_TRANSIT = -2;

        /** These, or the thread that has the frame. */
        private final int[] state = {FREE, FREE};
        private final long[] life = {1, 1};

        /** All are free. */
        public Model() {
        }

        private boolean arrive(int pfn, int from, int thread) {
            boolean may = state[pfn] == from;
            if (may) {
                state[pfn] = thread;
            }
            return may;
        }

        private boolean leave(int pfn, int thread, int to) {
            boolean may = isExclusive(pfn) ? state[pfn] == thread : state[pfn] >= 0;
            if (may) {
                state[pfn] = to;
                life[pfn]++;
            }
            return may;
        }

        public long claim(int pfn, int thread) {
            return arrive(pfn, FREE, thread) ? life[pfn] : 0;
        }

        public boolean free(int pfn, int thread) {
            return leave(pfn, thread, FREE);
        }

        public boolean handOff(int pfn, int thread) {
            return leave(pfn, thread, IN_TRANSIT);
        }

        public boolean accept(int pfn, int thread) {
            return arrive(pfn, IN_TRANSIT, thread);
        }
    }

    /** @param args scenarios, invocations of each, threads, operations of each thread */
    public static void main(String[] args) {
        new ModelCheckingOptions().iterations(Integer.parseInt(args[0]))
                .invocationsPerIteration(Integer.parseInt(args[1])).threads(Integer.parseInt(args[2]))
                .actorsPerThread(Integer.parseInt(args[3])).actorsBefore(1).actorsAfter(1)
                .sequentialSpecification(Model.class)
                // A thread may stop in front of each of these, but not within.
                .addGuarantee(forClasses(Cells.class.getName())
                        .methods("lv", "so", "cas", "lvOwnerAt", "soOwnerAt").treatAsAtomic())
                // They look at nothing but their arguments: no thread needs to stop in them.
                .addGuarantee(forClasses(PageMap.class.getName()).methods("wordAt", "adviceAt", "inBounds")
                        .ignore())
                .addGuarantee(forClasses(PageWord.class.getName(), LabyrinthException.class.getName(),
                        LabyrinthException.Stale.class.getName(), LabyrinthException.NotOwner.class.getName())
                        .allMethods().ignore())
                .check(LincheckProgram.class);
        System.out.println("linearizable");
        System.exit(0);    // it leaves threads behind
    }
}
