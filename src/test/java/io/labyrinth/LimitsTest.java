package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.Verify;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the system or the JVM refuses. One child is proved to be without CAP_IPC_LOCK. It lowers its own limits step by
 * step, and reports the result of each opening. Two more children have no native access.
 */
class LimitsTest {

    private static final long LIMIT = 8L << 20;

    private static Map<String, String> told;

    @BeforeAll
    static void runTheChild() {
        ChildJvm.Result child = ChildJvm.of(Limited.class).mayLock(LIMIT)
                .jvm("-Xmx48m", "-XX:CompressedClassSpaceSize=16m", "-XX:ReservedCodeCacheSize=24m").run();
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        told = new TreeMap<>();
        child.out().lines().forEach(line -> told.put(line.substring(0, line.indexOf('|')),
                line.substring(line.indexOf('|') + 1)));
        told.put("err", child.err());
    }

    @Test
    void theChildHasNotTheRightThatLiftsTheLimit() {
        assertThat(told).containsEntry("CAP_IPC_LOCK", "false").containsEntry("memlock=8MiB", String.valueOf(LIMIT));
    }

    @Test
    void theLimitsAreWhatTheKernelSaysTheyAre() {
        assertThat(told).containsEntry("memlock=64KiB", "65536").containsEntry("memlock=0", "0")
                .containsEntry("memlock=8MiB again", String.valueOf(LIMIT));
    }

    @ParameterizedTest
    @ValueSource(strings = {"8MiB", "64KiB"})
    void theLimitCanBeUsedToItsLastPageAndNoFurther(String limit) {
        assertThat(told.get("most in " + limit)).endsWith(" all locked");
        assertThat(told.get("more than most in " + limit)).startsWith("LockRefused: ").contains("limit=" + limit);
    }

    @Test
    void theDefaultFitsTheUsualLimit() {
        assertThat(told.get("default")).startsWith("open frames=1024 ").endsWith(" all locked");
    }

    @ParameterizedTest
    @CsvSource({"over 8MiB,12(Cannot allocate memory),limit=8MiB", "over 64KiB,12(Cannot allocate memory),limit=64KiB",
        "over 0,1(Operation not permitted),limit=0B"})
    void refusesToLockMoreThanTheLimit(String step, String errno, String limit) {
        assertThat(told.get(step)).startsWith("LockRefused: labyrinth=limited requested=").contains(
                "errno=" + errno, limit, "hard=8MiB", "CAP_IPC_LOCK=no", "ulimit -l", "LimitMEMLOCK=",
                "ask for fewer frames", "locking(PREFERRED)");
        Verify.held("opening: refused by the lock limit, and told by what", "LimitsTest",
                step + ", CAP_IPC_LOCK dropped");
    }

    @ParameterizedTest
    @ValueSource(strings = {"over 8MiB", "over 64KiB", "over 0", "over 0 by a page", "over as"})
    void aRefusedOpeningLeavesNothingLockedOrMapped(String step) {
        assertThat(told.get(step + " VmLck")).isEqualTo("0");
        // The JVM's own allocations for a few refusals, against 20 times 16 MiB of frames.
        assertThat(Long.parseLong(told.get(step + " VmSize"))).isLessThan(8 << 10);
    }

    @Test
    void aLabyrinthWithinTheLimitOpensUnderIt() {
        assertThat(told.get("within 64KiB")).startsWith("open frames=8 ").endsWith(" all locked");
    }

    @ParameterizedTest
    @ValueSource(strings = {"64KiB", "0"})
    void preferredGoesOnWithoutTheLockAndSaysSo(String limit) {
        assertThat(told.get("preferred " + limit)).isEqualTo("open frames=1024 lockedBytes=0 VmLck=0");
        assertThat(told.get("err").lines().filter(line -> line.contains("WARN"))).anySatisfy(line -> assertThat(line)
                .contains("io.labyrinth.internal.os.Residency - not locked: labyrinth=limited requested=",
                        "limit=" + limit,
                        "ulimit -l"));
    }

    @Test
    void withoutLockingNoLimitMattersAndNothingWarns() {
        assertThat(told.get("none 0")).isEqualTo("open frames=1024 lockedBytes=0 VmLck=0");
        assertThat(told.get("err").lines()).as("one for each PREFERRED").hasSize(2);
    }

    @Test
    void refusesWhatDoesNotFitTheAddressSpace() {
        assertThat(told.get("over as")).startsWith("MapRefused: labyrinth=limited requested=").contains(
                "errno=12(Cannot allocate memory)", "limit=" + told.get("as"), "mapped=", "ask for fewer frames",
                "ulimit -v");
        Verify.held("opening: refused by the address space, and told by what", "LimitsTest", "RLIMIT_AS");
    }

    @Test
    void refusesWhatDoesNotFitTheMemoryBeforeAnythingIsMapped() {
        assertThat(told.get("over memory")).matches(
                "MapRefused: .*requested=[\\d.]+GiB .*available=.* cgroup=.*fewer frames.*"
                + "|open frames=16777216 .*");
    }

    @ParameterizedTest
    @CsvSource({"true,io.labyrinth", "false,ALL-UNNAMED"})
    void deniedNativeAccessIsAnsweredWithTheFlagToAdd(boolean asModule, String name) {
        ChildJvm.Result child = ChildJvm.denied(Denied.class, asModule).run();

        assertThat(child).isEqualTo(new ChildJvm.Result(0, "NativeAccessDenied: native access is denied to module="
                + name + ": start java with --enable-native-access=" + name + "\n", ""));
    }

