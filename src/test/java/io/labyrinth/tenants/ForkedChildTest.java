package io.labyrinth.tenants;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthMap;
import io.labyrinth.Locking;
import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_tenant;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.Mapping;
import io.labyrinth.internal.os.SharedFile;
import io.labyrinth.internal.os.Tenancy;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.FaultyCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * A forked child has a copy of its parent's lock. Then the pid tells whether the parent lives. The twin in C is in
 * shared.c.
 */
class ForkedChildTest {

    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
    private static final int FRAMES = 64;

    private final Path path = Path.of("/dev/shm/labyrinth-forked-" + ProcessHandle.current().pid());

    @AfterEach
    void remove() throws IOException {
        Files.deleteIfExists(path);
    }

    private Labyrinth create() {
        return Labyrinth.builder("forked").frames(FRAMES).locking(Locking.NONE).shared(path).open();
    }

    private Labyrinth attach() {
        return Labyrinth.attach(path, Locking.NONE);
    }

    /** Has two frames and a child, until it is killed. */
    static final class Forking {

        public static void main(String[] args) throws IOException {
            FaultyCalls.refused();
            try (Labyrinth labyrinth = Labyrinth.attach(Path.of(args[0]), Locking.NONE);
                    Frame frame = labyrinth.allocPages(EXCLUSIVE, 1)) {
                System.out.println(FaultyCalls.fork());
                if (System.in.read() < 0) {
                    throw new AssertionError("nobody kills " + frame);
                }
            }
        }
    }

    @Test
    void aKilledProcessIsSweptThoughItsForkedChildLivesOn() throws Exception {
        try (Labyrinth labyrinth = create()) {
            Process parent = ChildJvm.of(Forking.class).jvm(FaultyCalls.option(Built.of(Built.FAULTS)))
                    .with(path.toString()).start();
            ProcessHandle child = null;
            try {
                child = ProcessHandle.of(Long.parseLong(parent.inputReader().readLine())).orElseThrow();
                assertThat(labyrinth.sweepDeadOwners()).as("both live").isZero();
                assertThat(labyrinth.map().tenants()).hasSize(2).allMatch(LabyrinthMap.Tenant::alive);
                parent.destroyForcibly().waitFor();
                assertThat(child.isAlive()).isTrue();

                assertThat(labyrinth.map().tenants())
                        .extracting(LabyrinthMap.Tenant::number, LabyrinthMap.Tenant::alive)
                        .containsExactly(tuple(2, true), tuple(3, false));
                assertThat(LabyrinthMap.of(path).tenants()).isEqualTo(labyrinth.map().tenants());
                assertThat(labyrinth.sweepDeadOwners()).isEqualTo(2);
                assertThat(labyrinth.stats().free()).isEqualTo(FRAMES);
                try (Labyrinth next = attach()) {
                    assertThat(next.map().tenants()).extracting(LabyrinthMap.Tenant::number)
                            .as("the child has the lock of the slot").containsExactly(2, 4);
                }
            } finally {
                parent.destroyForcibly().waitFor();
                if (child != null) {
                    child.destroyForcibly();
                    child.onExit().get();
                }
            }
            try (Labyrinth heir = attach()) {
                assertThat(heir.map().tenants()).extracting(LabyrinthMap.Tenant::number).containsExactly(2, 3);
            }
            labyrinth.validate();
        }
    }

    /** A slot as somebody would have written it. */
    private static boolean hasEnded(Arena arena, long pid, long namespace) {
        MemorySegment slot = arena.allocate(labyrinth_tenant.layout());
        labyrinth_tenant.pid(slot, pid);
        labyrinth_tenant.pid_namespace(slot, namespace);
        return Tenancy.hasEnded(slot);
    }

    @Test
    void onlyAPidOfThisNamespaceThatIsNotFoundIsASignOfDeath() throws Exception {
        long here = (long) Files.getAttribute(Path.of("/proc/self/ns/pid"), "unix:ino");
        Process ended = new ProcessBuilder("true").start();
        assertThat(ended.waitFor()).isZero();
        try (Arena arena = Arena.ofConfined()) {
            assertThat(hasEnded(arena, ended.pid(), here)).isTrue();
            assertThat(hasEnded(arena, ended.pid(), here + 1)).as("of another namespace").isFalse();
            assertThat(hasEnded(arena, ended.pid(), 0)).as("of one that is not known").isFalse();
            assertThat(hasEnded(arena, ProcessHandle.current().pid(), here)).isFalse();
            assertThat(hasEnded(arena, 1, here)).as("another user's, perhaps").isFalse();
            for (long pid : new long[] {0, -1, -ended.pid(), ended.pid() | 1L << 32, Long.MIN_VALUE, Long.MAX_VALUE}) {
                assertThat(hasEnded(arena, pid, here)).as("pid %s", pid).isFalse();
            }
            MemorySegment mine = arena.allocate(labyrinth_tenant.layout());
            Tenancy.write(mine, true);
            assertThat(labyrinth_tenant.pid(mine)).isEqualTo(ProcessHandle.current().pid());
            assertThat(labyrinth_tenant.pid_namespace(mine)).isEqualTo(here);
        }
    }

    /** That of a filter, or of a process of another user. */
    static final class OtherAnswers {

