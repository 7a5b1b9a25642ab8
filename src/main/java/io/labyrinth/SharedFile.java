package io.labyrinth;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_tenant;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.LongToIntFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of a shared labyrinth: made or checked, mapped once as a whole, with a slot in it that is this process's
 * while it lives. Whatever can go wrong with a file that others wrote goes wrong here, before anything of it is used.
 */
final class SharedFile {

    /*
     * Alive is who holds the kernel's lock on its slot's byte (native/labyrinth.h). The lock belongs to the open file
     * description, so each labyrinth that attaches opens the file anew, even by a descriptor that it already has; else
     * two of them would share their locks. (The older locks, which belong to the process, are lost when the process
     * closes any descriptor of the file.)
     */

    private static final Logger LOG = LoggerFactory.getLogger(SharedFile.class);

    final Header header;
    /** Of the whole mapping. */
    final long base;
    final String path;

    /** -1 once it is closed. */
    private int fd;
    /** This process's, from {@link #enter} to {@link #leave}; 0 before and after. */
    private int slot;
    /** The slot that it was then, until its lock is given up. */
    private int toUnlock;
    /** The words, mapped once more, while this process leaves. */
    private final Mapping again;
    /** Others' whose lock was taken for a sweep, and could not be given up behind it. */
    private final boolean[] stillLocked = new boolean[Native.LABYRINTH_TENANTS()];

    private SharedFile(String path, int fd, long base, Header header) {
        this.path = path;
        this.fd = fd;
        this.base = base;
        this.header = header;
        this.again = new Mapping(header.name(), header.framesOffset());
    }

    /**
     * Makes the file, as long as it will be; no part of it has pages yet.
     *
     * @param path null: in memory, without a name
     */
    static SharedFile create(@Nullable Path path, Header header) {
        String name = path == null ? "memfd:" + header.name() : path.toString();
        int fd = checked(path == null ? Libc.memfdCreate(header.name())
                : Libc.open(name, Native.O_RDWR() | Native.O_CREAT() | Native.O_EXCL()), "create", name);
        boolean done = false;
        try {
            requireMemoryFile(fd, name);
            checked(Libc.truncate(fd, header.fileBytes()), "size", name);
            if (path == null) {
                checked(Libc.addSeals(fd, Native.F_SEAL_SHRINK() | Native.F_SEAL_GROW() | Native.F_SEAL_SEAL()),
                        "seal", name);
            }
            // By its own link: a memfd has no other name, and others can use this one.
            String own = path == null ? "/proc/" + ProcessHandle.current().pid() + "/fd/" + fd : name;
            SharedFile file = new SharedFile(own, fd, map(fd, name, header.fileBytes()), header);
            done = true;
            return file;
        } finally {
            if (!done) {
                Libc.close(fd);
                if (path != null) {
                    remove(path);
                }
            }
        }
    }

    /** Opens and checks what another process has made. */
    static SharedFile open(Path path) {
        String name = path.toString();
        int fd = checked(Libc.open(name, Native.O_RDWR()), "open", name);
        boolean done = false;
        try {
            requireMemoryFile(fd, name);
            long length = Libc.length(fd).value();
            if (length < Header.BYTES) {
                throw new LabyrinthException.NotALabyrinth("file=" + name + " bytes=" + length + " limit="
                        + Header.BYTES + ": too short for a header; is its creator still at it?");
            }
            requireSealed(fd, name);
            long page = map(fd, name, Header.BYTES);
            Header header;
            try {
                header = Header.read(name, Region.segment(page, Header.BYTES), length);
            } finally {
                Libc.munmap(page, Header.BYTES);
            }
            SharedFile file = new SharedFile(name, fd, map(fd, name, length), header);
            done = true;
            return file;
        } finally {
            if (!done) {
                Libc.close(fd);
            }
        }
    }

    private static int checked(Libc.Result result, String verb, String name) {
        if (result.failed()) {
            throw new LabyrinthException.MapRefused("file=" + name + " cannot " + verb + ": errno=" + result.error()
                    + (result.errno() == Native.EEXIST() ? ": attach to it, or remove it if nobody uses it"
                    : ": a shared labyrinth needs a file of its own that this user may read and write, on a memory"
                            + " file system (/dev/shm)"));
        }
        return (int) result.value();
    }

