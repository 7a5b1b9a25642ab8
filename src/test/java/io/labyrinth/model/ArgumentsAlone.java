package io.labyrinth.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.FrameArena;
import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException.Closed;
import io.labyrinth.LabyrinthException.Foreign;
import io.labyrinth.LabyrinthException.FramesOut;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.OutOfFrames;
import io.labyrinth.LabyrinthException.Stale;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.Slab;
import io.labyrinth.SlabObject;
import io.labyrinth.Watermarks;
import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The part of {@link Arguments} that needs no history: flags, the builder and watermarks. Arenas and slabs are here,
 * too. One call makes them, uses them and ends them, in a labyrinth of its own.
 */
final class ArgumentsAlone {

    private static final int HIGH = 1;
    private static final int NOMEMALLOC = 8;
    private static final int SPRINT = 32;

    private static final int FRAMES = 8;
    /** Opened when it is needed first, and never closed. */
    private static @Nullable Labyrinth forArenas;

    private ArgumentsAlone() {
    }

    private static boolean meansSomething(int bits) {
        boolean known = (bits & ~63) == 0;
        boolean sprintWithoutReserve = (bits & SPRINT) != 0 && (bits & HIGH) == 0;
        boolean contradicts = (bits & HIGH) != 0 && (bits & NOMEMALLOC) != 0;
        return known && !sprintWithoutReserve && !contradicts;
    }

    /** Flags that mean something; null, at times. */
    static @Nullable Gfp anyGfp(Hostile in) {
        int bits = in.next() & 63;
        bits |= (bits & SPRINT) != 0 ? HIGH : 0;
        return meansSomething(bits) ? new Gfp(bits) : null;
    }

    static void gfp(CallLog log, Hostile in) {
        int bits = (int) in.number();
        log.note("bits=" + bits);
        Class<? extends Throwable> refusal = meansSomething(bits) ? null : InvalidRequest.class;
        Gfp gfp = log.made(Call.GFP, refusal, () -> new Gfp(bits));
        if (gfp != null) {
            assertThat(gfp.bits()).isEqualTo(bits);
            assertThat(log.made(Call.GFP, null, () -> Gfp.parse(gfp.toString()))).isEqualTo(gfp);
            Gfp other = anyGfp(in);
            Class<? extends Throwable> refusalOfBoth = other == null ? NullPointerException.class
                    : meansSomething(bits | other.bits()) ? null : InvalidRequest.class;
            Gfp both = log.made(Call.GFP, refusalOfBoth, () -> gfp.with(other));
            if (both != null) {
                assertThat(both.bits()).isEqualTo(bits | other.bits());
            }
        }
        String text = in.text();
        log.note("text=" + text);
        try {
            Gfp parsed = Gfp.parse(text);
            assertThat(meansSomething(parsed.bits())).as("%s means %s", text, parsed).isTrue();
        } catch (InvalidRequest e) {
            assertThat(e.getMessage()).startsWith("gfp=");
        }
    }

    static void builder(CallLog log, Hostile in) {
        Labyrinth.Builder builder = Labyrinth.builder("built").frames(8).locking(Locking.NONE);
        long frames = in.number();
        long reserve = in.number();
        log.note("frames=" + frames + " reserve=" + reserve);
        boolean framesGood = frames >= 1 && frames <= 1 << 24;
        boolean reserveGood = reserve >= 0 && reserve < 1 << 24;
        log.made(Call.BUILDER, framesGood ? null : InvalidRequest.class, () -> builder.frames(frames));
        log.made(Call.BUILDER, reserveGood ? null : InvalidRequest.class, () -> builder.reserve(reserve));
        log.made(Call.BUILDER, NullPointerException.class, () -> builder.locking(null));
        log.made(Call.BUILDER, NullPointerException.class, () -> builder.shared(null));
        log.made(Call.BUILDER, NullPointerException.class, () -> Labyrinth.builder(null));
        // What was refused must have changed nothing: it is as large as it was.
        long opened = framesGood ? frames : 8;
        long kept = reserveGood ? reserve : 0;
        if (kept >= opened) {
            log.made(Call.BUILDER, InvalidRequest.class, builder::open);
        } else if (opened <= 1024 && in.below(8) == 0) {
            Labyrinth labyrinth = log.made(Call.BUILDER, null, builder::open);
            try (labyrinth) {
                new Model((int) opened, (int) kept).compare(labyrinth);
                assertThat(labyrinth).hasToString("labyrinth=built frames=" + opened + " frameSize="
                        + labyrinth.frameSize() + " reserve=" + kept);
            }
        }
    }

