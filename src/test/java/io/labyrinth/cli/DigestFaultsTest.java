package io.labyrinth.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What digest cannot do is reported in one line and counted, and all other files are still digested. */
class DigestFaultsTest {

    private static final String EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    @TempDir
    Path folder;

    @Test
    void namesWhatIsNoFileAndGoesOn() throws IOException, InterruptedException {
        Files.createFile(folder.resolve("a-file"));
        assertThat(new Cli(folder).runProcess(List.of("mkfifo", "fifo")).code()).isZero();
        try (ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            socket.bind(UnixDomainSocketAddress.of(folder.resolve("socket")));
            Files.createFile(folder.resolve("z-file"));
            Cli.Result result = new Cli(folder).run("digest", "--quiet", ".", "/dev/null", "no\nthing");
            assertThat(result.code()).isEqualTo(1);
            assertThat(result.outLines()).containsExactly(EMPTY + "  ./a-file", EMPTY + "  ./z-file");
            assertThat(result.errLines()).containsExactly("labyrinth: ./fifo: a fifo, not a file",
                    "labyrinth: ./socket: a socket, not a file", "labyrinth: /dev/null: a character device, not a file",
                    "labyrinth: no\\nthing: no such file or folder");
        }
    }

    @Test
    void namesWhatItMayNotReadAndGoesOn() throws IOException, InterruptedException {
        Files.createFile(folder.resolve("file"));
        Files.createFile(folder.resolve("secret"));
        Files.createDirectory(folder.resolve("vault"));
        for (String closed : List.of("secret", "vault")) {
            Files.setPosixFilePermissions(folder.resolve(closed), PosixFilePermissions.fromString("---------"));
        }
        Cli cli = new Cli(folder);
        if (Cli.isRoot()) {
            cli.through("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search");
        }
        // Bits 1 and 2 of the effective capabilities: those that read what the mode forbids.
        Cli.Result result = cli.shell("sed -n 's/^CapEff:\\s*//p' /proc/self/status; exec \"$@\" digest --quiet .");
        assertThat(Long.parseUnsignedLong(result.outLines().getFirst(), 16) & 6).isZero();
        assertThat(result.code()).isEqualTo(1);
        assertThat(result.outLines().subList(1, result.outLines().size())).containsExactly(EMPTY + "  ./file");
        assertThat(result.errLines()).containsExactly("labyrinth: ./secret: permission denied",
                "labyrinth: ./vault: permission denied");
        Files.setPosixFilePermissions(folder.resolve("vault"), PosixFilePermissions.fromString("rwx------"));
    }

    @Test
    void readsWhatHasNoSizeToItsEnd() throws IOException, InterruptedException {
        Cli.Result result = new Cli(folder).run("digest", "--quiet", "--order", "0", "/proc/filesystems");
        assertThat(result.err()).isEmpty();
        assertThat(result.out()).isEqualTo(new Cli(folder).runProcess(List.of("sha256sum", "/proc/filesystems")).out())
                .doesNotContain(EMPTY);
    }

    @Test
    void endsQuietlyWhenItsReaderGoes() throws IOException, InterruptedException {
        for (int i = 0; i < 3000; i++) {
            Files.createFile(folder.resolve("a-file-with-a-name-that-fills-a-pipe-sooner-" + i));
        }
        Cli.Result result = new Cli(folder).shell("\"$@\" digest . | head -1; exit ${PIPESTATUS[0]}");
        assertThat(result.err()).isEmpty();
        assertThat(result.code()).isEqualTo(LabyrinthCli.READER_GONE);
        assertThat(result.outLines()).hasSize(1);
    }