        public static void main(String[] args) throws IOException, InterruptedException {
            FaultyCalls.refused();
            long here = (long) Files.getAttribute(Path.of("/proc/self/ns/pid"), "unix:ino");
            Process ended = new ProcessBuilder("true").start();
            ended.waitFor();
            try (Arena arena = Arena.ofConfined()) {
                for (int error : new int[] {Native.EPERM(), Native.ENOSYS(), Native.EINVAL(), 0}) {
                    FaultyCalls.refuse(1, Integer.MAX_VALUE, error == 0 ? 0 : FaultyCalls.FIND, error);
                    System.out.print(hasEnded(arena, ended.pid(), here) + " ");
                }
            }
        }
    }

    @Test
    void anyOtherAnswerIsNoSignOfDeath() {
        ChildJvm.Result child = ChildJvm.of(OtherAnswers.class)
                .jvm(FaultyCalls.option(Built.of(Built.FAULTS))).run();

        assertThat(child.out()).as(child.err()).isEqualTo("false false false true ");
    }

    /** Plays a sweeper that is at work on the slot of one whose child has the lock, and a newcomer who gets that. */
    @Test
    void whoeverIsAtWorkOnASlotHasItAlone() throws Exception {
        Process ended = new ProcessBuilder("true").start();
        assertThat(ended.waitFor()).isZero();
        long sweepByte = Native.LABYRINTH_SWEEP_OFFSET() + 3;
        try (Labyrinth labyrinth = create()) {
            int sweeper = (int) Libc.open(path.toString(), Native.O_RDWR()).value();
            try {
                Labyrinth dead = attach();
                assertThat(dead.allocPages(EXCLUSIVE, 2)).isNotNull();
                SharedFile file = Inside.region(dead).file;
                labyrinth_tenant.pid(Mapping.segment(file.base + file.header.tenantsOffset()
                        + 3 * labyrinth_tenant.sizeof(), labyrinth_tenant.sizeof()), ended.pid());

                assertThat(Libc.lockByte(sweeper, Native.F_WRLCK(), sweepByte).failed()).isFalse();
                assertThat(labyrinth.sweepDeadOwners()).as("another is at it").isZero();
                // As when the child ends while the sweeper is at work.
                assertThat(Libc.lockByte(fd(file), Native.F_UNLCK(), SharedFile.lockAt(3)).failed()).isFalse();
                assertThat(labyrinth.sweepDeadOwners()).as("another is still at it").isZero();
                try (Labyrinth newcomer = attach()) {
                    assertThat(newcomer.map().tenants()).extracting(LabyrinthMap.Tenant::number)
                            .containsExactly(2, 3, 4);
                }
                assertThat(labyrinth.stats().claimed()).isEqualTo(4);

                assertThat(Libc.lockByte(sweeper, Native.F_UNLCK(), sweepByte).failed()).isFalse();
                assertThat(labyrinth.sweepDeadOwners()).isEqualTo(4);
                assertThat(Libc.lockByte(sweeper, Native.F_WRLCK(), sweepByte).failed()).as("it is given up").isFalse();
                assertThat(Libc.lockByte(sweeper, Native.F_WRLCK(), SharedFile.lockAt(3)).failed()).isFalse();
                dead.closeNow();
            } finally {
                Libc.close(sweeper);
            }
            labyrinth.validate();
        }
    }

    /** As one that could not unmap what it had, and let go of the lock. */
    @Test
    void aTenantWithoutItsLockIsDeadThoughItsProcessLives() throws Exception {
        try (Labyrinth labyrinth = create()) {
            Labyrinth left = attach();
            assertThat(left.allocPages(EXCLUSIVE, 2)).isNotNull();
            assertThat(labyrinth.map().tenants()).extracting(LabyrinthMap.Tenant::alive).containsExactly(true, true);
            int fd = fd(Inside.region(left).file);
            assertThat(Libc.lockByte(fd, Native.F_UNLCK(), SharedFile.lockAt(3)).failed()).isFalse();

            assertThat(labyrinth.map().tenants()).extracting(LabyrinthMap.Tenant::alive).containsExactly(true, false);
            assertThat(LabyrinthMap.of(path).tenants()).isEqualTo(labyrinth.map().tenants());
            assertThat(labyrinth.sweepDeadOwners()).isEqualTo(4);
            left.closeNow();
            labyrinth.validate();
        }
    }

    private static int fd(SharedFile file) throws ReflectiveOperationException {
        var field = SharedFile.class.getDeclaredField("fd");
        field.setAccessible(true);
        return field.getInt(file);
    }

    /** Also where a child has a copy of the descriptor: to close that alone would leave the slot locked. */
    @Test
    void whoClosesGivesItsSlotUp() throws Exception {
        try (Labyrinth labyrinth = create()) {
            Process parent = ChildJvm.of(ForkingAndClosing.class)
                    .jvm(FaultyCalls.option(Built.of(Built.FAULTS))).with(path.toString()).start();
            try {
                ProcessHandle child = ProcessHandle.of(Long.parseLong(parent.inputReader().readLine())).orElseThrow();
                try (Labyrinth heir = attach()) {
                    assertThat(child.isAlive()).isTrue();
                    assertThat(heir.map().tenants()).extracting(LabyrinthMap.Tenant::number).containsExactly(2, 3);
                } finally {
                    child.destroyForcibly();
                }
            } finally {
                parent.destroyForcibly().waitFor();
            }
            labyrinth.validate();
        }
    }

    /** Closes, with a child. */
    static final class ForkingAndClosing {

        public static void main(String[] args) throws IOException {
            FaultyCalls.refused();
            int child;
            try (Labyrinth labyrinth = Labyrinth.attach(Path.of(args[0]), Locking.NONE)) {
                child = FaultyCalls.fork();
                labyrinth.validate();
            }
            System.out.println(child);
            System.in.read();
        }
    }
}
