package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.labyrinth.bindings.Native;
import io.labyrinth.internal.os.CgroupMemory;
import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.Machine;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The memory limit of a cgroup is found before a page is touched. Above the limit the kernel kills instead of refusing.
 */
class CgroupTest {

    private static final String PROPERTY = "opening: refused before a page is touched if the cgroup has no room";

    private static final String ROOM = Built.of("test/room").toString();
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
        return tightest().room();
    }

    /** In Java, and C says the same. */
    private CgroupMemory tightest() {
        CgroupMemory tightest = CgroupMemory.tightest(folder.resolve("memberships"), folder.resolve("cgroup"));
        assertThat(inC(folder.resolve("memberships").toString(), folder.resolve("cgroup").toString())).isEqualTo(
                (tightest.room() == Long.MAX_VALUE ? "18446744073709551615" : "" + tightest.room())
                        + (tightest.limit() != null && tightest.limit().endsWith("memory.high") ? " 1" : " 0"));
        return tightest;
    }

    /** What {@code native/test/room.c} says. */
    static String inC(String... arguments) {
        List<String> command = new ArrayList<>(List.of(ROOM));
        command.addAll(List.of(arguments));
        return said(command.toArray(String[]::new));
    }

    private static String said(String... command) {
        try {
            Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            String said = new String(process.getInputStream().readAllBytes()).strip();
            assertThat(process.waitFor()).as(said).isZero();
            return said;
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(String.join(" ", command), e);
        }
    }

    // ---------------------------------------------------------------------------- as the kernel writes its files

    @ParameterizedTest
    @CsvSource({"100,200,90", "200,100,70", "max,100,70", "100,max,90", "20,30,0", "5,max,0"})
    void theTightestLimitOnTheWayUpCounts(String inner, String outer, long room) throws IOException {
        write("memberships", "0::/outer/inner");
        write("cgroup/outer/inner/memory.max", bytes(inner));
        write("cgroup/outer/inner/memory.current", 90 * MIB);
        write("cgroup/outer/inner/memory.stat", stat("anon 10", "file 80", "inactive_anon 10", "inactive_file 60",
                "active_file 20"));
        write("cgroup/outer/memory.max", bytes(outer));
        write("cgroup/outer/memory.stat", stat("anon 30", "file 80", "active_file 80", "inactive_anon 30"));

        assertThat(room() / MIB).as("page cache can be given up").isEqualTo(room);
    }

    /** Which of them is larger is nothing that a mistake could hide behind: each counts alone, in each version. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "shared memory is in file, and on the anonymous lists | anon 5, file 400, shmem 300, inactive_anon 305,"
                + " active_file 100 | 405 | 305",
        "locked, it is on no list but the unevictable one | anon 5, file 300, shmem 300, unevictable 300,"
                + " active_anon 5 | 305 | 305",
        "as is a locked file | anon 5, file 200, active_anon 5, unevictable 90, inactive_file 110 | 205 | 95",
        "locked anonymous memory is not counted twice | anon 80, unevictable 70, active_anon 10 | 80 | 80",
        "before the lists have caught up | anon 80, shmem 20, active_anon 1 | 100 | 100",
        "before the sums have caught up | anon 1, active_anon 60, inactive_anon 20, unevictable 20 | 100 | 100",
        "files alone | file 400, active_file 300, inactive_file 100 | 400 | 0"})
    void whatCannotBeReclaimedIsUsed(String what, String stat, long charged, long used) throws IOException {
        write("memberships", "0::/job");
        write("cgroup/job/memory.max", 500 * MIB);
        write("cgroup/job/memory.current", charged * MIB);
        write("cgroup/job/memory.stat", stat(stat.split(", *")));
        assertThat(tightest().used() / MIB).as(what).isEqualTo(used);
        assertThat(room() / MIB).as(what).isEqualTo(500 - used);

        write("memberships", "7:memory,hugetlb:/\n4:memory:/job");
        write("cgroup/memory/job/memory.limit_in_bytes", 500 * MIB);
        write("cgroup/memory/job/memory.stat", stat(stat.replaceAll("\\banon", "rss").replaceAll("(\\w+) ", "total_$1 ")
                .split(", *")));
        assertThat(room() / MIB).as("first version: " + what).isEqualTo(500 - used);
    }

    /** The kernel's own part, and what a later kernel may call something new. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "anon 50, active_anon 50, kernel_stack 1, pagetables 2, sec_pagetables 3, percpu 4, sock 5, vmalloc 6,"
                + " slab_unreclaimable 7, slab_reclaimable 100, active_file 10, file 10 | 188 | 78",
        "anon 50, active_anon 50, active_file 10, file 10, slab_reclaimable 20 | 180 | 150"})
    void theKernelsOwnIsUsedButForTheSlabsThatCanShrink(String stat, long charged, long used) throws IOException {
        write("memberships", "0::/job");
        write("cgroup/job/memory.max", 500 * MIB);
        write("cgroup/job/memory.current", charged * MIB);
        write("cgroup/job/memory.stat", stat(stat.split(", *")));

        assertThat(tightest().used() / MIB).isEqualTo(used);
    }

    /** Above it nothing is killed, but nothing goes on either. */
    @ParameterizedTest
    @CsvSource({"100,80,70,memory.high", "80,100,70,memory.max", "100,max,90,memory.max", "max,100,90,memory.high"})
    void memoryHighIsALimit(String max, String high, long room, String limit) throws IOException {
        write("memberships", "0::/job");
        write("cgroup/job/memory.max", bytes(max));
        write("cgroup/job/memory.high", bytes(high));
        write("cgroup/job/memory.stat", stat("anon 10", "active_anon 10"));

        assertThat(tightest().limit()).isEqualTo(folder.resolve("cgroup/job").resolve(limit));
        assertThat(room() / MIB).isEqualTo(room);
        assertThat(tightest()).hasToString("limit=" + (room + 10) + "MiB used=10MiB of=" + folder
                + "/cgroup/job/" + limit);
    }

    private static String stat(String... fields) {
        return Arrays.stream(fields).map(field -> field.split(" "))
                .map(pair -> pair[0] + " " + Long.parseLong(pair[1]) * MIB).collect(Collectors.joining("\n"));
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

    /** A batch of 64 pages for each processor, and never many more than the request has. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"0-1 | 50000 | 128", "0 | 50000 | 64", "0-3,8,10-11 | 50000 | 448",
        "0-255 | 50000 | 16384", "0-255 | 1024 | 1088", "0-2047 | 1000000 | 131072", "0-1 | 127 | 128", "0-1 | 63 | 64",
        "'' | 50000 | 64"})
    void aBatchForEachProcessorIsChargedAhead(String online, long pages, long ahead) throws IOException {
        write("online", online);

        assertThat(CgroupMemory.chargedAhead(pages, folder.resolve("online"))).isEqualTo(ahead);
        assertThat(inC("ahead", "" + pages, folder.resolve("online").toString())).isEqualTo("" + ahead);
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
        List<String> told = member(cgroup.get(), Member.class);
        assertThat(told).satisfiesExactly(
                refused -> assertThat(refused).startsWith("MapRefused: labyrinth=member requested=").contains(
                        "available=", "cgroup=", "ask for fewer frames", "memory.max", " limit=512MiB used="),
                touched -> assertThat(Long.parseLong(touched)).as("KiB more than before").isLessThan(64 << 10),
                opened -> assertThat(opened).isEqualTo("opened frames=25600"));
        Verify.held(PROPERTY, "CgroupTest", "a cgroup of 512 MiB");
    }

    /** Shared memory is charged as page cache is, and cannot be given up as that can. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void asIsWhatDoesNotFitBesideASharedOne(boolean locked) throws Exception {
        Optional<Path> cgroup = limited(512 * MIB);
        assumeTrue(cgroup.isPresent(), "this user may make no cgroup here");
        List<String> told = member(cgroup.get(), Neighbour.class, locked ? "REQUIRED" : "NONE");
        assertThat(told).satisfiesExactly(
                shared -> assertThat(shared).isEqualTo("opened frames=76800"),
                refused -> assertThat(refused).startsWith("MapRefused: labyrinth=member requested="),
                opened -> assertThat(opened).isEqualTo("opened frames=25600"));
    }

    /** The same of a C program, which has the first of them when it asks for the second. */
    @Test
    void cRefusesItAsWell() throws Exception {
        Optional<Path> cgroup = limited(512 * MIB);
        assumeTrue(cgroup.isPresent(), "this user may make no cgroup here");
        assertThat(memberInC(cgroup.get(), "create 76800 76800 25600")).satisfiesExactly(
                shared -> assertThat(shared).isEqualTo("OK: opened"),
                refused -> assertThat(refused).startsWith("MAP_REFUSED: labyrinth=room requested=").contains(
                        "available=", "ask for fewer frames", "memory.max"),
                opened -> assertThat(opened).isEqualTo("OK: opened"));
    }

    private static List<String> memberInC(Path cgroup, String arguments) throws IOException {
        String said;
        String failures;
        try {
            said = said("sh", "-c", "echo $$ > " + cgroup.resolve("cgroup.procs") + " && exec " + ROOM + " " + arguments);
            failures = limitFailures(cgroup);
        } finally {
            Files.delete(cgroup);
        }
        assertThat(failures).as("times that the kernel met the limit").isEqualTo("0");
        return said.lines().toList();
    }

    /** Reserved pages are there, though nobody has touched them; those of a hole are not. In Java and in C. */
    @Test
    void whoAttachesNeedsTheMemoryOfTheHolesAlone() throws Exception {
        Optional<Path> cgroup = limited(200 * MIB);
        assumeTrue(cgroup.isPresent(), "this user may make no cgroup here");
        Path whole = Path.of("/dev/shm/labyrinth-cgroup-" + ProcessHandle.current().pid());
        Path holes = Path.of(whole + "-holes");
        try {
            emptied(whole, holes);
            assertThat(member(cgroup.get(), Attacher.class, whole.toString(), holes.toString())).satisfiesExactly(
                    attached -> assertThat(attached).isEqualTo("attached frames=76800"),
                    refused -> assertThat(refused).startsWith("MapRefused: labyrinth=member requested=").contains(
                            "ask for fewer frames", "limit=200MiB"));
            emptied(whole, holes);
            assertThat(memberInC(limited(200 * MIB).orElseThrow(), "attach " + whole + " " + holes)).satisfiesExactly(
                    attached -> assertThat(attached).isEqualTo("OK: attached"),
                    refused -> assertThat(refused).startsWith("MAP_REFUSED: labyrinth=member requested="));
        } finally {
            Files.deleteIfExists(whole);
            Files.deleteIfExists(holes);
        }
    }

    /** Two images of a labyrinth of 300 MiB: the pages of one are all reserved but one, of the other none is. */
    private static void emptied(Path whole, Path holes) throws IOException {
        Files.deleteIfExists(whole);
        builder(76_800, Locking.NONE).shared(whole).open().close();
        long length = Files.size(whole);
        byte[] header = new byte[(int) Header.BYTES];
        try (InputStream from = Files.newInputStream(whole)) {
            assertThat(from.readNBytes(header, 0, header.length)).isEqualTo(header.length);
        }
        for (Path image : List.of(whole, holes)) {
            Files.deleteIfExists(image);
            Files.write(image, header);
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(length);
            }
        }
        int fd = (int) Libc.open(whole.toString(), Native.O_RDWR()).value();
        assertThat(Libc.reserve(fd, 0, length - Libc.pageSize()).failed()).isFalse();
        Libc.close(fd);
    }

    /**
     * Page tables are charged, too, and the tree by which a file's pages are found, and a batch for each processor. An
     * opening that meets the limit lives only if the kernel finds something to reclaim in time, so none may meet it.
     */
    @Test
    void upToTheLimitNothingIsKilled() throws Exception {
        Optional<Path> cgroup = limited(200 * MIB);
        assumeTrue(cgroup.isPresent(), "this user may make no cgroup here");
        List<String> outcomes = new ArrayList<>();
        String failures;
        int most = 51_200 - (int) CgroupMemory.chargedAhead(51_200, Path.of("/sys/devices/system/cpu/online"));
        try {
            for (int frames = most - 800; frames <= most; frames += 50) {
                String said = said("sh", "-c", "echo $$ > " + cgroup.get().resolve("cgroup.procs") + " && exec " + ROOM
                        + " create " + frames);
                outcomes.add(said.substring(0, said.indexOf(':')));
            }
            failures = limitFailures(cgroup.get());
        } finally {
            Files.delete(cgroup.get());
        }
        assertThat(outcomes).startsWith("OK").endsWith("MAP_REFUSED").containsOnly("OK", "MAP_REFUSED");
        assertThat(failures).as("times that the kernel met the limit").isEqualTo("0");
    }

    private static List<String> member(Path cgroup, Class<?> program, String... arguments) throws IOException {
        ChildJvm.Result child;
        String failures;
        try {
            child = ChildJvm.of(program).with(arguments).jvm("-Xmx48m").memberOf(cgroup).run();
            failures = limitFailures(cgroup);
        } finally {
            Files.delete(cgroup);
        }
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(failures).as("times that the kernel met the limit").isEqualTo("0");
        return child.out().lines().toList();
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

    private static Labyrinth.Builder builder(int frames, Locking locking) {
        return Labyrinth.builder("member").frames(frames).locking(locking);
    }

    private static void tellOpening(int frames, Locking locking) {
        try (Labyrinth labyrinth = builder(frames, locking).open()) {
            labyrinth.validate();
            System.out.println("opened frames=" + labyrinth.stats().frames());
        } catch (LabyrinthException e) {
            System.out.println(e.getClass().getSimpleName() + ": " + e.getMessage());
        }
    }

    /** Asks for more than its cgroup has, and then for less. */
    static final class Member {

        public static void main(String[] args) {
            long before = ChildJvm.status("VmRSS", 10);
            tellOpening(200_000, Locking.NONE);
            System.out.println(ChildJvm.status("VmHWM", 10) - before);
            tellOpening(25_600, Locking.NONE);
        }
    }

    /** Attaches to these, one after the other. */
    static final class Attacher {

        public static void main(String[] paths) {
            for (String path : paths) {
                try (Labyrinth labyrinth = Labyrinth.attach(Path.of(path), Locking.NONE)) {
                    System.out.println("attached frames=" + labyrinth.map().frames());
                } catch (LabyrinthException e) {
                    System.out.println(e.getClass().getSimpleName() + ": " + e.getMessage());
                }
            }
        }
    }

    /** Has a shared one of 300 MiB, asks for as much again, and then for less. */
    static final class Neighbour {

        public static void main(String[] args) {
            Locking locking = Locking.valueOf(args[0]);
            try (Labyrinth shared = builder(76_800, locking).memfd().open()) {
                System.out.println("opened frames=" + shared.stats().frames());
                tellOpening(76_800, locking);
                tellOpening(25_600, locking);
                shared.validate();
            }
        }
    }
}
