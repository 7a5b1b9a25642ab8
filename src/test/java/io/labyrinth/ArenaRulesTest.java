package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.labyrinth.bindings.Native;
import io.labyrinth.kit.Race;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What {@link Arena} promises. The same tests run on the JDK's arenas and on a labyrinth's arenas. No test knows which
 * kind it has.
 */
class ArenaRulesTest {

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** Each of the JDK's, and beside it what can take its place. */
    enum Kind {
        CONFINED, EXCLUSIVE, SHARED, NOT_EXCLUSIVE;

        boolean isConfined() {
            return this == CONFINED || this == EXCLUSIVE;
        }
    }

    private Labyrinth labyrinth;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("arenas").frames(3072).locking(Locking.PREFERRED).open();
        // What an arena gives out must be zeroed by it: a new frame would be zero anyway.
        for (int order = 0; order <= Labyrinth.MAX_ORDER; order++) {
            try (Frame frame = labyrinth.allocPages(Gfp.NOWAIT, order)) {
                frame.segment().fill((byte) 0x5a);
            }
        }
    }

    @AfterEach
    void everythingIsBack() {
        labyrinth.validate();
        assertThat(labyrinth.stats().free()).isEqualTo(3072);
        labyrinth.close();
    }

    private Arena arena(Kind kind) {
        return switch (kind) {
            case CONFINED -> Arena.ofConfined();
            case SHARED -> Arena.ofShared();
            case EXCLUSIVE -> labyrinth.arena(Gfp.ATOMIC_EXCLUSIVE);
            case NOT_EXCLUSIVE -> labyrinth.arena(Gfp.NOWAIT);
        };
    }

    private static Throwable elsewhere(ThrowingCallable call) {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Race.join(Thread.ofPlatform().start(() -> thrown.set(catchThrowable(call))));
        return thrown.get();
    }

    @ParameterizedTest
    @EnumSource
    void segmentsOfAllSizesAndAlignmentsAreZeroedAlignedAndApart(Kind kind) {
        SplittableRandom random = new SplittableRandom(7);
        for (int round = 0; round < 4; round++) {
            try (Arena arena = arena(kind)) {
                List<MemorySegment> all = new ArrayList<>();
                for (int i = 0; i < 300; i++) {
                    long size = random.nextInt(1 << random.nextInt(1, 15));
                    long alignment = 1L << random.nextInt(i % 50 == 0 ? 16 : 8);
                    MemorySegment segment = arena.allocate(size, alignment);

                    assertThat(segment.byteSize()).isEqualTo(size);
                    assertThat(segment.address() % alignment).as("of %s", alignment).isZero();
                    assertThat(segment.isNative()).isTrue();
                    assertThat(segment.isReadOnly()).isFalse();
                    assertThat(segment.scope()).isEqualTo(arena.scope());
                    assertThat(segment.mismatch(MemorySegment.ofArray(new byte[(int) size]))).as("zeroed")
                            .isEqualTo(-1);
                    segment.fill((byte) (i + 1));
                    all.add(segment);
                }
                for (int i = 0; i < all.size(); i++) {
                    byte[] stamp = new byte[(int) all.get(i).byteSize()];
                    MemorySegment.ofArray(stamp).fill((byte) (i + 1));
                    assertThat(all.get(i).mismatch(MemorySegment.ofArray(stamp))).as("segment %s", i).isEqualTo(-1);
                    for (MemorySegment other : all.subList(0, i)) {
                        assertThat(all.get(i).asOverlappingSlice(other)).isEmpty();
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyPowerOfTwoUpTo2MiBIsAnAlignment(Kind kind) {
        for (long alignment = 1; alignment <= 2L << 20; alignment <<= 1) {
            for (long size : new long[] {0, 1, alignment - 1, alignment, alignment + 1}) {
                try (Arena arena = arena(kind)) {
                    arena.allocate(1, 1);
                    MemorySegment segment = arena.allocate(size, alignment);
                    assertThat(segment.address() % alignment).as("%s of %s", size, alignment).isZero();
                    assertThat(segment.byteSize()).isEqualTo(size);
                    segment.fill((byte) 1);
                }
            }
        }
    }

    /** Not promised, but true of the JDK's, and code relies on it: what malloc aligns to. */
    @ParameterizedTest
    @EnumSource
    void whoAsksForNoAlignmentGets16(Kind kind) {
        try (Arena arena = arena(kind)) {
            for (int size = 1; size < 200; size++) {
                assertThat(arena.allocate(size).address() % 16).as("%s", size).isZero();
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void emptySegmentsHaveAddressesOfTheirOwn(Kind kind) {
        try (Arena arena = arena(kind)) {
            MemorySegment one = arena.allocate(0);
            MemorySegment two = arena.allocate(0, 64);
            assertThat(one.address()).isNotZero().isNotEqualTo(two.address());
            assertThat(one.byteSize()).isZero();
            assertThat(two.address() % 64).isZero();
            assertThatThrownBy(() -> one.get(BYTE, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @ParameterizedTest
    @EnumSource
    void refusesWrongSizesAndAlignments(Kind kind) {
        try (Arena arena = arena(kind)) {
            for (long size : new long[] {-1, Long.MIN_VALUE}) {
                assertThatThrownBy(() -> arena.allocate(size, 1)).isInstanceOf(IllegalArgumentException.class);
            }
            for (long alignment : new long[] {0, -1, 3, 12, Long.MIN_VALUE, Long.MAX_VALUE}) {
                assertThatThrownBy(() -> arena.allocate(8, alignment)).isInstanceOf(IllegalArgumentException.class);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatDoesNotFitIsRefusedAndTheArenaStaysGood(Kind kind) {
        try (Arena arena = arena(kind)) {
            MemorySegment before = arena.allocate(100);
            before.set(LONG, 0, 5);
            for (long size : new long[] {Long.MAX_VALUE, Long.MAX_VALUE - 7, 1L << 62}) {
                assertThat(catchThrowable(() -> arena.allocate(size, 8))).as("%s", size)
                        .isInstanceOfAny(OutOfMemoryError.class, LabyrinthException.class);
            }
            assertThat(before.get(LONG, 0)).isEqualTo(5);
            assertThat(arena.allocate(100).get(LONG, 0)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void layoutsValuesAndArraysAreAllocatedAsTheyAre(Kind kind) {
        StructLayout point = MemoryLayout.structLayout(ValueLayout.JAVA_INT.withName("x"),
                MemoryLayout.paddingLayout(4), ValueLayout.JAVA_DOUBLE.withName("y"));
        VarHandle y = point.varHandle(MemoryLayout.PathElement.groupElement("y"));
        try (Arena arena = arena(kind)) {
            MemorySegment one = arena.allocate(point);
            y.set(one, 0L, 2.5);
            assertThat(one.get(ValueLayout.JAVA_DOUBLE, 8)).isEqualTo(2.5);
            assertThat(arena.allocate(point, 1000).byteSize()).isEqualTo(1000 * point.byteSize());
            assertThat(arena.allocateFrom(ValueLayout.JAVA_INT, 42).get(ValueLayout.JAVA_INT, 0)).isEqualTo(42);
            assertThat(arena.allocateFrom(LONG, 1, 2, 3).toArray(LONG)).containsExactly(1, 2, 3);
            assertThat(arena.allocateFrom(ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN), (short) 0x0102)
                    .toArray(BYTE)).containsExactly(1, 2);
            MemorySegment pointer = arena.allocateFrom(ValueLayout.ADDRESS, one);
            assertThat(pointer.get(ValueLayout.ADDRESS, 0)).isEqualTo(MemorySegment.ofAddress(one.address()));
            assertThat(arena.allocateFrom(BYTE, one, BYTE, 8, 8).get(ValueLayout.JAVA_DOUBLE_UNALIGNED, 0))
                    .isEqualTo(2.5);
        }
    }

    @ParameterizedTest
    @EnumSource
    void stringsComeBackAsTheyWent(Kind kind) {
        try (Arena arena = arena(kind)) {
            for (String text : List.of("", "labyrinth", "λαβύρινθος", "a".repeat(10_000))) {
                assertThat(arena.allocateFrom(text).getString(0)).isEqualTo(text);
                assertThat(arena.allocateFrom(text, StandardCharsets.UTF_16LE).getString(0, StandardCharsets.UTF_16LE))
                        .isEqualTo(text);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void nativeCodeFollowsItsPointers(Kind kind) throws Throwable {
        Linker linker = Linker.nativeLinker();
        @SuppressWarnings("restricted")
        MethodHandle strlen = linker.downcallHandle(linker.defaultLookup().findOrThrow("strlen"),
                FunctionDescriptor.of(Native.C_LONG, Native.C_POINTER));
        @SuppressWarnings("restricted")
        MethodHandle strtol = linker.downcallHandle(linker.defaultLookup().findOrThrow("strtol"),
                FunctionDescriptor.of(Native.C_LONG, Native.C_POINTER, Native.C_POINTER, Native.C_INT));
        try (Arena arena = arena(kind)) {
            MemorySegment text = arena.allocateFrom("4711 frames");
            MemorySegment end = arena.allocate(ValueLayout.ADDRESS);
            assertThat((long) strlen.invokeExact(text)).isEqualTo(11);
            assertThat((long) strtol.invokeExact(text, end, 10)).isEqualTo(4711);
            assertThat(end.get(ValueLayout.ADDRESS, 0).address()).isEqualTo(text.address() + 4);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatComesFromASegmentDiesWithTheArena(Kind kind) {
        Arena arena = arena(kind);
        MemorySegment segment = arena.allocate(5000, 8);
        MemorySegment slice = segment.asSlice(100, 50).asReadOnly();
        ByteBuffer buffer = segment.asByteBuffer().order(ByteOrder.nativeOrder());
        segment.set(LONG, 104, 9);
        assertThat(slice.get(ValueLayout.JAVA_LONG_UNALIGNED, 4)).isEqualTo(9);
        assertThat(buffer.isDirect()).isTrue();
        assertThat(buffer.getLong(104)).isEqualTo(9);
        assertThat(arena.scope().isAlive()).isTrue();

        arena.close();

        assertThat(arena.scope().isAlive()).isFalse();
        assertThat(segment.scope().isAlive()).isFalse();
        for (ThrowingCallable late : List.<ThrowingCallable>of(() -> segment.get(LONG, 0), () -> slice.get(BYTE, 0),
                () -> buffer.get(0), () -> segment.set(LONG, 0, 1), () -> segment.fill((byte) 1))) {
            assertThatThrownBy(late).isInstanceOf(IllegalStateException.class);
        }
    }

    @ParameterizedTest
    @EnumSource
    void refusesToAllocateAndToCloseOnceClosed(Kind kind) {
        Arena used = arena(kind);
        Arena unused = arena(kind);
        used.allocate(10);
        for (Arena arena : List.of(used, unused)) {
            arena.close();
            for (int i = 0; i < 2; i++) {
                assertThatThrownBy(() -> arena.allocate(10)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> arena.allocate(0)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(arena::close).isInstanceOf(IllegalStateException.class);
            }
            assertThat(elsewhere(arena::close)).isInstanceOfAny(IllegalStateException.class,
                    WrongThreadException.class);
        }
    }

    @ParameterizedTest
    @EnumSource
    void anotherThreadMayAllThatTheKindAllows(Kind kind) {
        Arena arena = arena(kind);
        MemorySegment segment = arena.allocate(8, 8);
        List<ThrowingCallable> uses = List.of(() -> arena.allocate(8), () -> arena.allocate(50_000),
                () -> segment.set(LONG, 0, 3), arena::close);
        assertThat(segment.isAccessibleBy(Thread.currentThread())).isTrue();
        assertThat(segment.isAccessibleBy(new Thread())).isEqualTo(!kind.isConfined());
        for (ThrowingCallable use : uses) {
            if (kind.isConfined()) {
                assertThat(elsewhere(use)).isInstanceOf(WrongThreadException.class);
                assertThat(segment.get(LONG, 0)).isZero();
            } else {
                assertThat(elsewhere(use)).isNull();
            }
        }
        assertThat(arena.scope().isAlive()).isEqualTo(kind.isConfined());
        if (kind.isConfined()) {
            arena.close();
        }
    }

    /** qsort calls back while it holds the segment. */
    @ParameterizedTest
    @EnumSource
    void refusesToCloseWhileNativeCodeUsesIt(Kind kind) throws Throwable {
        Arena arena = arena(kind);
        MemorySegment segment = arena.allocateFrom(LONG, 4, 3);
        List<Throwable> refusals = new ArrayList<>();

        CloseTest.duringNativeCall(segment, () -> refusals.add(catchThrowable(arena::close)));

        assertThat(refusals).hasSize(1).allMatch(IllegalStateException.class::isInstance);
        assertThat(arena.allocate(8).get(LONG, 0)).isZero();
        assertThat(segment.get(LONG, 0)).isEqualTo(4);
        arena.close();
    }

    @ParameterizedTest
    @EnumSource
    void otherAllocatorsStandOnIt(Kind kind) {
        try (Arena arena = arena(kind)) {
            SegmentAllocator slicing = SegmentAllocator.slicingAllocator(arena.allocate(64, 8));
            assertThat(slicing.allocate(8, 8).asOverlappingSlice(slicing.allocate(8, 8))).isEmpty();
            assertThat(slicing.allocate(48).byteSize()).isEqualTo(48);
            assertThatThrownBy(() -> slicing.allocate(1)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(SegmentAllocator.prefixAllocator(arena.allocate(64)).allocateFrom("one").getString(0))
                    .isEqualTo("one");
        }
    }
}
