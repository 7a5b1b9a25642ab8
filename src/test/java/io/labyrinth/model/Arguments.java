package io.labyrinth.model;

import static io.labyrinth.model.ModelRun.State.ENDED;
import static io.labyrinth.model.ModelRun.State.HELD;
import static io.labyrinth.model.ModelRun.State.IN_TRANSIT;
import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Handles;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException.Closed;
import io.labyrinth.LabyrinthException.Foreign;
import io.labyrinth.LabyrinthException.FramesOut;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.NotOwner;
import io.labyrinth.LabyrinthException.Stale;
import io.labyrinth.LabyrinthMap;
import io.labyrinth.Locking;
import io.labyrinth.Owner;
import io.labyrinth.Ticket;
import io.labyrinth.bindings.labyrinth_page;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Calls with hostile arguments: by the right and by wrong threads, on live and ended frames, tickets and handles, on an
 * open and on a closed labyrinth. The model says beforehand what each call must return. A refused call must leave every
 * page word as it was. After each call the labyrinth must look as the model does.
 *
 * <p>This is a target for Jazzer. Jazzer makes the bytes that choose the calls, and learns from the code that the calls
 * reach.
 */
public final class Arguments {

    /** Within a sprint's reach, see {@link Model}. */
    private static final int FRAMES = 64;
    private static final int RESERVE = 8;
    private static final int CALLS_AN_INPUT = 40;
    /** Ended lives are remembered, but not for ever. */
    private static final int LIVES = 24;
    /** Each keeps addresses for good. */
    private static int closingsWithFramesOut = 1000;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private static @Nullable Arguments instance;

    private final Actors actors = new Actors();
    private final CallLog log = new CallLog();
    private final List<ModelRun> lives = new ArrayList<>();
    private Labyrinth labyrinth;
    private Handles handles;
    private Model model;
    private boolean closed;
    private Hostile in;
    private int actor;

    private Arguments() {
        open();
    }

    /** Called by Jazzer with each input. */
    public static void fuzzerTestOneInput(byte[] bytes) throws Throwable {
        if (instance == null) {
            instance = new Arguments();
        }
        instance.history(new Hostile(bytes));
    }

    /** Called by Jazzer at the end. */
    public static void fuzzerTearDown() {
        if (instance != null) {
            instance.log.print();
        }
    }

    private void open() {
        labyrinth = Labyrinth.builder("arguments").frames(FRAMES).reserve(RESERVE).locking(Locking.NONE).open();
        handles = labyrinth.handles();
        model = new Model(FRAMES, RESERVE);
        closed = false;
        lives.clear();
    }

    private void history(Hostile bytes) throws Throwable {
        in = bytes;
        log.begin();
        try {
            for (int calls = 0; calls < CALLS_AN_INPUT && in.more(); calls += closed ? 4 : 1) {
                actor = in.below(Actors.COUNT);
                call(Call.values()[in.below(Call.values().length)]);
                if (!closed) {
                    model.compare(labyrinth);
                }
            }
            giveAllBack();
        } catch (Throwable e) {
            throw new AssertionError(log + "\n" + lives, e);
        }
    }

    private void call(Call call) throws Throwable {
        switch (call) {
            case ALLOC -> alloc(false);
            case ALLOC_HANDLE -> alloc(true);
            case FRAME_CLOSE, FRAME_HAND_OFF -> frameEnd(call, anyGeneration(life -> life.frame != null));
            case FRAME_SEGMENT, SEGMENT_ACCESS -> segment(anyGeneration(life -> life.frame != null));
            case FRAME_LOOK -> look(anyGeneration(life -> life.frame != null));
            case TICKET_ACCEPT -> accept(anyGeneration(life -> life.ticket != null));
            case FREE, HAND_OFF -> handleEnd(call, anyHandle());
            case ACCEPT -> acceptHandle(anyHandle());
            case HANDLE_LOOK -> lookAtHandle(anyHandle());
            case HANDLE_SEGMENT -> segmentOfHandle(anyHandle());
            case ACCESS -> access(anyHandle());
            case STATS -> made(call, closed ? Closed.class : null, labyrinth::stats);
            case SWEEP -> sweep();
            case THREAD_ENDS -> threadEnds(1 + in.below(Actors.COUNT - 1));
            case CLOSE -> close(false);
            case CLOSE_NOW -> close(true);
            case BUILDER -> ArgumentsAlone.builder(log, in);
            case GFP -> ArgumentsAlone.gfp(log, in);
            case OWNERS -> owners();
            case ACCEPT_NUMBER -> acceptNumber();
            case WATERMARKS -> ArgumentsAlone.watermarks(log, in, labyrinth, closed);
            case ARENA -> ArgumentsAlone.arena(log, in);
            case SLAB, SLAB_OBJECT, OBJECT -> ArgumentsAlone.slab(log, in);
            case SAMPLE_CLAIMS -> ArgumentsShared.sampleClaims(log, in);
            case ATTACH -> ArgumentsShared.attach(log, in);
            case MAP -> ArgumentsShared.map(log, in);
        }
    }

