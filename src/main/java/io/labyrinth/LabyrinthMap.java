package io.labyrinth;

import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.os.Mapping;
import io.labyrinth.internal.os.MemoryFile;
import io.labyrinth.internal.os.SharedFile;
import io.labyrinth.internal.os.Tenancy;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;

/**
 * What a labyrinth looked like: all its runs in the order of pfns, read in one pass over the page words. Immutable.
 * Exact for a labyrinth at rest. Otherwise each run is as it was at some moment of the pass, and the runs still tile
 * the labyrinth.
 *
 * <p>Takes 20 bytes of heap for each run. The pass writes nothing, so no other thread notices it.
 */
public final class LabyrinthMap {

    /** Most bytes of heap for one run: while an array grows, the old and the new one exist. */
    private static final long BYTES_OF_RUN = 2L * (Integer.BYTES + Long.BYTES + Long.BYTES);

    private final String name;
    private final int frames;
    private final int reserve;
    private final long frameSize;
    private final long firstGeneration;
    private final int[] pfns;
    private final long[] words;
    private final long[] owners;
    private final List<Tenant> tenants;
    private final int[] available = new int[PageWord.MAX_ORDER + 1];
    private final int free;

    /** The states of a run. */
    public enum State {
        /** Any request may claim it, or, in the reserve, any HIGH request. */
        FREE,
        /** It has an owner. */
        CLAIMED,
        /** Its ticket is out. */
        IN_TRANSIT,
        /** Out of use: its generations are used up, or the labyrinth is closing. */
        QUARANTINED,
        /** One frame of a run that another thread was splitting or joining during the pass. */
        CHANGING
    }

    /**
     * 2^order adjacent frames, in one state.
     *
     * @param pfn        number of the first frame
     * @param order      0 to 10
     * @param exclusive  whether only its owner may touch, free or hand it off
     * @param tenant     the process: 1 in a private labyrinth; 0 if nobody has the run
     * @param owner      id of the thread that claimed the run; 0 if nobody has it, or if the claimer has not signed yet
     * @param virtual    whether the owner is a virtual thread
     * @param generation number of the life that the first frame is in
     * @param livesEnded lives of the first frame that have ended since the labyrinth opened: each by a free, a
     *                   hand-over or a sweep
     */
    public record Run(int pfn, int order, State state, boolean exclusive, int tenant, long owner, boolean virtual,
            long generation, long livesEnded) {

        /** Number of frames. */
        public int frames() {
            return 1 << order;
        }

        /** Whether somebody has the run or its ticket. */
        public boolean isOut() {
            return state == State.CLAIMED || state == State.IN_TRANSIT;
        }
    }

    /**
     * A process that has a shared labyrinth open, or that had it open when it died and is not swept yet. Pid and time
     * are as the process itself wrote them.
     *
     * @param number the same number as in {@link Run#tenant}
     * @param pid    pid in the process's own pid namespace
     * @param since  time of its attach or creation, in milliseconds since the epoch
     * @param alive  false if it has died: then the next {@link Labyrinth#sweepDeadOwners} frees what it had
     */
    public record Tenant(int number, long pid, long since, boolean alive) {
    }

    /** @param tenants the tenants of a shared labyrinth; empty for a private one */
    LabyrinthMap(String name, PageMap map, long frameSize, long firstGeneration, List<Tenancy.Tenant> tenants) {
        this.name = name;
        this.frames = map.frames;
        this.reserve = map.frames - map.ordinary;
        this.frameSize = frameSize;
        this.firstGeneration = firstGeneration;
        this.tenants = tenants.stream()
                .map(tenant -> new Tenant(tenant.number(), tenant.pid(), tenant.since(), tenant.alive())).toList();
        int[] foundPfns = new int[Math.min(map.frames, 1024)];
        long[] foundWords = new long[foundPfns.length];
        long[] foundOwners = new long[foundPfns.length];
        int count = 0;
        for (int pfn = 0; pfn < map.frames; count++) {
            if (count == foundPfns.length) {
                int more = Math.min(map.frames, count * 2);
                foundPfns = Arrays.copyOf(foundPfns, more);
                foundWords = Arrays.copyOf(foundWords, more);
                foundOwners = Arrays.copyOf(foundOwners, more);
            }
            long word = map.lvWord(pfn);
            foundPfns[count] = pfn;
            foundWords[count] = word;
            foundOwners[count] = map.lvOwner(pfn);
            pfn += framesSeen(pfn, word);
        }
        this.pfns = Arrays.copyOf(foundPfns, count);
        this.words = Arrays.copyOf(foundWords, count);
        this.owners = Arrays.copyOf(foundOwners, count);
        this.free = countFree(map.ordinary);
    }

