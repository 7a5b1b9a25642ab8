package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.MapRefused;
import io.labyrinth.LabyrinthException.NotALabyrinth;
import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_tenant;
import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.MemoryFile;
import io.labyrinth.internal.os.Tenancy;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.FaultyCalls;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shared labyrinths on unusual machines: another /proc, a small /dev/shm, paths that lead elsewhere. */
class SharedMachinesTest {

    private static final int FRAMES = 64;
    private static final long MIB = 1 << 20;

    @TempDir
    private Path folder;

    private final Path path = Path.of("/dev/shm/labyrinth-machines-" + ProcessHandle.current().pid());

    @AfterEach
    void remove() throws IOException {
        Files.deleteIfExists(path);
    }

    private static Labyrinth.Builder builder(long frames) {
        return Labyrinth.builder("machines").frames(frames).locking(Locking.NONE);
    }

    /** In new namespaces; by root, or by whoever may make a namespace of users in which it is root. */
    private static ChildJvm unshared(Class<?> program, String options, String before) throws Exception {
        String[] ways = {"unshare " + options, "unshare --map-root-user " + options};
        for (String way : ways) {
            String[] command = (way + " sh -c").split(" ");
            if (isGranted(command, before + " true")) {
                return ChildJvm.ofAll(program).by(command).by(before + " exec \"$@\"", "sh");
            }
        }
        assumeTrue(false, "this user may not do: unshare " + options + " sh -c '" + before + "'");
        throw new AssertionError();
    }

    private static boolean isGranted(String[] command, String last) throws IOException, InterruptedException {
        ProcessBuilder tried = new ProcessBuilder(command);
        tried.command().add(last);
        return tried.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
    }

    private static void succeeds(ChildJvm child) {
        ChildJvm.Result result = child.run();
        assertThat(result.exit()).as("%s%n%s", result.out(), result.err()).isZero();
    }

    // ------------------------------------------------------------------------------------------- another /proc

    static final class OuterProc {

        public static void main(String[] args) throws IOException, InterruptedException {
            try (Labyrinth labyrinth = builder(FRAMES).memfd().open()) {
                Path shared = labyrinth.sharedPath();
                assertThat(ProcessHandle.current().pid()).as("a pid of its own namespace").isLessThan(10);
                assertThat(shared.toString()).startsWith("/proc/" + Files.readSymbolicLink(Path.of("/proc/self")) + "/");
                try (Labyrinth joined = Labyrinth.attach(shared, Locking.NONE)) {
                    assertThat(joined.map().tenants()).isEqualTo(labyrinth.map().tenants()).hasSize(2);
                    assertThat(joined.sharedPath()).isNotEqualTo(shared);
                    assertThat(LabyrinthMap.of(joined.sharedPath()).tenants()).hasSize(2);
                }
                assertThat(new ProcessBuilder("mount", "-t", "tmpfs", "none", "/proc").start().waitFor()).isZero();
                assertThatThrownBy(labyrinth::sharedPath).isInstanceOf(MapRefused.class)
                        .hasMessageContainingAll("file=memfd:machines", "has no path", "mount the /proc");
                try (Labyrinth without = builder(FRAMES).memfd().open()) {
                    assertThat(without.map().tenants()).singleElement().matches(LabyrinthMap.Tenant::alive);
                    without.validate();
                    MemorySegment slot = Arena.ofAuto().allocate(labyrinth_tenant.layout());
                    Tenancy.write(slot, true);
                    assertThat(labyrinth_tenant.pid_namespace(slot)).as("not known").isZero();
                    labyrinth_tenant.pid(slot, Integer.MAX_VALUE);
                    assertThat(Tenancy.hasEnded(slot)).as("there is no such process, somewhere").isFalse();
                }
                labyrinth.validate();
            }
        }
    }

    @Test
    void thePathOfAMemfdIsThatOfTheMountedProc() throws Exception {
        succeeds(unshared(OuterProc.class, "--pid --fork --mount --kill-child", "sleep 0;"));
    }

    @Test
    void thePathOfAMemfdThatIsClosedIsRefused() {
        Labyrinth labyrinth = builder(FRAMES).memfd().open();
        Labyrinth named = builder(FRAMES).shared(path).open();
        labyrinth.close();
        named.close();
        assertThatThrownBy(labyrinth::sharedPath).isInstanceOf(LabyrinthException.Closed.class);
        assertThat(named.sharedPath()).isEqualTo(path);
    }

    @Test
    void whoAttachedByADescriptorHasAPathOfItsOwn() {
        try (Labyrinth labyrinth = builder(FRAMES).memfd().open()) {
            int passed = (int) Libc.open(labyrinth.sharedPath().toString(), Native.O_RDWR()).value();
            try (Labyrinth joined = Labyrinth.attach(passed, Locking.NONE)) {
                Libc.close(passed);
                try (Labyrinth third = Labyrinth.attach(joined.sharedPath(), Locking.NONE)) {
                    assertThat(third.map().tenants()).hasSize(3);
                }
            }
        }
    }

