package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.bindings.Native;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** The file of a shared labyrinth: what kind of file it must be, how others find it, and whether it has room. */
public final class MemoryFile {

    private MemoryFile() {
    }

    /** Refuses a path of another provider: its file system is not the kernel's. */
    public static Path requireDefault(Path path) {
        if (path.getFileSystem() != FileSystems.getDefault()) {
            throw new LabyrinthException.InvalidRequest("path=" + path + " is of the file system "
                    + path.getFileSystem() + ", which is not the kernel's: give a path of the default file system");
        }
        return path;
    }

    /** The path of a descriptor of this process. It leads to the open file. */
    private static Path link(int fd) {
        return Path.of("/proc/self/fd/" + fd);
    }

    static void requireRegular(int fd, String name) {
        if (!isRegular(fd, name)) {
            throw new LabyrinthException.NotALabyrinth("file=" + name + " is no regular file: give that of a shared"
                    + " labyrinth (sharedPath() names it)");
        }
    }

    /**
     * Refuses a file that is not on a memory file system. On another one the kernel would write the pages to a disk,
     * even if they are locked. Only memory file systems know seals.
     */
    static void require(int fd, String name) {
        Libc.Result seals = Libc.seals(fd);
        if (seals.failed() && seals.errno() == Native.EINVAL()) {
            throw new LabyrinthException.InvalidRequest("file=" + name + " is on no memory file system: choose one"
                    + " below /dev/shm, or a memfd");
        }
        checked(seals, "say which seals it has", name);
    }

    private static boolean isRegular(int fd, String name) {
        try {
            return Files.readAttributes(link(fd), BasicFileAttributes.class).isRegularFile();
        } catch (IOException e) {
            throw unknown(name, e);
        }
    }

    public static long length(int fd, String name) {
        Libc.Result length = Libc.length(fd);
        checked(length, "say how long it is", name);
        return length.value();
    }

    /** A file without a name must be sealed. Otherwise every process that has its descriptor could cut it. */
    static void requireSealed(int fd, String name) {
        int wanted = Native.F_SEAL_SHRINK() | Native.F_SEAL_GROW();
        if (hasName(fd, name)) {
            return;
        }
        int seals = checked(Libc.seals(fd), "say which seals it has", name);
        if ((seals & wanted) != wanted) {
            throw new LabyrinthException.NotALabyrinth("file=" + name + " seals=" + seals + " wanted=" + wanted
                    + ": it has no name, so any process that has it can cut or grow it; seal it against both"
                    + " (F_SEAL_SHRINK, F_SEAL_GROW)");
        }
    }

    static boolean hasName(int fd, String name) {
        try {
            return (int) Files.getAttribute(link(fd), "unix:nlink") > 0;
        } catch (IOException e) {
            throw unknown(name, e);
        }
    }

    private static LabyrinthException unknown(String name, IOException e) {
        return new LabyrinthException.MapRefused("file=" + name + " cannot be looked at by its descriptor: " + e
                + ": a shared labyrinth needs /proc: mount it");
    }

    /**
     * A path by which other processes can open the file of this descriptor. The pid in it is the one that the mounted
     * /proc gives this process. It may differ from the pid that the process itself sees, because /proc may be of an
     * outer pid namespace.
     *
     * @throws LabyrinthException.MapRefused if the path would lead to another file, or to none
     */
    static Path path(int fd, String name) {
        try {
            Path path = Path.of("/proc", Files.readSymbolicLink(Path.of("/proc/self")).toString(), "fd", "" + fd);
            if (Files.isSameFile(path, link(fd))) {
                return path;
            }
            throw new LabyrinthException.MapRefused("file=" + name + " path=" + path + " is another file: mount the"
                    + " /proc of this process's pid namespace, or share by a file with a name");
        } catch (IOException e) {
            throw new LabyrinthException.MapRefused("file=" + name + " has no path: " + e + ": mount the /proc of this"
                    + " process's pid namespace, or share by a file with a name");
        }
    }

    // ------------------------------------------------------------------------------------------------ a look

    /** Opens the file for reading. Does not wait, even if the file has become a pipe meanwhile. */
    public static int lookAt(String name) {
        Libc.Result result = Libc.open(name, Native.O_NONBLOCK() | Native.O_NOCTTY());
        if (result.failed()) {
            throw new LabyrinthException.MapRefused("file=" + name + " cannot be looked at: " + reason(result)
                    + ": give the file of a shared labyrinth that this user may read (sharedPath() names it)");
        }
        return (int) result.value();
    }

    private static String reason(Libc.Result result) {
        return result.errno() == Native.ENOENT() ? "no such file" : result.errno() == Native.EACCES()
                ? "permission denied" : "errno=" + result.error();
    }

