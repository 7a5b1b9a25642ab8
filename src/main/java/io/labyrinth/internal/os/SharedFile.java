package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_tenant;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
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
 * The file of a shared labyrinth. It is made or checked, and mapped once as a whole. This process has a slot in it as
 * long as it lives. A file that others wrote may be wrong in any way. It is refused here, before anything of it is
 * used.
 */
public final class SharedFile {

    /*
     * A tenant is alive if it holds the kernel's lock on the byte of its slot (native/labyrinth.h). The lock belongs to
     * the open file description. So each labyrinth that attaches opens the file anew, even if it already has a
     * descriptor of it. Otherwise two labyrinths would share their locks. (The older kind of lock belongs to the
     * process. It is lost when the process closes any descriptor of the file.)
     *
     * A forked child has a copy of the descriptor and keeps the lock of a parent that has died. Then the parent's pid
     * tells that it is dead (Tenancy). The second byte of the slot keeps sweepers and newcomers apart.
     */

    private static final Logger LOG = LoggerFactory.getLogger(SharedFile.class);

    public final Header header;
    /** The address of the whole mapping. 0 until it is mapped. */
    public long base;
    /**
     * The two parts of the mapping: the frames, and all that lies before them. Both objects are made before the file is
     * mapped: after that there may be no heap for them.
     */
    final Mapping frames;
    final Mapping metadata;
    /** For messages. */
    public final String path;

    /** The file's name, by which every process finds it. Null if it has none. */
    private final @Nullable Path named;
    /** -1 once it is closed. */
    private int fd;
    /** The slot of this process, from {@link #enter} to {@link #leave}. 0 before and after. */
    private int slot;
    /** The slot that this process has left, until its lock is given up. */
    private int toUnlock;
    /** A second mapping of the words, while this process leaves. */
    private final Mapping again;
    /** For each byte: whether its lock was taken for a moment and could not be given up again. */
    private final boolean[] stillLocked = new boolean[2 * Native.LABYRINTH_TENANTS()];

    private SharedFile(String path, @Nullable Path named, int fd, Header header) {
        this.path = path;
        this.named = named;
        this.fd = fd;
        this.header = header;
        this.frames = new Mapping(header.name(), header.fileBytes() - header.framesOffset());
        this.metadata = new Mapping(header.name(), header.framesOffset());
        this.again = new Mapping(header.name(), header.framesOffset());
    }

    /**
     * Makes the file with its final length, and with room for all of its pages. No page is faulted in yet.
     *
     * @param path null: a file in memory, without a name
     */
    public static SharedFile create(@Nullable Path path, Header header) {
        String name = path == null ? "memfd:" + header.name() : path.toString();
        int fd = MemoryFile.checked(path == null ? Libc.memfdCreate(header.name())
                : Libc.open(name, Native.O_RDWR() | Native.O_CREAT() | Native.O_EXCL()), "create", name);
        try {
            MemoryFile.require(fd, name);
            MemoryFile.requireRoom(fd, name, header.fileBytes());
            Machine.requireMemory(header.name(), header.fileBytes());
            MemoryFile.checked(Libc.truncate(fd, header.fileBytes()), "size", name);
            MemoryFile.reserve(fd, name, header.fileBytes());
            if (path == null) {
                MemoryFile.checked(Libc.addSeals(fd,
                        Native.F_SEAL_SHRINK() | Native.F_SEAL_GROW() | Native.F_SEAL_SEAL()), "seal", name);
            }
            return new SharedFile(name, path == null ? null : path.toAbsolutePath(), fd, header).map();
        } catch (Throwable e) {
            Libc.close(fd);
            if (path != null) {
                remove(path);
            }
            throw e;
        }
    }

    /** Opens a file that another process has made, and checks it in the order that native/labyrinth.h gives. */
    public static SharedFile open(Path path) {
        String name = MemoryFile.requireDefault(path).toString();
        int fd = MemoryFile.checked(Libc.open(name, Native.O_RDWR() | Native.O_NOCTTY()), "open", name);
        try {
            MemoryFile.requireRegular(fd, name);
            MemoryFile.require(fd, name);
            Header header = Header.read(name, fd);
            MemoryFile.requireSealed(fd, name);
            header.checkLength(name, MemoryFile.length(fd, name));
            Machine.requireMemory(header.name(), MemoryFile.missing(fd, header.fileBytes()));
            MemoryFile.reserve(fd, name, header.fileBytes());
            // A path below /proc ends with the descriptor that it names. The link of this process's own stays.
            boolean isNamed = !path.startsWith("/proc") && MemoryFile.hasName(fd, name);
            return new SharedFile(name, isNamed ? path.toAbsolutePath() : null, fd, header).map();
        } catch (Throwable e) {
            Libc.close(fd);
            throw e;
        }
    }

