package io.labyrinth.closing;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.bindings.Native;
import io.labyrinth.closing.ClosingCase.End;
import io.labyrinth.closing.ClosingCase.Kind;
import io.labyrinth.internal.os.Machine;
import io.labyrinth.kit.FaultyCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * A program for {@link ClosingTest}. In a close the first system call fails, then the second, and so on: that call
 * alone, or also all calls after it. Then the next close succeeds.
 */
final class RefusedClosings {

    private static final int[] ERRORS = {Native.ENOMEM(), Native.EINVAL(), Native.EAGAIN(), Native.EPERM()};
    private static final int ALL = 9999;
    private static final Map<String, Integer> OUTCOMES = new TreeMap<>();

    private RefusedClosings() {
    }

    public static void main(String[] args) throws IOException {
        FaultyCalls.refused();
        Path file = Path.of("/dev/shm/labyrinth-closing-" + ProcessHandle.current().pid());
        try (Labyrinth host = ClosingCase.host(file)) {
            for (Kind kind : Kind.values()) {
                for (End end : End.values()) {
                    System.gc();    // closed labyrinths' page maps are many by now, and make smaps long
                    for (int error : ERRORS) {
                        for (boolean alone : new boolean[] {true, false}) {
                            int call = 1;
                            while (isRefused(kind, end, host, call, alone ? call : ALL, error)) {
                                call++;
                            }
                        }
                    }
                }
            }
        } finally {
            Files.delete(file);
        }
        keepsNoLockOfASweep();
        leavesNoHoleWhereAllMemoryCounts();
        unmapsLaterWhatNobodyAsksFor();
        OUTCOMES.forEach((outcome, times) -> System.out.println(outcome + "=" + times));
    }

    /** As with vm.overcommit_memory=2, before Linux 6.12: what is replaced must not be unmapped first. */
    private static void leavesNoHoleWhereAllMemoryCounts() {
        FaultyCalls.unmapFirst();
        try (Labyrinth host = ClosingCase.host(null)) {
            for (End end : new End[] {End.CLOSE, End.CLOSE_NOW}) {
                int refused = 0;
                for (int kind : new int[] {FaultyCalls.MMAP, FaultyCalls.MREMAP}) {
                    ClosingCase closing = new ClosingCase(Kind.ATTACHED, end, host);
                    Machine.countsAllMemory(true);
                    FaultyCalls.refuse(1, 1, kind, Native.ENOMEM());
                    try {
                        closing.close();
                    } catch (LabyrinthException.CloseRefused expected) {
                        refused++;
                    }
                    FaultyCalls.refused();
                    ClosingCase.require(closing.areWordsMapped(), end + " kind=" + kind + ": a hole");
                    closing.checkAtTheEnd(end + " kind=" + kind, closing.close());
                }
                ClosingCase.require(refused == 2, end + ": refused=" + refused);
            }
        }
    }

    /** A tenant leaves as if it had died, and is swept; but a lock that the sweep took cannot be given up at once. */
    private static void keepsNoLockOfASweep() {
        try (Labyrinth host = ClosingCase.host(null)) {
            boolean refused = true;
            for (int call = 1; refused; call++) {
                Labyrinth dead = Labyrinth.attach(host.sharedPath(), Locking.NONE);
                int slot = host.map().tenants().getLast().number();
                FaultyCalls.refuse(2, 2, FaultyCalls.MMAP, Native.ENOMEM());
                dead.close();
                FaultyCalls.refused();
                ClosingCase.require(host.map().tenants().size() == 2, "it has left as if it had died");
                FaultyCalls.refuse(call, call, FaultyCalls.BYTE_LOCK, Native.EAGAIN());
                host.sweepDeadOwners();
                refused = FaultyCalls.refused() != 0;
                host.sweepDeadOwners();
                try (Labyrinth next = Labyrinth.attach(host.sharedPath(), Locking.NONE)) {
                    ClosingCase.require(host.map().tenants().getLast().number() == slot,
                            "call=" + call + ": the slot cannot be had: " + next);
                }
                ClosingCase.require(refused || call > 4, "a sweep takes two locks, and gives them up");
            }
        }
    }

    /** An opening that fails, and cannot unmap: its memory is given back, and its addresses when another one closes. */
    private static void unmapsLaterWhatNobodyAsksFor() {
        Labyrinth other = Labyrinth.builder("other").frames(16).open();
        ClosingState before = ClosingState.now();
        FaultyCalls.refuse(1, ALL, FaultyCalls.POPULATE | FaultyCalls.MUNMAP, Native.ENOMEM());
        try {
            Labyrinth.builder("closing").frames(16).open();
            throw new AssertionError("it opened");
        } catch (LabyrinthException.MapRefused expected) {
            FaultyCalls.refused();
        }
        ClosingCase.require(FaultyCalls.isAnythingLeft(), "nothing was left");
        before.assertNothingLeft("an opening that cannot unmap");
        other.close();
        ClosingCase.require(!FaultyCalls.isAnythingLeft(), "it was not unmapped later");
    }

    /** @return whether there was a call of that number to refuse */
    private static boolean isRefused(Kind kind, End end, Labyrinth host, int first, int last, int error) {
        ClosingCase closing = new ClosingCase(kind, end, host);
        String what = "call=" + first + " to " + last + " error=" + error;
        String outcome = "closed";
        int told = -1;
        FaultyCalls.refuse(first, last, FaultyCalls.ANY, error);
        try {
            told = closing.close();
        } catch (LabyrinthException refusal) {
            outcome = refusal.getClass().getSimpleName();
            if (!refusal.getMessage().matches("labyrinth=(slab of )?(closing|host) cannot give (its memory back: \\w+"
                    + " requested=.* errno=" + error + "\\(.* max_map_count=\\d\\d+ .*|up its slot: .* errno=" + error
                    + "\\(.*): .*close it again.*")) {
                throw new AssertionError(what, refusal);
            }
        }
        int kindRefused = FaultyCalls.refused();
        OUTCOMES.merge(outcome, 1, Integer::sum);
        if (!outcome.equals("closed")) {
            if (!outcome.equals("CloseRefused")) {
                throw new AssertionError(kind + " " + end + " " + what + ": " + outcome);
            }
            closing.checkAfterFailure(what, false);
            if (first == last && kindRefused == FaultyCalls.MUNMAP) {
                closing.checkTenants(what, 1);
            } else if (first == last && kindRefused == FaultyCalls.MMAP && kind == Kind.ATTACHED) {
                closing.checkTenants(what, 2);
            }
            told = closing.close();
        }
        closing.checkAtTheEnd(what, told);
        return kindRefused != 0;
    }
}