    // ------------------------------------------------------------------------------------------------ the call

    /**
     * Makes the call as the current actor.
     *
     * @param refusal what it must die of; null if it must succeed
     */
    private <T> @Nullable T made(Call call, @Nullable Class<? extends Throwable> refusal, Callable<T> body)
            throws Throwable {
        long[] before = words();
        T result = log.made(call, refusal, () -> actors.call(actor, body));
        if (refusal != null) {
            assertThat(words()).as("a refusal changes nothing").isEqualTo(before);
        }
        return result;
    }

    private long[] words() {
        long[] words = new long[2 * FRAMES];
        for (int pfn = 0; pfn < FRAMES; pfn++) {
            words[2 * pfn] = Inside.map(labyrinth).lvWord(pfn);
            words[2 * pfn + 1] = Inside.map(labyrinth).lvOwner(pfn);
        }
        return words;
    }

    private Thread me() {
        return actors.thread(actor);
    }

    private @Nullable ModelRun anyGeneration(Predicate<ModelRun> kind) {
        List<ModelRun> some = lives.stream().filter(kind).toList();
        ModelRun life = some.isEmpty() ? null : some.get(in.below(some.size()));
        log.note("thread=" + actor + " " + life);
        return life;
    }

    private long anyHandle() {
        long handle = lives.isEmpty() ? in.number() : in.handleLike(lives.get(in.below(lives.size())).handle);
        log.note("thread=" + actor + " " + PageWord.describeHandle(handle));
        return handle;
    }

    private @Nullable ModelRun of(long handle, ModelRun.State state) {
        for (ModelRun life : lives) {
            if (life.handle == handle && life.state == state) {
                return life;
            }
        }
        return null;
    }

    private void remember(ModelRun life) {
        lives.add(life);
        for (int i = 0; i < lives.size() && lives.size() > LIVES; i++) {
            if (!lives.get(i).isOut()) {
                lives.remove(i--);
            }
        }
    }

    /** What refuses a handle before it is asked whose it is. */
    private @Nullable Class<? extends Throwable> refusal(long handle, @Nullable ModelRun live) {
        if (PageWord.pfn(handle) >= FRAMES) {
            return Foreign.class;
        }
        return closed ? Closed.class : live == null ? Stale.class : null;
    }

    private @Nullable Class<? extends Throwable> refusalOfAccess(long handle, @Nullable ModelRun live) {
        Class<? extends Throwable> refusal = refusal(handle, live);
        return refusal == null && live.exclusive && live.owner != me() ? NotOwner.class : refusal;
    }

    // ------------------------------------------------------------------------------------------------ requests

    private void alloc(boolean raw) throws Throwable {
        Gfp gfp = ArgumentsAlone.anyGfp(in);
        int kind = in.next();
        int order = kind < 128 ? kind % 8 : kind < 192 ? kind % 16 : (int) in.number();
        log.note("thread=" + actor + " " + gfp + " order=" + order);
        Class<? extends Throwable> refusal = order < 0 || order > Labyrinth.MAX_ORDER ? InvalidRequest.class
                : gfp == null ? NullPointerException.class : closed ? Closed.class : null;
        Frame frame = null;
        long handle = 0;
        if (raw) {
            Long made = made(Call.ALLOC_HANDLE, refusal, () -> handles.alloc(gfp, order));
            handle = made == null ? 0 : made;
        } else {
            frame = made(Call.ALLOC, refusal, () -> order == 0 ? labyrinth.allocPage(gfp)
                    : labyrinth.allocPages(gfp, order));
            handle = frame == null ? 0 : Inside.handle(frame);
        }
        if (refusal != null) {
            return;
        }
        model.answered(gfp, order, handle == 0 ? -1 : PageWord.pfn(handle));
        if (handle != 0) {
            boolean exclusive = GfpFlags.isExclusive(gfp.bits());
            ModelRun life = new ModelRun(handle, order, exclusive, exclusive && !raw, HELD);
            life.frame = frame;
            life.owner = me();
            remember(life);
            dirty(life, GfpFlags.isZeroed(gfp.bits()));
        }
    }