    /** The path by which other processes can open the file now: its name, or the link of this process's descriptor. */
    public synchronized Path sharedPath() {
        if (named != null) {
            return named;
        }
        if (fd == -1) {
            throw new LabyrinthException.Closed("file=" + path + " has no path any more: the labyrinth is closed");
        }
        return MemoryFile.path(fd, path);
    }

    private SharedFile map() {
        Libc.Result result = Libc.mmap(0, header.fileBytes(), Native.MAP_SHARED(), fd);
        if (result.value == -1) {
            throw new LabyrinthException.MapRefused("file=" + path + " requested=" + Machine.bytes(header.fileBytes())
                    + " errno=" + result.error() + " " + Machine.addressSpace() + ": raise the limit (ulimit -v,"
                    + " vm.max_map_count)");
        }
        base = result.value;
        metadata.at(base);
        frames.at(base + metadata.bytes());
        return this;
    }

    /**
     * Takes a slot.
     *
     * @param evict takes back what a dead tenant had, as in {@link #sweep}. The tenant's number is given in its place
     *              within the word
     * @return the number of this tenant, in its place within the word
     * @throws LabyrinthException.NoVacancy if each slot has a living tenant
     */
    public synchronized long enter(LongToIntFunction evict) {
        for (int candidate = Native.LABYRINTH_FIRST_TENANT(); candidate < Native.LABYRINTH_TENANTS(); candidate++) {
            if (lock(lockAt(candidate))) {
                try {
                    if (lock(sweepAt(candidate))) {
                        if (state(candidate) != Native.LABYRINTH_VACANT()) {
                            evict.applyAsInt(PageWord.tenant(candidate));
                        }
                        Tenancy.write(tenant(candidate), isKeptFromChildren());
                        setState(candidate, Native.LABYRINTH_TENANT());
                        slot = candidate;
                        return PageWord.tenant(candidate);
                    }
                } finally {
                    unlock(sweepAt(candidate));    // another holder keeps its lock: this ends only this description's
                    if (slot != candidate) {
                        unlock(lockAt(candidate));
                    }
                }
            }
        }
        int limit = Native.LABYRINTH_TENANTS() - Native.LABYRINTH_FIRST_TENANT();
        throw new LabyrinthException.NoVacancy("file=" + path + " tenants=" + limit + " limit=" + limit
                + ": each is a living process, or left a living forked child, or is being swept; end one, or try"
                + " again");
    }

    /** Whether no forked child gets the frames. A child that has them may outlive its parent (Tenancy). */
    private boolean isKeptFromChildren() {
        return !Libc.madvise(base, header.fileBytes(), Native.MADV_DONTFORK()).failed();
    }

    /**
     * Takes back what dead tenants had. A tenant that another process is sweeping is left to that process.
     *
     * @param evict takes back what a dead tenant had, and returns the number of frames. The tenant's number is given in
     *              its place within the word
     * @throws LabyrinthException.MapRefused if the kernel cannot say which tenants live
     */
    public synchronized int sweep(LongToIntFunction evict) {
        int freed = 0;
        for (int other = Native.LABYRINTH_FIRST_TENANT(); other < Native.LABYRINTH_TENANTS(); other++) {
            retryUnlock(other);
            if (other == slot || state(other) == Native.LABYRINTH_VACANT()) {
                continue;
            }
            boolean locked = lock(lockAt(other));
            try {
                if (locked || Tenancy.hasEnded(tenant(other))) {
                    freed += sweepSlot(other, locked, evict);
                }
            } finally {
                if (locked) {
                    unlock(lockAt(other));
                }
            }
        }
        return freed;
    }

    private void retryUnlock(int other) {
        if (stillLocked[indexOf(lockAt(other))]) {
            unlock(lockAt(other));
        }
        if (stillLocked[indexOf(sweepAt(other))]) {
            unlock(sweepAt(other));
        }
    }

    /** Checks everything again: before this lock was taken, another may have swept the slot, or entered it. */
    private int sweepSlot(int other, boolean locked, LongToIntFunction evict) {
        if (!lock(sweepAt(other))) {
            return 0;
        }
        try {
            if (state(other) == Native.LABYRINTH_VACANT() || !locked && !Tenancy.hasEnded(tenant(other))) {
                return 0;
            }
            int freed = evict.applyAsInt(PageWord.tenant(other));
            setState(other, Native.LABYRINTH_VACANT());
            return freed;
        } finally {
            unlock(sweepAt(other));
        }
    }

    /**
     * Sweeps this process's slot like the slot of a dead tenant, and leaves it. No thread of this process can reach the
     * words any more: other memory stands where they were mapped ({@link Region#giveBack}). So the sweep sees all
     * claims, up to the last moment.
     *
     * <p>If the sweep fails, for example for want of memory, the slot looks like that of a dead tenant: its lock is
     * given up all the same, and the next sweep takes back what it had. A second call does what is left to do.
     *
     * @throws LabyrinthException.CloseRefused if something is left to do
     */
    public synchronized void leave(Sweeper sweeper) {
        try {
            if (slot != 0) {
                sweepMyself(sweeper);
            }
        } finally {
            if (slot != 0) {
                toUnlock = slot;
                slot = 0;    // before the unlock: after it another process may have the slot
            }
            try {
                close();
            } finally {
                again.unmap();
            }
        }
    }

