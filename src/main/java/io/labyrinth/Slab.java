package io.labyrinth;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_page;
import io.labyrinth.internal.os.Living;
import io.labyrinth.internal.os.Machine;
import io.labyrinth.internal.os.Mapping;
import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.GfpFlags;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Refusals;
import io.labyrinth.internal.pagemap.Zone;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Objects of one size, smaller than a page, in frames of a labyrinth: {@link Labyrinth#slab}. It is to objects what
 * {@link Handles} is to frames, and keeps the same rules: one owner, a stale handle is refused, a double free is always
 * found, EXCLUSIVE is enforced at each access, no heap allocation, no system call, no waiting. A handle is never 0.
 *
 * {@snippet :
 * try (Labyrinth labyrinth = Labyrinth.builder("nodes").frames(1024).open(); Slab nodes = labyrinth.slab(64)) {
 *     long node = nodes.alloc(Gfp.ATOMIC_EXCLUSIVE);      // 0 at once if nothing is free
 *     if (node != 0) {
 *         nodes.putLong(node, 56, 42L);                   // this thread's alone, and refused from the free on
 *         System.out.println(nodes.getLong(node, 56));    // 42
 *         nodes.free(node);
 *     }
 * }
 * }
 *
 * <p>A slab begins without a frame. It takes a frame when it has no free object left. It keeps the frame until
 * {@link #shrink}, {@link #close}, or the labyrinth's close. Objects are aligned to 16 bytes; objects of 32, 64 ...
 * 2,048 bytes are aligned to their size. An object holds what its last owner left, unless the request has
 * {@link Gfp#ZERO}.
 *
 * <p><b>Threads.</b> Any thread may call any method at any time. Allocation is lock-free. Freeing an EXCLUSIVE object
 * is wait-free.
 *
 * <p>A handle is good in its own slab alone. Another slab, or {@link Handles}, refuses it with great probability:
 * generations begin at random, so one handle in 2^32 matches.
 */
public final class Slab extends RawAllocator implements AutoCloseable {

    /*
     * A slab is a small labyrinth within the labyrinth. It has a page map of its own, with one word and one owner for
     * each object instead of each frame, and a zone that walks it. So the code that keeps a rule for frames keeps it
     * for objects, and a pair costs what a frame pair costs.
     *
     * The words do not lie in the frames. They have memory of their own, which is mapped as long as this object can be
     * reached. So a stale handle is compared with a word, and never with what a frame's next owner has written. A word
     * keeps its generation while its frame is away, so no generation comes twice. When the slab or the labyrinth
     * closes, that memory is given back and reads as zeros, and no handle is good any more.
     *
     * The raw face checks word and owner at each access. The object face checks them when the object ends; until then
     * its segment is confined, as a Frame's is. That is cheaper if C2 sees all of an object's life.
     */

    /**
     * The words of a slab whose user names no limit: the most that need no spans. Spans cost one more store in each
     * free, and with them C2 does not inline a pair twice: see lost-designs, "slab".
     */
    private static final int DEFAULT_WORDS = Native.LABYRINTH_MAX_SPANS() << Native.LABYRINTH_GROUP_ORDER();

    private static final Logger LOG = LoggerFactory.getLogger(Slab.class);
    /** How often the labyrinth's close looks whether another thread has finished its shrink. */
    private static final int PATIENCE = 10_000;

    private static final int SMALLEST = 16;
    private static final int LARGEST = 2048;

    private final Slabs slabs;
    private final Region.More words;
    private final PageMapScan scan;
    private final SlabPages pages;
    private final long bytes;
    // Fields of `pages`, held here too: one load less from a handle to its object. See lost-designs, "slab".
    private final long[] addresses;
    private final int shift;

    private Slab(Allocator labyrinth, Slabs slabs, Region.More words, PageMap map, int bytes) {
        super(labyrinth.name, map, new Zone(map, Runtime.getRuntime().availableProcessors()), labyrinth.region,
                labyrinth.samples == null ? null : labyrinth.samples.ofAsMany(map.frames));
        this.slabs = slabs;
        this.words = words;
        this.scan = new PageMapScan(map);
        this.pages = new SlabPages(labyrinth, map, bytes);
        this.bytes = bytes;
        this.addresses = pages.addresses;
        this.shift = pages.shift;
        watch(false);
    }

    static Slab open(Allocator labyrinth, Slabs slabs, int size) {
        int perFrame = SlabPages.perFrame(labyrinth, bytes(size));
        return open(labyrinth, slabs, size, (DEFAULT_WORDS >> SlabPages.shift(perFrame)) * perFrame);
    }

    private static int bytes(int size) {
        if (size < SMALLEST || size > LARGEST) {
            throw new LabyrinthException.InvalidRequest("size=" + size + " limit=" + LARGEST
                    + ": an object of a slab has " + SMALLEST + " to " + LARGEST + " bytes; allocate a frame for more");
        }
        return (size + SMALLEST - 1) / SMALLEST * SMALLEST;
    }

    static Slab open(Allocator labyrinth, Slabs slabs, int size, int objects) {
        int bytes = bytes(size);
        if (objects < 1) {
            throw new LabyrinthException.InvalidRequest("objects=" + objects + " limit=1: ask for at least 1");
        }
        int perFrame = SlabPages.perFrame(labyrinth, bytes);
        int shift = SlabPages.shift(perFrame);
        int pages = Math.min((objects - 1) / perFrame + 1, labyrinth.map.frames);
        if ((long) pages << shift > Native.LABYRINTH_MAX_FRAMES()) {
            throw new LabyrinthException.InvalidRequest("objects=" + objects + " size=" + size + " limit="
                    + (Native.LABYRINTH_MAX_FRAMES() >> shift) * perFrame + ": ask for fewer, or for several slabs");
        }
        int words = pages << shift;
        try {
            return open(labyrinth, slabs, bytes, words, labyrinth.region.more("slab of " + labyrinth.name,
                    Geometry.bytesFor(words)));
        } catch (OutOfMemoryError e) {
            throw Machine.heapTooSmall(e, Geometry.heapBytesFor(words), "slab of ", labyrinth.name, " size=", size,
                    " objects=", objects);
        }
    }

    private static Slab open(Allocator labyrinth, Slabs slabs, int bytes, int words, Region.More more) {
        try {
            long first = PageWord.first(1 + ThreadLocalRandom.current().nextLong(1L << 32), PageWord.QUARANTINED, 0);
            for (int object = 0; object < words; object++) {
                more.memory.set(ValueLayout.JAVA_LONG, object * labyrinth_page.sizeof() + labyrinth_page.word$offset(),
                        first);
            }
            return new Slab(labyrinth, slabs, more, new PageMap(more.memory, words, 0), bytes);
        } catch (Throwable e) {
            labyrinth.region.discard(more);
            throw e;
        }
    }

    /** While the labyrinth closes, each claim asks whether it has. */
    void watch(boolean closing) {
        zone.slowPath = closing || samples != null;
    }

    /**
     * Called when the slab or its labyrinth has closed, and again only if the system refused. A request that is under
     * way may still write a word that says FREE: see {@link Allocator}.
     */
    void end() {
        region.giveBack(words);
        slabs.remove(this);
    }

    /** For a slab that no caller has seen. */
    void discard() {
        region.discard(words);
    }

    /** Size of an object in bytes. */
    public int objectBytes() {
        return (int) bytes;
    }

    /** Most objects that can be out at once, if the labyrinth has the frames. */
    public int objects() {
        return pages.count() * pages.perFrame;
    }

    /** Frames that the slab has taken from the labyrinth and not freed. */
    public int frames() {
        return pages.taken();
    }

    /** Objects that are out. Looks at every word; exact at rest. */
    public int out() {
        return pass(() -> scan.out().size());
    }

    private <T extends @Nullable Object> T pass(Supplier<T> overAllWords) {
        try {
            map.orphans.mend(map);
            return overAllWords.get();
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Allocates an object for the calling thread; with {@link Gfp#EXCLUSIVE} for this thread alone. The other flags
     * matter only if the slab needs one more frame: they say whether it may use the reserve, and how far to look.
     * Lock-free. It looks at as many words as {@link Labyrinth#allocPages} with NOWAIT would if objects were frames,
     * and then at as many as a request for one frame does.
     *
     * @return the handle; 0 if there is no free object, and no frame for more objects. With no other thread at work, it
     *         is 0 only if the slab is as large as it may be, or the labyrinth gives {@code null}
     * @throws LabyrinthException.Closed if the slab or the labyrinth is closed
     */
    public long alloc(Gfp gfp) {
        return claim(gfp.bits(), 0, Thread.currentThread());
    }

    /**
     * {@link #alloc}, with a Java object instead of a handle, and {@code null} instead of 0. Only that object can end
     * an EXCLUSIVE one, because its segment has to die with it. Escape analysis removes it if it does not escape.
     */
    public @Nullable SlabObject allocObject(Gfp gfp) {
        Thread me = Thread.currentThread();
        int bits = gfp.bits();
        boolean exclusive = GfpFlags.isExclusive(bits);
        SlabObject object = new SlabObject(this, exclusive ? me : null);
        long handle = claim(exclusive ? bits | GfpFlags.FRAMED : bits, 0, me);
        if (handle == 0) {
            return null;
        }
        object.handle = handle;
        return object;
    }

    // ------------------------------------------------------------------------------------------------ hooks

    @Override
    String withSegment() {
        return "allocObject";
    }

    @Override
    long byteSize(int order) {
        return bytes;
    }

    @Override
    long offset(long handle, String verb) {
        int object = PageWord.pfn(handle);
        long base = addresses[object >> shift];
        if (base == 0) {    // another thread has just freed it
            throw told(Refusals.stale(verb, handle, map.lvWord(object)));
        }
        return base + object * bytes - region.address(0);
    }

    @Override
    MemorySegment segment(long handle, int order) {
        return region.frames.asSlice(offset(handle, "segment"), bytes);
    }

    /** Only for an object that the caller owns, so its frame is there. */
    @Override
    MemorySegment segment(long handle, int order, Arena arena) {
        int object = PageWord.pfn(handle);
        return Mapping.segment(addresses[object >> shift] + object * bytes, bytes, arena);
    }

    /** Without a segment, because that would be an object on the heap. */
    @Override
    void zero(long handle, int order) {
        long at = offset(handle, "zeroing");
        for (long end = at + bytes; at < end; at += Long.BYTES) {
            region.frames.set(ValueLayout.JAVA_LONG_UNALIGNED, at, 0L);
        }
    }

    /** A sprint may pass over free objects, and the slab would then take a frame. */
    @Override
    int searched(int gfp) {
        return gfp & ~GfpFlags.SPRINT;
    }

    @Override
    long claimMore(int gfp, Thread me) {
        if (pages.isClosed()) {
            throw closed();
        }
        return pages.grow(gfp, me);
    }

    /** Flight recordings have events for frames only. */
    @Override
    long acceptAndTell(long ticket, Thread me, long flags) {
        return map.accept(ticket, me, flags);
    }

    /** The words stay for a while after the labyrinth has closed, so they do not show the close. */
    @Override
    long checked(long handle, String verb, Thread me) {
        if (zone.slowPath) {
            checkOpen();
        }
        return super.checked(handle, verb, me);
    }

    /** Turns a refusal of a frame into a refusal of an object. */
    @Override
    LabyrinthException told(LabyrinthException refusal) {
        checkOpen();
        if (pages.isClosed()) {
            return closed();
        }
        String message = this + ", pfn is the object's number: " + refusal.getMessage();
        if (refusal instanceof LabyrinthException.Stale) {
            return new LabyrinthException.Stale(message);
        } else if (refusal instanceof LabyrinthException.NotOwner) {
            return new LabyrinthException.NotOwner(message);
        }
        return refusal instanceof LabyrinthException.Foreign ? new LabyrinthException.Foreign(message)
                : new LabyrinthException.InvalidRequest(this + ": it was allocated as an object, whose segment must die"
                + " with it, or as a handle, and has to be ended as that");
    }

    private LabyrinthException.Closed closed() {
        return new LabyrinthException.Closed(this + " is closed: all that it handed out has ended");
    }

    /**
     * Frees the frames of which no object is out. Looks at every object. While it does, requests of other threads may
     * find nothing free.
     *
     * @return the number of frames freed; -1 if it did nothing, because another thread shrinks or closes the slab
     * @throws LabyrinthException.Closed if the labyrinth is closed
     */
    public int shrink() {
        checkOpen();
        return pass(pages::shrink);
    }

    /**
     * For a labyrinth that closes. Waits a while for another thread that shrinks the slab. If somebody else has freed a
     * frame of the slab by its handle, logs that and leaves the slab's frames out.
     */
    void shrinkAtLast() {
        try {
            for (int tries = 0; shrink() < 0 && tries < PATIENCE; tries++) {
                Thread.yield();
            }
        } catch (LabyrinthException.Stale notItsOwn) {
            LOG.warn("{}: somebody else has freed one of its frames: {}", this, notItsOwn.getMessage());
        }
    }

    /**
     * Frees EXCLUSIVE objects whose owner thread has ended, as {@link Labyrinth#sweepDeadOwners} does for frames.
     *
     * @return the number of objects freed
     */
    public int sweepDeadOwners() {
        checkOpen();
        return pass(() -> scan.sweep(Living::endedOf));
    }

    /**
     * Checks every invariant of a slab at rest: those of its words, and that each object stands on a frame.
     *
     * @throws AssertionError that names the first violation
     */
    public void validate() {
        checkOpen();
        String violation = violation();
        if (violation != null) {
            throw new AssertionError(violation);
        }
    }

    /** The first violation; null if there is none, or if the slab has closed. */
    @Nullable String violation() {
        if (pages.isClosed()) {
            return null;
        }
        return pass(() -> {
            String violation = scan.violation();
            if (violation == null) {
                violation = pages.violation();
            }
            return violation == null ? null : this + " " + violation;
        });
    }

    /**
     * The owners and what each holds, as {@link Labyrinth#owners} reports for frames. Here a run or a frame is an
     * object, and a pfn is its number. (For a slab's frames, the labyrinth reports the thread whose request took them.)
     */
    public List<Owner> owners() {
        checkOpen();
        return pass(() -> Owner.of(scan.out(), map, samples));
    }

    /** What keeps the slab's frames out, with a line for each sampled place; empty if the slab has no frames. */
    String describeFrames() {
        int frames = frames();
        return frames == 0 ? "" : this + " frames=" + frames + ": free its objects, or sweepDeadOwners() of the slab if"
                + " their owners have ended: " + describeOut(scan.out());
    }

    private String describeOut(List<PageMapScan.Seen> out) {
        String text = out.isEmpty() ? "none is out now" : scan.describeOut(out) + Owner.places(out, map, samples);
        return text.replaceAll("runs=(\\d+) frames=\\d+", "objects=$1").replace(" pfn=", " number=");
    }

    /**
     * Frees all frames of the slab. Refused while objects or tickets are out, or while another thread shrinks or closes
     * the slab; then the slab stays good. Calls the system, to unmap the objects' words. Closing a closed slab does
     * nothing. After {@code CloseRefused} the next close goes on where this one stopped.
     *
     * @throws LabyrinthException.FramesOut    if it is refused for these reasons; the message says who holds what
     * @throws LabyrinthException.CloseRefused if the system did not take the memory of the words back, or the heap is
     *                                         full: close it again, or leave that to the labyrinth's close
     */
    @Override
    public void close() {
        try {
            if (!pages.isClosed()) {
                closePages();
            }
            end();
        } catch (OutOfMemoryError e) {
            throw Machine.heapFull("slab of ".concat(name), !pages.isClosed(), e);
        }
    }

    private void closePages() {
        checkOpen();
        map.orphans.mend(map);
        int stayed = pages.close();
        if (stayed < 0) {
            throw new LabyrinthException.FramesOut(this + " cannot close: another thread shrinks or closes it; try"
                    + " again");
        } else if (stayed > 0) {
            throw new LabyrinthException.FramesOut(this + " cannot close: free them, or sweepDeadOwners() if their"
                    + " owners have ended: " + describeOut(scan.out()));
        }
    }

    @Override
    public String toString() {
        return "slab size=" + bytes + " labyrinth=" + name;
    }
}
