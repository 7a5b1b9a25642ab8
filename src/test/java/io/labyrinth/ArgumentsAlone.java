package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.LabyrinthException.InvalidRequest;
import org.jspecify.annotations.Nullable;

/** Hostile arguments of what needs no labyrinth: the part of {@link Arguments} for {@link Gfp} and the builder. */
final class ArgumentsAlone {

    private static final int HIGH = 1;
    private static final int NOMEMALLOC = 8;
    private static final int SPRINT = 32;

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
}