    /** Some bytes of each frame, past all that is under test. */
    private void dirty(ModelRun life, boolean mustBeZero) {
        MemorySegment run = Inside.region(labyrinth).shared(life.pfn(), life.order);
        for (long at = 0; at < run.byteSize(); at += labyrinth.frameSize() / 4 - Integer.BYTES) {
            if (mustBeZero) {
                assertThat(run.get(ValueLayout.JAVA_INT, at)).as("ZERO, at %s", at).isZero();
            }
            run.set(ValueLayout.JAVA_INT, at, -1);
        }
    }

    // ------------------------------------------------------------------------------------------------ frames

    private void frameEnd(Call call, @Nullable ModelRun life) throws Throwable {
        if (life == null) {
            return;
        }
        Class<? extends Throwable> refusal = refusalOfAccess(life.handle, life.state == HELD ? life : null);
        if (call == Call.FRAME_CLOSE) {
            made(call, refusal, () -> {
                life.frame.close();
                return null;
            });
            if (refusal == null) {
                ended(life);
            }
        } else {
            Ticket ticket = made(call, refusal, life.frame::handOff);
            if (refusal == null) {
                assertThat(ticket.order()).isEqualTo(life.order);
                inTransit(life, ticket.handle()).ticket = ticket;
            }
        }
        if (life.exclusive && life.owner == me()) {
            life.gaveUp = true;
        }
        if (life.segment != null && life.gaveUp) {
            assertThat(life.segment.scope().isAlive()).as("its segment died with it").isFalse();
            life.segment = null;
        }
    }

    private void ended(ModelRun life) {
        life.state = ENDED;
        model.freed(life.pfn(), life.order);
    }

    private ModelRun inTransit(ModelRun life, long ticket) {
        life.state = ENDED;
        assertThat(ticket).isEqualTo(PageWord.nextGeneration(life.handle));
        ModelRun next = new ModelRun(ticket, life.order, life.exclusive, life.framed, IN_TRANSIT);
        remember(next);
        model.inTransit += life.frames();
        model.livesEnded++;
        return next;
    }

    private void accepted(ModelRun life) {
        life.state = HELD;
        life.owner = me();
        model.inTransit -= life.frames();
    }

    private void segment(@Nullable ModelRun life) throws Throwable {
        if (life == null) {
            return;
        }
        boolean owns = life.exclusive && life.owner == me();
        Class<? extends Throwable> refusal = null;
        if (life.segment == null && (!owns || life.gaveUp)) {
            refusal = refusalOfAccess(life.handle, life.state == HELD ? life : null);
            refusal = refusal == NotOwner.class ? WrongThreadException.class : refusal;
        }
        MemorySegment segment = made(Call.FRAME_SEGMENT, refusal, life.frame::segment);
        if (refusal != null) {
            return;
        }
        assertThat(segment.byteSize()).isEqualTo(labyrinth.frameSize() << life.order);
        assertThat(segment.address()).isEqualTo(Inside.region(labyrinth).address(life.pfn()));
        if (life.exclusive) {
            assertThat(life.segment == null || life.segment == segment).as("the same each time").isTrue();
            life.segment = segment;
        }
        Class<? extends Throwable> wrong = life.exclusive && !owns ? WrongThreadException.class : null;
        made(Call.SEGMENT_ACCESS, wrong, () -> segment.get(LONG, segment.byteSize() - 8));
        long offset = in.number();
        boolean within = offset >= 0 && offset <= segment.byteSize() - 8;
        made(Call.SEGMENT_ACCESS, wrong != null && within ? wrong : within ? null : IndexOutOfBoundsException.class,
                () -> segment.get(ValueLayout.JAVA_LONG_UNALIGNED, offset));
    }