    private static long map(int fd, String name, long length) {
        Libc.Result result = Libc.mmap(0, length, Native.MAP_SHARED(), fd);
        if (result.failed()) {
            throw new LabyrinthException.MapRefused("file=" + name + " requested=" + Machine.bytes(length) + " errno="
                    + result.error() + " " + Machine.addressSpace() + ": raise the limit (ulimit -v,"
                    + " vm.max_map_count)");
        }
        return result.value();
    }

    /** Only memory file systems know seals; on any other the kernel would write the pages to a disk, lock or no. */
    private static void requireMemoryFile(int fd, String name) {
        if (Libc.seals(fd).failed()) {
            throw new LabyrinthException.InvalidRequest("file=" + name + " is on no memory file system: choose one"
                    + " below /dev/shm, or a memfd");
        }
    }

    /** Who has a file without a name has it by descriptor, and could cut it under the others. */
    private static void requireSealed(int fd, String name) {
        int wanted = Native.F_SEAL_SHRINK() | Native.F_SEAL_GROW();
        long seals = Libc.seals(fd).value();
        try {
            int links = (int) Files.getAttribute(Path.of("/proc/self/fd/" + fd), "unix:nlink");
            if (links == 0 && (seals & wanted) != wanted) {
                throw new LabyrinthException.NotALabyrinth("file=" + name + " seals=" + seals + " wanted=" + wanted
                        + ": it has no name and can be cut or grown by whoever has it; seal it against both"
                        + " (F_SEAL_SHRINK, F_SEAL_GROW)");
            }
        } catch (IOException e) {
            throw new LabyrinthException.NotALabyrinth("file=" + name + ": its links cannot be counted: "
                    + e.getMessage());
        }
    }

    /**
     * Takes a slot.
     *
     * @param evict takes back what the tenant (in its place within the word) had; see {@link #sweep}
     * @return this tenant, in its place within the word
     * @throws LabyrinthException.NoVacancy if each slot has a tenant that lives
     */
    synchronized long enter(LongToIntFunction evict) {
        for (int candidate = Native.LABYRINTH_FIRST_TENANT(); candidate < Native.LABYRINTH_TENANTS(); candidate++) {
            if (lock(candidate)) {
                if (state(candidate) != Native.LABYRINTH_VACANT()) {
                    evict.applyAsInt(PageWord.tenant(candidate));
                }
                MemorySegment mine = tenant(candidate);
                labyrinth_tenant.pid(mine, ProcessHandle.current().pid());
                labyrinth_tenant.since(mine, System.currentTimeMillis());
                setState(candidate, Native.LABYRINTH_TENANT());
                slot = candidate;
                return PageWord.tenant(candidate);
            }
        }
        int limit = Native.LABYRINTH_TENANTS() - Native.LABYRINTH_FIRST_TENANT();
        throw new LabyrinthException.NoVacancy("file=" + path + " tenants=" + limit + " limit=" + limit
                + ": all of them live; end one");
    }

    /**
     * Takes back what tenants had that have died. One that another process is just sweeping is left to it.
     *
     * @param evict takes back what the tenant (in its place within the word) had, and returns the frames
     */
    synchronized int sweep(LongToIntFunction evict) {
        int freed = 0;
        for (int other = Native.LABYRINTH_FIRST_TENANT(); other < Native.LABYRINTH_TENANTS(); other++) {
            if (stillLocked[other]) {
                unlock(other);
            }
            if (other != slot && state(other) != Native.LABYRINTH_VACANT() && lock(other)) {
                try {
                    if (state(other) != Native.LABYRINTH_VACANT()) {    // else somebody has just swept it
                        freed += evict.applyAsInt(PageWord.tenant(other));
                        setState(other, Native.LABYRINTH_VACANT());
                    }
                } finally {
                    unlock(other);
                }
            }
        }
        return freed;
    }

    private void unlock(int other) {
        stillLocked[other] = true;
        if (!Libc.lockByte(fd, Native.F_UNLCK(), lockAt(other)).failed()) {
            stillLocked[other] = false;
        }
    }

