package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.bindings.Native;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.FaultyCalls;
import io.labyrinth.kit.Heap;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Opens a labyrinth while any step of the opening fails. First the first system call fails, then the second, and so on
 * until an opening meets no failure. If the opening does not depend on the step, it succeeds. Otherwise its failure is
 * typed, and nothing is left: no mapping, no lock, no descriptor, no thread.
 */
class OpeningTest {

    private ChildJvm child(Class<?> program, Path library) {
        return ChildJvm.of(program).jvm("-Xmx64m", "-Xlog:disable", FaultyCalls.option(library));
    }

    private static Map<String, Integer> numbersOf(ChildJvm.Result child) {
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        Map<String, Integer> numbers = new TreeMap<>();
        for (String word : child.out().strip().split("\\s+")) {
            numbers.put(word.substring(0, word.indexOf('=')),
                    Integer.valueOf(word.substring(word.indexOf('=') + 1)));
        }
        return numbers;
    }

    @Test
    void anyCallMayFailAndLeavesNothingBehind() {
        Map<String, Integer> tries = numbersOf(child(RefusedCalls.class, Built.of(Built.FAULTS)).run());

        assertThat(tries.keySet()).contains("MapRefused", "LockRefused", "opened");
        assertThat(tries.get("MapRefused")).isGreaterThan(30);
        assertThat(tries.get("LockRefused")).isGreaterThan(5);
        Verify.held("opening: every failure typed, nothing left behind", "OpeningTest",
                "each of its system calls refused, with 2 to 5 errors: "
                        + (tries.get("MapRefused") + tries.get("LockRefused")) + " openings refused");
    }

    @Test
    void anyFileMayBeMissingAndAnyHelperNotStart() {
        Path library = Built.of(Built.PRELOADED);
        Map<String, Integer> tries = numbersOf(child(RefusedFiles.class, library)
                .jvm("-XX:ActiveProcessorCount=4").preload(library).run());

        assertThat(tries).as("smaps, whose word is what counts").containsEntry("LockRefused", 2);
        assertThat(tries.get("opened")).isGreaterThan(20);
        assertThat(tries).as("that may not start").containsEntry("helpers", 3);
    }

    @Test
    void aStormOfSignalsIsNotNoticed() {
        Map<String, Integer> tries = numbersOf(child(Stormy.class, Built.of(Built.FAULTS)).run());

        assertThat(tries).containsEntry("opened", 50);
        assertThat(tries.get("signals")).isGreaterThan(50);
        Verify.held("opening: in a storm of signals", "OpeningTest", "50 openings");
    }

    @Test
    void hugePagesAreNotNeeded() {
        assertThat(numbersOf(child(NoHugePages.class, Built.of(Built.FAULTS)).run()))
                .containsEntry("opened", 4);
        Verify.held("opening: huge pages are not needed", "OpeningTest", "4 openings with none to be had");
    }

    @Test
    void anOutOfMemoryErrorLeavesNothingBehind() {
        Map<String, Integer> tries = numbersOf(child(FullHeap.class, Built.of(Built.FAULTS))
                .jvm("-Xmx8m", "-Xms8m").run());

        assertThat(tries.get("errors")).isGreaterThan(2);
        assertThat(tries.get("opened")).as("with enough to spare").isGreaterThan(2);
    }

    // ------------------------------------------------------------------------------------------- in the child

    /** What an opening that failed must leave as it was. */
    private record State(long lockedKilobytes, long mappedBytes, long descriptors, long helpers) {

        static State now() throws IOException {
            try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
                return new State(ChildJvm.status("VmLck", 10), mapped(), descriptors.count(),
                        Thread.getAllStackTraces().keySet().stream()
                                .filter(thread -> thread.getName().startsWith("labyrinth-populate")).count());
            }
        }

