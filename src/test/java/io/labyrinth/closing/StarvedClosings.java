package io.labyrinth.closing;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.closing.ClosingCase.End;
import io.labyrinth.closing.ClosingCase.Kind;
import io.labyrinth.kit.Heap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * A program for {@link ClosingTest}. It closes a labyrinth with a random number of free bytes in the heap, or closer
 * and closer to the end of the stack. After a failure it makes room, and the next close goes on.
 */
final class StarvedClosings {

    private static final int TURNS = 60;
    private static final int LEVELS_THAT_SUCCEED = 8;

    private static final Map<String, Integer> OUTCOMES = new TreeMap<>();
    /** Of the stack, counted from its end. */
    private static int level;
    private static int target;

    private StarvedClosings() {
    }

    public static void main(String[] args) throws InterruptedException {
        try (Labyrinth host = ClosingCase.host(null)) {
            new ClosingCase(Kind.ATTACHED, End.CLOSE, host).close();    // loads what it takes
            new ClosingCase(Kind.PRIVATE, End.CLOSE_NOW, host).close();
            if (args[0].equals("heap")) {
                inFullHeaps(host);
            } else {
                Thread.ofPlatform().start(() -> closerAndCloserToTheEnd(host)).join();
            }
        }
        OUTCOMES.forEach((outcome, times) -> System.out.println(outcome + "=" + times));
    }

    private static void inFullHeaps(Labyrinth host) {
        SplittableRandom random = new SplittableRandom(42);
        for (int turn = 0; turn < TURNS; turn++) {
            ClosingCase closing = new ClosingCase(Kind.values()[turn % 3], End.values()[turn / 3 % 3], host);
            byte[] spare = new byte[random.nextInt(3000)];
            Object[] hog = Heap.fillTheHeap(1 << 16);
            spare = null;
            Throwable failure = null;
            int told = -1;
            try {
                told = closing.close();
            } catch (OutOfMemoryError | LabyrinthException.CloseRefused e) {
                failure = e;    // the first, where it has no room for the second
            }
            hog = hog.length == 0 ? hog : null;
            finish(closing, failure == null ? "closed" : failure.getClass().getSimpleName(), told, "turn=" + turn);
        }
    }

    private static void finish(ClosingCase closing, String outcome, int told, String what) {
        int runs = told;
        String how = outcome;
        if (!outcome.equals("closed")) {
            closing.checkAfterFailure(what, true);
            how += closing.isOpen() ? " open" : " ended";
            runs = closing.close();
        }
        OUTCOMES.merge(how, 1, Integer::sum);
        closing.checkAtTheEnd(what, runs);
    }

    private static void closerAndCloserToTheEnd(Labyrinth host) {
        for (Kind kind : Kind.values()) {
            for (End end : End.values()) {
                int successes = 0;
                for (target = 0; successes < LEVELS_THAT_SUCCEED; target++) {
                    ClosingCase closing = new ClosingCase(kind, end, host);
                    Try attempt = new Try(closing);
                    level = 0;
                    dive(attempt);
                    successes = attempt.outcome.equals("closed") ? successes + 1 : 0;
                    finish(closing, attempt.outcome, attempt.told, "level=" + target);
                    if (target % 16 == 0) {
                        System.gc();
                    }
                }
            }
        }
    }

    private static final class Try {
        private final ClosingCase closing;
        private String outcome = "StackOverflowError";    // there is not always room to say so
        private int told = -1;

        Try(ClosingCase closing) {
            this.closing = closing;
        }

        void close() {
            try {
                told = closing.close();
                outcome = "closed";
            } catch (StackOverflowError e) {
                outcome = "StackOverflowError";
            }
        }
    }

    /** Down to the end of the stack, and the attempt at the {@link #target}th level on the way up. */
    private static boolean dive(Try attempt) {
        boolean over;
        try {
            over = dive(attempt);
        } catch (StackOverflowError e) {
            over = false;
        }
        if (!over && level++ == target * 8) {
            attempt.close();
            over = true;
        }
        return over;
    }
}
