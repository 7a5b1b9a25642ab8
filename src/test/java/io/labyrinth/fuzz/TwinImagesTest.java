package io.labyrinth.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.MapRefused;
import io.labyrinth.LabyrinthException.NotALabyrinth;
import io.labyrinth.LabyrinthMap;
import io.labyrinth.Locking;
import io.labyrinth.bindings.Native;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Arbitrary files for Java and for C. Both refuse the same files. A file that is not refused does no harm. */
class TwinImagesTest {

    private static final int MOST_HANGS = 3;

    private final Path path = Path.of("/dev/shm/labyrinth-twin-" + ProcessHandle.current().pid());

    @AfterEach
    void remove() throws IOException {
        Files.deleteIfExists(path);
    }

    private static Process program() {
        try {
            return new ProcessBuilder(Built.of("test/address/images").toString()).redirectErrorStream(true).start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    // ------------------------------------------------------------------------------------------- headers

    @Test
    void javaAndCRefuseTheSameFiles() throws Exception {
        long count = Verify.scale(1_500, 4_000, 100_000);
        HeaderImages images = new HeaderImages(0x1AB);
        Map<String, Integer> outcomes = new TreeMap<>();
        try (Answers c = new Answers(TwinImagesTest::program)) {
            assertThat(c.to("left")).isEqualTo("mapped=0 open=0");
            String before = left();
            for (long i = 0; i < count; i++) {
                HeaderImages.Image image = images.next();
                String outcome = outcomeOf(image, c);
                outcomes.merge(image.kind() + " " + outcome, 1, Integer::sum);
            }
            assertThat(c.to("left")).isEqualTo("mapped=0 open=0");
            assertThat(left()).isEqualTo(before);
        }
        assertThat(outcomes).containsKeys("NAMED OK", "NAMED NOT_A_LABYRINTH", "MEMFD OK", "MEMFD NOT_A_LABYRINTH",
                "UNSEALED NOT_A_LABYRINTH").doesNotContainKeys("UNSEALED OK", "NAMED MAP_REFUSED", "MEMFD MAP_REFUSED");
        assertThat(outcomes).as("unless this folder is on no disk").containsKey("ON_DISK INVALID_REQUEST")
                .doesNotContainKey("ON_DISK OK");
        assertThat(outcomes.get("NAMED OK")).isBetween((int) count / 8, (int) count / 2);
        Verify.held("Java and C give the same answers", "TwinImagesTest", count + " headers and lengths of files");
    }

    /** Java's, which is C's as well. */
    private String outcomeOf(HeaderImages.Image image, Answers c) throws IOException, InterruptedException {
        Path file = path;
        int fd = -1;
        switch (image.kind()) {
            case NAMED -> write(file, image);
            case ON_DISK -> {
                file = Path.of("target", "labyrinth-twin-" + ProcessHandle.current().pid());
                write(file, image);
            }
            default -> {
                fd = (int) Libc.memfdCreate("image").value();
                file = Path.of("/proc/" + ProcessHandle.current().pid() + "/fd/" + fd);
                write(file, image);
                int seals = image.length() % 3 == 0 ? 0 : image.length() % 3 == 1 ? Native.F_SEAL_SHRINK()
                        : Native.F_SEAL_GROW();
                Libc.addSeals(fd, image.kind() == HeaderImages.Kind.UNSEALED ? seals
                        : Native.F_SEAL_SHRINK() | Native.F_SEAL_GROW());
            }
        }
        try {
            String inJava = attach(file);
            assertThat(c.to("attach " + file).replace("UNSEALED", "NOT_A_LABYRINTH")).as("%s", image).isEqualTo(inJava);
            if (image.kind() == HeaderImages.Kind.NAMED) {
                assertThat(look(file)).as("%s", image).isEqualTo(inJava);
            }
            return inJava;
        } finally {
            if (fd >= 0) {
                Libc.close(fd);
            } else {
                Files.delete(file);
            }
        }
    }

    private static void write(Path file, HeaderImages.Image image) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            int bytes = (int) Math.min(image.length(), image.header().length);
            channel.write(ByteBuffer.wrap(image.header(), 0, bytes));
            if (image.length() > bytes) {
                channel.write(ByteBuffer.allocate(1), image.length() - 1);
            }
        }
    }