        /** All that is kept from forks and dumps: Labyrinth's. The collector may unmap page maps at any time. */
        private static long mapped() throws IOException {
            long mapped = 0;
            long size = 0;
            for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
                if (line.startsWith("Size:")) {
                    size = Long.parseLong(line.replaceAll("\\D", ""));
                } else if (line.startsWith("VmFlags:") && line.contains(" dc") && line.contains(" dd")) {
                    mapped += size;
                }
            }
            return mapped;
        }

        void assertNothingLeft(String what) throws IOException {
            State now = now();
            if (now.lockedKilobytes != lockedKilobytes || now.mappedBytes > mappedBytes
                    || now.descriptors != descriptors || now.helpers != helpers) {
                throw new AssertionError(what + ": left behind: before=" + this + " now=" + now);
            }
        }
    }

    /** Opens, and counts what came of it. */
    private static final class Opener {

        final Map<String, Integer> outcomes = new TreeMap<>();
        /** Where smaps cannot be read, nothing counts as locked. */
        private final boolean understates;

        Opener(boolean understates) {
            this.understates = understates;
        }

        String open(String what, int frames, Locking locking) throws IOException {
            return open(what, frames, locking, () -> { });
        }

        /** The refusal's type; or {@code locked} or {@code unlocked}: it opened, and is whole and sound. */
        String open(String what, int frames, Locking locking, Runnable faults) throws IOException {
            String outcome;
            long before = ChildJvm.status("VmLck", 10) << 10;
            faults.run();
            try (Labyrinth labyrinth = Labyrinth.builder("refused").frames(frames).locking(locking).open()) {
                FaultyCalls.refused();
                LabyrinthStats stats = labyrinth.stats();
                long locked = (ChildJvm.status("VmLck", 10) << 10) - before;
                check(what, (locked == stats.mappedBytes() || locked == 0)
                        && (locked == stats.lockedBytes() || understates && stats.lockedBytes() == 0),
                        "locked=" + locked + " " + stats);
                check(what, locked > 0 || locking != Locking.REQUIRED, "not locked");
                for (int i = 0; i < frames; i++) {
                    labyrinth.handles().putByte(labyrinth.handles().alloc(Gfp.NOWAIT, 0), 4095, (byte) i);
                }
                labyrinth.validate();
                labyrinth.closeNow();
                outcome = locked > 0 ? "locked" : "unlocked";
            } catch (LabyrinthException refusal) {
                FaultyCalls.refused();
                outcome = refusal.getClass().getSimpleName();
                check(what, refusal.getMessage().startsWith("labyrinth=refused requested=")
                        && refusal.getMessage().matches(".*: .*(ask for fewer frames|open it with locking).*"),
                        refusal.getMessage());
            }
            outcomes.merge(outcome.endsWith("locked") ? "opened" : outcome, 1, Integer::sum);
            return outcome;
        }

        static void check(String what, boolean holds, String otherwise) {
            if (!holds) {
                throw new AssertionError(what + ": " + otherwise);
            }
        }

        void tell() {
            outcomes.forEach((outcome, times) -> System.out.println(outcome + "=" + times));
        }
    }

    /** Fails Labyrinth's own calls. */
    static final class RefusedCalls {

        /** Refused for now, and not known at all; of the smallest labyrinth, all that these calls are known to say. */
        private static final int[] ERRORS = {Native.ENOMEM(), Native.EINVAL()};
        private static final int[] ALL_ERRORS = {Native.ENOMEM(), Native.EINVAL(), Native.EPERM(), Native.EAGAIN(),
            Native.ENOSYS()};

        private static final Opener OPENER = new Opener(false);

        public static void main(String[] args) throws IOException {
            FaultyCalls.refused();
            for (Locking locking : Locking.values()) {
                // One page of it; trimmed to a huge page's border; faulted in by more than one thread, if not locked
                // (the usual limit is 8 MiB).
                for (int frames : new int[] {8, 600, locking == Locking.REQUIRED ? 1024 : 9000}) {
                    String whole = OPENER.open("nothing refused", frames, locking);
                    for (int error : frames == 8 ? ALL_ERRORS : ERRORS) {
                        System.gc();    // closed labyrinths' page maps are many by now
                        int call = 1;
                        while (isRefused(frames, locking, call, call, FaultyCalls.ANY, error, whole) != 0) {
                            call++;
                        }
                    }
                    // Kernels that lack a call altogether.
                    isRefused(frames, locking, 1, 99, FaultyCalls.LOCK2_ON_FAULT, Native.ENOSYS(), whole);
                    // A filter that knows mlock2 as little as its kernel does, and answers as a limit does.
                    isRefused(frames, locking, 1, 99, FaultyCalls.LOCK2_ON_FAULT, Native.EPERM(), whole);
                    for (int error : new int[] {Native.ENOMEM(), Native.EPERM(), Native.EAGAIN()}) {
                        isRefused(frames, locking, 1, 99, FaultyCalls.LOCK2_ON_FAULT | FaultyCalls.LOCK, error, whole);
                    }
                    isRefused(frames, locking, 1, 99, FaultyCalls.POPULATE, Native.EINVAL(), whole);
                    isRefused(frames, locking, 1, 99, FaultyCalls.ADVISE, Native.EINVAL(), whole);
                }
            }
            OPENER.tell();
        }

        private static int isRefused(int frames, Locking locking, int first, int last, int kinds, int error,
                String whole) throws IOException {
            String what = "frames=" + frames + " locking=" + locking + " call=" + first + " to " + last + " error="
                    + error;
            State before = State.now();
            String outcome = OPENER.open(what, frames, locking,
                    () -> FaultyCalls.refuse(first, last, kinds, error));
            int kind = FaultyCalls.refused();
            String expected = expected(kind, error, locking, whole);
            Opener.check(what, outcome.equals(expected), "of kind=" + kind + " is " + outcome + ", not " + expected);
            if (outcome.endsWith("Refused")) {
                before.assertNothingLeft(what);
                Opener.check(what, !FaultyCalls.isAnythingLeft(), "left mapped");
            }
            if (kind != 0) {
                Opener.check(what, OPENER.open(what + ", then nothing", 8, Locking.REQUIRED).equals("locked"),
                        "cannot be opened after it");
            }
            return kind;
        }

        private static String expected(int kind, int error, Locking locking, String whole) {
            return switch (kind) {
                case FaultyCalls.MMAP, FaultyCalls.MUNMAP -> "MapRefused";
                // Not known, or filtered: the pages are touched instead.
                case FaultyCalls.POPULATE -> error == Native.EINVAL() || error == Native.ENOSYS()
                        || error == Native.EPERM() ? whole : "MapRefused";
                // The answer of mlock alone counts.
                case FaultyCalls.LOCK -> locking == Locking.REQUIRED ? "LockRefused" : "unlocked";
                default -> whole;
            };
        }
    }

    /** Fails what the JVM does for Labyrinth: it opens files of /proc and starts the threads that fault in. */
    static final class RefusedFiles {

        public static void main(String[] args) throws IOException {
            Opener opener = new Opener(true);
            FaultyCalls.forgetCold();
            for (Locking locking : Locking.values()) {
                opener.open("nothing refused", 1024, locking);
                for (int error : new int[] {13, 24}) {
                    int kind = FaultyCalls.OPEN;
                    for (int call = 1; kind != 0; call++) {
                        kind = refuse(opener, 1024, locking, call, FaultyCalls.OPEN, error);
                    }
                }
            }
            int helpers = 0;
            while (refuse(opener, 30_000, Locking.NONE, helpers + 1, FaultyCalls.THREAD, Native.EAGAIN()) != 0) {
                helpers++;
            }
            opener.tell();
            System.out.println("helpers=" + helpers);
        }

        private static int refuse(Opener opener, int frames, Locking locking, int call, int kinds, int error)
                throws IOException {
            String what = "frames=" + frames + " locking=" + locking + " call=" + call + " error=" + error;
            int last = kinds == FaultyCalls.THREAD ? 99 : call;    // the JVM tries to start a thread several times
            State before = State.now();
            String outcome = opener.open(what, frames, locking,
                    () -> FaultyCalls.refuse(call, last, kinds, error));
            if (outcome.endsWith("Refused")) {
                before.assertNothingLeft(what);
            }
            return FaultyCalls.refused();
        }
    }

    /** Opens while each thread of the JVM, the helpers too, is interrupted by signals all the time. */
    static final class Stormy {

        public static void main(String[] args) throws IOException {
            Opener opener = new Opener(false);
            State before = State.now();
            FaultyCalls.beginStorm();
            long signals = 0;
            for (int i = 0; i < 50; i++) {
                long met = FaultyCalls.signalsMet();
                opener.open("in the storm", i % 2 == 0 ? 1000 : 20_000, i % 2 == 0 ? Locking.REQUIRED : Locking.NONE);
                signals += FaultyCalls.signalsMet() - met;
            }
            FaultyCalls.endStorm();
            State after = State.now();
            Opener.check("after the storm", after.lockedKilobytes == before.lockedKilobytes
                    && after.descriptors == before.descriptors && after.helpers == 0, "" + after);
            opener.tell();
            System.out.println("signals=" + signals);
        }
    }

    /** Opens in a heap with some kilobytes to spare. */
    static final class FullHeap {

        public static void main(String[] args) throws IOException {
            Labyrinth.Builder builder = Labyrinth.builder("starved").frames(256);
            builder.open().close();
            SplittableRandom random = new SplittableRandom(42);
            int errors = 0;
            int opened = 0;
            State.now();
            for (int turn = 0; turn < 16; turn++) {
                State before = State.now();
                byte[] room = new byte[random.nextInt(turn % 2 == 0 ? 1 << 13 : 1 << 19)];
                Object[] hog = Heap.fillTheHeap(1 << 13);
                room = null;
                boolean failed = true;
                try {
                    builder.open().close();
                    failed = false;
                } catch (OutOfMemoryError | LabyrinthException.MapRefused e) {
                    errors++;
                }
                hog = null;
                if (failed) {
                    before.assertNothingLeft("turn=" + turn);
                } else {
                    opened++;
                }
            }
            System.out.println("errors=" + errors + " opened=" + opened);
        }
    }

    /** As where {@code transparent_hugepage} is {@code never}. */
    static final class NoHugePages {

        public static void main(String[] args) throws IOException {
            FaultyCalls.forbidHugePages();
            Opener.check("no huge pages", ChildJvm.status("THP_enabled", 10) == 0, "there are");
            Opener opener = new Opener(false);
            opener.open("locked", 1024, Locking.REQUIRED);
            for (int frames : new int[] {513, 1024, 9000}) {
                try (Labyrinth labyrinth = Labyrinth.builder("small pages").frames(frames).locking(Locking.NONE)
                        .open()) {
                    long resident = residentKilobytes(labyrinth);
                    Opener.check("frames=" + frames, resident == labyrinth.stats().mappedBytes() >> 10,
                            "resident=" + resident);
                }
                opener.outcomes.merge("opened", 1, Integer::sum);
            }
            opener.tell();
        }

        private static long residentKilobytes(Labyrinth labyrinth) throws IOException {
            long resident = 0;
            boolean within = false;
            for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
                if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                    long from = Long.parseUnsignedLong(line.substring(0, line.indexOf('-')), 16);
                    within = from >= labyrinth.region.address(0)
                            && from < labyrinth.region.metadata.address() + labyrinth.region.metadata.byteSize();
                } else if (within && line.startsWith("Rss:")) {
                    resident += Long.parseLong(line.replaceAll("\\D", ""));
                }
            }
            return resident;
        }
    }
}