    // ------------------------------------------------------------------------------------------- a small /dev/shm

    static final class SmallMount {

        public static void main(String[] args) throws IOException {
            Path mount = Path.of(args[0]);
            Path file = mount.resolve("labyrinth");
            long free = free(mount);
            for (int error : new int[] {0, Native.ENOSYS(), Native.EPERM()}) {
                // As a filter may answer that does not know the call.
                FaultyCalls.refuse(1, Integer.MAX_VALUE, error == 0 ? 0 : FaultyCalls.FALLOCATE, error);
                refusesWhatHasNoRoom(mount, file);
            }
            // As before Linux 5.14, where pages are touched: one for which there is no room ends a process.
            FaultyCalls.refuse(1, Integer.MAX_VALUE, FaultyCalls.POPULATE, Native.EINVAL());
            refusesWhatHasNoRoom(mount, file);
            try (Labyrinth labyrinth = builder(4 * MIB / Libc.pageSize()).shared(file).open()) {
                assertThat(free(mount)).as("all of it is reserved").isLessThan(free - 4 * MIB);
                labyrinth.validate();
                sparse(file, mount.resolve("sparse"), mount);
                labyrinth.validate();
            }
            assertThat(FaultyCalls.refused()).as("pages were touched").isEqualTo(FaultyCalls.POPULATE);
            Files.delete(file);
            assertThat(free(mount)).isEqualTo(free);
        }

        private static void refusesWhatHasNoRoom(Path mount, Path file) throws IOException {
            long free = free(mount);
            // The largest of all is more than most machines have; the mount is what is said to be too small.
            long mebibyte = MIB / Libc.pageSize();
            for (long frames : new long[] {Labyrinth.MAX_FRAMES, 64 * mebibyte, 8 * mebibyte}) {
                assertThatThrownBy(() -> builder(frames).shared(file).open()).isInstanceOf(MapRefused.class)
                        .hasMessageContainingAll("mount=" + mount, "size=8MiB", "free=8MiB", "errno=28", "--shm-size",
                                "emptyDir.sizeLimit");
                assertThat(file).doesNotExist();
                assertThat(free(mount)).isEqualTo(free);
            }
        }

        /** Of a file with holes, for which there is no room. */
        private static void sparse(Path good, Path holes, Path mount) throws IOException {
            makeHoles(good, holes);
            long free = free(mount);
            assertThatThrownBy(() -> Labyrinth.attach(holes, Locking.NONE)).isInstanceOf(MapRefused.class)
                    .hasMessageContainingAll("mount=" + mount, "size=8MiB", "errno=28");
            assertThat(free(mount)).isEqualTo(free);
            Files.delete(holes);
        }

        private static long free(Path mount) throws IOException {
            return Files.getFileStore(mount).getUsableSpace();
        }
    }

    /** Of a labyrinth the header alone, which may take the file's own place. */
    private static void makeHoles(Path good, Path holes) throws IOException {
        try (RandomAccessFile from = new RandomAccessFile(good.toFile(), "r");
                RandomAccessFile to = new RandomAccessFile(holes.toFile(), "rw")) {
            byte[] header = new byte[(int) Header.BYTES];
            from.readFully(header);
            long length = from.length();
            to.setLength(0);
            to.write(header);
            to.setLength(length);
        }
    }

    @Test
    void aFileSystemWithoutRoomIsNotTouched() throws Exception {
        Path mount = Files.createDirectory(folder.resolve("mount"));
        succeeds(unshared(SmallMount.class, "--mount", "mount -t tmpfs -o size=8m none " + mount + " &&")
                .jvm(FaultyCalls.option(Built.of(Built.FAULTS))).with(mount.toString()));
    }

