package io.labyrinth.internal.os;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.bindings.Native;
import io.labyrinth.kit.Built;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.kit.FaultyCalls;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What counts as locked, and what does not count as a proof. The mappings have 5 MiB, within a lock limit of 8 MiB. */
class LockProofTest {

    private static final long MIB = 1L << 20;
    private static final long BYTES = 5 * MIB;

    private final long pageSize = Machine.pageSize();
    private long start;

    @BeforeEach
    void map() {
        start = Libc.mmap(0, BYTES, Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS()).value();
    }

    @AfterEach
    void unmap() {
        Libc.munmap(start, BYTES);
    }

    private LockProof before() {
        return LockProof.before(start, BYTES, pageSize);
    }

    @Test
    void whatIsLockedCounts() {
        LockProof proof = before();
        assertThat(Libc.mlock(start, BYTES).failed()).isFalse();

        assertThat(proof.lockedBytes()).isEqualTo(BYTES);
    }

    /** In pieces of 2 MiB: a piece of which a part is not locked does not count. */
    @Test
    void whatIsNotLockedDoesNotCount() {
        LockProof proof = before();
        assertThat(proof.lockedBytes()).isZero();
        Libc.mlock(start, BYTES);
        Libc.munlock(start + 3 * MIB, pageSize);
        assertThat(proof.lockedBytes()).as("a hole that no probe meets").isEqualTo(BYTES);
        Libc.munlock(start + 2 * MIB, pageSize);
        assertThat(proof.lockedBytes()).isEqualTo(3 * MIB);
        Libc.munlock(start + BYTES - pageSize, pageSize);
        assertThat(proof.lockedBytes()).isEqualTo(2 * MIB);
        Libc.munlock(start, BYTES);
        assertThat(proof.lockedBytes()).isZero();
    }

    @Test
    void sharedMemoryCountsAsAWholeAlthoughOthersMapIt() {
        int fd = (int) Libc.memfdCreate("proof").value();
        Libc.truncate(fd, BYTES);
        long one = Libc.mmap(0, BYTES, Native.MAP_SHARED(), fd).value();
        long two = Libc.mmap(0, BYTES, Native.MAP_SHARED(), fd).value();
        Mapping.segment(two, BYTES).fill((byte) 1);
        LockProof proof = LockProof.before(one, BYTES, pageSize);
        Libc.mlock(one, BYTES);

        assertThat(proof.lockedBytes()).isEqualTo(BYTES);
        assertThat(LockProof.before(two, BYTES, pageSize).lockedBytes()).as("of the other mapping").isZero();

        Libc.munmap(one, BYTES);
        Libc.munmap(two, BYTES);
        Libc.close(fd);
    }

    @Test
    void anAdviceThatIsNeverKnownProvesNothing() {
        assertThat(child("known nowhere")).isEqualTo("unlocked=0 locked=5242880 half=3145728");
    }

    @Test
    void withoutTheAdviceTheFlagInSmapsIsLookedUp() {
        assertThat(child("unknown")).isEqualTo("unlocked=0 locked=5242880 half=3145728");
    }

    @Test
    void allMayBeBornLocked() {
        assertThat(child("born locked")).isEqualTo("unlocked=0 locked=5242880 half=3145728");
    }

    private String child(String how) {
        Path library = Built.of(Built.FAULTS);
        ChildJvm.Result child = ChildJvm.of(Proofs.class).jvm(FaultyCalls.option(library)).with(how).run();
        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        return child.out().strip();
    }

    // ------------------------------------------------------------------------------------------- in the child

    static final class Proofs {

        public static void main(String[] args) {
            FaultyCalls.refused();
            long pageSize = Machine.pageSize();
            int map = Native.MAP_PRIVATE() | Native.MAP_ANONYMOUS();
            long start = Libc.mmap(0, BYTES, map).value();
            if (args[0].equals("born locked")) {
                Libc.mlock(start, BYTES);    // as mlockall(MCL_FUTURE) has it
            } else {
                FaultyCalls.refuse(1, Integer.MAX_VALUE, FaultyCalls.ADVISE,
                        args[0].equals("unknown") ? Native.EINVAL() : Native.ENOSYS());
            }
            LockProof proof = LockProof.before(start, BYTES, pageSize);
            long unlocked = proof.lockedBytes();
            Libc.mlock(start, BYTES);
            long locked = proof.lockedBytes();
            Libc.munlock(start, 2 * MIB);
            System.out.println("unlocked=" + unlocked + " locked=" + locked + " half=" + proof.lockedBytes());
        }
    }
}
