package io.labyrinth.internal.os;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_tenant;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a tenant writes into its slot about itself, and what that says about its life. This is the second sign of death
 * (native/labyrinth.h), for a tenant whose lock a forked child keeps.
 */
public final class Tenancy {

    /*
     * A wrong "it has ended" would give the frames of a living process to others. So nothing doubtful counts as an end:
     * not a pid of another namespace, not a number that is no pid, and no answer other than ESRCH. (EPERM is the answer
     * for a living process of another user, or the answer of a filter.)
     *
     * The start time of the process is not compared: the system tells it in the reader's own clock. A pid that was
     * given to a new process only delays the sweep.
     */

    /** A tenant as it describes itself. {@code alive} is false only if it has certainly died. */
    public record Tenant(int number, long pid, long since, boolean alive) {
    }

    private static final Path NAMESPACE = Path.of("/proc/self/ns/pid");

    private Tenancy() {
    }

    /**
     * Describes this process in a slot that is its own from now on.
     *
     * @param isKeptFromChildren whether no forked child gets its frames. If children get them, the end of its pid must
     *                           not count as its death
     */
    public static void write(MemorySegment slot, boolean isKeptFromChildren) {
        labyrinth_tenant.pid_namespace(slot, 0);
        labyrinth_tenant.pid(slot, ProcessHandle.current().pid());
        labyrinth_tenant.since(slot, System.currentTimeMillis());
        labyrinth_tenant.pid_namespace(slot, isKeptFromChildren ? namespace() : 0);
    }

    /** Whether the process that wrote this slot has certainly ended. */
    public static boolean hasEnded(MemorySegment slot) {
        long namespace = labyrinth_tenant.pid_namespace(slot);
        long pid = labyrinth_tenant.pid(slot);
        if (namespace == 0 || pid < 1 || pid > Integer.MAX_VALUE || namespace != namespace()) {
            return false;
        }
        Libc.Result found = Libc.find((int) pid);
        return found.failed() && found.errno() == Native.ESRCH();
    }

    /** The inode of this process's pid namespace, 0 if not known. As long as a process lives in it, no other has it. */
    private static long namespace() {
        try {
            return (long) Files.getAttribute(NAMESPACE, "unix:ino");
        } catch (IOException | UnsupportedOperationException e) {
            return 0;
        }
    }
}