    /** One that means something, in half of all cases. */
    private static int likely(Hostile in, int from, int to) {
        return in.next() % 2 == 0 ? from + (in.next() << 8 | in.next()) % (to - from) : (int) in.number();
    }

    static void watermarks(CallLog log, Hostile in, Labyrinth labyrinth, boolean closed) {
        int low = likely(in, 0, 30);
        int high = likely(in, 20, 60);
        Duration interval = in.next() % 2 == 0 ? Duration.ofHours(1) : Duration.ofNanos(in.number());
        BiConsumer<Watermarks.Mark, LabyrinthStats> listener = in.next() % 4 == 0 ? null : (mark, stats) -> { };
        log.note("low=" + low + " high=" + high + " interval=" + interval + " listener=" + (listener != null));
        boolean good = low >= 0 && low < high && high <= Inside.map(labyrinth).ordinary && !interval.isNegative()
                && interval.toMillis() >= 1 && interval.compareTo(Duration.ofDays(1)) <= 0;
        Class<? extends Throwable> refusal = closed ? Closed.class : !good ? InvalidRequest.class
                : listener == null ? NullPointerException.class : null;
        Watermarks watermarks = log.made(Call.WATERMARKS, refusal,
                () -> labyrinth.watermarks(low, high, interval, listener));
        if (watermarks != null) {
            watermarks.close();
        }
    }

    static void arena(CallLog log, Hostile in) {
        if (forArenas == null) {
            forArenas = Labyrinth.builder("arenas").frames(FRAMES).locking(Locking.NONE).open();
        }
        Labyrinth labyrinth = forArenas;
        Gfp gfp = anyGfp(in);
        FrameArena arena = log.made(Call.ARENA, gfp == null ? NullPointerException.class : null,
                () -> labyrinth.arena(gfp));
        if (arena == null) {
            return;
        }
        for (int i = in.below(4); i >= 0; i--) {
            long size = likely(in, 0, 20_000);
            long alignment = in.next() % 2 == 0 ? 1L << in.below(Long.SIZE) : in.number();
            boolean zeroed = in.next() % 2 == 0;
            SegmentAllocator allocator = zeroed ? arena : arena.unzeroed();
            log.note("size=" + size + " alignment=" + alignment + " zeroed=" + zeroed);
            log.made(Call.ARENA, refusalOf(labyrinth, size, alignment), () -> {
                try {
                    check(allocator.allocate(size, alignment), size, alignment, zeroed);
                } catch (OutOfFrames e) {
                    assertThat(e).hasMessageContaining("no free run");
                }
                return null;
            });
        }
        log.made(Call.ARENA, null, () -> {
            arena.close();
            return null;
        });
        log.made(Call.ARENA, IllegalStateException.class, () -> arena.allocate(8, 8));
        log.made(Call.ARENA, IllegalStateException.class, () -> arena.unzeroed().allocate(8, 8));
        labyrinth.validate();
        assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
    }

    private static @Nullable Class<? extends Throwable> refusalOf(Labyrinth labyrinth, long size, long alignment) {
        if (size < 0 || alignment <= 0 || Long.bitCount(alignment) != 1) {
            return IllegalArgumentException.class;
        }
        long largest = labyrinth.frameSize() << Labyrinth.MAX_ORDER;
        boolean aligned = alignment <= Long.lowestOneBit(Inside.region(labyrinth).address(0));
        boolean fits = size <= largest && (aligned ? alignment <= largest
                : Math.max(1, size) + (alignment - labyrinth.frameSize()) <= largest);
        return fits ? null : InvalidRequest.class;
    }

    private static void check(MemorySegment segment, long size, long alignment, boolean zeroed) {
        assertThat(segment.byteSize()).isEqualTo(size);
        assertThat(segment.address() % alignment).isZero();
        for (long at = 0; zeroed && at < size; at += 61) {
            assertThat(segment.get(ValueLayout.JAVA_BYTE, at)).isZero();
        }
        segment.fill((byte) -1);
    }