    private void look(@Nullable ModelRun life) throws Throwable {
        if (life == null) {
            return;
        }
        Frame frame = life.frame;
        assertThat(frame.pfn()).isEqualTo(life.pfn());
        assertThat(frame.order()).isEqualTo(life.order);
        assertThat(frame.isExclusive()).isEqualTo(life.exclusive);
        assertThat(frame.generation()).isEqualTo(PageWord.generation(life.handle));
        assertThat(frame.byteSize()).isEqualTo(labyrinth.frameSize() << life.order);
        assertThat(frame.toString()).contains(PageWord.describeHandle(life.handle));
        MemorySegment page = frame.descriptor();
        assertThat(page.byteSize()).isEqualTo(labyrinth_page.sizeof());
        assertThat(page.isReadOnly()).isTrue();
        assertThat(labyrinth_page.word(page)).isEqualTo(Inside.map(labyrinth).lvWord(life.pfn()));
        Class<? extends Throwable> refusal = refusal(life.handle, life.state == HELD ? life : null);
        Long owner = made(Call.FRAME_LOOK, refusal, frame::owner);
        if (refusal == null) {
            assertThat(owner).isEqualTo(life.owner.threadId());
        }
    }

    private void accept(@Nullable ModelRun life) throws Throwable {
        if (life == null) {
            return;
        }
        assertThat(life.ticket.pfn()).isEqualTo(life.pfn());
        Class<? extends Throwable> refusal = refusal(life.handle, life.state == IN_TRANSIT ? life : null);
        Frame frame = made(Call.TICKET_ACCEPT, refusal, life.ticket::accept);
        if (refusal == null) {
            accepted(life);
            life.frame = frame;
        }
    }

    // ------------------------------------------------------------------------------------------------ handles

    private void handleEnd(Call call, long handle) throws Throwable {
        ModelRun live = of(handle, HELD);
        Class<? extends Throwable> refusal = refusal(handle, live);
        refusal = refusal == null && live.framed ? InvalidRequest.class : refusalOfAccess(handle, live);
        if (call == Call.FREE) {
            made(call, refusal, () -> {
                handles.free(handle);
                return null;
            });
            if (refusal == null) {
                ended(live);
            }
        } else {
            Long ticket = made(call, refusal, () -> handles.handOff(handle));
            if (refusal == null) {
                inTransit(live, ticket);
            }
        }
    }

    private void acceptHandle(long ticket) throws Throwable {
        ModelRun transit = of(ticket, IN_TRANSIT);
        Class<? extends Throwable> refusal = refusal(ticket, transit);
        Long handle = made(Call.ACCEPT, refusal, () -> handles.accept(ticket));
        if (refusal == null) {
            assertThat(handle).isEqualTo(ticket);
            transit.framed = false;
            accepted(transit);
        }
    }

    /** As a Frame, of a ticket that came as a number. */
    private void acceptNumber() throws Throwable {
        ModelRun passed = in.next() % 2 == 0 ? null : anyGeneration(life -> life.state == IN_TRANSIT);
        long ticket = passed == null ? anyHandle() : passed.handle;
        ModelRun transit = of(ticket, IN_TRANSIT);
        Frame frame = made(Call.ACCEPT_NUMBER, refusal(ticket, transit), () -> labyrinth.accept(ticket));
        if (frame != null) {
            transit.framed = transit.exclusive;
            transit.frame = frame;
            accepted(transit);
        }
    }

    private void lookAtHandle(long handle) throws Throwable {
        assertThat(handles.pfn(handle)).isEqualTo((int) handle & 0xffffff);
        assertThat(handles.generation(handle)).isEqualTo(handle >>> 24);
        ModelRun live = of(handle, HELD);
        Class<? extends Throwable> refusal = refusalOfAccess(handle, live);
        Integer order = made(Call.HANDLE_LOOK, refusal, () -> handles.order(handle));
        Long size = made(Call.HANDLE_LOOK, refusal, () -> handles.byteSize(handle));
        Long address = made(Call.HANDLE_LOOK, refusal, () -> handles.address(handle));
        if (refusal == null) {
            assertThat(order).isEqualTo(live.order);
            assertThat(size).isEqualTo(labyrinth.frameSize() << live.order);
            assertThat(address).isEqualTo(Inside.region(labyrinth).address(live.pfn()));
        }
    }

    private void segmentOfHandle(long handle) throws Throwable {
        ModelRun live = of(handle, HELD);
        Class<? extends Throwable> refusal = refusalOfAccess(handle, live);
        refusal = refusal == null && live.exclusive ? InvalidRequest.class : refusal;
        MemorySegment segment = made(Call.HANDLE_SEGMENT, refusal, () -> handles.segment(handle));
        if (refusal == null) {
            assertThat(segment.address()).isEqualTo(Inside.region(labyrinth).address(live.pfn()));
            assertThat(segment.byteSize()).isEqualTo(labyrinth.frameSize() << live.order);
        }
    }

