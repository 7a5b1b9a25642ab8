package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.LabyrinthException.InvalidRequest;
import io.labyrinth.LabyrinthException.LockRefused;
import io.labyrinth.LabyrinthException.MapRefused;
import io.labyrinth.LabyrinthException.NotALabyrinth;
import io.labyrinth.bindings.Native;
import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.SharedFile;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.FaultyCalls;
import io.labyrinth.kit.Verify;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * {@link OpeningTest} for a shared labyrinth: by memfd and by file, created and attached. First the first system call
 * fails, then the second, and so on. Nothing is left: no file, no descriptor, no mapping, no lock, and no tenant that
 * seems to live.
 */
class SharedOpeningTest {

    @Test
    void anyCallMayFailAndLeavesNothingBehind() {
        ChildJvm.Result child = ChildJvm.of(RefusedCalls.class)
                .jvm("-Xmx64m", "-Xlog:disable", FaultyCalls.option(Built.of(Built.FAULTS))).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        Map<String, Integer> tries = child.out().lines().map(line -> line.split("="))
                .collect(Collectors.toMap(parts -> parts[0], parts -> Integer.valueOf(parts[1])));
        assertThat(tries.get("MapRefused")).isGreaterThan(100);
        assertThat(tries.get("LockRefused")).isGreaterThan(10);
        assertThat(tries.get("InvalidRequest")).as("a file that knows no seals").isGreaterThan(10);
        assertThat(tries.get("opened")).isGreaterThan(100);
        Verify.held("opening and joining a shared labyrinth: every failure typed, nothing left behind",
                "SharedOpeningTest", "each of its system calls refused, with 4 errors: "
                        + (tries.values().stream().mapToInt(i -> i).sum() - tries.get("opened")) + " openings refused");
    }

    /** Some sandboxes have no such locks. A lock that is not granted for that reason is nobody's sign of life. */
    @Test
    void onlyALockThatAnotherHasIsASignOfLife() {
        ChildJvm.Result child = ChildJvm.ofAll(NoByteLocks.class)
                .jvm("-Xmx64m", "-Xlog:disable", FaultyCalls.option(Built.of(Built.FAULTS))).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
    }

    /** It would hide the failure of the opening, which is undone by this. */
    @Test
    void aFileThatCannotBeRemovedIsNoFailureOfItsOwn() throws IOException {
        Path taken = FILE.resolve("not-empty");
        SharedFile file = SharedFile.create(FILE, Header.plan("stays", 8, 0, Libc.pageSize(), 1));
        Files.delete(FILE);
        Files.createDirectories(taken);
        try {
            assertThatCode(() -> file.discard(true)).doesNotThrowAnyException();
            assertThat(taken).exists();
        } finally {
            Files.delete(taken);
            Files.delete(FILE);
        }
    }

    // ------------------------------------------------------------------------------------------- in the child

    static final class NoByteLocks {

        public static void main(String[] args) throws IOException {
            FaultyCalls.refused();
            try (Labyrinth host = Labyrinth.builder("host").frames(8).locking(Locking.NONE).shared(HOSTS).open();
                    Labyrinth dead = Labyrinth.attach(HOSTS, Locking.NONE)) {
                Frame frame = dead.allocPage(Gfp.ATOMIC_EXCLUSIVE);
                State before = State.now();
                for (int error : new int[] {Native.EINVAL(), Native.ENOSYS(), Native.EPERM(), Native.ENOMEM()}) {
                    for (Runnable call : List.<Runnable>of(() -> Labyrinth.attach(HOSTS, Locking.NONE),
                            () -> Labyrinth.builder("new").frames(8).locking(Locking.NONE).memfd().open(),
                            () -> Labyrinth.builder("new").frames(8).locking(Locking.NONE).shared(FILE).open(),
                            host::sweepDeadOwners, host::map, () -> LabyrinthMap.of(HOSTS))) {
                        FaultyCalls.refuse(1, Integer.MAX_VALUE, FaultyCalls.BYTE_LOCK, error);
                        assertThatThrownBy(call::run).isInstanceOf(MapRefused.class)
                                .hasMessageContainingAll("errno=" + Libc.describe(error), "F_OFD_SETLK");
                        FaultyCalls.refused();
                        assertThat(State.now()).isEqualTo(before);
                    }
                }
                for (int error : new int[] {Native.EAGAIN(), Native.EACCES()}) {
                    FaultyCalls.refuse(1, Integer.MAX_VALUE, FaultyCalls.BYTE_LOCK, error);
                    assertThatThrownBy(() -> Labyrinth.attach(HOSTS, Locking.NONE))
                            .isInstanceOf(LabyrinthException.NoVacancy.class);
                    assertThat(host.sweepDeadOwners()).isZero();
                    FaultyCalls.refused();
                    assertThat(State.now()).isEqualTo(before);
                }
                assertThat(host.map().tenants()).hasSize(2).allMatch(LabyrinthMap.Tenant::alive);
                frame.close();
                host.validate();
            } finally {
                Files.deleteIfExists(HOSTS);
            }
        }
    }