    static void slab(CallLog log, Hostile in) {
        int size = likely(in, 16, 2049);
        int objects = likely(in, 1, 600);
        Gfp gfp = anyGfp(in);
        log.note("size=" + size + " objects=" + objects + " " + gfp);
        boolean good = size >= 16 && size <= 2048 && objects >= 1;
        try (Labyrinth labyrinth = Labyrinth.builder("slabs").frames(FRAMES).locking(Locking.NONE).open()) {
            Slab slab = log.made(Call.SLAB, good ? null : InvalidRequest.class, () -> labyrinth.slab(size, objects));
            if (slab == null) {
                return;
            }
            Long made = log.made(Call.SLAB_OBJECT, gfp == null ? NullPointerException.class : null,
                    () -> slab.alloc(gfp));
            if (made != null) {
                objects(log, in, slab, made, GfpFlags.isExclusive(gfp.bits()));
            }
            SlabObject object = log.made(Call.OBJECT, gfp == null ? NullPointerException.class : null,
                    () -> slab.allocObject(gfp));
            if (object != null) {
                object(log, in, slab, object);
            }
            log.made(Call.SLAB, null, () -> {
                slab.close();
                return null;
            });
            log.made(Call.SLAB, Closed.class, () -> slab.alloc(Gfp.NOWAIT));
            labyrinth.validate();
            assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
        }
    }

    private static void object(CallLog log, Hostile in, Slab slab, SlabObject object) {
        MemorySegment segment = log.made(Call.OBJECT, null, object::segment);
        assertThat(segment.byteSize()).isEqualTo(slab.objectBytes());
        long offset = likely(in, 0, 2048);
        log.note("object at " + offset);
        boolean within = offset >= 0 && offset <= slab.objectBytes() - 8;
        log.made(Call.OBJECT, within ? null : IndexOutOfBoundsException.class,
                () -> segment.get(ValueLayout.JAVA_LONG_UNALIGNED, offset));
        if (object.isExclusive()) {
            log.made(Call.SLAB_OBJECT, InvalidRequest.class, () -> {
                slab.free(Inside.handle(object));
                return null;
            });
        }
        for (int i = 0; i < 2; i++) {
            log.made(Call.OBJECT, i == 0 ? null : Stale.class, () -> {
                object.close();
                return null;
            });
            log.made(Call.OBJECT, Stale.class, object::segment);
            assertThat(segment.scope().isAlive()).as("dead if its object's alone").isEqualTo(!object.isExclusive());
        }
        assertThat(slab.out()).isZero();
    }

    /** One is out. */
    private static void objects(CallLog log, Hostile in, Slab slab, long good, boolean exclusive) {
        int inFrame = (int) Machine.pageSize() / slab.objectBytes();
        // The words of a frame are the next power of 2.
        int words = slab.objects() / inFrame * Integer.highestOneBit(2 * inFrame - 1);
        slab.putLong(good, 0, good);
        for (int i = 0; i < 6; i++) {
            long handle = in.handleLike(good);
            long offset = likely(in, 0, 2048);
            log.note(PageWord.describeHandle(handle) + " offset=" + offset);
            Class<? extends Throwable> refusal = handle == good ? null
                    : PageWord.pfn(handle) >= words ? Foreign.class : Stale.class;
            Class<? extends Throwable> outside = refusal != null ? refusal
                    : offset < 0 || offset > slab.objectBytes() - 8 ? IndexOutOfBoundsException.class : null;
            Long read = log.made(Call.SLAB_OBJECT, outside, () -> slab.getLong(handle, offset));
            long value = read == null ? 0 : read;
            log.made(Call.SLAB_OBJECT, outside, () -> {
                slab.putLong(handle, offset, value);
                return null;
            });
            log.made(Call.SLAB_OBJECT, refusal, () -> slab.address(handle));
            log.made(Call.SLAB_OBJECT, refusal, () -> slab.offset(handle));
            log.made(Call.SLAB_OBJECT, refusal == null && exclusive ? InvalidRequest.class : refusal,
                    () -> slab.segment(handle));
            if (handle != good) {
                log.made(Call.SLAB_OBJECT, refusal, () -> slab.accept(handle));
                log.made(Call.SLAB_OBJECT, refusal, () -> slab.handOff(handle));
                log.made(Call.SLAB_OBJECT, refusal, () -> {
                    slab.free(handle);
                    return null;
                });
            }
        }
        log.made(Call.SLAB, FramesOut.class, () -> {
            slab.close();
            return null;
        });
        assertThat(slab.out()).isEqualTo(1);
        assertThat(slab.getLong(good, 0)).as("untouched").isEqualTo(good);
        slab.free(good);
        log.made(Call.SLAB_OBJECT, Stale.class, () -> {
            slab.free(good);
            return null;
        });
        slab.validate();
    }
}
