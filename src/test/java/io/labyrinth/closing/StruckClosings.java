package io.labyrinth.closing;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.closing.ClosingCase.End;
import io.labyrinth.closing.ClosingCase.Kind;
import io.labyrinth.kit.Hook;
import io.labyrinth.kit.Hooked;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A program for {@link ClosingTest}. An error strikes a close in its first call, then in its second, and so on until
 * the close succeeds. An OutOfMemoryError strikes only that call. A StackOverflowError strikes also every call after
 * it. Then the labyrinth is as it was, or the next close succeeds. The close throws the first error, not one that
 * struck while it was undone.
 */
final class StruckClosings {

    private static final Map<String, Integer> OUTCOMES = new TreeMap<>();

    private StruckClosings() {
    }

    public static void main(String[] args) {
        if (Hooked.runs(StruckClosings.class, Hooked.CLOSING)) {
            return;
        }
        try (Labyrinth host = ClosingCase.host(null)) {
            for (Kind kind : Kind.values()) {
                for (End end : kind == Kind.PRIVATE ? List.of(End.values())
                        : List.of(kind == Kind.CREATED ? End.CLOSE_NOW : End.CLOSE)) {
                    everyCall(kind, end, host, Hook.Error.ONCE, true);
                    everyCall(kind, end, host, Hook.Error.FROM_THEN_ON, false);
                }
            }
        }
        OUTCOMES.forEach((outcome, times) -> System.out.println(outcome + "=" + times));
    }

    private static void everyCall(Kind kind, End end, Labyrinth host, Hook.Error error, boolean ofHeap) {
        boolean struck = true;
        for (int call = 1; struck; call++) {
            if (call % 16 == 0) {
                System.gc();    // closed labyrinths' page maps are many by now, and make smaps long
            }
            ClosingCase closing = new ClosingCase(kind, end, host);
            String what = "call=" + call + " " + error + " ofHeap=" + ofHeap;
            String outcome = "closed";
            int told = -1;
            String why = "";
            Hook.failAnywhere(call, error, ofHeap);
            try {
                told = closing.close();
            } catch (StackOverflowError | LabyrinthException.CloseRefused e) {
                outcome = e.getClass().getSimpleName();
                what += " " + e.getMessage();
                why = e.getMessage();
            } catch (OutOfMemoryError e) {
                outcome = "OutOfMemoryError";
                // On the way in, or to a refusal that is typed.
                if (!e.getMessage().matches("(Labyrinth|Closing|Slab|Machine)\\.(close|closeNow|heapFull)#.*")) {
                    throw new AssertionError(what, e);
                }
            } finally {
                struck = Hook.happened();
            }
            if (outcome.equals("StackOverflowError") && closing.isOpen()
                    && Hook.firstStruck().matches("(Closing.end|PageMapScan)[.#].*")) {
                ClosingCase.require(why.equals(Hook.firstStruck()), what + " hides " + Hook.firstStruck());
            }
            if (!outcome.equals("closed")) {
                closing.checkAfterFailure(what, error == Hook.Error.FROM_THEN_ON);
                outcome += closing.isOpen() ? " open" : " ended";
                told = closing.close();
            }
            OUTCOMES.merge(outcome, 1, Integer::sum);
            closing.checkAtTheEnd(what, told);
        }
    }
}
