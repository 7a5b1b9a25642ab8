package io.labyrinth.cli;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.internal.os.Machine;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code labyrinth doctor}: tries what this machine and this process allow, and says what to do about the rest. */
@Command(name = "doctor", mixinStandardHelpOptions = true,
        description = "Says what this process may lock and what the kernel offers. Tries the default size. Says what"
                + " to do about what is missing. The exit code is 0 if the defaults work.")
final class DoctorCommand implements Callable<Integer> {

    private static final String LOCK_REMEDY = """
            To give a process the right to lock memory, one of:
              /etc/security/limits.conf   USER  -  memlock  unlimited     (or a number of KiB; log in again)
              systemd unit                [Service] LimitMEMLOCK=infinity
              docker, podman              --ulimit memlock=-1:-1          (or --cap-add IPC_LOCK)
              Kubernetes                  securityContext: {capabilities: {add: ["IPC_LOCK"]}}; there is no field for
                                          the limit: it is that of the node's container runtime (LimitMEMLOCK= there)
              or do with less             --frames N, or --lock preferred and a look at how much was locked
            """;
    private static final String MEMORY_REMEDY = """
            To give a process more memory, one of:
              cgroup                      memory.max; systemd MemoryMax=, docker --memory, Kubernetes limits.memory;
                                          and memory.high (systemd MemoryHigh=), if that is lower
              memory nodes                cpuset.mems; systemd AllowedMemoryNodes=, docker --cpuset-mems
              address space               ulimit -v unlimited; systemd LimitAS=infinity
              overcommit                  sysctl vm.overcommit_memory=0, or a higher vm.overcommit_ratio
              or do with less             --frames N
            """;

    @Spec
    @Nullable CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = Objects.requireNonNull(spec).commandLine().getOut();
        List<String> lacking = new ArrayList<>();
        fact(out, "page size", Machine.bytes(Machine.pageSize()));
        fact(out, "user namespace", KernelFacts.userNamespace());
        fact(out, "lock limit", "soft " + Machine.bytes(Machine.lockLimitSoft()) + ", hard "
                + Machine.bytes(Machine.lockLimitHard()) + "; CAP_IPC_LOCK: " + KernelFacts.lockCapability());
        fact(out, "locked now", Machine.bytes(Machine.locked()));
        fact(out, "memory", KernelFacts.memory());
        KernelFacts.numa().ifPresent(numa -> fact(out, "NUMA", numa));
        fact(out, "cgroup", KernelFacts.cgroup());
        fact(out, "/dev/shm", KernelFacts.sharedMemory());
        fact(out, "address space", KernelFacts.limit("Max address space"));
        fact(out, "overcommit", KernelFacts.overcommit());
        fact(out, "huge pages", KernelFacts.hugePages());
        fact(out, "kernel", System.getProperty("os.version") + ", " + System.getProperty("os.arch"));
        KernelFacts.seccomp().ifPresent(filter -> fact(out, "seccomp", filter));
        for (KernelFacts.Feature feature : KernelFacts.features(lacking)) {
            fact(out, feature.name(), feature.state());
        }
        boolean works = tryDefaults(out, lacking);
        for (String remedy : lacking) {
            out.println();
            out.print(remedy);
        }
        out.flush();
        return works ? LabyrinthCli.OK : LabyrinthCli.FAILED;
    }

    private static void fact(PrintWriter out, String name, String fact) {
        out.println(String.format(Locale.ROOT, "%-22s%s", name, fact));
    }

    /** Opens a labyrinth of the default size, locked. Adds what to do if that fails. */
    private static boolean tryDefaults(PrintWriter out, List<String> lacking) {
        try (Labyrinth labyrinth = LabyrinthOptions.ofBytes(LabyrinthOptions.DEFAULT_BYTES, 0).open("doctor")) {
            LabyrinthStats stats = labyrinth.stats();
            fact(out, "tried", "works: " + Machine.bytes(stats.lockedBytes()) + " locked of "
                    + Machine.bytes(stats.mappedBytes()) + ", as the kernel confirms");
            if (!Machine.mayLockAnything() && Machine.lockLimitSoft() < Long.MAX_VALUE) {
                long most = Machine.lockLimitSoft() / (stats.mappedBytes() / stats.frames() + 1);
                fact(out, "most", "about " + Count.of(most, "frame") + " within the lock limit");
            }
            return true;
        } catch (LabyrinthException.LockRefused refused) {
            fact(out, "tried", "fails: " + refused.getMessage());
            lacking.add(LOCK_REMEDY);
        } catch (LabyrinthException.MapRefused refused) {
            fact(out, "tried", "fails: " + refused.getMessage());
            lacking.add(MEMORY_REMEDY);
        }
        return false;
    }
}
