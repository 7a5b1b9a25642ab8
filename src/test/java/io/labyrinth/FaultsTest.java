package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.LabyrinthException.Foreign;
import io.labyrinth.LabyrinthException.FramesOut;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.NotOwner;
import io.labyrinth.LabyrinthException.Stale;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Misuse: each refusal is typed, says the fact, the limit and the remedy, and leaves every word of the map as it was.
 */
class FaultsTest {

    private static final Gfp SHARED = Gfp.NOWAIT;
    private static final Gfp MINE = Gfp.ATOMIC_EXCLUSIVE;

    private Labyrinth labyrinth;
    private Handles handles;

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("faults").frames(256).reserve(16).open();
        handles = labyrinth.handles();
    }

    @AfterEach
    void validate() {
        labyrinth.validate();
        labyrinth.closeNow();
    }

    // ------------------------------------------------------------------------------------------------ requests

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE, (1 << 24) + 1, 1L << 31, 1L << 32 | 1, Long.MAX_VALUE})
    void refusesFramesThatNoLabyrinthHas(long frames) {
        Labyrinth.Builder builder = Labyrinth.builder("refused").frames(8);

        assertThatThrownBy(() -> builder.frames(frames)).isExactlyInstanceOf(InvalidRequest.class)
                .hasMessageContainingAll("frames=" + frames, "limit=" + Labyrinth.MAX_FRAMES, "ask for 1 to");
        try (Labyrinth asBefore = builder.open()) {
            assertThat(asBefore.stats().frames()).isEqualTo(8);
            asBefore.validate();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, 1 << 24, 1L << 32, Long.MAX_VALUE})
    void refusesReservesThatNoLabyrinthHas(long reserve) {
        assertThatThrownBy(() -> Labyrinth.builder("refused").reserve(reserve))
                .isExactlyInstanceOf(InvalidRequest.class)
                .hasMessageContainingAll("reserve=" + reserve, "limit=" + (Labyrinth.MAX_FRAMES - 1), "at least 0");
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 9, (1 << 24) - 1})
    void refusesAReserveThatLeavesNoFrameForOthers(int reserve) {
        Labyrinth.Builder builder = Labyrinth.builder("refused").frames(8).reserve(reserve);

        assertThatThrownBy(builder::open).isExactlyInstanceOf(InvalidRequest.class)
                .hasMessageContainingAll("reserve=" + reserve, "frames=8", "leave at least 1");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 11, 32, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void refusesOrdersThatNoRunHas(int order) {
        String[] says = {"order=" + order, "limit=10", "ask for an order from 0 to 10"};

        refuses(InvalidRequest.class, () -> labyrinth.allocPages(SHARED, order), says);
        refuses(InvalidRequest.class, () -> labyrinth.allocPages(MINE, order), says);
        refuses(InvalidRequest.class, () -> handles.alloc(SHARED, order), says);
    }

    @Test
    void anOrderThatDoesNotFitIsNoMistakeAndGetsNull() {
        assertThat(labyrinth.allocPages(Gfp.NOWAIT.with(Gfp.NOWARN), Labyrinth.MAX_ORDER)).isNull();
    }

    @Test
    void refusesFlagsThatContradictOrSleepBeforeAnythingIsTaken() {
        refuses(InvalidRequest.class, () -> labyrinth.allocPage(Gfp.ATOMIC.with(Gfp.NOMEMALLOC)), "HIGH", "NOMEMALLOC");
        refuses(InvalidRequest.class, () -> labyrinth.allocPage(Gfp.parse("KERNEL")), "sleep", "use NOWAIT");
    }

    @Test
    void refusesNull() {
        List<ThrowingCallable> calls = List.of(() -> Labyrinth.builder(null),
                () -> Labyrinth.builder("x").locking(null), () -> labyrinth.allocPage(null),
                () -> labyrinth.allocPages(null, 3), () -> handles.alloc(null, 0), () -> Gfp.ZERO.with(null),
                () -> Gfp.parse(null));
        for (ThrowingCallable call : calls) {
            refuses(NullPointerException.class, call);
        }
    }

    // ------------------------------------------------------------------------------------------------ ended lives

    static List<Gfp> kinds() {
        return List.of(SHARED, MINE);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesDoubleFreeBySameThread(Gfp gfp) {
        Frame frame = labyrinth.allocPages(gfp, 2);
        long handle = handles.alloc(gfp, 3);
        frame.segment();
        frame.close();
        handles.free(handle);

        refuses(Stale.class, frame::close, named(frame, "free refused"));
        refuses(Stale.class, () -> handles.free(handle), named(handle, "free refused"));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesDoubleFreeByAnotherThread(Gfp gfp) {
        Frame frame = labyrinth.allocPages(gfp, 2);
        long handle = handles.alloc(gfp, 3);
        frame.close();
        handles.free(handle);

        refuses(Stale.class, () -> elsewhere(frame::close), named(frame, "free refused"));
        refuses(Stale.class, () -> elsewhere(() -> handles.free(handle)), named(handle, "free refused"));
    }

    /** Its handle can be guessed from pfn and generation; freed by it, the frame's segment would live on. */
    @Test
    void refusesToEndAFrameByItsRawHandle() {
        Frame frame = labyrinth.allocPage(MINE);
        MemorySegment segment = frame.segment();
        long guessed = frame.generation() << 24 | frame.pfn();

        refuses(InvalidRequest.class, () -> handles.free(guessed), "free refused", "use the Frame");
        refuses(InvalidRequest.class, () -> handles.handOff(guessed), "hand-over refused", "use the Frame");
        segment.set(ValueLayout.JAVA_LONG, 0, 42);
        Ticket ticket = frame.handOff();
        // In transit nothing of the frame lives on, so either face may accept it, once.
        handles.free(handles.accept(ticket.handle()));
        refuses(Stale.class, ticket::accept, "accept refused");
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesAStaleFrameAfterItsReuse(Gfp gfp) {
        Frame stale = labyrinth.allocPages(gfp, 1);
        MemorySegment segment = stale.segment();
        stale.close();
        Frame reused = labyrinth.allocPages(gfp, 1);
        assertThat(reused.pfn()).isEqualTo(stale.pfn());

        refuses(Stale.class, stale::close, named(stale, "free refused"));
        refuses(Stale.class, stale::handOff, named(stale, "hand-over refused"));
        refuses(Stale.class, stale::owner, named(stale, "owner refused"));
        refuses(Stale.class, stale::segment, named(stale, "segment refused"));
        if (gfp.isExclusive()) {
            refuses(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        }
        assertThat(reused.owner()).isEqualTo(Thread.currentThread().threadId());
        reused.close();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesAStaleHandleAfterItsReuse(Gfp gfp) {
        long stale = handles.alloc(gfp, 1);
        handles.free(stale);
        long reused = handles.alloc(gfp, 1);
        assertThat(handles.pfn(reused)).isEqualTo(handles.pfn(stale));
        handles.putLong(reused, 0, 42);

        for (ThrowingCallable use : usesOf(stale)) {
            refuses(Stale.class, use, named(stale, " refused"));
        }
        assertThat(handles.getLong(reused, 0)).isEqualTo(42);
        handles.free(reused);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesTheGiversFrameOnceItIsHandedOver(Gfp gfp) {
        Frame given = labyrinth.allocPage(gfp);
        Ticket ticket = given.handOff();

        refuses(Stale.class, given::close, named(given, "free refused"));
        refuses(Stale.class, given::handOff, named(given, "hand-over refused"));
        Frame taken = ticket.accept();
        refuses(Stale.class, given::close, named(given, "free refused"));
        refuses(Stale.class, given::segment, named(given, "segment refused"));
        taken.close();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesATicketThatWasAcceptedBefore(Gfp gfp) {
        Ticket ticket = labyrinth.allocPage(gfp).handOff();
        long raw = handles.handOff(handles.alloc(gfp, 0));
        Frame frame = ticket.accept();
        long handle = handles.accept(raw);

        refuses(Stale.class, ticket::accept, "accept refused", "state=HEAD", "use each handle or ticket once");
        refuses(Stale.class, () -> elsewhere(ticket::accept), "accept refused");
        refuses(Stale.class, () -> handles.accept(raw), named(raw, "accept refused"));
        refuses(Stale.class, () -> elsewhere(() -> handles.accept(raw)), named(raw, "accept refused"));
        frame.close();
        refuses(Stale.class, ticket::accept, "accept refused", "state=FREE");
        handles.free(handle);
    }

    @Test
    void takesNoTicketForAHandleAndNoHandleForATicket() {
        long handle = handles.alloc(MINE, 0);
        refuses(Stale.class, () -> handles.accept(handle), named(handle, "accept refused"));
        long ticket = handles.handOff(handle);
        List<ThrowingCallable> uses = usesOf(ticket);
        for (ThrowingCallable use : uses.subList(0, uses.size() - 1)) {
            refuses(Stale.class, use, named(ticket, " refused"));
        }
        handles.free(handles.accept(ticket));
    }

    // ------------------------------------------------------------------------------------------------ other owners

    @Test
    void refusesEveryUseOfAnExclusiveFrameByAnotherThread() {
        Frame frame = labyrinth.allocPages(MINE, 1);
        String[] says = named(frame, "is EXCLUSIVE to thread=" + Thread.currentThread().threadId(), "caller is thread=",
                "hand the frame over first");

        refuses(NotOwner.class, () -> elsewhere(frame::close), says);
        refuses(NotOwner.class, () -> elsewhere(frame::handOff), says);
        refuses(WrongThreadException.class, () -> elsewhere(frame::segment), says);
        frame.segment();
        refuses(NotOwner.class, () -> elsewhere(frame::close), says);
        refuses(NotOwner.class, () -> elsewhere(frame::handOff), says);
        refuses(WrongThreadException.class, () -> elsewhere(() -> frame.segment().get(ValueLayout.JAVA_BYTE, 0)));
        frame.segment().set(ValueLayout.JAVA_LONG, 0, 42);
        frame.close();
    }

    @Test
    void refusesEveryUseOfAnExclusiveHandleByAnotherThread() {
        long handle = handles.alloc(MINE, 1);
        List<ThrowingCallable> uses = usesOf(handle);
        for (ThrowingCallable use : uses.subList(0, uses.size() - 1)) {
            refuses(NotOwner.class, () -> elsewhere(use), named(handle, "is EXCLUSIVE to thread="));
        }
        handles.free(handle);
    }

    @Test
    void refusesASegmentOfAnExclusiveHandle() {
        long handle = handles.alloc(MINE, 0);
        refuses(InvalidRequest.class, () -> handles.segment(handle), named(handle, "EXCLUSIVE", "allocate a Frame"));
        handles.free(handle);
    }

    // ------------------------------------------------------------------------------------------------ other labyrinths

    @Test
    void refusesTheHandlesOfAnotherLabyrinth() {
        try (Labyrinth other = Labyrinth.builder("other").frames(512).open()) {
            List<Long> theirs = new ArrayList<>();
            for (int i = 0; i < 512; i++) {
                theirs.add(other.handles().alloc(SHARED, 0));
            }
            long mine = handles.alloc(MINE, 0);
            for (long handle : theirs) {
                Class<? extends Throwable> type = handles.pfn(handle) < 256 ? Stale.class : Foreign.class;
                for (ThrowingCallable use : List.<ThrowingCallable>of(() -> handles.free(handle),
                        () -> handles.handOff(handle), () -> handles.accept(handle),
                        () -> handles.getLong(handle, 0))) {
                    assertThatThrownBy(use).isExactlyInstanceOf(type);
                }
            }
            long far = theirs.stream().filter(handle -> handles.pfn(handle) >= 256).findFirst().orElseThrow();
            for (ThrowingCallable use : usesOf(far)) {
                refuses(Foreign.class, use, named(far, "frames=256", "of another labyrinth, or forged"));
            }
            handles.free(mine);
            theirs.forEach(other.handles()::free);
            other.validate();
        }
    }

    @Test
    void aForgedHandleNeverSucceedsAndNeverCrashes() {
        long live = handles.alloc(MINE, 3);
        long shared = handles.alloc(SHARED, 2);
        long ticket = handles.handOff(handles.alloc(MINE, 0));
        List<Long> wordsBefore = words();
        List<Long> real = List.of(live, shared, ticket);
        SplittableRandom random = new SplittableRandom(42);
        for (int i = 0; i < 100_000; i++) {
            long forged = switch (i & 3) {
                case 0 -> random.nextLong();
                case 1 -> random.nextLong() & ~PageWord.LOW_MASK | random.nextInt(256);
                case 2 -> real.get(random.nextInt(3)) ^ 1L << random.nextInt(64);
                default -> real.get(random.nextInt(3)) & ~PageWord.LOW_MASK | random.nextInt(256);
            };
            List<ThrowingCallable> uses = usesOf(forged);
            if (!real.contains(forged)) {
                assertRefused(uses.get(i % uses.size()), forged);
            }
        }
        assertThat(words()).isEqualTo(wordsBefore);
        handles.free(live);
        handles.free(shared);
        handles.free(handles.accept(ticket));
    }

    private static void assertRefused(ThrowingCallable use, long forged) {
        try {
            use.call();
        } catch (Stale | Foreign expected) {
            return;
        } catch (Throwable e) {
            throw new AssertionError("forged handle " + Long.toHexString(forged), e);
        }
        throw new AssertionError("forged handle " + Long.toHexString(forged) + " was taken");
    }

    // ---------------------------------------------------------------------------------------------- bounds and closing

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesAccessPastTheEndOfARun(Gfp gfp) {
        Frame frame = labyrinth.allocPages(gfp, 1);
        long size = 2 * labyrinth.frameSize();
        assertThat(frame.segment().byteSize()).isEqualTo(frame.byteSize()).isEqualTo(size);
        frame.segment().set(ValueLayout.JAVA_BYTE, size - 1, (byte) 1);

        for (long offset : new long[] {-1, size, size + 1, Long.MAX_VALUE, Long.MIN_VALUE}) {
            refuses(IndexOutOfBoundsException.class, () -> frame.segment().get(ValueLayout.JAVA_BYTE, offset));
        }
        refuses(IndexOutOfBoundsException.class, () -> frame.segment().set(ValueLayout.JAVA_LONG, size - 4, 1));
        refuses(IndexOutOfBoundsException.class, () -> frame.segment().asSlice(size - 8, 9));
        frame.close();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void refusesAccessPastTheEndOfAHandlesRun(Gfp gfp) {
        long handle = handles.alloc(gfp, 1);
        long size = handles.byteSize(handle);
        handles.putLong(handle, size - 8, 42);
        handles.putByte(handle, size - 1, (byte) 0);

        for (long offset : new long[] {-1, -8, size - 7, size, Long.MAX_VALUE, Long.MAX_VALUE - 7, Long.MIN_VALUE}) {
            String[] says = {"access refused", "offset=" + offset, "bytes=8", "limit=" + size};
            refuses(IndexOutOfBoundsException.class, () -> handles.getLong(handle, offset), says);
            refuses(IndexOutOfBoundsException.class, () -> handles.putLong(handle, offset, 1), says);
        }
        for (long offset : new long[] {-1, size, Long.MAX_VALUE, Long.MIN_VALUE}) {
            refuses(IndexOutOfBoundsException.class, () -> handles.getByte(handle, offset), "offset=" + offset,
                    "bytes=1");
            refuses(IndexOutOfBoundsException.class, () -> handles.putByte(handle, offset, (byte) 1),
                    "offset=" + offset);
        }
        handles.free(handle);
    }

    @Test
    void refusesToCloseWithFramesOutAndSaysWhoHoldsWhat() {
        Frame mine = labyrinth.allocPages(MINE, 1);
        long shared = handles.alloc(SHARED, 2);
        Ticket ticket = labyrinth.allocPages(MINE, 3).handOff();
        long me = Thread.currentThread().threadId();

        refuses(FramesOut.class, labyrinth::close, "labyrinth=faults cannot close", "thread=" + me + " runs=1 frames=2",
                "not EXCLUSIVE, claimed by thread=" + me + " runs=1 frames=4", "ticket not accepted runs=1 frames=8",
                "free them, sweepDeadOwners()", "closeNow()");
        mine.close();
        refuses(FramesOut.class, labyrinth::close, "not EXCLUSIVE", "ticket not accepted");
        handles.free(shared);
        refuses(FramesOut.class, labyrinth::close, "cannot close: ticket not accepted runs=1 frames=8:");
        ticket.accept().close();
    }

    // ------------------------------------------------------------------------------------------------ the means

    /** Every use of a handle that looks at the page map; the last one is for a ticket. */
    private List<ThrowingCallable> usesOf(long handle) {
        return List.of(() -> handles.free(handle), () -> handles.handOff(handle), () -> handles.order(handle),
                () -> handles.byteSize(handle), () -> handles.address(handle), () -> handles.segment(handle),
                () -> handles.offset(handle),
                () -> handles.getLong(handle, 0), () -> handles.putLong(handle, 0, 1), () -> handles.getByte(handle, 0),
                () -> handles.putByte(handle, 0, (byte) 1), () -> handles.accept(handle));
    }

    private static String[] named(Frame frame, String... more) {
        return named(PageWord.first(frame.generation(), 0, 0) | frame.pfn(), more);
    }

    private static String[] named(long handle, String... more) {
        List<String> says = new ArrayList<>(List.of(more));
        says.add("pfn=" + PageWord.pfn(handle) + " generation=" + PageWord.generation(handle));
        return says.toArray(String[]::new);
    }

    /** All words of the map. */
    private List<Long> words() {
        List<Long> words = new ArrayList<>();
        for (int pfn = 0; pfn < 256; pfn++) {
            words.add(labyrinth.zone.map.lvWord(pfn));
            words.add(labyrinth.zone.map.lvOwner(pfn));
        }
        return words;
    }

    private void refuses(Class<? extends Throwable> type, ThrowingCallable call, String... says) {
        List<Long> wordsBefore = words();
        LabyrinthStats before = labyrinth.stats();

        assertThatThrownBy(call).isExactlyInstanceOf(type).message().satisfies(message -> {
            if (says.length > 0) {
                assertThat(message).contains(says);
            }
        });

        assertThat(words()).as("the map after the refusal").isEqualTo(wordsBefore);
        assertThat(labyrinth.stats()).isEqualTo(before);
        labyrinth.validate();
    }

    /** Runs the call in a thread of its own, and throws here what it threw there. */
    private static void elsewhere(ThrowingCallable call) throws Throwable {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread thread = Thread.ofPlatform().start(() -> {
            try {
                call.call();
            } catch (Throwable e) {
                thrown.set(e);
            }
        });
        thread.join();
        if (thrown.get() != null) {
            throw thrown.get();
        }
    }
}
