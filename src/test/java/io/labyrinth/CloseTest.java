package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.LabyrinthException.Closed;
import io.labyrinth.LabyrinthException.FramesOut;
import io.labyrinth.bindings.Native;
import io.labyrinth.kit.ChildJvm;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The end of a labyrinth: every late call is refused, and no late access harms anybody. */
class CloseTest {

    private static final Gfp MINE = Gfp.ATOMIC_EXCLUSIVE;

    /** Splits, joins and frees that are under way while the page map is emptied write to it afterwards. */
    @Test
    void nothingIsHadFromALabyrinthThatClosedUnderItsUsers() throws InterruptedException {
        Gfp any = Gfp.NOWAIT.with(Gfp.NOWARN);
        for (int round = 0; round < 300; round++) {
            Labyrinth labyrinth = Labyrinth.builder("race").frames(1024).locking(Locking.NONE).open();
            Handles handles = labyrinth.handles();
            AtomicReference<Throwable> ended = new AtomicReference<>();
            Thread user = Thread.ofPlatform().start(() -> {
                try {
                    while (true) {
                        freeUnlessRefused(handles, handles.alloc(any.with(Gfp.EXCLUSIVE), 0));
                        freeUnlessRefused(handles, handles.alloc(any.with(Gfp.ZERO), 10));
                    }
                } catch (Throwable e) {
                    ended.set(e);
                }
            });
            while (labyrinth.stats().livesEnded() < 3) {
                Thread.onSpinWait();
            }
            labyrinth.closeNow();
            user.join();

            assertThat(ended.get()).isExactlyInstanceOf(Closed.class);
            for (int order = 0; order <= Labyrinth.MAX_ORDER; order++) {
                int requested = order;
                assertThatThrownBy(() -> handles.alloc(any, requested)).isExactlyInstanceOf(Closed.class);
            }
        }
    }

    @Test
    void noObjectIsHadFromALabyrinthThatClosedUnderItsUsers() throws InterruptedException {
        Gfp any = Gfp.NOWAIT.with(Gfp.NOWARN);
        for (int round = 0; round < 300; round++) {
            Labyrinth labyrinth = Labyrinth.builder("race").frames(64).locking(Locking.NONE).open();
            Slab slab = labyrinth.slab(1024, 100);
            AtomicReference<Throwable> ended = new AtomicReference<>();
            AtomicInteger pairs = new AtomicInteger();
            AtomicBoolean closed = new AtomicBoolean();
            Thread user = Thread.ofPlatform().start(() -> {
                try {
                    boolean late = false;
                    while (!late) {
                        late = closed.get();
                        long object = slab.alloc(any.with(Gfp.EXCLUSIVE));
                        if (object != 0) {
                            slab.free(object);
                        }
                        pairs.getAndIncrement();
                    }
                } catch (Throwable e) {
                    ended.set(e);
                }
            });
            while (pairs.get() < 3) {
                Thread.onSpinWait();
            }
            labyrinth.closeNow();
            closed.set(true);
            user.join();

            assertThat(ended.get()).isExactlyInstanceOf(Closed.class);
            assertThatThrownBy(() -> slab.alloc(any)).isExactlyInstanceOf(Closed.class);
        }
    }

    /** While a labyrinth drains, nothing is free. */
    private static void freeUnlessRefused(Handles handles, long handle) {
        if (handle != 0) {
            handles.free(handle);
        }
    }