    private void sweepMyself(Sweeper sweeper) {
        Libc.Result result = again.ofFile(fd, true);
        if (result.failed()) {
            LOG.warn("file={} cannot be mapped a second time: errno={} {}: this tenant leaves as if it had died;"
                    + " sweepDeadOwners() of another tenant returns its frames", path, result.error(),
                    Machine.addressSpace());
            return;
        }
        long start = again.address();
        sweeper.evict(Mapping.segment(start + header.pageMapOffset(), again.bytes() - header.pageMapOffset()),
                PageWord.tenant(slot));
        PageMap.so(stateAt(start, slot), Native.LABYRINTH_VACANT());
    }

    /**
     * Unlocks the slot, then closes the descriptor. The lock does not end with the descriptor: whatever still maps the
     * file has the same open file description, and so has each forked child that still lives.
     */
    private void close() {
        if (toUnlock != 0) {
            Libc.Result result = Libc.lockByte(fd, Native.F_UNLCK(), lockAt(toUnlock));
            if (result.failed()) {
                throw new LabyrinthException.CloseRefused("labyrinth=" + header.name() + " cannot give up its slot: "
                        + "fcntl(F_OFD_SETLK) file=" + path + " errno=" + result.error() + " slot=" + toUnlock
                        + ": it gives no more frames; close it again: the close goes on from here");
            }
            toUnlock = 0;
        }
        if (fd != -1) {
            Libc.close(fd);    // Linux closes it, whatever the call returns
            fd = -1;
        }
    }

    /** The tenants of all slots that are taken. */
    public synchronized List<Tenancy.Tenant> tenants() {
        return Header.tenants(Mapping.segment(base, header.framesOffset()), header,
                number -> number == slot || isLocked(fd, path, number));
    }

    /** Whether another open file description has the lock on the byte of a tenant. */
    public static boolean isLocked(int fd, String path, int number) {
        Libc.Result result = Libc.lockedByte(fd, lockAt(number));
        if (result.failed()) {
            throw noLocks(path, result);
        }
        return result.value() != 0;
    }

    /** Takes back what {@code tenant} has claimed in the words. */
    public interface Sweeper {
        void evict(MemorySegment words, long tenant);
    }

    /**
     * Closes and unmaps the file after an opening has failed half-way, and removes its name if this process has made
     * it. A refusal of the system is not thrown: the caller must report why the opening failed.
     */
    public synchronized void discard(boolean created) {
        try {
            if (slot != 0) {
                unlock(lockAt(slot));    // if that is refused, the lock ends with the descriptor
            }
        } finally {
            Libc.close(fd);
            fd = -1;
            frames.run();    // does nothing if the region has done it
            metadata.run();
        }
        if (created && named != null) {
            remove(named);
        }
    }

    private static void remove(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.warn("file={} of a failed opening stays, because it cannot be removed: {}", path, e.toString());
        }
    }

    /** False if another open file description has this byte's lock. Only EAGAIN and EACCES say so. */
    private boolean lock(long at) {
        Libc.Result result = Libc.lockByte(fd, Native.F_WRLCK(), at);
        if (result.failed() && result.errno() != Native.EAGAIN() && result.errno() != Native.EACCES()) {
            throw noLocks(path, result);
        }
        return !result.failed();
    }

    /** Noted before the call, because an error may strike in it, too. {@link #retryUnlock} tries again. */
    private void unlock(long at) {
        stillLocked[indexOf(at)] = true;
        if (!Libc.lockByte(fd, Native.F_UNLCK(), at).failed()) {
            stillLocked[indexOf(at)] = false;
        }
    }

    private static int indexOf(long at) {
        return (int) (at - lockAt(0));
    }

    private static LabyrinthException noLocks(String path, Libc.Result result) {
        return new LabyrinthException.MapRefused("file=" + path + " cannot lock a byte (F_OFD_SETLK): errno="
                + result.error() + ": such locks show which tenants live, and this system or sandbox does not give"
                + " them; use a private labyrinth, or a sandbox that allows them");
    }

    public static long lockAt(int candidate) {
        return Native.LABYRINTH_LOCK_OFFSET() + candidate;
    }

    private static long sweepAt(int candidate) {
        return Native.LABYRINTH_SWEEP_OFFSET() + candidate;
    }

    private MemorySegment tenant(int number) {
        return Mapping.segment(base + header.tenantsOffset() + number * labyrinth_tenant.sizeof(),
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
