package io.labyrinth.vm;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a machine of {@code make vm} runs beside the command line. It needs the library alone.
 *
 * <p>{@code opens PLACE:MIB...} opens labyrinths one after the other, and keeps all; a place is {@code private},
 * {@code memfd} or a path. It says "opened PLACE" or "refused PLACE: TYPE: sentence", as native/test/opens.c does, and
 * ends with 3 if any was refused. {@code again N MIB} opens and closes N times. {@code keeper PATH} shares a labyrinth
 * with a second JVM, kills that, and takes back what it had. {@code strict} closes a
 * shared labyrinth where the kernel counts all memory, and has no room for its replacement.
 */
public final class Guest {

    private static final int REFUSED = 3;
    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
    private static final int FRAMES = 512;

    private Guest() {
    }

    /** One of the programs above. */
    public static void main(String[] args) throws Exception {
        List<String> rest = Arrays.asList(args).subList(1, args.length);
        switch (args[0]) {
            case "opens" -> System.exit(opens(rest) ? 0 : REFUSED);
            case "again" -> again(Integer.parseInt(rest.get(0)), Long.parseLong(rest.get(1)));
            case "keeper" -> keeper(Path.of(rest.get(0)));
            case "strict" -> strict();
            case "tenant" -> tenant(Path.of(rest.get(0)));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static long frames(long mebibytes) {
        try (Labyrinth one = Labyrinth.builder("one").frames(1).locking(Locking.NONE).open()) {
            return (mebibytes << 20) / one.frameSize();
        }
    }

    // ---------------------------------------------------------------------------- opens, again

    private static boolean opens(List<String> places) {
        List<Labyrinth> kept = new ArrayList<>();
        boolean all = true;
        for (String place : places) {
            int colon = place.lastIndexOf(':');
            String where = place.substring(0, colon);
            Labyrinth.Builder builder = Labyrinth.builder("opens").frames(frames(Long.parseLong(place, colon + 1,
                    place.length(), 10)));
            switch (where) {
                case "private" -> { }
                case "memfd" -> builder.memfd();
                default -> builder.shared(Path.of(where));
            }
            try {
                kept.add(builder.open());
                System.out.println("opened " + place);
            } catch (LabyrinthException e) {
                System.out.println("refused " + place + ": " + e.getClass().getSimpleName() + ": " + e.getMessage());
                all = false;
            }
        }
        return all;
    }

    private static void again(int times, long mebibytes) {
        long frames = frames(mebibytes);
        for (int i = 0; i < times; i++) {
            try (Labyrinth labyrinth = Labyrinth.builder("again").frames(frames).open()) {
                labyrinth.validate();
            } catch (LabyrinthException e) {
                throw new IllegalStateException("time " + (i + 1) + " of " + times, e);
            }
        }
        System.out.println("opened " + times + " times");
    }

    // ---------------------------------------------------------------------------- two JVMs, and one is killed

    /** Claims some of each kind, says how many frames that is, and waits for its end. */
    private static void tenant(Path path) throws InterruptedException {
        Labyrinth labyrinth = Labyrinth.attach(path, Locking.NONE);
        int held = 0;
        for (int i = 0; i < 20; i++) {
            Frame frame = labyrinth.allocPages(i % 3 == 0 ? Gfp.NOWAIT : EXCLUSIVE, i % 4);
            stamp(frame, -i);
            held += 1 << frame.order();
            if (i % 5 == 0) {
                frame.handOff();
            }
        }
        System.out.println(held);
        Thread.sleep(Long.MAX_VALUE);
    }

    private static void keeper(Path path) throws IOException, InterruptedException {
        try (Labyrinth labyrinth = Labyrinth.builder("guests").frames(FRAMES).shared(path).open()) {
            List<Frame> mine = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                mine.add(labyrinth.allocPages(EXCLUSIVE, i % 3));
                stamp(mine.getLast(), i);
            }
            int before = labyrinth.stats().claimed();
            Process other = second(path);
            int held;
            try (BufferedReader says = other.inputReader(StandardCharsets.UTF_8)) {
                held = Integer.parseInt(says.readLine());
                require(labyrinth.sweepDeadOwners() == 0, "a living JVM was swept");
            } finally {
                other.destroyForcibly().waitFor();
            }
            int freed = labyrinth.sweepDeadOwners();
            require(freed == held, "the killed JVM held " + held + " frames, and " + freed + " came back");
            require(labyrinth.stats().claimed() == before && labyrinth.sweepDeadOwners() == 0, "more was taken");
            labyrinth.validate();
            for (int i = 0; i < mine.size(); i++) {
                require(isStamped(mine.get(i), i), mine.get(i) + " was written to");
                mine.get(i).close();
            }
            System.out.println("a JVM was killed, and " + freed + " frames came back");
        } finally {
            Files.deleteIfExists(path);
        }
    }

    // ---------------------------------------------------------------------------- vm.overcommit_memory=2

    private static final Path VM = Path.of("/proc/sys/vm");
    private static final long MIB = 1L << 20;

    /** As root. What is there to be replaced stays mapped where it was, as a late access may still come. */
    private static void strict() throws IOException {
        Files.writeString(VM.resolve("overcommit_kbytes"), "" + (1L << 30));
        Files.writeString(VM.resolve("overcommit_memory"), "2");
        Labyrinth labyrinth = Labyrinth.builder("strict").frames(frames(64)).memfd().open();
        Frame late = labyrinth.allocPage(Gfp.NOWAIT);
        stamp(late, 1);
        long before = mappedOf("memfd:strict");
        long committed = committed();
        Files.writeString(VM.resolve("overcommit_kbytes"), "" + (committed + 16 * MIB) / 1024);
        try {
            labyrinth.closeNow();
            throw new IllegalStateException("it closed, with 16 MiB of room for 64");
        } catch (LabyrinthException.CloseRefused expected) {
            System.out.println(expected.getMessage());
        }
        require(mappedOf("memfd:strict") == before, "mapped before=" + before + " now=" + mappedOf("memfd:strict"));
        Files.writeString(VM.resolve("overcommit_kbytes"), "" + (1L << 30));
        require(labyrinth.closeNow() == 1, "the next close goes on");
        require(mappedOf("memfd:strict") == 0, "it is mapped still");
        Files.writeString(VM.resolve("overcommit_memory"), "0");
        System.out.println("refused, with nothing unmapped, and then closed");
    }

    private static long committed() throws IOException {
        return Files.readAllLines(Path.of("/proc/meminfo")).stream().filter(line -> line.startsWith("Committed_AS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024).sum();
    }

    private static long mappedOf(String file) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> line.contains(file))
                .map(line -> line.split("[- ]"))
                .mapToLong(range -> Long.parseLong(range[1], 16) - Long.parseLong(range[0], 16)).sum();
    }

    private static Process second(Path path) throws IOException {
        return new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx32m",
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED",
                "-cp", System.getProperty("java.class.path"), Guest.class.getName(), "tenant", path.toString())
                .redirectError(Redirect.INHERIT).start();
    }

    private static void stamp(Frame frame, long mark) {
        MemorySegment bytes = frame.segment();
        bytes.set(ValueLayout.JAVA_LONG, 0, mark);
        bytes.set(ValueLayout.JAVA_LONG, bytes.byteSize() - Long.BYTES, mark);
    }

    private static boolean isStamped(Frame frame, long mark) {
        MemorySegment bytes = frame.segment();
        return bytes.get(ValueLayout.JAVA_LONG, 0) == mark
                && bytes.get(ValueLayout.JAVA_LONG, bytes.byteSize() - Long.BYTES) == mark;
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }
}