    public static void mapToRead(Mapping mapping, int fd, String name) {
        Libc.Result result = mapping.ofFile(fd, false);
        if (result.failed()) {
            throw new LabyrinthException.MapRefused("file=" + name + " cannot be looked at: requested="
                    + Machine.bytes(mapping.bytes()) + " errno=" + result.error() + " " + Machine.addressSpace()
                    + ": raise the limit (ulimit -v, vm.max_map_count)");
        }
    }

    // ------------------------------------------------------------------------------------------------ room

    /**
     * Refuses if the file system has not enough free bytes. It is called before a byte is taken: even a short time with
     * a full file system would make other processes fail.
     */
    static void requireRoom(int fd, String name, long bytes) {
        long[] room = Libc.room(fd);
        if (room[0] != 0 && bytes > room[1]) {
            throw noRoom(fd, name, bytes, Native.ENOSPC());
        }
    }

    /**
     * The bytes of the file that have no memory yet. SEEK_HOLE cannot tell them: it takes a page that is reserved and
     * was never touched for a hole.
     */
    public static long missing(int fd, long bytes) {
        Libc.Result there = Libc.allocated(fd);
        return Math.max(0, bytes - (there.failed() ? 0 : there.value()));
    }

    /**
     * Makes the file system reserve the whole file, or nothing. If it cannot (because of a filter or an older kernel),
     * the pages are reserved when they are touched. A call that a signal interrupts reserves nothing, so the next calls
     * ask for less. If there is no room after that, a part may stay reserved until the file is removed.
     */
    static void reserve(int fd, String name, long bytes) {
        long most = bytes;
        long from = 0;
        while (from < bytes) {
            long length = Math.min(most, bytes - from);
            Libc.Result result = Libc.reserve(fd, from, length);
            int errno = result.failed() ? result.errno() : 0;
            if (errno == 0) {
                from += length;
                most = 2 * most;
            } else if (errno == Native.EINTR()) {
                most = Math.max(Libc.pageSize(), length / 2 / Libc.pageSize() * Libc.pageSize());
            } else if (errno == Native.ENOSYS() || errno == Native.EOPNOTSUPP() || errno == Native.EINVAL()
                    || errno == Native.EPERM()) {
                return;
            } else {
                throw noRoom(fd, name, bytes, errno);
            }
        }
    }

    private static LabyrinthException noRoom(int fd, String name, long bytes, int errno) {
        long[] room = Libc.room(fd);
        return new LabyrinthException.MapRefused("file=" + name + " requested=" + Machine.bytes(bytes)
                + (room[0] == 0 ? " " + Machine.memory() : " mount=" + mount(name) + " size=" + Machine.bytes(room[0])
                        + " free=" + Machine.bytes(room[1])) + " errno=" + Libc.describe(errno)
                + (room[0] == 0 ? ": ask for fewer frames, or give the machine or its cgroup (memory.max) more"
                : ": ask for fewer frames, remove what is there, or make the mount larger (docker run --shm-size,"
                        + " Kubernetes emptyDir.sizeLimit with medium: Memory, mount -o remount,size=)"));
    }

    private static String mount(String name) {
        try {
            return Files.getFileStore(Path.of(name)).toString();
        } catch (IOException | SecurityException e) {
            return "?";
        }
    }

    // ------------------------------------------------------------------------------------------------ refusals

    static int checked(Libc.Result result, String verb, String name) {
        if (result.failed()) {
            throw new LabyrinthException.MapRefused("file=" + name + " cannot " + verb + ": errno=" + result.error()
                    + ": " + remedy(name, result.errno()));
        }
        return (int) result.value();
    }

    private static String remedy(String name, int errno) {
        if (name.startsWith("memfd:") && (errno == Native.ENOSYS() || errno == Native.EPERM())) {
            return "there is no memfd_create here (Linux 3.17, and a sandbox that allows it); share it by a file below"
                    + " /dev/shm";
        } else if (errno == Native.EEXIST()) {
            return "there is a file of this name already; attach to it, if it is a shared labyrinth, or choose another";
        } else if (errno == Native.ENOENT()) {
            return "there is no such file or folder; a labyrinth's file is made by the process that opens it with"
                    + " shared(path), so open it there first, and give the path that sharedPath() returns";
        } else if (errno == Native.EFBIG()) {
            return "the file would be too large: raise the limit (ulimit -f), or ask for fewer frames";
        }
        return "a shared labyrinth needs a file of its own that this user may read and write, on a memory file system"
                + " (/dev/shm)";
    }
}
