package io.labyrinth;

import static io.labyrinth.kit.Heap.fillTheHeap;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Footprint;
import io.labyrinth.kit.Race;
import io.labyrinth.kit.Step;
import io.labyrinth.kit.Verify;
import io.labyrinth.struck.DeepStack;
import io.labyrinth.struck.StruckCalls;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** No frame is lost if an error strikes between a claim and its return. The errors strike in child JVMs. */
class NothingLostTest {

    private static final Gfp MINE = Gfp.ATOMIC_EXCLUSIVE;
    private static final Thread DEAD = Thread.ofPlatform().start(() -> { });

    @BeforeAll
    static void theDeadHasEnded() {
        Race.join(DEAD);
    }

    static List<Arguments> modesOfDeepStacks() {
        List<Arguments> modes = List.of(arguments("-Xint", "0"), arguments("-XX:+TieredCompilation", "1"),
                arguments("-XX:+TieredCompilation", "0"), arguments("-Xint", "1"));
        return modes.subList(0, Verify.isShort() ? 2 : 4);
    }

    /** Interpreted, every call needs stack of its own; compiled, a pair is one method. Both must hold. */
    @ParameterizedTest
    @MethodSource("modesOfDeepStacks")
    void notByAStackOverflowAtAnyDepth(String mode, String sampleClaims) {
        ChildJvm.Result child = ChildJvm.of(DeepStack.class).withBothCompilers()
                .jvm("-Xss256k", "-Xmx64m", "-XX:MaxJavaStackTraceDepth=8", mode)
                .with(sampleClaims, String.valueOf(Verify.scale(2, 1, 1))).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out().lines()).hasSize(2 * 2 * Step.values().length).allSatisfy(line ->
                assertThat(number("overflows", line)).as(line).isPositive());
        if (mode.equals("-Xint")) {
            // Compiled, the whole of a step is often one method, which the stack has room for or not. A split's
            // deepest call is its CAS: what comes behind that has room, too. See the next test.
            for (String claims : List.of("ALLOC_BY_HINT", "ALLOC_BY_JOIN", "JOIN_IN_VAIN")) {
                assertThat(child.out().lines().filter(line -> line.contains(" " + claims + " "))).hasSize(4)
                        .allSatisfy(line -> assertThat(number("orphans", line)).as(line).isPositive());
            }
        }
        Verify.held("no frame is lost by a StackOverflowError", "NothingLostTest", Step.values().length
                + " steps at each depth of the stack, " + mode + ": "
                + child.out().lines().mapToInt(line -> number("overflows", line)).sum() + " overflows");
    }

    private static int number(String name, String line) {
        return Integer.parseInt(line.replaceAll(".* " + name + "=(\\d+) .*", "$1"));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void notByAnErrorInAnyCallBehindAClaim(boolean sampled) {
        ChildJvm.Result child = ChildJvm.of(StruckCalls.class)
                .jvm("-Xmx64m", "-D" + StruckCalls.SAMPLED_OPTION + "=" + sampled).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        // Where there are few groups, no advice is given to spans of them. No close is refused here, and no call is.
        assertThat(child.out().lines()).allMatch(line -> line.startsWith("struck ")
                || line.matches("never (PageMap.advise|PageMap.reopen|Allocator)[#.].*"));
        for (String method : List.of("claim", "own", "claimAndSplit", "claimAndJoin", "hideHeads", "accept",
                "leaveVirtually", "advise")) {
            assertThat(child.out()).contains("struck PageMap." + method + "#");
        }
        assertThat(child.out()).contains("struck Allocator.claim#", "struck Allocator.finish#");
        assertThat(child.out().matches("(?s).*struck Allocator\\.finish#\\d+:claimed.*")).isEqualTo(sampled);
        Verify.held("no frame is lost by an error after a claim", "NothingLostTest",
                "each of " + child.out().lines().filter(line -> line.startsWith("struck ")).count()
                + " calls in the page map's try blocks, alone and with all"
                + " that follow");
    }

    /** The heap is filled but for some random kilobytes, so that the error strikes anywhere in a turn's allocations. */
    @ParameterizedTest
    @ValueSource(strings = {"0", "1"})
    void notByAnOutOfMemoryErrorAnywhere(String sampleClaims) {
        int turns = (int) Verify.scale(10, 25, 25);
        ChildJvm.Result child = ChildJvm.of(FullHeap.class).jvm("-Xmx8m", "-Xms8m")
                .with(sampleClaims, String.valueOf(turns)).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(Integer.parseInt(child.out().replaceAll("\\D", ""))).isGreaterThan(turns / 3);
    }

    /** Nor the memory of a labyrinth that cannot open, as the heap has no room for its part of the page map. */
    @Test
    void norByAnOpeningThatTheHeapIsTooSmallFor() {
        ChildJvm.Result child = ChildJvm.of(NoRoom.class).jvm("-Xmx16m", "-Xms16m").with("private").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).matches("(?s)MapRefused: labyrinth=no-room frames=20000 needs about 117.2KiB of heap, "
                + "limit=[\\d.]+MiB: raise it with -Xmx, or ask for fewer frames\n.*").endsWith("kept=nothing\n");
    }

    @ParameterizedTest
    @CsvSource({"memfd, labyrinth=no-room frames=20000, 117.2KiB",
        "attach, file=/proc/\\d+/fd/\\d+ frames=20000, 117.2KiB",
        "look, a look at file=/proc/\\d+/fd/\\d+ frames=20000, 781.3KiB",
        "slab, slab of no-room size=2048 objects=40000, 234.4KiB"})
    void norByASharedOpeningOrASlabThatTheHeapIsTooSmallFor(String way, String what, String bytes) {
        ChildJvm.Result child = ChildJvm.of(NoRoom.class).jvm("-Xmx16m", "-Xms16m").with(way).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out()).matches("(?s)MapRefused: " + what + " needs about " + bytes
                + " of heap, limit=[\\d.]+MiB: raise it with -Xmx, or ask for fewer frames\n.*").endsWith(
                        "kept=nothing\n");
    }

    /**
     * Without a collector, a full heap stays full: 100,000 refusals take no time.
     * Heap-free itself, it tells by its exit.
     */
    @Test
    void notBy100000OutOfMemoryErrors() {
        ChildJvm.Result child = ChildJvm.of(NoHeap.class).jvm("-XX:-UseSerialGC", "-XX:+UnlockExperimentalVMOptions",
                "-XX:+UseEpsilonGC", "-XX:-ExitOnOutOfMemoryError", "-Xmx32m", "-Xms32m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isEqualTo(NoHeap.NOTHING_LOST);
        Verify.held("no frame is lost by an OutOfMemoryError", "NothingLostTest",
                "100000 errors, by Frame and by handle");
    }

    /** Linking code takes heap, and may strike behind a claim: so what the first calls run was linked at opening. */
    @Test
    void norDoesTheFirstCallOfAnyKindNeedHeap() {
        ChildJvm.Result child = ChildJvm.of(FirstCalls.class).jvm("-XX:-UseSerialGC",
                "-XX:+UnlockExperimentalVMOptions", "-XX:+UseEpsilonGC", "-XX:-ExitOnOutOfMemoryError", "-Xmx32m",
                "-Xms32m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isEqualTo(NoHeap.NOTHING_LOST);
    }

    /** Whatever is done, an interrupt is neither lost, nor acted upon, nor made. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void norAnInterrupt(boolean virtual) {
        onAThread(virtual, () -> {
            Thread me = Thread.currentThread();
            for (Runnable step : steps()) {
                step.run();
                assertThat(me.isInterrupted()).isFalse();
                me.interrupt();
                step.run();
                assertThat(Thread.interrupted()).isTrue();
            }
        });
        Verify.held("an interrupt is neither lost, nor acted upon, nor made", "NothingLostTest",
                "each step, by a " + (virtual ? "virtual" : "platform") + " thread");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void norByInterruptsAtAnyMoment(boolean virtual) {
        onAThread(virtual, () -> {
            Thread me = Thread.currentThread();
            AtomicBoolean done = new AtomicBoolean();
            Thread interrupter = Thread.ofPlatform().start(() -> {
                while (!done.get()) {
                    me.interrupt();
                    LockSupport.parkNanos(1_000);
                }
            });
            try {
                for (int i = 0; i < Verify.scale(8, 200); i++) {
                    for (Runnable step : steps()) {
                        step.run();
                    }
                    // Nobody but this line takes it away.
                    while (!Thread.interrupted()) {
                        Thread.onSpinWait();
                    }
                }
            } finally {
                done.set(true);
            }
            while (interrupter.isAlive()) {
                Thread.onSpinWait();
            }
        });
    }

    private static void onAThread(boolean virtual, Runnable work) {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Race.join((virtual ? Thread.ofVirtual() : Thread.ofPlatform()).start(() -> {
            try {
                work.run();
            } catch (Throwable e) {
                thrown.set(e);
            }
        }));
        assertThat(thrown.get()).isNull();
    }

    private static List<Runnable> steps() {
        return List.of(
                // Two chunks of 32 MiB: opening waits for the thread that faults in the other, unless that was faster.
                () -> Labyrinth.builder("interrupted").frames(16_300).locking(Locking.NONE).open().close(),
                NothingLostTest::useAll);
    }

    private static void useAll() {
        try (Labyrinth labyrinth = Labyrinth.builder("interrupted").reserve(8).open()) {
            Handles handles = labyrinth.handles();
            for (int i = 0; i < 200; i++) {
                Frame frame = labyrinth.allocPages(MINE, i % 4);
                frame.segment().set(ValueLayout.JAVA_INT, 0, i);
                frame.handOff().accept().close();
                handles.free(handles.alloc(Gfp.NOWAIT.with(Gfp.ZERO), i % 4));
                handles.free(handles.accept(handles.handOff(handles.alloc(MINE, 0))));
            }
            labyrinth.claim(Gfp.NOWAIT.with(Gfp.EXCLUSIVE).bits(), 2, DEAD);
            assertThat(labyrinth.sweepDeadOwners()).isEqualTo(4);
            assertThat(labyrinth.stats().free()).isEqualTo(1016);
            labyrinth.validate();
            Frame out = labyrinth.allocPage(MINE);
            assertThatThrownBy(labyrinth::close).isInstanceOf(LabyrinthException.FramesOut.class);
            assertThatThrownBy(() -> handles.free(handles.accept(handles.handOff(1)))).isInstanceOf(
                    LabyrinthException.Stale.class);
            out.segment();
            assertThat(labyrinth.closeNow()).isEqualTo(1);
        }
    }

    // ------------------------------------------------------------------------------------------- heap

    /** Turns of allocations in a heap with some kilobytes to spare; what had no error is held and given up. */
    static final class FullHeap {

        private static final int FRAMES = 256;

        public static void main(String[] args) {
            SplittableRandom random = new SplittableRandom(42);
            int turns = Integer.parseInt(args[1]);
            int errors = 0;
            Labyrinth.Builder builder = Labyrinth.builder("full").frames(FRAMES).reserve(16);
            try (Labyrinth labyrinth = args[0].equals("0") ? builder.open() : builder.sampleClaims(1).open()) {
                Frame[] frames = new Frame[64];
                Ticket[] tickets = new Ticket[64];
                long[] raw = new long[64];
                take(labyrinth, 0, frames, tickets, raw);
                giveUp(labyrinth, frames, tickets, raw);
                byte[] room = new byte[1 << 18];
                Object[] hog = fillTheHeap(1 << 17);
                for (int turn = 0; turn < turns; turn++) {
                    room = null;
                    byte[] spare = new byte[random.nextInt(10_000)];
                    Object[] rest = fillTheHeap(1 << 13);
                    spare = null;
                    try {
                        for (int i = 0; i < frames.length; i++) {
                            take(labyrinth, i, frames, tickets, raw);
                        }
                    } catch (OutOfMemoryError e) {
                        errors++;
                    }
                    rest = null;
                    giveUp(labyrinth, frames, tickets, raw);
                    labyrinth.validate();
                    if (labyrinth.stats().free() + labyrinth.stats().reserveFree() != FRAMES) {
                        throw new AssertionError("turn=" + turn + " lost: " + labyrinth.stats());
                    }
                }
                System.out.println("errors=" + errors + (hog == null ? " nothing filled" : ""));
            }
        }

        private static void take(Labyrinth labyrinth, int i, Frame[] frames, Ticket[] tickets, long[] raw) {
            frames[i] = labyrinth.allocPages(i % 2 == 0 ? MINE : Gfp.NOWAIT.with(Gfp.ZERO), i % 3 / 2);
            frames[i].segment().set(ValueLayout.JAVA_INT, 0, i);
            tickets[i] = frames[i].handOff();
            frames[i] = null;
            frames[i] = tickets[i].accept();
            tickets[i] = null;
            frames[i].segment().set(ValueLayout.JAVA_INT, 0, i);
            raw[i] = labyrinth.handles().alloc(Gfp.ATOMIC.with(Gfp.ZERO), 0);
        }

        private static void giveUp(Labyrinth labyrinth, Frame[] frames, Ticket[] tickets, long[] raw) {
            for (int i = 0; i < frames.length; i++) {
                if (tickets[i] != null) {
                    frames[i] = tickets[i].accept();
                }
                if (frames[i] != null) {
                    frames[i].close();
                }
                if (raw[i] != 0) {
                    labyrinth.handles().free(raw[i]);
                }
                tickets[i] = null;
                frames[i] = null;
                raw[i] = 0;
            }
        }
    }

    /** Opens with a little more room each time, until there is enough. */
    static final class NoRoom {

        private static final int FRAMES = 20_000;
        private static final int SPARE = 24 << 10;

        public static void main(String[] args) {
            try (Labyrinth host = builder().memfd().open()) {
                for (int i = 0; args[0].equals("look") && i < FRAMES; i++) {    // as many runs as there can be
                    host.handles().alloc(Gfp.NOWAIT, 0);
                }
                Footprint before = Footprint.now();
                long mapped = host.stats().mappedBytes();
                open(args[0], host);
                before.again();
                System.gc();    // room that the collector finds only later would let the first try through
                byte[][] spare = new byte[40][SPARE];
                Object[] hog = fillTheHeap(1 << 13);
                String first = null;
                String refusal = "";
                for (int i = 0; i < spare.length && refusal != null; i++) {
                    spare[i] = null;
                    try {
                        refusal = open(args[0], host);
                        first = first == null || first.contains("=?") ? refusal : first;
                    } catch (OutOfMemoryError e) {
                        // No room for a refusal.
                    }
                }
                hog = hog.length == 0 ? hog : null;
                Footprint now = before.again();
                System.out.println(first);
                System.out.println("kept=" + (refusal != null ? "never opened" : now.equals(before)
                        && host.stats().mappedBytes() == mapped ? "nothing"
                        : now + " of the host=" + host.stats().mappedBytes() + " before=" + before + " " + mapped));
                host.closeNow();
            }
        }

        private static Labyrinth.Builder builder() {
            return Labyrinth.builder("no-room").frames(FRAMES).locking(Locking.NONE);
        }

        private static String open(String way, Labyrinth host) {
            try {
                switch (way) {
                    case "private" -> builder().open().close();
                    case "memfd" -> builder().memfd().open().close();
                    case "look" -> LabyrinthMap.of(host.sharedPath());
                    case "attach" -> Labyrinth.attach(host.sharedPath(), Locking.NONE).close();
                    default -> host.slab(2048, 2 * FRAMES).close();
                }
                return null;
            } catch (LabyrinthException.MapRefused e) {
                return e.getClass().getSimpleName() + ": " + e.getMessage();
            }
        }
    }

    /** Nothing can be allocated any more, so the count at the end is by handles and the answer an exit code. */
    static final class NoHeap {

        static final int NOTHING_LOST = 42;
        private static final int FRAMES = 64;
        private static final Gfp ANY = Gfp.HIGH.with(Gfp.NOWARN);
        private static Object last;
        private static final Gfp ZEROED = Gfp.ATOMIC.with(Gfp.ZERO);

        public static void main(String[] args) throws ClassNotFoundException {
            Labyrinth labyrinth = Labyrinth.builder("none").frames(FRAMES).reserve(8).open();
            long[] all = new long[FRAMES + 1];
            // Once with memory, as the JVM itself needs some for what it does for the first time.
            boolean lost = loses(labyrinth, labyrinth.allocPage(MINE), labyrinth.allocPage(MINE).handOff(), 100, 0,
                    all);
            for (int i = 0; i < FRAMES; i++) {
                labyrinth.handles().free(all[i]);
            }
            Frame held = labyrinth.allocPage(MINE);
            Ticket ticket = labyrinth.allocPage(MINE).handOff();
            Runtime runtime = Runtime.getRuntime();
            Class.forName("java.lang.Shutdown");
            Object[] hog = fillTheHeap(1 << 13);
            fillTheGaps();
            lost |= loses(labyrinth, held, ticket, 100_000, 100_000, all);
            runtime.halt(hog == null || lost ? 1 : NOTHING_LOST);
        }

        /** With the smallest objects there are: afterwards not even a ticket fits. */
        private static void fillTheGaps() {
            try {
                while (true) {
                    last = new Object();
                }
            } catch (OutOfMemoryError e) {
                // Full.
            }
        }

        private static boolean loses(Labyrinth labyrinth, Frame frame, Ticket transit, int turns, int expected,
                long[] all) {
            Handles handles = labyrinth.handles();
            Frame held = frame;
            Ticket ticket = transit;
            int errors = 0;
            for (int i = 0; i < turns; i++) {
                try {
                    if (i % 4 == 0) {
                        handles.free(handles.alloc(ZEROED, i / 4 % 4));
                    } else if (i % 4 == 1) {
                        held = held.handOff().accept();
                    } else if (i % 4 == 2) {
                        ticket = ticket.accept().handOff();
                    } else {
                        labyrinth.allocPages(i % 8 == 3 ? MINE : ZEROED, i / 4 % 4).close();
                    }
                } catch (OutOfMemoryError e) {
                    errors++;
                }
            }
            held.close();
            Thread me = Thread.currentThread();
            labyrinth.free(labyrinth.accept(ticket.ticket, me, Frame.FLAGS), me, Frame.FLAGS);
            return errors != expected || free(handles, all) != FRAMES;
        }

        private static int free(Handles handles, long[] all) {
            int free = 0;
            do {
                all[free] = handles.alloc(ANY, 0);
            } while (all[free++] != 0);
            return free - 1;
        }
    }

    /** The first calls of the raw face, in a heap that has not a byte left. */
    static final class FirstCalls {

        public static void main(String[] args) throws ClassNotFoundException {
            Labyrinth labyrinth = Labyrinth.builder("first").frames(64).reserve(8).open();
            Handles handles = labyrinth.handles();
            Slab slab = labyrinth.slab(64);
            Gfp mine = MINE;    // which initialises its class
            Gfp high = Gfp.HIGH.with(Gfp.NOWARN);
            long[] all = new long[65];
            Runtime runtime = Runtime.getRuntime();
            Class.forName("java.lang.Shutdown");
            NoHeap.last = all;    // loads it
            Object[] hog = fillTheHeap(1 << 13);
            NoHeap.fillTheGaps();
            int step = 0;
            try {
                long exclusive = handles.alloc(mine, 0);
                step++;
                exclusive = handles.accept(handles.handOff(exclusive));
                step++;
                handles.free(exclusive);
                step++;
                for (int i = 0; i < all.length; i++) {
                    all[i] = handles.alloc(high, 0);    // splits, the reserve, and at last nothing
                }
                step++;
                for (int i = 0; i < all.length - 1; i++) {
                    handles.free(all[i]);
                }
                step++;
                step += all[64] == 0 && handles.alloc(Gfp.NOWAIT, 5) != 0 ? 1 : 0;    // joins
                slab.free(slab.accept(slab.handOff(slab.alloc(mine))));
                step += 36;
            } catch (OutOfMemoryError e) {
                // Tells by its exit.
            }
            runtime.halt(hog == null ? 1 : step);
        }
    }
}