    /** What an opening that failed must leave as it was. */
    private record State(long lockedKilobytes, long descriptors, List<String> mapped, boolean fileExists) {

        static State now() throws IOException {
            try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"));
                    Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
                return new State(ChildJvm.status("VmLck", 10), descriptors.count(),
                        maps.filter(line -> line.contains("memfd:") || line.contains(FILE.toString())
                                || line.contains(HOSTS.toString())).toList(), Files.exists(FILE));
            }
        }
    }

    private static final Path FILE = Path.of("/dev/shm/labyrinth-refused-" + ProcessHandle.current().pid());
    private static final Path HOSTS = Path.of("/dev/shm/labyrinth-host-" + ProcessHandle.current().pid());

    static final class RefusedCalls {

        private static final int FRAMES = 8;
        /** To unmap a mapping as a whole cannot fail, and here nothing else is unmapped. */
        private static final int KINDS = FaultyCalls.ANY & ~FaultyCalls.MUNMAP;
        private static final int[] ERRORS = {Native.ENOMEM(), Native.EINVAL(), Native.EPERM(), Native.EAGAIN()};

        private static final Map<String, Integer> OUTCOMES = new TreeMap<>();

        /** Makes or joins one. */
        private interface Way {
            Labyrinth open(Locking locking);
        }

        public static void main(String[] args) throws IOException {
            FaultyCalls.refused();
            try (Labyrinth byMemory = made(Locking.NONE).memfd().open();
                    Labyrinth byFile = made(Locking.NONE).shared(HOSTS).open()) {
                List<Way> ways = List.of(locking -> made(locking).memfd().open(),
                        locking -> made(locking).shared(FILE).open(),
                        locking -> Labyrinth.attach(byMemory.sharedPath(), locking),
                        locking -> Labyrinth.attach(HOSTS, locking));
                for (Way way : ways) {
                    for (Locking locking : Locking.values()) {
                        way.open(locking).close();
                        Files.deleteIfExists(FILE);
                        for (int error : ERRORS) {
                            int call = 1;
                            while (isRefused(way, locking, call, error, List.of(byMemory, byFile))) {
                                call++;
                            }
                        }
                    }
                }
            } finally {
                Files.deleteIfExists(FILE);
                Files.deleteIfExists(HOSTS);
            }
            OUTCOMES.forEach((outcome, times) -> System.out.println(outcome + "=" + times));
        }

        private static Labyrinth.Builder made(Locking locking) {
            return Labyrinth.builder("refused").frames(FRAMES).locking(locking);
        }

        /** @return whether there was a call of that number to refuse */
        private static boolean isRefused(Way way, Locking locking, int call, int error, List<Labyrinth> hosts)
                throws IOException {
            State before = State.now();
            String outcome = "opened";
            FaultyCalls.refuse(call, call, KINDS, error);
            try (Labyrinth labyrinth = way.open(locking)) {
                FaultyCalls.refused();
                List<Frame> frames = new ArrayList<>();
                for (int i = 0; i < FRAMES; i++) {
                    Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
                    if (frame == null) {
                        throw new AssertionError("call=" + call + " error=" + error + " locking=" + locking
                                + " has " + i + " of " + FRAMES + " frames: " + labyrinth.stats() + " "
                                + labyrinth.owners() + " " + labyrinth.map().tenants());
                    }
                    frames.add(frame);
                }
                frames.forEach(Frame::close);
                labyrinth.validate();
                Files.deleteIfExists(FILE);    // what was opened stays, until its user removes it
            } catch (MapRefused | LockRefused | NotALabyrinth | InvalidRequest refusal) {
                outcome = refusal.getClass().getSimpleName();
            }
            boolean refused = FaultyCalls.refused() != 0;
            OUTCOMES.merge(outcome, 1, Integer::sum);
            State now = State.now();
            if (!now.equals(before)) {
                throw new AssertionError("call=" + call + " error=" + error + " locking=" + locking + " " + outcome
                        + " left behind: before=" + before + " now=" + now);
            }
            for (Labyrinth host : hosts) {
                host.validate();
                if (host.stats().free() != FRAMES
                        || host.map().tenants().stream().filter(LabyrinthMap.Tenant::alive).count() != 1) {
                    throw new AssertionError("call=" + call + " error=" + error + " " + outcome + ": " + host.map()
                            + " " + host.map().tenants());
                }
            }
            return refused;
        }
    }
}