    private static String attach(Path file) {
        return outcome(() -> Labyrinth.attach(file, Locking.NONE).close());
    }

    private static String look(Path file) {
        return outcome(() -> LabyrinthMap.of(file));
    }

    private static String outcome(Runnable call) {
        try {
            call.run();
            return "OK";
        } catch (NotALabyrinth e) {
            return "NOT_A_LABYRINTH";
        } catch (InvalidRequest e) {
            return "INVALID_REQUEST";
        } catch (MapRefused e) {
            return "MAP_REFUSED";
        }
    }

    // ------------------------------------------------------------------------------------------- whole images

    /** Sizes with every kind of edge; those with spans are large, so few of them. */
    private static int frames(long image) {
        int[] sizes = {203, 70, 64, 130, 1, 1025};
        return image % 150 == 149 ? 64 * 256 + 67 : sizes[(int) (image % sizes.length)];
    }

    @Test
    void anyWordsAdviceAndSlotsHaveATypedAnswerOrASensibleCount() throws Exception {
        long count = Verify.scale(150, 450, 20_000);
        Map<String, String> wrong = new TreeMap<>();
        int used = 0;
        int hangs = 0;
        try (Answers c = new Answers(TwinImagesTest::program); Answers java = new Answers(ChildJvm.of(UsedImage.class)
                .jvm("-Xmx256m", "-Xlog:disable", "-XX:-OmitStackTraceInFastThrow",
                        "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null")::start)) {
            for (long seed = 0; seed < count && hangs < MOST_HANGS; seed++) {
                try (Arena arena = Arena.ofConfined()) {
                    WholeImages image = new WholeImages(arena, frames(seed), seed);
                    for (Map.Entry<String, Answers> each : Map.of("C", c, "Java", java).entrySet()) {
                        String answer = use(image, each.getValue());
                        if (answer.equals("OK")) {
                            used++;
                        } else {
                            hangs += answer.startsWith("hangs") ? 1 : 0;
                            for (String one : answer.replaceFirst("^bad ", "").split(" \\| ")) {
                                wrong.merge(each.getKey() + ": " + one, "seed " + seed + " ", (all, more) -> all + "+");
                            }
                        }
                    }
                }
            }
        }
        assertThat(wrong).as("of %s images, what was wrong with which first:%n%s", count, wrong.entrySet().stream()
                .map(Object::toString).collect(Collectors.joining("\n"))).isEmpty();
        assertThat(used).isEqualTo(2 * count);
        Verify.held("any words, advice and tenants of a shared file: a typed answer or a sensible count, in Java and C",
                "TwinImagesTest", count + " files, with guards around the words");
    }

    private String use(WholeImages image, Answers answers) throws IOException, InterruptedException {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ,
                StandardOpenOption.WRITE); Arena arena = Arena.ofConfined()) {
            for (ByteBuffer bytes = image.memory.asByteBuffer(); bytes.hasRemaining();) {
                file.write(bytes);
            }
            String answer = answers.to("use " + path);
            long touched = image.touched(file.map(FileChannel.MapMode.READ_ONLY, 0, file.size(), arena));
            return touched < 0 ? answer : answer + " | writes where nobody may";
        } finally {
            Files.delete(path);
        }
    }

    /** What this process has of such files. The page map of a closed labyrinth is no file's any more. */
    private static String left() throws IOException {
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"));
                Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return maps.filter(line -> line.contains("/dev/shm/labyrinth-twin") || line.contains("/memfd:image")).count()
                    + " " + descriptors.count();
        }
    }
}