    /** In Java and in C the same, whatever lies between its holes; and what is reserved is there. */
    @Test
    void aFileStillNeedsTheMemoryOfItsHoles() throws Exception {
        long page = Libc.pageSize();
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(16 * page);
            assertThat(missingPages(page)).isEqualTo(16);
            for (int written : new int[] {0, 3, 15}) {
                file.seek(written * page);
                file.write(1);
            }
            assertThat(missingPages(page)).as("three holes").isEqualTo(13);
            reserve(4 * page, 8 * page);
            assertThat(missingPages(page)).as("a part is reserved").isEqualTo(5);
            reserve(0, 16 * page);
            assertThat(missingPages(page)).as("all is reserved").isZero();
        }
    }

    private void reserve(long from, long bytes) {
        int fd = (int) Libc.open(path.toString(), Native.O_RDWR()).value();
        assertThat(Libc.reserve(fd, from, bytes).failed()).isFalse();
        Libc.close(fd);
    }

    private long missingPages(long page) {
        int fd = MemoryFile.lookAt(path.toString());
        long missing = MemoryFile.missing(fd, 16 * page);
        Libc.close(fd);
        assertThat(CgroupTest.inC("missing", path.toString(), "" + 16 * page)).isEqualTo("" + missing);
        return missing / page;
    }

    /** As often as for a private one: once. Who attaches to what has all its memory asks for none. */
    @Test
    void memoryIsAskedForOnce() throws IOException {
        long once = looksAtMemory(() -> builder(FRAMES).open().close());
        assertThat(once).isPositive();
        assertThat(looksAtMemory(() -> builder(FRAMES).memfd().open().close())).isEqualTo(once);
        assertThat(looksAtMemory(() -> builder(FRAMES).shared(path).open().close())).isEqualTo(once);
        assertThat(looksAtMemory(() -> Labyrinth.attach(path, Locking.NONE).close())).isZero();
        makeHoles(path, path);
        assertThat(looksAtMemory(() -> Labyrinth.attach(path, Locking.NONE).close())).isEqualTo(once);
    }

    private long looksAtMemory(Runnable opening) throws IOException {
        Path dump = folder.resolve("reads.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("jdk.FileRead").withThreshold(Duration.ZERO);
            recording.start();
            opening.run();
            recording.stop();
            recording.dump(dump);
        }
        return RecordingFile.readAllEvents(dump).stream().filter(read -> "/proc/meminfo".equals(read.getString("path")))
                .count();
    }

    /** The kernel sends a signal with this error, which the JVM ignores. */
    static final class SmallFiles {

        public static void main(String[] args) {
            ChildJvm.limitMyself("fsize", MIB);
            for (Labyrinth.Builder way : new Labyrinth.Builder[] {builder(1024).memfd(),
                    builder(1024).shared(Path.of(args[0]))}) {
                assertThatThrownBy(way::open).isInstanceOf(MapRefused.class)
                        .hasMessageContainingAll("errno=27", "ulimit -f");
            }
            assertThat(Path.of(args[0])).doesNotExist();
        }
    }

    @Test
    void aLimitOfFileSizesIsNamed() {
        succeeds(ChildJvm.ofAll(SmallFiles.class).with(path.toString()));
    }

    // ------------------------------------------------------------------------------------------- paths

    @Test
    void aPathOfAnotherProviderIsRefused() throws IOException {
        try (FileSystem zip = FileSystems.newFileSystem(folder.resolve("a.zip"), Map.of("create", "true"))) {
            Path inside = zip.getPath(path.toString());
            assertThatThrownBy(() -> builder(FRAMES).shared(inside)).isInstanceOf(InvalidRequest.class)
                    .hasMessageContainingAll(path.toString(), "a.zip", "default file system");
            assertThatThrownBy(() -> Labyrinth.attach(inside)).isInstanceOf(InvalidRequest.class)
                    .hasMessageContaining("a.zip");
            assertThatThrownBy(() -> LabyrinthMap.of(inside)).isInstanceOf(InvalidRequest.class)
                    .hasMessageContaining("a.zip");
            assertThat(path).doesNotExist();
        }
    }

    @Test
    void aFileThatIsNotThereIsToBeMadeByAnotherProcess() {
        assertThatThrownBy(() -> Labyrinth.attach(path)).isInstanceOf(MapRefused.class)
                .hasMessageContainingAll("errno=2", "no such file", "shared(path)", "sharedPath()");
    }

    /** Nobody is told to remove what need not be a labyrinth. */
    @Test
    void aFileThatIsNoLabyrinthIsLeftAlone() throws IOException {
        Path passwd = Path.of("/etc/passwd");
        assertThatThrownBy(() -> LabyrinthMap.of(passwd)).isInstanceOf(NotALabyrinth.class)
                .hasMessageContaining("no shared labyrinth").message().doesNotContain("remove");
        Files.write(path, new byte[10_000]);
        for (Runnable call : new Runnable[] {() -> LabyrinthMap.of(path), () -> Labyrinth.attach(path),
                () -> builder(FRAMES).shared(path).open()}) {
            assertThatThrownBy(call::run).isInstanceOf(LabyrinthException.class).message().doesNotContain("remove");
        }
        assertThat(path).hasSize(10_000);
    }

    /** What was one, and is damaged, may be removed. */
    @Test
    void aDamagedLabyrinthMayBeRemoved() throws IOException {
        builder(FRAMES).shared(path).open().close();
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.seek(Header.BYTES / 2);
            file.write(1);
        }
        assertThatThrownBy(() -> LabyrinthMap.of(path)).isInstanceOf(NotALabyrinth.class)
                .hasMessageContainingAll("crc", "if nobody uses this one, remove it");
    }

    // ------------------------------------------------------------------------------------------- an interrupt

    @Test
    void anInterruptIsKeptForLater() {
        try (Labyrinth labyrinth = builder(FRAMES).shared(path).open()) {
            Thread.currentThread().interrupt();
            LabyrinthMap map = LabyrinthMap.of(path);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(map.runs()).isEqualTo(labyrinth.map().runs());
            Thread.currentThread().interrupt();
            try (Labyrinth joined = Labyrinth.attach(path, Locking.NONE)) {
                assertThat(Thread.interrupted()).isTrue();
                assertThat(joined.map().tenants()).hasSize(2);
            }
        }
    }
}