    @Test
    void refusesInOneLineWhatMakesNoSense() throws IOException, InterruptedException {
        String[][] refused = {
            {"digest"}, {"digest", "--nothing", "x"}, {"digest", "--threads", "0", "x"}, {"digest", "--frames", "0",
                    "x"},
            {"digest", "--frames", "x", "x"}, {"digest", "--order", "11", "x"}, {"digest", "--order", "-1", "x"},
            {"digest", "--frames", "15", "--order", "4", "x"}, {"digest", "--gfp", "KERNEL", "x"},
            {"digest", "--gfp", "HIGH|NOMEMALLOC", "x"}, {"digest", "--lock", "perhaps", "x"},
            {"digest", "--frames", "9", "--reserve", "9", "x"}, {"stress", "--seconds", "0"}, {"stress", "--threads",
                    "1024"},
            {"doctor", "x"}, {"nothing"},
        };
        for (String[] arguments : refused) {
            Cli.Result result = new Cli(folder).run(arguments);
            assertThat(result.code()).as(String.join(" ", arguments)).isEqualTo(2);
            assertThat(result.errLines()).as(String.join(" ", arguments)).hasSize(1);
            assertThat(result.err()).startsWith("labyrinth: ").doesNotContain("Exception");
            assertThat(result.out()).isEmpty();
        }
    }

    @Test
    void refusesInOneLineWhatMayNotBeLocked() throws IOException, InterruptedException {
        Files.createFile(folder.resolve("file"));
        Cli.Result refused = lowLimit().run("digest", "file");
        assertThat(refused.code()).isEqualTo(1);
        assertThat(refused.errLines()).hasSize(1);
        assertThat(refused.err()).startsWith("labyrinth: labyrinth=digest requested=4.0MiB errno=12(")
                .contains("CAP_IPC_LOCK=no");
        Cli.Result preferred = lowLimit().run("digest", "--quiet", "--lock", "preferred", "file");
        assertThat(preferred.code()).isZero();
        assertThat(preferred.errLines()).hasSize(1);
        assertThat(preferred.err()).startsWith("WARN not locked: ");
    }

    @Test
    void theDoctorKnowsTheRemedy() throws IOException, InterruptedException {
        Cli.Result ill = lowLimit().run("doctor");
        assertThat(ill.code()).isEqualTo(1);
        assertThat(ill.out()).contains("CAP_IPC_LOCK: no", "soft 1MiB, hard 1MiB", "tried                 fails: ",
                "limits.conf",
                "LimitMEMLOCK=infinity", "--ulimit memlock=-1:-1", "Kubernetes");
        Cli.Result well = new Cli(folder).run("doctor");
        assertThat(well.err()).isEmpty();
        assertThat(well.code()).isZero();
        assertThat(well.out()).contains("page size", "huge pages", "cgroup", "MADV_POPULATE_WRITE", "io_uring",
                "memfd_secret", "user namespace", "/dev/shm", "MADV_COLD", "memfd_create",
                "address space", "overcommit", "tried                 works: ").doesNotContain("limits.conf");
    }

    /** What it says beforehand is what happens then. */
    @Test
    void theDoctorDoesNotBelieveInARightThatDoesNotCount() throws IOException, InterruptedException {
        String[] unshare = {"prlimit", "--memlock=1048576:1048576", "unshare", "--user", "--map-root-user"};
        assumeTrue(new ProcessBuilder(Stream.concat(Stream.of(unshare), Stream.of("true")).toList()).start().waitFor()
                == 0, "this user may make no user namespace here");
        Cli.Result ill = new Cli(folder).through(unshare).run("doctor");
        assertThat(ill.code()).isEqualTo(1);
        assertThat(ill.out()).contains("user namespace        not the initial one", "CAP_IPC_LOCK: yes, but not of the"
                + " initial user namespace, and only there it counts: the soft limit applies",
                "tried                 fails: ");
    }

    /** May lock 1 MiB; the output of doctor proves that the capability which lifts the limit is gone. */
    private Cli lowLimit() throws IOException {
        Cli cli = new Cli(folder).through("prlimit", "--memlock=1048576:1048576");
        return Cli.isRoot() ? cli.through("setpriv", "--inh-caps=-all", "--bounding-set=-ipc_lock") : cli;
    }
}
