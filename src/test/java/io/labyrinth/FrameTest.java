package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.labyrinth.bindings.labyrinth_page;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.Race;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Field;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a frame allows, to which thread, and until when. */
class FrameTest {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final int FRAMES = 64;

    private Labyrinth labyrinth;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("frames").frames(FRAMES).open();
    }

    @AfterEach
    void everythingIsBack() {
        labyrinth.validate();
        labyrinth.close();
    }

    private static Throwable elsewhere(ThrowingCallable call) {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Race.join(Thread.ofPlatform().start(() -> thrown.set(catchThrowable(call))));
        return thrown.get();
    }

    private Frame exclusive() {
        return labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
    }

    @Test
    void refusesAccessByAnotherThread() {
        Frame frame = exclusive();
        MemorySegment segment = frame.segment();
        segment.set(LONG, 0, 1);
        assertThat(elsewhere(() -> segment.get(LONG, 0))).isInstanceOf(WrongThreadException.class);
        assertThat(elsewhere(() -> segment.set(LONG, 0, 2))).isInstanceOf(WrongThreadException.class);
        assertThat(segment.get(LONG, 0)).isEqualTo(1);
        frame.close();
    }

    @Test
    void refusesTheSegmentItselfToAnotherThread() {
        Frame frame = exclusive();
        assertThat(elsewhere(frame::segment)).isInstanceOf(WrongThreadException.class)
                .hasMessageContaining("thread=" + Thread.currentThread().threadId());
        frame.close();
    }

    @Test
    void refusesFreeAndHandOverByAnotherThread() {
        for (boolean touched : new boolean[] {false, true}) {
            Frame frame = exclusive();
            if (touched) {
                frame.segment().set(LONG, 0, 1);
            }
            assertThat(elsewhere(frame::close)).isInstanceOf(LabyrinthException.NotOwner.class)
                    .hasMessageContaining("pfn=" + frame.pfn());
            assertThat(elsewhere(frame::handOff)).isInstanceOf(LabyrinthException.NotOwner.class);
            assertThat(frame.owner()).isEqualTo(Thread.currentThread().threadId());
            frame.segment().set(LONG, 0, 2);
            frame.close();
        }
    }

    @Test
    void refusesAccessAfterTheEnd() {
        Frame frame = exclusive();
        MemorySegment segment = frame.segment();
        frame.close();
        assertThatThrownBy(() -> segment.get(LONG, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(frame::segment).isInstanceOf(LabyrinthException.Stale.class);
        Frame untouched = exclusive();
        untouched.close();
        assertThatThrownBy(untouched::segment).isInstanceOf(LabyrinthException.Stale.class);
        assertThat(elsewhere(untouched::segment)).isInstanceOf(LabyrinthException.Stale.class);
    }

    /** What close() leaves that ran out of stack behind its first step, or its second; written by hand. */
    @Test
    void isGoodForCloseAloneAfterACloseThatFailedHalfWay() throws ReflectiveOperationException {
        Frame arenaClosed = exclusive();
        arenaClosed.segment().set(LONG, 0, 1);
        ((Arena) field("arena").get(arenaClosed)).close();
        arenaClosed.close();
        assertThatThrownBy(arenaClosed::close).isInstanceOf(LabyrinthException.Stale.class);

        Frame notReleased = exclusive();
        field("ended").set(notReleased, true);
        assertThatThrownBy(notReleased::segment).isInstanceOf(LabyrinthException.Stale.class)
                .hasMessageContaining("failed half-way");
        notReleased.close();
        assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
    }

    private static Field field(String name) throws ReflectiveOperationException {
        Field field = Lease.class.getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    @Test
    void refusesASecondEndByWhomever() {
        for (Gfp gfp : new Gfp[] {Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT}) {
            for (boolean touched : new boolean[] {false, true}) {
                Frame frame = labyrinth.allocPage(gfp);
                if (touched) {
                    frame.segment().set(LONG, 0, 1);
                }
                frame.close();
                for (ThrowingCallable again : new ThrowingCallable[] {frame::close, frame::handOff, frame::owner}) {
                    assertThatThrownBy(again).isInstanceOf(LabyrinthException.Stale.class);
                    assertThat(elsewhere(again)).isInstanceOf(LabyrinthException.Stale.class);
                }
            }
        }
    }

    @Test
    void refusesAStaleFrameThoughItsFramesAreOutAgain() {
        for (Gfp gfp : new Gfp[] {Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT}) {
            Frame stale = labyrinth.allocPage(gfp);
            stale.close();
            Frame next = labyrinth.allocPage(gfp);
            assertThat(next.pfn()).as("the frame freed last comes first").isEqualTo(stale.pfn());
            assertThat(next.generation()).isEqualTo(stale.generation() + 1);
            assertThatThrownBy(stale::close).isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(stale::handOff).isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(stale::segment).isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(stale::owner).isInstanceOf(LabyrinthException.Stale.class);
            next.segment().set(LONG, 0, 3);
            next.close();
        }
    }

    @Test
    void letsAnybodyUseAndFreeASharedFrameOnce() {
        Frame frame = labyrinth.allocPage(Gfp.NOWAIT);
        frame.segment().set(LONG, 8, 5);
        assertThat(elsewhere(() -> {
            assertThat(frame.segment().get(LONG, 8)).isEqualTo(5);
            frame.segment().set(LONG, 8, 6);
        })).isNull();
        MemorySegment segment = frame.segment();
        assertThat(segment.get(LONG, 8)).isEqualTo(6);
        assertThat(elsewhere(frame::close)).isNull();
        assertThatThrownBy(frame::close).isInstanceOf(LabyrinthException.Stale.class);
        assertThat(segment.scope().isAlive()).as("alive as long as the labyrinth").isTrue();
    }

    @Test
    void oneOfManyEndsOfASharedFrameWins() {
        Frame[] frame = {labyrinth.allocPage(Gfp.NOWAIT)};
        AtomicInteger won = new AtomicInteger();
        AtomicReference<Ticket> ticket = new AtomicReference<>();
        Race.run(3_000, round -> {
            assertThat(won.getAndSet(0)).isEqualTo(1);
            if (ticket.get() != null) {
                ticket.getAndSet(null).accept().close();
            }
            frame[0] = labyrinth.allocPage(Gfp.NOWAIT);
        }, round -> count(won, frame[0]::close), round -> count(won, () -> ticket.set(frame[0].handOff())));
        frame[0].close();
    }

    private static void count(AtomicInteger won, Runnable end) {
        try {
            end.run();
            won.incrementAndGet();
        } catch (LabyrinthException.Stale expected) {
            // The other's.
        }
    }

    @Test
    void readsAsZerosWhereThatWasAskedFor() {
        for (Gfp gfp : new Gfp[] {Gfp.ZERO, Gfp.ATOMIC_EXCLUSIVE.with(Gfp.ZERO)}) {
            Frame dirty = labyrinth.allocPages(gfp, 3);
            dirty.segment().fill((byte) 0xff);
            int pfn = dirty.pfn();
            dirty.close();
            Frame zeroed = labyrinth.allocPages(gfp, 3);
            assertThat(zeroed.pfn()).isEqualTo(pfn);
            for (long at = 0; at < zeroed.byteSize(); at += 8) {
                assertThat(zeroed.segment().get(LONG, at)).isZero();
            }
            zeroed.close();
        }
    }

    @Test
    void endsWhereItsRunEnds() {
        for (Gfp gfp : new Gfp[] {Gfp.ATOMIC_EXCLUSIVE, Gfp.NOWAIT}) {
            for (int order = 0; order <= 3; order++) {
                Frame frame = labyrinth.allocPages(gfp, order);
                MemorySegment segment = frame.segment();
                long size = labyrinth.frameSize() << order;
                assertThat(frame.byteSize()).isEqualTo(size);
                assertThat(segment.byteSize()).isEqualTo(size);
                segment.set(LONG, size - 8, 1);
                assertThatThrownBy(() -> segment.set(LONG, size, 1)).isInstanceOf(IndexOutOfBoundsException.class);
                assertThatThrownBy(() -> segment.get(LONG, -8)).isInstanceOf(IndexOutOfBoundsException.class);
                frame.close();
            }
        }
    }

    @Test
    void liesAtItsNumberWithinOneRegion() {
        Set<Long> starts = new HashSet<>();
        for (int order = 0; order <= 4; order++) {
            Frame frame = labyrinth.allocPages(Gfp.ATOMIC_EXCLUSIVE, order);
            assertThat(frame.pfn() % (1 << order)).isZero();
            assertThat(frame.order()).isEqualTo(order);
            assertThat(frame.segment().address() % labyrinth.frameSize()).isZero();
            starts.add(frame.segment().address() - frame.pfn() * labyrinth.frameSize());
            frame.close();
        }
        assertThat(starts).as("address of pfn=0").hasSize(1);
    }

    @Test
    void largeRunsAreAlignedInMemoryUpToTwoMebibytes() {
        try (Labyrinth large = Labyrinth.builder("rows").frames(1500).locking(Locking.PREFERRED).open()) {
            Frame row = large.allocPages(Gfp.ATOMIC_EXCLUSIVE, 9);
            Frame run = large.allocPages(Gfp.NOWAIT, 6);
            assertThat(row.segment().address() % (row.byteSize() & -row.byteSize())).isZero();
            assertThat(run.segment().address() % run.byteSize()).isZero();
            row.close();
            run.close();
            large.validate();
        }
    }

    @Test
    void segmentIsTheSameEachTime() {
        Frame frame = exclusive();
        assertThat(frame.segment()).isSameAs(frame.segment());
        frame.close();
    }

    @Test
    void descriptorIsTheStructAndCannotBeWritten() {
        Frame frame = exclusive();
        MemorySegment page = frame.descriptor();
        assertThat(page.byteSize()).isEqualTo(labyrinth_page.sizeof());
        long word = labyrinth_page.word(page);
        assertThat(PageWord.state(word)).isEqualTo(PageWord.HEAD);
        assertThat(PageWord.generation(word)).isEqualTo(frame.generation());
        assertThat(PageWord.isExclusive(word)).isEqualTo(frame.isExclusive());
        assertThat(PageWord.threadId(labyrinth_page.owner(page))).isEqualTo(Thread.currentThread().threadId());
        assertThat(page.isReadOnly()).isTrue();
        assertThatThrownBy(() -> labyrinth_page.word(page, 0)).isInstanceOf(IllegalArgumentException.class);
        frame.close();
        assertThat(PageWord.isFree(labyrinth_page.word(page))).as("it shows the word as it is now").isTrue();
    }

    @Test
    void oneCheckIsEnoughForAVisit() {
        Labyrinth visited = Labyrinth.builder("visited").frames(16).open();
        Handles handles = visited.handles();
        MemorySegment memory = handles.memory();
        handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 0);    // so that the next one is not at the start
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 1);
        long at = handles.offset(handle);
        memory.set(ValueLayout.JAVA_INT, at + 12, 42);
        memory.asSlice(at + 64, 64).copyFrom(memory.asSlice(at, 64));
        assertThat(handles.getLong(handle, 76) & 0xFFFFFFFFL).isEqualTo(42);
        assertThat(handles.address(handle)).isEqualTo(memory.address() + at);
        assertThat(memory.byteSize()).isEqualTo(16 * visited.frameSize());
        assertThat(handles.memory()).isSameAs(memory);
        handles.free(handle);
        assertThatThrownBy(() -> handles.offset(handle)).isInstanceOf(LabyrinthException.Stale.class);
        visited.closeNow();
        assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_INT, at)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void rawFaceRefusesWhatAFrameRefuses() {
        Handles handles = labyrinth.handles();
        long handle = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 1);
        long size = handles.byteSize(handle);
        assertThat(size).isEqualTo(labyrinth.frameSize() * 2);
        handles.putLong(handle, size - 8, 7);
        handles.putByte(handle, 3, (byte) 9);
        assertThat(handles.getLong(handle, size - 8)).isEqualTo(7);
        assertThat(handles.getByte(handle, 3)).isEqualTo((byte) 9);
        for (long offset : new long[] {-1, size - 7, size, Long.MAX_VALUE, Long.MIN_VALUE}) {
            assertThatThrownBy(() -> handles.getLong(handle, offset)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> handles.putLong(handle, offset, 1)).isInstanceOf(IndexOutOfBoundsException.class);
        }
        assertThatThrownBy(() -> handles.putByte(handle, size, (byte) 1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> handles.segment(handle)).isInstanceOf(LabyrinthException.InvalidRequest.class);
        ThrowingCallable[] calls = {() -> handles.getLong(handle, 0), () -> handles.putLong(handle, 0, 1),
            () -> handles.getByte(handle, 0), () -> handles.putByte(handle, 0, (byte) 1), () -> handles.order(handle),
            () -> handles.byteSize(handle), () -> handles.address(handle), () -> handles.segment(handle),
            () -> handles.free(handle), () -> handles.handOff(handle)};
        for (ThrowingCallable call : calls) {
            assertThat(elsewhere(call)).isInstanceOf(LabyrinthException.NotOwner.class);
        }
        handles.free(handle);
        long next = handles.alloc(Gfp.ATOMIC_EXCLUSIVE, 1);
        assertThat(handles.pfn(next)).isEqualTo(handles.pfn(handle));
        for (ThrowingCallable call : calls) {
            assertThatThrownBy(call).isInstanceOf(LabyrinthException.Stale.class);
            assertThat(elsewhere(call)).isInstanceOf(LabyrinthException.Stale.class);
        }
        handles.free(next);
    }

    @Test
    void rawFaceSharesWhatIsNotExclusive() {
        Handles handles = labyrinth.handles();
        long handle = handles.alloc(Gfp.NOWAIT, 2);
        MemorySegment segment = handles.segment(handle);
        assertThat(segment.address()).isEqualTo(handles.address(handle));
        assertThat(segment.byteSize()).isEqualTo(handles.byteSize(handle));
        handles.putLong(handle, 16, 4);
        assertThat(elsewhere(() -> {
            assertThat(handles.getLong(handle, 16)).isEqualTo(4);
            handles.free(handle);
        })).isNull();
        assertThatThrownBy(() -> handles.free(handle)).isInstanceOf(LabyrinthException.Stale.class);
    }
}
