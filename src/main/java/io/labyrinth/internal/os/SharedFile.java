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
 * The file of a shared labyrinth: made or checked, mapped once as a whole, with a slot in it that is this process's
 * while it lives. Whatever can go wrong with a file that others wrote goes wrong here, before anything of it is used.
 */
public final class SharedFile {

    /*
     * Alive is who holds the kernel's lock on its slot's byte (native/labyrinth.h). The lock belongs to the open file
     * description, so each labyrinth that attaches opens the file anew, even by a descriptor that it already has; else
     * two of them would share their locks. (The older locks, which belong to the process, are lost when the process
     * closes any descriptor of the file.) A child that was forked has a copy, and keeps the lock of a parent that has
     * died; then the parent's pid tells (Tenancy), and a slot's second byte keeps sweepers and newcomers apart.
     */

    private static final Logger LOG = LoggerFactory.getLogger(SharedFile.class);

    public final Header header;
    /** Of the whole mapping; 0 until it is mapped. */
    public long base;
    /** Its parts, made before it is mapped, as after that there may be no heap: the frames, and all before them. */
    final Mapping frames;
    final Mapping metadata;
    /** For messages. */
    public final String path;

    /** The file's name, by which anybody finds it; null where it has none. */
    private final @Nullable Path named;
    /** -1 once it is closed. */
    private int fd;
    /** This process's, from {@link #enter} to {@link #leave}; 0 before and after. */
    private int slot;
    /** The slot that it was then, until its lock is given up. */
    private int toUnlock;
    /** The words, mapped once more, while this process leaves. */
    private final Mapping again;
    /** By byte: locks that were taken for a moment, and could not be given up after it. */
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
     * Makes the file, as long as it will be, with room for all of its pages; none is faulted in yet.
     *
     * @param path null: in memory, without a name
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

    /** Opens and checks what another process has made, in the order of native/labyrinth.h. */
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
            // A link of somebody's descriptor goes with that one; this process's own stays.
            boolean isNamed = !path.startsWith("/proc") && MemoryFile.hasName(fd, name);
            return new SharedFile(name, isNamed ? path.toAbsolutePath() : null, fd, header).map();
        } catch (Throwable e) {
            Libc.close(fd);
            throw e;
        }
    }

    /** By which other processes may open it now: its name, or the link of this process's descriptor. */
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
     * @param evict takes back what the tenant (in its place within the word) had; see {@link #sweep}
     * @return this tenant, in its place within the word
     * @throws LabyrinthException.NoVacancy if each slot has a tenant that lives
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
                    unlock(sweepAt(candidate));    // harms nobody who has it: it is given up for this description
                    if (slot != candidate) {
                        unlock(lockAt(candidate));
                    }
                }
            }
        }
        int limit = Native.LABYRINTH_TENANTS() - Native.LABYRINTH_FIRST_TENANT();
        throw new LabyrinthException.NoVacancy("file=" + path + " tenants=" + limit + " limit=" + limit
                + ": each is a process that lives, or left a forked child that does, or is just being swept; end one, or"
                + " try again");
    }

    /** Whether no forked child has the frames: else a tenant's death is not theirs (Tenancy). */
    private boolean isKeptFromChildren() {
        return !Libc.madvise(base, header.fileBytes(), Native.MADV_DONTFORK()).failed();
    }

    /**
     * Takes back what tenants had that have died. One that another process is just sweeping is left to it.
     *
     * @param evict takes back what the tenant (in its place within the word) had, and returns the frames
     * @throws LabyrinthException.MapRefused if the kernel cannot say who lives
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

    /** Looks at all again, as without this lock somebody may have swept it, or a new tenant may have come. */
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
     * Leaves the slot, swept like that of the dead: nothing of this process can reach the words any more, as other
     * memory stands where they were mapped ({@link Region#giveBack}); so what was claimed to the last moment is seen.
     *
     * <p>Where that fails, for want of memory say, the slot is as that of a process that has died: its lock is given up
     * all the same, and what it had is for the next sweep. Called again, it does what is left to do.
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
        Libc.Result result = again.ofFile(fd, true);
        if (result.failed()) {
            LOG.warn("file={} cannot be mapped once more: errno={} {}: this tenant leaves as if it had died;"
                    + " sweepDeadOwners() of another returns what it had", path, result.error(),
                    Machine.addressSpace());
            return;
        }
        long start = again.address();
        sweeper.evict(Mapping.segment(start + header.pageMapOffset(), again.bytes() - header.pageMapOffset()),
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
    public synchronized List<Tenancy.Tenant> tenants() {
        return Header.tenants(Mapping.segment(base, header.framesOffset()), header,
                number -> number == slot || isLocked(fd, path, number));
    }

    /** Whether another open file description has the lock on a tenant's byte. */
    public static boolean isLocked(int fd, String path, int number) {
        Libc.Result result = Libc.lockedByte(fd, lockAt(number));
        if (result.failed()) {
            throw noLocks(path, result);
        }
        return result.value() != 0;
    }

    /** Takes back what {@code tenant} has in the words. */
    public interface Sweeper {
        void evict(MemorySegment words, long tenant);
    }

    /**
     * The file, and its name if this process has made it, where an opening failed half-way. No refusal of the system is
     * thrown: the opening's failure is the one to tell.
     */
    public synchronized void discard(boolean created) {
        try {
            if (slot != 0) {
                unlock(lockAt(slot));    // else the lock goes with the descriptor
            }
        } finally {
            Libc.close(fd);
            fd = -1;
            frames.run();    // nothing, if the region has done so
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
            LOG.warn("file={} of an opening that failed stays, as it cannot be removed: {}", path, e.toString());
        }
    }

    /** False if another open file description has this byte's lock: these two errors say so, and no other does. */
    private boolean lock(long at) {
        Libc.Result result = Libc.lockByte(fd, Native.F_WRLCK(), at);
        if (result.failed() && result.errno() != Native.EAGAIN() && result.errno() != Native.EACCES()) {
            throw noLocks(path, result);
        }
        return !result.failed();
    }

    /** Remembered before, as the call may fail by an error, too: {@link #retryUnlock}. */
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
                + result.error() + ": who lives is told by such locks, which this system or sandbox does not give; use"
                + " a private labyrinth, or a sandbox that allows them");
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
