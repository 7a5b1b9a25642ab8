package io.labyrinth.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.MapRefused;
import io.labyrinth.LabyrinthException.NotALabyrinth;
import io.labyrinth.LabyrinthMap;
import io.labyrinth.Locking;
import io.labyrinth.Owner;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The part of {@link Arguments} for the files, descriptors and offsets of a shared labyrinth. */
final class ArgumentsShared {

    private static final int FRAMES = 8;
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    /** Each is no labyrinth, in a way of its own; none can be written by mistake. */
    private static final Path[] FALSE = {Path.of("/nowhere"), Path.of("/"), Path.of("/dev/null"), Path.of("/dev/zero"),
        Path.of("/proc/version"), Path.of("/proc/self/fd"), Path.of(""), Path.of("/nowhere/" + farLetter())};

    /** Opened when it is needed first, and never closed. */
    private static @Nullable Labyrinth shared;

    private ArgumentsShared() {
    }

    /** Beyond ASCII, if the locale has such letters in the names of files; else Java can make no such path. */
    private static char farLetter() {
        char letter = '\u00fc';
        return Charset.forName(System.getProperty("sun.jnu.encoding")).newEncoder().canEncode(letter) ? letter : 'u';
    }

    static void sampleClaims(CallLog log, Hostile in) {
        int every = (int) in.number();
        log.note("every=" + every);
        Labyrinth.Builder builder = Labyrinth.builder("sampled").frames(FRAMES).locking(Locking.NONE);
        log.made(Call.SAMPLE_CLAIMS, every < 1 ? InvalidRequest.class : null, () -> builder.sampleClaims(every));
        if (in.below(8) != 0) {
            return;
        }
        try (Labyrinth labyrinth = builder.open(); Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE)) {
            Owner owner = labyrinth.owners().getFirst();
            assertThat(owner.frames()).isEqualTo(1);
            assertThat(owner.sampled().size()).isBetween(every == 1 ? 1 : 0, every < 1 ? 0 : 1);
            assertThat(frame.pfn()).isZero();
        }
    }

    /** One time in four, as each takes a millisecond or more. */
    static void attach(CallLog log, Hostile in) throws IOException {
        if (in.below(4) != 0) {
            return;
        }
        Path path = path(in);
        Locking locking = in.below(4) == 0 ? null : Locking.values()[in.below(Locking.values().length)];
        log.note("path=" + path + " locking=" + locking);
        if (path == null || locking == null) {
            refusedBy(log, Call.ATTACH, NullPointerException.class, () -> Labyrinth.attach(path, locking));
        } else if (path.equals(shared().sharedPath())) {
            try (Labyrinth second = log.made(Call.ATTACH, null, () -> Labyrinth.attach(path, locking));
                    Frame frame = second.allocPage(Gfp.ATOMIC_EXCLUSIVE)) {
                assertThat(second.frameSize()).isEqualTo(shared().frameSize());
                assertThat(shared().stats().free()).isEqualTo(FRAMES - 1);
                assertThat(frame.owner()).isEqualTo(Thread.currentThread().threadId());
            }
            assertThat(shared().stats().free()).isEqualTo(FRAMES);
        } else {
            refused(log, Call.ATTACH, () -> Labyrinth.attach(path, locking));
        }
        int descriptor = (int) in.number();
        log.note("fd=" + descriptor);
        Path link = DESCRIPTORS.resolve("" + descriptor);
        if (!Files.isSymbolicLink(link) || !Files.readSymbolicLink(link).toString().startsWith("/memfd:")) {
            refused(log, Call.ATTACH, () -> Labyrinth.attach(descriptor, Locking.NONE));
        }
        shared().validate();
    }

    static void map(CallLog log, Hostile in) throws IOException {
        if (in.below(4) != 0) {
            return;
        }
        Path path = path(in);
        int order = (int) in.number();
        int index = (int) in.number();
        log.note("path=" + path + " order=" + order + " index=" + index);
        if (path == null) {
            refusedBy(log, Call.MAP, NullPointerException.class, () -> LabyrinthMap.of(path));
        } else if (path.equals(shared().sharedPath())) {
            LabyrinthMap map = log.made(Call.MAP, null, () -> LabyrinthMap.of(path));
            assertThat(map.frames()).isEqualTo(FRAMES);
            Class<? extends Throwable> refusal = order < 0 || order > Labyrinth.MAX_ORDER ? InvalidRequest.class : null;
            Integer available = log.made(Call.MAP, refusal, () -> map.available(order));
            Double unusable = log.made(Call.MAP, refusal, () -> map.unusable(order));
            if (refusal == null) {
                assertThat(available).isEqualTo(FRAMES >> order);
                assertThat(unusable).isEqualTo(order <= 3 ? 0.0 : 1.0);
            }
            boolean within = index >= 0 && index < map.runs().size();
            log.made(Call.MAP, within ? null : ArrayIndexOutOfBoundsException.class, () -> map.runs().get(index));
        } else {
            refused(log, Call.MAP, () -> LabyrinthMap.of(path));
        }
    }

    /** The good one, often. */
    private static @Nullable Path path(Hostile in) {
        int kind = in.next();
        return kind < 100 ? shared().sharedPath() : kind < 110 ? null : FALSE[kind % FALSE.length];
    }

    private static Labyrinth shared() {
        if (shared == null) {
            shared = Labyrinth.builder("shared").frames(FRAMES).memfd().locking(Locking.NONE).open();
        }
        return shared;
    }

    /** Typed; which of them depends on the machine and the user; the same each time. */
    private static void refused(CallLog log, Call call, Supplier<?> body) throws IOException {
        Class<? extends Throwable> refusal = null;
        try {
            body.get();
        } catch (NotALabyrinth | MapRefused | InvalidRequest e) {
            refusal = e.getClass();
        }
        assertThat(refusal).as("refused").isNotNull();
        refusedBy(log, call, refusal, body);
    }

    private static void refusedBy(CallLog log, Call call, Class<? extends Throwable> refusal, Supplier<?> body)
            throws IOException {
        long before = descriptors();
        log.made(call, refusal, body::get);
        assertThat(descriptors()).as("descriptors, as before").isEqualTo(before);
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> all = Files.list(DESCRIPTORS)) {
            return all.count();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