    private void access(long handle) throws Throwable {
        ModelRun live = of(handle, HELD);
        // Half of them around the run's end.
        long offset = live == null || in.next() % 2 == 0 ? in.number()
                : (labyrinth.frameSize() << live.order) + (byte) in.next();
        log.note(" offset=" + offset);
        long value = handle ^ offset;
        access(handle, live, offset, 1, () -> {
            handles.putByte(handle, offset, (byte) value);
            return (long) handles.getByte(handle, offset);
        }, (byte) value);
        access(handle, live, offset, Long.BYTES, () -> {
            handles.putLong(handle, offset, value);
            return handles.getLong(handle, offset);
        }, value);
        access(handle, live, offset, 1, () -> (long) handles.getByte(handle, offset), (byte) value);
        access(handle, live, offset, Long.BYTES, () -> handles.getLong(handle, offset), value);
    }

    private void access(long handle, @Nullable ModelRun live, long offset, int bytes, Callable<Long> body, long value)
            throws Throwable {
        Class<? extends Throwable> refusal = refusalOfAccess(handle, live);
        if (refusal == null && (offset < 0 || offset > (labyrinth.frameSize() << live.order) - bytes)) {
            refusal = IndexOutOfBoundsException.class;
        }
        Long read = made(Call.ACCESS, refusal, body);
        if (refusal == null) {
            assertThat(read).isEqualTo(value);
        }
    }

    // ------------------------------------------------------------------------------------------------ the labyrinth

    private void sweep() throws Throwable {
        int expected = 0;
        List<ModelRun> left = new ArrayList<>();
        for (ModelRun life : lives) {
            if (life.state == HELD && life.exclusive && !life.owner.isAlive()) {
                left.add(life);
                expected += life.frames();
            }
        }
        Integer swept = made(Call.SWEEP, closed ? Closed.class : null, labyrinth::sweepDeadOwners);
        if (!closed) {
            assertThat(swept).isEqualTo(expected);
            left.forEach(this::ended);
        }
    }

    private void owners() throws Throwable {
        List<Owner> owners = made(Call.OWNERS, closed ? Closed.class : null, labyrinth::owners);
        LabyrinthMap map = made(Call.OWNERS, closed ? Closed.class : null, labyrinth::map);
        if (!closed) {
            int out = lives.stream().filter(ModelRun::isOut).mapToInt(ModelRun::frames).sum();
            assertThat(owners.stream().mapToInt(Owner::frames).sum()).isEqualTo(out);
            assertThat(map.free()).isEqualTo(model.free.get(0, model.ordinary).cardinality());
        }
    }

    private void threadEnds(int other) throws Throwable {
        log.made(Call.THREAD_ENDS, null, () -> {
            actors.replace(other);
            return null;
        });
    }

    /** That it closes is rare, as it ends the history, and the next one begins with an opening. */
    private void close(boolean now) throws Throwable {
        long out = closed ? 0 : lives.stream().filter(ModelRun::isOut).count();
        if ((now || out == 0) && !closed && in.below(8) != 0) {
            return;
        }
        if (now) {
            if (out > 0 && closingsWithFramesOut-- < 0) {
                return;
            }
            Integer had = made(Call.CLOSE_NOW, null, labyrinth::closeNow);
            assertThat(had).isEqualTo((int) out);
        } else {
            made(Call.CLOSE, out > 0 ? FramesOut.class : null, () -> {
                labyrinth.close();
                return null;
            });
        }
        closed |= now || out == 0;
    }

    /** Through the same calls; then all is free, or it was closed. */
    private void giveAllBack() throws Throwable {
        if (closed) {
            open();
            return;
        }
        sweep();
        for (ModelRun life : List.copyOf(lives)) {
            actor = 0;
            if (life.state == IN_TRANSIT) {
                if (life.framed) {
                    accept(life);
                } else {
                    acceptHandle(life.handle);
                }
            }
            if (life.state == HELD) {
                for (int other = 0; life.exclusive && other < Actors.COUNT; other++) {
                    actor = actors.thread(other) == life.owner ? other : actor;
                }
                if (life.framed) {
                    frameEnd(Call.FRAME_CLOSE, life);
                } else {
                    handleEnd(Call.FREE, life.handle);
                }
            }
        }
        model.compare(labyrinth);
        assertThat(model.free.cardinality()).as("nothing lost").isEqualTo(FRAMES);
        lives.clear();
    }
}
