package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The memory limit of a cgroup: found before a page is touched, as behind it the kernel kills, and does not refuse. */
class CgroupTest {

    private static final String PROPERTY = "opening: refused before a page is touched if the cgroup has no room";

    private static final Path HIERARCHIES = Path.of("/sys/fs/cgroup");
    private static final long MIB = 1L << 20;
    /** What cgroup v1 says where there is no limit. */
    private static final String NONE_IN_V1 = "9223372036854771712";

    @TempDir
    private Path folder;

    private void write(String file, Object text) throws IOException {
        Path path = folder.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text + "\n");
    }

    private long room() {
        return Machine.cgroupRoom(folder.resolve("memberships"), folder.resolve("cgroup"));
    }

    // ---------------------------------------------------------------------------- as the kernel writes its files

    @ParameterizedTest
    @CsvSource({"100,200,90", "200,100,70", "max,100,70", "100,max,90", "20,30,0", "5,max,0"})
    void theTightestLimitOnTheWayUpCounts(String inner, String outer, long room) throws IOException {
        write("memberships", "0::/outer/inner");
        write("cgroup/outer/inner/memory.max", bytes(inner));
        write("cgroup/outer/inner/memory.current", 90 * MIB);
        write("cgroup/outer/inner/memory.stat", "anon " + 10 * MIB + "\nfile " + 80 * MIB);
        write("cgroup/outer/memory.max", bytes(outer));
        write("cgroup/outer/memory.stat", "anon " + 30 * MIB + "\nfile " + 80 * MIB);

        assertThat(room() / MIB).as("page cache can be given up").isEqualTo(room);
    }

    @ParameterizedTest
    @CsvSource({"100,90", "max,9223372036854775807"})
    void theFirstVersionsFilesAreReadToo(String limit, long room) throws IOException {
        write("memberships", "5:cpu:/elsewhere\n4:memory:/jobs/one\n0::/");
        write("cgroup/memory/jobs/one/memory.limit_in_bytes", limit.equals("max") ? NONE_IN_V1 : bytes(limit));
        write("cgroup/memory/jobs/one/memory.stat", "total_rss " + 10 * MIB);
        write("cgroup/memory/memory.limit_in_bytes", NONE_IN_V1);
        write("cgroup/cpu/elsewhere/memory.limit_in_bytes", MIB);

        assertThat(room == Long.MAX_VALUE ? room() : room() / MIB).isEqualTo(room);
    }

    /** In a container the path may be the host's; what is mounted is the container's own, as the root. */
    @Test
    void aPathThatIsNotMountedMeansTheRoot() throws IOException {
        write("memberships", "0::/docker/0123456789ab");
        write("cgroup/memory.max", 64 * MIB);
        write("cgroup/memory.current", 24 * MIB);

        assertThat(room()).as("without memory.stat all of it counts as used").isEqualTo(40 * MIB);
    }

    @ParameterizedTest
    @CsvSource({"''", "0::/", "0::/../elsewhere", "nonsense", "4:memory:"})
    void withoutALimitThereIsNone(String membership) throws IOException {
        write("memberships", membership);
        write("elsewhere/memory.max", MIB);

        assertThat(room()).isEqualTo(Long.MAX_VALUE);
    }

    private static String bytes(String megabytes) {
        return megabytes.equals("max") ? "max" : String.valueOf(Long.parseLong(megabytes) * MIB);
    }

    // ---------------------------------------------------------------------------- and in a cgroup of the kernel's

    /** Where this user may make none, what there is for one to read is read above. */
    @Test
    void whatDoesNotFitIsRefusedBeforeAPageIsTouched() throws Exception {
        Optional<Path> cgroup = limited(512 * MIB);
        if (cgroup.isEmpty()) {
            theTightestLimitOnTheWayUpCounts("100", "200", 90);
            Verify.held(PROPERTY, "CgroupTest", "by its files alone: this user may make no cgroup here");
            return;
        }
        ChildJvm.Result child;
        String failures;
        try {
            child = ChildJvm.of(Member.class).jvm("-Xmx48m").memberOf(cgroup.get()).run();
            failures = limitFailures(cgroup.get());
        } finally {
            Files.delete(cgroup.get());
        }
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out().lines().toList()).satisfiesExactly(
                refused -> assertThat(refused).startsWith("MapRefused: labyrinth=member requested=").contains(
                        "available=", "cgroup=", "ask for fewer frames", "memory.max"),
                touched -> assertThat(Long.parseLong(touched)).as("KiB more than before").isLessThan(64 << 10),
                opened -> assertThat(opened).isEqualTo("opened frames=25600"));
        assertThat(failures).as("times that the kernel met the limit").isEqualTo("0");
        Verify.held(PROPERTY, "CgroupTest", "a cgroup of 512 MiB");
    }

    /** A cgroup of its own, if this user may make one and put a process into it. */
    private static Optional<Path> limited(long bytes) throws IOException, InterruptedException {
        boolean isFirstVersion = Files.isDirectory(HIERARCHIES.resolve("memory"));
        Path cgroup = HIERARCHIES.resolve(isFirstVersion ? "memory" : ".")
                .resolve("labyrinth-" + ProcessHandle.current().pid()).normalize();
        try {
            Files.createDirectory(cgroup);
        } catch (IOException notAllowed) {
            return Optional.empty();
        }
        Path limit = cgroup.resolve(isFirstVersion ? "memory.limit_in_bytes" : "memory.max");
        boolean works = false;
        try {
            if (Files.exists(limit)) {
                Files.writeString(limit, String.valueOf(bytes));
                works = new ProcessBuilder("sh", "-c", "echo $$ > " + cgroup.resolve("cgroup.procs")).start()
                        .waitFor() == 0;
            }
        } finally {
            if (!works) {
                Files.delete(cgroup);
            }
        }
        return works ? Optional.of(cgroup) : Optional.empty();
    }

    private static String limitFailures(Path cgroup) throws IOException {
        Path first = cgroup.resolve("memory.failcnt");
        return Files.exists(first) ? Files.readString(first).strip()
                : Machine.field(cgroup.resolve("memory.events"), "max ").orElseThrow();
    }

    /** Asks for more than its cgroup has, and then for less. */
    static final class Member {

        public static void main(String[] args) {
            long before = ChildJvm.status("VmRSS", 10);
            try (Labyrinth labyrinth = builder(200_000).open()) {
                System.out.println("opened " + labyrinth);
            } catch (LabyrinthException e) {
                System.out.println(e.getClass().getSimpleName() + ": " + e.getMessage());
            }
            System.out.println(ChildJvm.status("VmHWM", 10) - before);
            try (Labyrinth labyrinth = builder(25_600).open()) {
                labyrinth.validate();
                System.out.println("opened frames=" + labyrinth.stats().frames());
            }
        }

        private static Labyrinth.Builder builder(int frames) {
            return Labyrinth.builder("member").frames(frames).locking(Locking.NONE);
        }
    }
}