    /**
     * Looks at a shared labyrinth from outside. It takes no tenant's slot, locks nothing, writes nothing, and needs
     * only the right to read. Calls the system; the page map is mapped during the call.
     *
     * @param path path of the file, or {@code /proc/PID/fd/N} of the memfd: see {@link Labyrinth#sharedPath}
     * @throws LabyrinthException.NotALabyrinth  if the file is not a labyrinth, is not complete, or is damaged
     * @throws LabyrinthException.InvalidRequest if the path is not of the default file system provider
     * @throws LabyrinthException.MapRefused     if the file cannot be opened or mapped, if the heap has no room for the
     *                                           map, or if the kernel cannot say who is alive
     */
    public static LabyrinthMap of(Path path) {
        Machine.requireNativeAccess();
        String name = MemoryFile.requireDefault(path).toString();
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new LabyrinthException.NotALabyrinth("file=" + name + " is no regular file: give the file of a shared"
                    + " labyrinth (sharedPath() names it)");
        }
        // By system calls, not by a channel: an interrupt that the caller has pending would close a channel.
        int fd = MemoryFile.lookAt(name);
        int frames = 0;
        try {
            Header header = Header.read(name, fd);
            frames = header.frames();
            header.checkLength(name, MemoryFile.length(fd, name));
            return look(header, fd, name);
        } catch (OutOfMemoryError e) {
            throw Machine.heapTooSmall(e, frames * BYTES_OF_RUN, "a look at file=", name, " frames=",
                    frames == 0 ? "?" : frames);
        } finally {
            Libc.close(fd);
        }
    }

    private static LabyrinthMap look(Header header, int fd, String name) {
        Mapping mapping = new Mapping(header.name(), header.framesOffset());
        try {
            MemoryFile.mapToRead(mapping, fd, name);
            MemorySegment memory = Mapping.segment(mapping.address(), mapping.bytes());
            header.checkMapped(name, memory.address());
            // Nothing is claimed through this map, so it needs no part on the heap.
            PageMap map = new PageMap(memory.asSlice(header.pageMapOffset()), header.frames(), header.reserve(),
                    PageWord.TENANT, new Thread[0], new Orphans(0));
            return new LabyrinthMap(header.name(), map, header.pageSize(), header.firstGeneration(),
                    Header.tenants(memory, header, number -> SharedFile.isLocked(fd, name, number)));
        } finally {
            mapping.run();
        }
    }

    /** How many frames the pass goes on; 1 in a run that is changing. */
    private int framesSeen(int pfn, long word) {
        return stateOf(pfn, word) == State.CHANGING ? 1 : PageWord.frames(word);
    }

    private State stateOf(int pfn, long word) {
        int state = PageWord.state(word);
        if (state == PageWord.TAIL || PageWord.order(word) > PageWord.MAX_ORDER
                || pfn + PageWord.frames(word) > frames) {
            return State.CHANGING;
        }
        if (state == PageWord.FREE) {
            return State.FREE;
        } else if (state == PageWord.HEAD) {
            return State.CLAIMED;
        } else if (state == PageWord.IN_TRANSIT) {
            return State.IN_TRANSIT;
        }
        return state == PageWord.QUARANTINED ? State.QUARANTINED : State.CHANGING;
    }

    /**
     * Counts, for each order, the runs that each stretch of adjacent free frames holds. A request joins free runs when
     * it needs to, so it does not matter into which runs a stretch is divided.
     */
    private int countFree(int ordinary) {
        int count = 0;
        int from = 0;
        int end = 0;
        for (int i = 0; i < pfns.length && pfns[i] < ordinary; i++) {
            if (PageWord.isFree(words[i])) {
                if (pfns[i] != end) {
                    addStretch(from, end);
                    from = pfns[i];
                }
                end = Math.min(ordinary, pfns[i] + framesSeen(pfns[i], words[i]));
                count += end - pfns[i];
            }
        }
        addStretch(from, end);
        return count;
    }

    private void addStretch(int from, int end) {
        for (int order = 0; order < available.length; order++) {
            available[order] += Math.max(0, (end >> order) - (from + (1 << order) - 1 >> order));
        }
    }

    /** The name that was given to the builder; in a shared labyrinth, by the process that created it. */
    public String name() {
        return name;
    }

    /** Number of all frames, the reserve included. */
    public int frames() {
        return frames;
    }

    /** Number of frames in the reserve. They are the last frames. */
    public int reserve() {
        return reserve;
    }

    /** Size of a frame in bytes. */
    public long frameSize() {
        return frameSize;
    }

    /** The tenants of a shared labyrinth, also those that have died and are not swept; empty if it is not shared. */
    public List<Tenant> tenants() {
        return tenants;
    }

    /** All runs in the order of pfns. Each call of {@code get} makes a new {@link Run}. */
    public List<Run> runs() {
        return new Runs();
    }

    private final class Runs extends AbstractList<Run> implements RandomAccess {
        @Override
        public int size() {
            return pfns.length;
        }

        @Override
        public Run get(int index) {
            long word = words[index];
            long owner = owners[index];
            State state = stateOf(pfns[index], word);
            boolean out = state == State.CLAIMED || state == State.IN_TRANSIT;
            boolean signed = state == State.CLAIMED && PageWord.isSigned(word, owner);
            return new Run(pfns[index], state == State.CHANGING ? 0 : PageWord.order(word), state,
                    out && PageWord.isExclusive(word), out ? PageWord.tenantNumber(word) : 0,
                    signed ? PageWord.threadId(owner) : 0, signed && PageWord.isVirtual(owner),
                    PageWord.generation(word),
                    Math.max(0, PageWord.generation(word) - firstGeneration));
        }
    }

    /** Free frames outside the reserve. */
    public int free() {
        return free;
    }

    /** How many runs of this order requests without HIGH could get, one after the other; requests join free runs. */
    public int available(int order) {
        PageWord.checkOrder(order);
        return available[order];
    }

    /** The largest order that a request without HIGH could get; -1 if nothing is free. */
    public int largestOrder() {
        int order = PageWord.MAX_ORDER;
        while (order >= 0 && available[order] == 0) {
            order--;
        }
        return order;
    }

    /**
     * The share of the free frames that a request of this order cannot use, because the pieces are too small: the
     * kernel's unusable free space index. 0: all free frames can be used. 1: none can be used, or nothing is free.
     */
    public double unusable(int order) {
        PageWord.checkOrder(order);
        return free == 0 ? 1 : (free - ((long) available[order] << order)) / (double) free;
    }

    @Override
    public String toString() {
        return "labyrinth=" + name + " frames=" + frames + " runs=" + pfns.length + " free=" + free + " largestOrder="
                + largestOrder();
    }
}