    /** Root of a rootless container has the capability, and the kernel does not ask for that one. */
    @Test
    void theRightToLockCountsInTheInitialUserNamespaceAlone() throws Exception {
        String[] unshare = {"prlimit", "--memlock=" + LIMIT + ":" + LIMIT, "unshare", "--user", "--map-root-user"};
        assumeTrue(new ProcessBuilder(Stream.concat(Stream.of(unshare), Stream.of("true")).toList()).start().waitFor()
                == 0, "this user may make no user namespace here");
        ChildJvm.Result child = ChildJvm.of(Rootless.class).by(unshare).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.out().lines()).satisfiesExactly(
                facts -> assertThat(facts).isEqualTo("has=true initial=false counts=false"),
                refused -> assertThat(refused).startsWith("LockRefused: labyrinth=limited ").contains("limit=8MiB",
                        "CAP_IPC_LOCK=yes, but of a user namespace that is not the initial one"));
        assertThat(Machine.mayLockAnything()).as("here").isEqualTo(ChildJvm.hasLockRight()
                && Files.readSymbolicLink(Path.of("/proc/self/ns/user")).toString().contains("4026531837"));
    }

    // ------------------------------------------------------------------------------------------- in the child

    /** Has the capability, and not where it counts. */
    static final class Rootless {

        public static void main(String[] args) {
            System.out.println("has=" + Machine.hasLockCapability() + " initial=" + Machine.isInitialUserNamespace()
                    + " counts=" + Machine.mayLockAnything());
            System.out.println(Limited.open(Labyrinth.builder("limited").frames(Limited.MANY)));
        }
    }

    /** Opens under one limit after the other. */
    static final class Limited {

        private static final int MANY = 4096;

        public static void main(String[] args) {
            tell("CAP_IPC_LOCK", ChildJvm.hasLockRight());
            tell("memlock=8MiB", Machine.lockLimitSoft());
            tell("default", open(Labyrinth.builder("limited")));
            refuse("over 8MiB", MANY);
            tellTheMost("8MiB", LIMIT);
            limitLocking("64KiB", 64 << 10);
            refuse("over 64KiB", MANY);
            tellTheMost("64KiB", 64 << 10);
            tell("within 64KiB", open(Labyrinth.builder("limited").frames(8)));
            tell("preferred 64KiB", open(Labyrinth.builder("limited").locking(Locking.PREFERRED)));
            limitLocking("0", 0);
            refuse("over 0", MANY);
            refuse("over 0 by a page", 1);
            tell("preferred 0", open(Labyrinth.builder("limited").locking(Locking.PREFERRED)));
            tell("none 0", open(Labyrinth.builder("limited").locking(Locking.NONE)));
            tell("over memory", Machine.availableMemory() > 64L << 30 ? "open frames=16777216 would fit here"
                    : open(Labyrinth.builder("limited").frames(Labyrinth.MAX_FRAMES).locking(Locking.NONE)));
            limitLocking("8MiB again", LIMIT);
            long room = (ChildJvm.status("VmSize", 10) >> 10) + 96 << 20;
            ChildJvm.limitMyself("as", room);
            tell("as", Machine.bytes(room));
            refuse("over as", 256 << 8);
        }

        private static void limitLocking(String name, long bytes) {
            ChildJvm.limitMyself("memlock", bytes);
            tell("memlock=" + name, Machine.field(Path.of("/proc/self/limits"), "Max locked memory").orElseThrow()
                    .split(" ")[0]);
        }

        /** To the last page of the limit, and one page over it. */
        private static void tellTheMost(String limit, long bytes) {
            long pageSize = Machine.pageSize();
            int most = (int) (bytes / pageSize);
            while ((most * pageSize + Geometry.bytesFor(most) + pageSize - 1) / pageSize * pageSize > bytes) {
                most--;
            }
            tell("most in " + limit, open(Labyrinth.builder("limited").frames(most)));
            tell("more than most in " + limit, open(Labyrinth.builder("limited").frames(most + 1)));
        }

        /** Several times, so that what a refusal leaves behind adds up. */
        private static void refuse(String step, int frames) {
            Supplier<String> refused = () -> open(Labyrinth.builder("limited").frames(frames));
            tell(step, refused.get());
            long before = ChildJvm.status("VmSize", 10);
            for (int i = 0; i < 20; i++) {
                refused.get();
            }
            tell(step + " VmLck", ChildJvm.status("VmLck", 10));
            tell(step + " VmSize", ChildJvm.status("VmSize", 10) - before);
        }

        private static String open(Labyrinth.Builder builder) {
            try (Labyrinth labyrinth = builder.open()) {
                LabyrinthStats stats = labyrinth.stats();
                long locked = ChildJvm.status("VmLck", 10) << 10;
                try (Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE)) {
                    frame.segment().fill((byte) 1);
                }
                labyrinth.validate();
                return "open frames=" + stats.frames() + (locked == stats.mappedBytes() && locked == stats.lockedBytes()
                        ? " all locked" : " lockedBytes=" + stats.lockedBytes() + " VmLck=" + locked);
            } catch (LabyrinthException e) {
                return e.getClass().getSimpleName() + ": " + e.getMessage();
            }
        }

        private static void tell(String what, Object value) {
            System.out.println(what + "|" + value);
        }
    }

    /** Every way in, and the same answer from each. */
    static final class Denied {

        public static void main(String[] args) {
            String first = refusal(() -> Labyrinth.builder("denied").open());
            if (!first.equals(refusal(() -> Labyrinth.builder("again").locking(Locking.NONE).open()))
                    || !first.equals(refusal(Machine::lockLimitSoft)) || !first.equals(refusal(Machine::pageSize))) {
                throw new AssertionError("not the same refusal everywhere");
            }
            System.out.println(first);
        }

        private static String refusal(Runnable call) {
            try {
                call.run();
                return "not refused";
            } catch (LabyrinthException e) {
                return e.getClass().getSimpleName() + ": " + e.getMessage();
            }
        }
    }
}
