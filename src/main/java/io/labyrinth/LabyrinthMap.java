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
 * What a labyrinth looked like: all its runs in pfn order, in one pass over the page words. Immutable. Exact for a
 * labyrinth at rest; otherwise each run is as it was at some moment of the pass, and together they still tile it.
 *
 * <p>20 bytes for each run. A look takes no step that anybody else could notice.
 */
public final class LabyrinthMap {

    /** At most: while it grows, an array is there twice. */
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

    /** What a run can be. */
    public enum State {
        /** Anybody's who asks, or, in the reserve, any HIGH request's. */
        FREE,
        /** It has an owner. */
        CLAIMED,
        /** Its ticket is out. */
        IN_TRANSIT,
        /** Out of use for good. */
        QUARANTINED,
        /** One frame of a run that was being split or joined while the pass came by. */
        CHANGING
    }

    /**
     * 2^order adjacent frames, in one state.
     *
     * @param pfn        of the first
     * @param order      0 to 10
     * @param exclusive  only its owner may touch, free or pass it on
     * @param tenant     the process: 1 in a private labyrinth; 0 while nobody has it
     * @param owner      id of the thread that claimed it; 0 while nobody has it, or the claimer has not yet signed
     * @param virtual    whether that is a virtual thread
     * @param generation of the first frame: the life that it is in
     * @param livesEnded of the first frame, since the labyrinth opened: by a free, a hand-over or a sweep each
     */
    public record Run(int pfn, int order, State state, boolean exclusive, int tenant, long owner, boolean virtual,
            long generation, long livesEnded) {

        /** How many. */
        public int frames() {
            return 1 << order;
        }

        /** Whether somebody has it, or its ticket. */
        public boolean isOut() {
            return state == State.CLAIMED || state == State.IN_TRANSIT;
        }
    }

    /**
     * A process that has a shared labyrinth open, or had when it died and was not swept yet, as it wrote of itself.
     *
     * @param number as in {@link Run#tenant}
     * @param pid    in its own namespace
     * @param since  milliseconds since the epoch
     * @param alive  false of one that has died: the next {@link Labyrinth#sweepDeadOwners} returns what it had
     */
    public record Tenant(int number, long pid, long since, boolean alive) {
    }

    /** @param tenants of a shared labyrinth */
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
     * A look at a shared labyrinth from outside: it takes no tenant's slot, locks nothing, writes nothing, and needs no
     * more than the right to read. Maps the page map for the time of the call.
     *
     * @param path of its file, or {@code /proc/PID/fd/N} of its memfd: {@link Labyrinth#sharedPath}
     * @throws LabyrinthException.NotALabyrinth  if the file is none, or not complete, or damaged
     * @throws LabyrinthException.InvalidRequest if the path is of a file system that is not the kernel's
     * @throws LabyrinthException.MapRefused     if it cannot be opened or mapped, the heap has no room for what is
     *                                           seen, or the kernel cannot say who lives
     */
    public static LabyrinthMap of(Path path) {
        Machine.requireNativeAccess();
        String name = MemoryFile.requireDefault(path).toString();
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new LabyrinthException.NotALabyrinth("file=" + name + " is no regular file: give that of a shared"
                    + " labyrinth (sharedPath() names it)");
        }
        // By system calls, as a channel is closed by an interrupt that the caller has pending.
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
            // Nothing is claimed through it, so it has no part on the heap.
            PageMap map = new PageMap(memory.asSlice(header.pageMapOffset()), header.frames(), header.reserve(),
                    PageWord.TENANT, new Thread[0], new Orphans(0));
            return new LabyrinthMap(header.name(), map, header.pageSize(), header.firstGeneration(),
                    Header.tenants(memory, header, number -> SharedFile.isLocked(fd, name, number)));
        } finally {
            mapping.run();
        }
    }

    /** By which a pass goes on; where the run was changing, by one frame. */
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
     * Counts, by order, the runs that could be had from each stretch of adjacent free frames: free runs are joined when
     * that is asked for, so it does not matter how they lie.
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

    /** As it was given to the builder; in a shared labyrinth, by the process that created it. */
    public String name() {
        return name;
    }

    /** In all. */
    public int frames() {
        return frames;
    }

    /** The last so many frames are the reserve. */
    public int reserve() {
        return reserve;
    }

    /** Bytes. */
    public long frameSize() {
        return frameSize;
    }

    /** Who has a shared labyrinth open, or had when it died; empty where it is not shared. */
    public List<Tenant> tenants() {
        return tenants;
    }

    /** All runs in pfn order. Each is made anew when it is asked for. */
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

    /** Free frames that ordinary requests can have: those of the reserve not counted. */
    public int free() {
        return free;
    }

    /** How many runs of this order ordinary requests could have, one after the other, free runs joined as they ask. */
    public int available(int order) {
        PageWord.checkOrder(order);
        return available[order];
    }

    /** The largest order that an ordinary request could have; -1 if nothing is free. */
    public int largestOrder() {
        int order = PageWord.MAX_ORDER;
        while (order >= 0 && available[order] == 0) {
            order--;
        }
        return order;
    }

    /**
     * The share of the free frames that is of no use to a request of this order, as it lies in pieces that are too
     * small: the kernel's unusable free space index. 0: all of it can be had; 1: none, or nothing is free.
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