    @Test
    void everyMethodIsRefusedAfterTheEndOrHarmless() {
        Labyrinth labyrinth = Labyrinth.builder("ended").frames(64).open();
        Frame frame = labyrinth.allocPage(MINE);
        frame.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        Ticket ticket = labyrinth.allocPage(MINE).handOff();
        ticket.accept().close();
        frame.close();
        Handles handles = labyrinth.handles();
        long handle = handles.alloc(Gfp.NOWAIT, 0);
        handles.free(handle);
        Slab slab = labyrinth.slab(64, 64);
        long mine = slab.alloc(MINE);
        SlabObject object = slab.allocObject(MINE);
        object.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        object.close();
        slab.free(mine);
        slab.shrink();
        FrameArena arena = labyrinth.arena(MINE);
        labyrinth.validate();
        labyrinth.close();

        refusesAll(Labyrinth.class, Set.of("name", "frameSize", "handles", "sharedPath", "close", "closeNow",
                "toString"), Map.ofEntries(
                Map.entry("accept", () -> labyrinth.accept(handle)),
                Map.entry("allocPage", () -> labyrinth.allocPage(MINE)),
                Map.entry("allocPages", () -> labyrinth.allocPages(Gfp.NOWAIT, 3)),
                Map.entry("stats", labyrinth::stats), Map.entry("validate", labyrinth::validate),
                Map.entry("picture", labyrinth::picture), Map.entry("map", labyrinth::map),
                Map.entry("sweepDeadOwners", labyrinth::sweepDeadOwners),
                Map.entry("owners", labyrinth::owners), Map.entry("arena", () -> labyrinth.arena(MINE)),
                Map.entry("slab", () -> labyrinth.slab(64)), Map.entry("shrinkSlabs", labyrinth::shrinkSlabs),
                Map.entry("watermarks",
                        () -> labyrinth.watermarks(1, 2, Duration.ofSeconds(1), (mark, stats) -> { }))));
        refusesAll(Handles.class, Set.of("pfn", "generation", "memory"), Map.ofEntries(
                Map.entry("alloc", () -> handles.alloc(MINE, 0)), Map.entry("free", () -> handles.free(handle)),
                Map.entry("handOff", () -> handles.handOff(handle)), Map.entry("accept", () -> handles.accept(handle)),
                Map.entry("order", () -> handles.order(handle)), Map.entry("byteSize", () -> handles.byteSize(handle)),
                Map.entry("address", () -> handles.address(handle)),
                Map.entry("offset", () -> handles.offset(handle)),
                Map.entry("segment", () -> handles.segment(handle)),
                Map.entry("getLong", () -> handles.getLong(handle, 0)),
                Map.entry("putLong", () -> handles.putLong(handle, 0, 1)),
                Map.entry("getByte", () -> handles.getByte(handle, 0)),
                Map.entry("putByte", () -> handles.putByte(handle, 0, (byte) 1))));
        refusesAll(Frame.class,
                Set.of("pfn", "order", "isExclusive", "generation", "byteSize", "descriptor", "toString"),
                Map.of("owner", frame::owner, "handOff", frame::handOff, "close", frame::close));
        refusesAll(Slab.class, Set.of("objectBytes", "objects", "frames", "out", "memory", "toString"),
                Map.ofEntries(
                Map.entry("alloc", () -> slab.alloc(MINE)), Map.entry("free", () -> slab.free(mine)),
                Map.entry("allocObject", () -> slab.allocObject(Gfp.NOWAIT)),
                Map.entry("handOff", () -> slab.handOff(mine)), Map.entry("accept", () -> slab.accept(mine)),
                Map.entry("address", () -> slab.address(mine)), Map.entry("offset", () -> slab.offset(mine)),
                Map.entry("segment", () -> slab.segment(mine)), Map.entry("owners", slab::owners),
                Map.entry("getLong", () -> slab.getLong(mine, 0)),
                Map.entry("putLong", () -> slab.putLong(mine, 0, 1)),
                Map.entry("getByte", () -> slab.getByte(mine, 0)),
                Map.entry("putByte", () -> slab.putByte(mine, 0, (byte) 1)),
                Map.entry("shrink", slab::shrink), Map.entry("validate", slab::validate),
                Map.entry("sweepDeadOwners", slab::sweepDeadOwners), Map.entry("close", slab::close)));
        refusesAll(SlabObject.class, Set.of("isExclusive", "toString"), Map.of("close", object::close));
        refusesAll(FrameArena.class, Set.of("scope", "unzeroed", "close", "toString"),
                Map.of("allocate", () -> arena.allocate(8, 8)));
        refusesAll(Ticket.class, Set.of("handle", "pfn", "order", "toString"), Map.of("accept", ticket::accept));

        assertThat(labyrinth.name()).isEqualTo("ended");
        assertThat(labyrinth).hasToString("labyrinth=ended frames=64 frameSize=" + labyrinth.frameSize()
                + " reserve=0");
        assertThat(frame.descriptor().get(ValueLayout.JAVA_LONG, 0)).isZero();
        assertThat(labyrinth.closeNow()).isZero();
        labyrinth.close();
        arena.close();
    }

