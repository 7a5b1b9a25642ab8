package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.bindings.Native;
import io.labyrinth.internal.pagemap.PageMap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes a mapping resident: advises the kernel, locks the pages, faults them in on all cores, and proves the lock. */
public final class Residency {

    /*
     * The order of the steps: advise, reserve the lock, fault in on all cores, lock, prove the lock.
     *
     * mlock2(MLOCK_ONFAULT) comes before the first fault. It says within microseconds whether the limit allows the
     * lock, and leaves the faults to all cores. It is an optimisation, and its refusal means nothing: the libc, the
     * kernel or a filter (seccomp) may not know it, and a filter may answer as a limit does. After a refusal mlock is
     * called at once, and its answer counts. If mlock grants the lock, it has faulted in everything on one core.
     *
     * The mlock at the end finds all pages present. It turns "locked when touched" into "locked", and its result is the
     * kernel's statement that they are locked. MAP_POPULATE and MAP_LOCKED are not used: they fail silently.
     */

    private static final Logger LOG = LoggerFactory.getLogger(Residency.class);

    /** What one call faults in: large enough to amortise the call, small enough to balance the threads. */
    private static final long CHUNK = 32L << 20;

    private Residency() {
    }

    /** Returns the number of locked bytes. If the memory is {@code shared}, other processes may be using it. */
    static long make(String name, long start, long length, long pageSize, Locking locking, boolean shared) {
        advise(start, length);
        long since = System.nanoTime();
        if (locking == Locking.NONE) {
            populate(name, start, length, pageSize, shared);
            return 0;
        }
        LockProof proof = LockProof.before(start, length, pageSize);
        boolean lock = lockOnFault(start, length) || lock(name, start, length, locking);
        populate(name, start, length, pageSize, shared);
        lock = lock && lock(name, start, length, locking);
        long locked = lock ? proof.lockedBytes() : 0;
        Flight.locked(name, length, locked, since);
        if (lock && locked < length && locking == Locking.REQUIRED) {
            throw new LabyrinthException.LockRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                    + " locked=" + Machine.bytes(locked) + ": mlock succeeded, but the kernel does not show it"
                    + " (MADV_COLD, /proc/self/smaps); open it with locking(PREFERRED) to go on without");
        }
        return locked;
    }

    /** The kernel may not know the advice. Nothing that is promised depends on it, so errors are only logged. */
    private static void advise(long start, long length) {
        int[] all = {Native.MADV_HUGEPAGE(), Native.MADV_DONTFORK(), Native.MADV_DONTDUMP()};
        for (int advice : all) {
            Libc.Result result = Libc.madvise(start, length, advice);
            if (result.failed()) {
                LOG.debug("madvise({}) refused: errno={}", advice, result.error());
            }
        }
    }

    private static boolean lockOnFault(long start, long length) {
        Libc.Result result = Libc.mlock2(start, length, Native.MLOCK_ONFAULT());
        if (result.failed()) {
            LOG.debug("mlock2 refused, mlock is asked: errno={}", result.error());
        }
        return !result.failed();
    }

    /** False if the lock was refused and is not required. */
    private static boolean lock(String name, long start, long length, Locking locking) {
        Libc.Result result = Libc.mlock(start, length);
        if (!result.failed()) {
            return true;
        }
        Libc.munlock(start, length);
        String refusal = "labyrinth=" + name + " requested=" + Machine.bytes(length) + " errno=" + result.error() + " "
                + Machine.lockLimits() + ": raise it with ulimit -l, limits.conf or LimitMEMLOCK= (labyrinth doctor"
                + " says how), ask for fewer frames, or open it with locking(PREFERRED)";
        if (locking == Locking.REQUIRED) {
            throw new LabyrinthException.LockRefused(refusal);
        }
        LOG.warn("not locked: {}", refusal);
        return false;
    }

    /** Faults in every page, on all cores. */
    private static void populate(String name, long start, long length, long pageSize, boolean shared) {
        int chunks = (int) ((length + CHUNK - 1) / CHUNK);
        AtomicInteger next = new AtomicInteger();
        AtomicInteger done = new AtomicInteger();
        AtomicInteger errno = new AtomicInteger();
        Runnable work = () -> {
            for (int i = next.getAndIncrement(); i < chunks && errno.get() == 0; i = next.getAndIncrement()) {
                long from = start + i * CHUNK;
                errno.compareAndSet(0, populateChunk(from, Math.min(CHUNK, start + length - from), pageSize, shared));
                done.getAndIncrement();
            }
        };
        List<Thread> helpers = new ArrayList<>();
        try {
            start(helpers, Math.min(chunks, Runtime.getRuntime().availableProcessors()) - 1, work);
            work.run();
        } finally {
            // On failure the caller unmaps these addresses. No helper may write to them then.
            next.set(chunks);
            joinAll(helpers);
        }
        if (errno.get() == 0 && done.get() < chunks) {
            throw new IllegalStateException("labyrinth=" + name + ": a helper thread died while it faulted in pages");
        }
        if (errno.get() != 0) {
            throw new LabyrinthException.MapRefused("labyrinth=" + name + " requested=" + Machine.bytes(length)
                    + " errno=" + Libc.describe(errno.get()) + " " + Machine.memory()
                    + ": the pages could not be faulted in; ask for fewer frames, or give the machine or cgroup more");
        }
    }

    /** Starts at most {@code wanted} helpers. The system may allow fewer. Then it only takes longer. */
    private static void start(List<Thread> helpers, int wanted, Runnable work) {
        try {
            while (helpers.size() < wanted) {
                helpers.add(Thread.ofPlatform().name("labyrinth-populate-" + helpers.size()).start(work));
            }
        } catch (OutOfMemoryError noMoreThreads) {
            LOG.debug("helpers={} wanted={}: {}", helpers.size(), wanted, noMoreThreads.getMessage());
        }
    }

    /** Waits for all threads. An interrupt does not end the wait, and is kept for the caller. */
    private static void joinAll(List<Thread> threads) {
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Returns 0 or errno. */
    private static int populateChunk(long from, long length, long pageSize, boolean shared) {
        Libc.Result result = Libc.madvise(from, length, Native.MADV_POPULATE_WRITE());
        if (!result.failed()) {
            return 0;
        }
        // EINVAL: the kernel does not know the advice (before 5.14). ENOSYS and EPERM are the answers of a filter.
        if (result.errno() != Native.EINVAL() && result.errno() != Native.ENOSYS()
                && result.errno() != Native.EPERM()) {
            return result.errno();
        }
        // Page by page. A page of a file is present after a read (by a load that no compiler leaves out). It must not
        // be written, because other processes may be using it. A private page has to be written. It is new, so a zero
        // changes nothing.
        MemorySegment chunk = Mapping.segment(from, length);
        for (long at = 0; at < length; at += pageSize) {
            if (shared) {
                PageMap.lv(from + at);
            } else {
                chunk.set(ValueLayout.JAVA_BYTE, at, (byte) 0);
            }
        }
        return 0;
    }
}