    /**
     * Leaves the slot, swept like that of the dead: nothing of this process can reach the words any more, as other
     * memory stands where they were mapped ({@link Region#giveBack}); so what was claimed to the last moment is seen.
     *
     * <p>Where that fails, for want of memory say, the slot is as that of a process that has died: its lock is given up
     * all the same, and what it had is for the next sweep. Called again, it does what is left to do.
     *
     * @throws LabyrinthException.CloseRefused if something is left to do
     */
    synchronized void leave(Sweeper sweeper) {
        try {
            if (slot != 0) {
                sweepMyself(sweeper);
            }
        } finally {
            if (slot != 0) {
                toUnlock = slot;
                slot = 0;    // before it is unlocked: from then on it may be another's
            }
            try {
                close();
            } finally {
                again.unmap();
            }
        }
    }

    private void sweepMyself(Sweeper sweeper) {
        Libc.Result result = again.ofFile(fd);
        if (result.failed()) {
            LOG.warn("file={} cannot be mapped once more: errno={} {}: this tenant leaves as if it had died;"
                    + " sweepDeadOwners() of another returns what it had", path, result.error(),
                    Machine.addressSpace());
            return;
        }
        long start = again.address();
        sweeper.evict(Region.segment(start + header.pageMapOffset(), again.bytes() - header.pageMapOffset()),
                PageWord.tenant(slot));
        PageMap.so(stateAt(start, slot), Native.LABYRINTH_VACANT());
    }

    /**
     * And unlocks, by itself: whatever still maps the file, and each child that was forked and has not gone yet, has
     * the same open file description, so the lock would not end with the descriptor.
     */
    private void close() {
        if (toUnlock != 0) {
            Libc.Result result = Libc.lockByte(fd, Native.F_UNLCK(), lockAt(toUnlock));
            if (result.failed()) {
                throw new LabyrinthException.CloseRefused("labyrinth=" + header.name() + " cannot give up its slot: "
                        + "fcntl(F_OFD_SETLK) file=" + path + " errno=" + result.error() + " slot=" + toUnlock
                        + ": nothing can be had from it any more; close it again, which goes on from here");
            }
            toUnlock = 0;
        }
        if (fd != -1) {
            Libc.close(fd);    // Linux closes, whatever it answers
            fd = -1;
        }
    }

    /** Who has a slot. */
    synchronized List<LabyrinthMap.Tenant> tenants() {
        return Header.tenants(Region.segment(base, header.framesOffset()), header,
                number -> number == slot || Libc.isByteLocked(fd, lockAt(number)));
    }

    /** Takes back what {@code tenant} has in the words. */
    interface Sweeper {
        void evict(MemorySegment words, long tenant);
    }

    /** The file and its name, where creating it failed half-way. */
    synchronized void discard(boolean created) {
        try {
            if (slot != 0) {
                Libc.lockByte(fd, Native.F_UNLCK(), lockAt(slot));    // else the lock goes with the descriptor
            }
        } finally {
            Libc.close(fd);
            fd = -1;
        }
        if (created && !path.startsWith("/proc/")) {
            remove(Path.of(path));
        }
    }

    private static void remove(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new LabyrinthException.MapRefused("file=" + path + " cannot be removed: " + e.getMessage());
        }
    }

    /** False if its tenant lives, or another is sweeping it. */
    private boolean lock(int candidate) {
        return !Libc.lockByte(fd, Native.F_WRLCK(), lockAt(candidate)).failed();
    }

    static long lockAt(int candidate) {
        return Native.LABYRINTH_LOCK_OFFSET() + candidate;
    }

    private MemorySegment tenant(int number) {
        return Region.segment(base + header.tenantsOffset() + number * labyrinth_tenant.sizeof(),
                labyrinth_tenant.sizeof());
    }

    private long stateAt(long mapping, int number) {
        return mapping + header.tenantsOffset() + number * labyrinth_tenant.sizeof()
                + labyrinth_tenant.state$offset();
    }

    private long state(int number) {
        return PageMap.lv(stateAt(base, number));
    }

    private void setState(int number, long state) {
        PageMap.so(stateAt(base, number), state);
    }
}