    /** Each public method is either refused here or named as harmless, so that a new one is thought of. */
    private static void refusesAll(Class<?> type, Set<String> harmless, Map<String, ThrowingCallable> refused) {
        Set<String> all = new HashSet<>(harmless);
        all.addAll(refused.keySet());
        // A confined segment is dead by the JDK's own means, see below.
        Stream<Method> methods = Stream.of(type.getMethods())
                .filter(method -> method.getDeclaringClass().getPackage() == type.getPackage()
                        && !Modifier.isStatic(method.getModifiers()) && !method.isBridge());
        assertThat(methods.map(Method::getName)
                .filter(name -> type != Frame.class && type != SlabObject.class || !name.equals("segment")))
                .as("%s", type).hasSameElementsAs(all);
        refused.forEach((name, call) -> assertThatThrownBy(call).as(name).isExactlyInstanceOf(Closed.class)
                .hasMessageContainingAll("labyrinth=ended is closed", "all that it handed out has ended"));
    }

    @Test
    void afterClosingNowExclusiveSegmentsReadZerosAndTheOthersAreDead() {
        Labyrinth labyrinth = Labyrinth.builder("now").frames(64).open();
        Frame mine = labyrinth.allocPages(MINE, 1);
        Frame shared = labyrinth.allocPages(Gfp.NOWAIT, 1);
        Frame untouched = labyrinth.allocPage(MINE);
        Ticket ticket = labyrinth.allocPage(MINE).handOff();
        MemorySegment page = mine.segment();
        MemorySegment sharedPage = shared.segment();
        page.fill((byte) 7);
        sharedPage.fill((byte) 7);
        labyrinth.validate();

        assertThat(labyrinth.closeNow()).isEqualTo(4);

        for (long at = 0; at < page.byteSize(); at += 8) {
            assertThat(page.get(ValueLayout.JAVA_LONG, at)).isZero();
            page.set(ValueLayout.JAVA_LONG, at, 9);
        }
        assertThatThrownBy(() -> sharedPage.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        assertThat(untouched.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        for (ThrowingCallable late : List.<ThrowingCallable>of(mine::close, shared::close, shared::segment,
                untouched::handOff, ticket::accept, mine::owner)) {
            assertThatThrownBy(late).isExactlyInstanceOf(Closed.class);
        }
    }

    /** Others touch frames, allocate and free while the labyrinth ends under them: a refusal each, and no crash. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whoIsAtWorkWhenItClosesIsRefused(boolean exclusive) throws InterruptedException {
        for (int round = 0; round < 12; round++) {
            Labyrinth labyrinth = Labyrinth.builder("race").frames(64).open();
            CountDownLatch started = new CountDownLatch(3);
            List<Thread> threads = new ArrayList<>();
            List<AtomicReference<Throwable>> ends = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                AtomicReference<Throwable> end = new AtomicReference<>();
                ends.add(end);
                threads.add(Thread.ofPlatform().start(() -> {
                    try {
                        work(labyrinth, (exclusive ? MINE : Gfp.NOWAIT).with(Gfp.NOWARN), started);
                    } catch (Throwable e) {
                        end.set(e);
                    }
                }));
            }
            started.await();
            labyrinth.closeNow();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(ends).allSatisfy(end -> assertThat(end.get())
                    .isInstanceOfAny(Closed.class, IllegalStateException.class));
        }
    }

    private static void work(Labyrinth labyrinth, Gfp gfp, CountDownLatch started) {
        long turns = 0;
        while (true) {
            Frame frame = labyrinth.allocPages(gfp, 1);
            if (frame != null) {
                frame.segment().set(ValueLayout.JAVA_LONG, 8, turns);
                frame.handOff().accept().close();
            }
            long handle = labyrinth.handles().alloc(gfp, 0);
            if (handle != 0) {
                labyrinth.handles().putLong(handle, 8, turns);
                labyrinth.handles().free(handle);
            }
            if (turns++ == 100) {
                started.countDown();
            }
        }
    }

    /** The page map is emptied between two looks of a caller: the word is its own, and nobody has signed it. */
    @Test
    void whoSawItsWordBeforeTheEndAndItsOwnerBehindItIsToldOfTheEnd() {
        Labyrinth labyrinth = Labyrinth.builder("ended").frames(64).open();
        Handles handles = labyrinth.handles();
        long handle = handles.alloc(MINE, 0);
        long word = labyrinth.map.lvWord(handles.pfn(handle));
        labyrinth.validate();
        labyrinth.closeNow();
        labyrinth.region.metadata.set(ValueLayout.JAVA_LONG, handles.pfn(handle) * 16L, word);

        for (ThrowingCallable late : List.<ThrowingCallable>of(() -> handles.free(handle),
                () -> handles.handOff(handle), () -> handles.getLong(handle, 0))) {
            assertThatThrownBy(late).isExactlyInstanceOf(Closed.class);
        }
    }

    @Test
    void refusesToCloseWhileNativeCodeUsesASegment() throws Throwable {
        Labyrinth labyrinth = Labyrinth.builder("used").frames(64).sampleClaims(1).open();
        Frame frame = labyrinth.allocPage(Gfp.NOWAIT);
        MemorySegment segment = frame.segment();
        frame.close();
        List<Throwable> refusals = new ArrayList<>();
        String pictureBefore = labyrinth.picture();

        duringNativeCall(segment, () -> {
            refusals.add(thrownBy(labyrinth::close));
            refusals.add(thrownBy(labyrinth::closeNow));
            labyrinth.validate();
        });

        assertThat(refusals).hasSize(2).allSatisfy(refusal -> assertThat(refusal).isExactlyInstanceOf(FramesOut.class)
                .hasMessageContainingAll("labyrinth=used cannot close", "native call or a channel",
                        "close it afterwards"));
        assertThat(labyrinth.picture()).isEqualTo(pictureBefore);
        frame = labyrinth.allocPage(Gfp.NOWAIT);
        assertThat(labyrinth.owners().getFirst().sampled()).as("claims are still sampled").hasSize(1);
        frame.close();
        labyrinth.validate();
        labyrinth.close();
    }

    @Test
    void refusesToFreeAnExclusiveFrameWhileNativeCodeUsesIt() throws Throwable {
        try (Labyrinth labyrinth = Labyrinth.builder("used").frames(64).open()) {
            Frame frame = labyrinth.allocPage(MINE);
            frame.segment().set(ValueLayout.JAVA_LONG, 0, 42);
            List<Throwable> refusals = new ArrayList<>();

            duringNativeCall(frame.segment(), () -> {
                refusals.add(thrownBy(frame::close));
                refusals.add(thrownBy(frame::handOff));
            });

            assertThat(refusals).hasSize(2).allMatch(IllegalStateException.class::isInstance);
            assertThat(frame.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
            labyrinth.validate();
            frame.close();
            assertThat(labyrinth.stats().free()).isEqualTo(64);
        }
    }

    @Test
    void warnsOfRefusalsButNotOfThoseThatWereExpected() {
        ChildJvm.Result child = ChildJvm.of(Refused.class).run();

        assertThat(child.exit()).as("%s", child.err()).isZero();
        assertThat(child.err().lines()).singleElement().asString()
                .contains("WARN", "labyrinth=loud requests refused without NOWARN: about 3");
    }

    /** Asks for more than there is. */
    static final class Refused {

        public static void main(String[] args) {
            for (String name : new String[] {"quiet", "loud"}) {
                try (Labyrinth labyrinth = Labyrinth.builder(name).frames(8).open()) {
                    Gfp gfp = name.equals("quiet") ? Gfp.NOWAIT.with(Gfp.NOWARN) : Gfp.NOWAIT;
                    for (int i = 0; i < 3; i++) {
                        labyrinth.allocPages(gfp, 5);
                    }
                    labyrinth.validate();
                }
            }
        }
    }

    private static Throwable thrownBy(ThrowingCallable call) {
        try {
            call.call();
        } catch (Throwable e) {
            return e;
        }
        return new AssertionError("not refused");
    }

    /** qsort calls back while it holds the segment: the one libc function that does so in the calling thread. */
    @SuppressWarnings("restricted")
    static void duringNativeCall(MemorySegment segment, Runnable action) throws Throwable {
        boolean[] done = new boolean[1];
        Runnable once = () -> {
            if (!done[0]) {
                done[0] = true;
                action.run();
            }
        };
        MethodHandle run = MethodHandles.insertArguments(MethodHandles.lookup().findStatic(CloseTest.class, "compare",
                MethodType.methodType(int.class, Runnable.class, MemorySegment.class, MemorySegment.class)), 0, once);
        Linker linker = Linker.nativeLinker();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment callback = linker.upcallStub(run,
                    FunctionDescriptor.of(Native.C_INT, Native.C_POINTER, Native.C_POINTER), arena);
            MethodHandle qsort = linker.downcallHandle(linker.defaultLookup().findOrThrow("qsort"),
                    FunctionDescriptor.ofVoid(Native.C_POINTER, Native.C_LONG, Native.C_LONG, Native.C_POINTER));
            qsort.invokeExact(segment, 2L, 8L, callback);
        }
        assertThat(done[0]).isTrue();
    }

    static int compare(Runnable action, MemorySegment one, MemorySegment two) {
        action.run();
        return 0;
    }
}
