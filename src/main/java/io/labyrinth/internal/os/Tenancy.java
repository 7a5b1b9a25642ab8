package io.labyrinth.internal.os;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_tenant;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a tenant writes of itself into its slot, and what that says of its life: the second sign of death
 * (native/labyrinth.h), for a tenant whose lock a forked child keeps.
 */
public final class Tenancy {

    /*
     * A wrong "it has ended" would give a living process's frames to others, so whatever is in doubt says nothing: a
     * pid of another namespace, one that is no pid, an answer other than ESRCH (EPERM is that of a living process of
     * another user, or of a filter). The start of the process is not compared: it is told in the reader's own clock,
     * and a pid that was given anew only delays the sweep.
     */

    /** As it wrote of itself. Alive is false only of one that has died for certain. */
    public record Tenant(int number, long pid, long since, boolean alive) {
    }

    private static final Path NAMESPACE = Path.of("/proc/self/ns/pid");

    private Tenancy() {
    }

    /**
     * Of this process, in a slot that is its own from now on.
     *
     * @param isKeptFromChildren whether no forked child has its frames; else its pid is not to tell of its death
     */
    public static void write(MemorySegment slot, boolean isKeptFromChildren) {
        labyrinth_tenant.pid_namespace(slot, 0);
        labyrinth_tenant.pid(slot, ProcessHandle.current().pid());
        labyrinth_tenant.since(slot, System.currentTimeMillis());
        labyrinth_tenant.pid_namespace(slot, isKeptFromChildren ? namespace() : 0);
    }

    /** Whether the process that wrote this slot has ended for certain. */
    public static boolean hasEnded(MemorySegment slot) {
        long namespace = labyrinth_tenant.pid_namespace(slot);
        long pid = labyrinth_tenant.pid(slot);
        if (namespace == 0 || pid < 1 || pid > Integer.MAX_VALUE || namespace != namespace()) {
            return false;
        }
        Libc.Result found = Libc.find((int) pid);
        return found.failed() && found.errno() == Native.ESRCH();
    }

    /** The inode of this process's pid namespace, which no other has while a process is in this one; 0: not known. */
    private static long namespace() {
        try {
            return (long) Files.getAttribute(NAMESPACE, "unix:ino");
        } catch (IOException | UnsupportedOperationException e) {
            return 0;
        }
    }
}
