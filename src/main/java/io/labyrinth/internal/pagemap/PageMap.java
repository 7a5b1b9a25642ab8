package io.labyrinth.internal.pagemap;

import static io.labyrinth.internal.pagemap.PageWord.HEAD;
import static io.labyrinth.internal.pagemap.PageWord.IN_TRANSIT;
import static io.labyrinth.internal.pagemap.PageWord.QUARANTINED;
import static io.labyrinth.internal.pagemap.PageWord.TAIL;
import static java.lang.foreign.MemoryLayout.PathElement.groupElement;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_advice;
import io.labyrinth.bindings.labyrinth_page;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The page map: the table of page words, and every atomic step on it. The only file with {@link VarHandle}s.
 *
 * <p>The prefix of a name is the access mode, as in JCTools: {@code lv} acquire load, {@code so} release store,
 * {@code cas} compare-and-set.
 */
public final class PageMap {

    /*
     * Why one CAS is enough, for any order. The words tile the labyrinth with runs (native/labyrinth.h). A run's state
     * is in its head's word, and no decision depends on a TAIL. The thread that moves a head from FREE to HEAD has the
     * whole run: nobody else writes to any of its words until that thread writes FREE again. So a run of 2^10 frames
     * costs what a frame costs. Only its owner splits or joins a run, with release stores.
     *
     * At every instant of a split or a join, the run of the first head covers all that its owner holds, or the halves
     * are HEADs of their own. So a sweep that finds the owner gone can give back what it sees. (The rule: the first
     * head covers; a HEAD inside its run is a TAIL that was not written yet.)
     *
     * Why nothing is lost on the way: see Orphans. A claim makes what it returns before its CAS. Everything after the
     * CAS is in a try block. Its handler marks what is claimed by then, and makes no call.
     *
     * Why releases need no fence: see `labyrinth_advice` in the header. Why a release of an EXCLUSIVE run is a store:
     * only its owner may change the word, and the owner is one thread.
     *
     * Why the owner word has bits of the generation: a sweep may see the HEAD of a new claim before the new owner's id,
     * and the old id there could be the id of a dead thread. A virtual owner leaves virtualOwners before it releases: a
     * sweep that sees its id and no thread knows that the owner is leaving.
     */

    /**
     * Without withInvokeExactBehavior, whose check makes a frame pair too large for C2 to inline. All calls are in lv,
     * so and cas, in the exact types. See lost-designs, "pair", here and below.
     */
    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();
    /** Gets the address of the word, not of the owner: so one mask does for both. */
    private static final VarHandle OWNER = labyrinth_page.layout().varHandle(groupElement("owner"));

    /**
     * All memory, as one constant: an access is one instruction, and the only checks of bounds and life are the ones
     * that this class makes. C2 can inline a pair that goes through a constant segment.
     */
    @SuppressWarnings("restricted")
    private static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    /**
     * Every address is positive and a multiple of 8. With this mask the compiler knows that, and leaves out the
     * VarHandle's own checks; with those checks a handle pair is too large to be inlined.
     */
    private static final long ADDRESS = (1L << 62) - Long.BYTES;

    private static final long PAGE_BYTES = labyrinth_page.sizeof();
    private static final long WORD_AT = labyrinth_page.word$offset();
    private static final long ADVICE_BYTES = labyrinth_advice.sizeof();

    public static final int GROUP_ORDER = Native.LABYRINTH_GROUP_ORDER();

    /** The tenant that claims through this map, shifted to its place in the word. */
    final long tenant;
    public final int frames;
    /** Number of frames outside the reserve. The frames from this pfn on are the reserve. */
    public final int ordinary;
    public final int groups;
    /** log2 of the groups in a span; -1 if there are too few groups for spans. */
    public final int spanShift;
    public final int spans;

    /** Keeps the table mapped as long as this object is reachable, even if the labyrinth is closed. */
    private final MemorySegment table;
    private final long pages;
    private final long advice;

    /** Virtual owners. Only the object says whether it lives. Racy: written before the owner word, read after it. */
    public final @Nullable Thread[] virtualOwners;    // 4 bytes for each frame
    public final Orphans orphans;

    public PageMap(MemorySegment memory, int frames, int reserve) {
        this(memory, frames, reserve, PageWord.TENANT, new Thread[frames], new Orphans(frames));
    }

    /** Shares the heap part of another map of the same words. Memory: {@link Geometry#bytesFor}, 64-byte aligned. */
    public PageMap(MemorySegment memory, int frames, int reserve, long tenant, @Nullable Thread[] virtual,
            Orphans orphans) {
        this.tenant = tenant;
        this.frames = frames;
        this.ordinary = frames - reserve;
        Geometry geometry = Geometry.of(frames);
        this.groups = geometry.groups();
        this.spanShift = geometry.spanShift();
        this.spans = geometry.spans();
        this.table = memory.asSlice(0, geometry.bytes());
        this.pages = table.address();
        this.advice = pages + geometry.adviceOffset();
        this.virtualOwners = virtual;
        this.orphans = orphans;
    }

    /** Tiles the labyrinth with the largest free runs that fit. Before publication: no other thread looks yet. */
    public void tile(long generation) {
        int pfn = 0;
        while (pfn < frames) {
            int left = (pfn < ordinary ? ordinary : frames) - pfn;
            int order = Math.min(PageWord.MAX_ORDER, 31 - Integer.numberOfLeadingZeros(left));
            order = Math.min(order, Integer.numberOfTrailingZeros(pfn));    // 32 of 0
            for (int tail = pfn + 1; tail < pfn + (1 << order); tail++) {
                soWord(tail, PageWord.first(generation, TAIL, 0));
            }
            soWord(pfn, PageWord.first(generation, PageWord.FREE, order));
            advise(pfn);
            pfn += 1 << order;
        }
    }

    // ------------------------------------------------------------------------------------------------ single steps

    private long wordAt(int pfn) {
        return pages + pfn * PAGE_BYTES + WORD_AT & ADDRESS;
    }

    private long adviceAt(int index) {
        return advice + index * ADVICE_BYTES & ADDRESS;
    }

    public static long lv(long address) {
        return (long) WORD.getAcquire(MEMORY, address);
    }

    public static void so(long address, long value) {
        WORD.setRelease(MEMORY, address, value);
    }

    private static boolean cas(long address, long from, long to) {
        return WORD.compareAndSet(MEMORY, address, from, to);
    }

    public long lvWord(int pfn) {
        return lv(wordAt(pfn));
    }

    private void soWord(int pfn, long word) {
        so(wordAt(pfn), word);
    }

    private boolean casWord(int pfn, long from, long to) {
        return cas(wordAt(pfn), from, to);
    }

    public long lvOwner(int pfn) {
        return lvOwnerAt(wordAt(pfn));
    }

    private static long lvOwnerAt(long wordAt) {
        return (long) OWNER.getAcquire(MEMORY, wordAt);
    }

    private static void soOwnerAt(long wordAt, long owner) {
        OWNER.setRelease(MEMORY, wordAt, owner);
    }

    long lvAdvice(int index) {
        return lv(adviceAt(index));
    }

    boolean casAdvice(int index, long from, long to) {
        return cas(adviceAt(index), from, to);
    }

    // ------------------------------------------------------------------------------------------------ claim

    /**
     * Claims the run if it is free, of this order, and in the life that the hint names: one CAS. Wait-free.
     *
     * @param hint the handle that the claim makes; its pfn is within the labyrinth, and all else may be wrong
     */
    public boolean claimHinted(long hint, int order, long flags, Thread me) {
        long held = tenant == PageWord.TENANT ? flags | PageWord.TENANT : flags | tenant;    // see release
        return claim(PageWord.pfn(hint), PageWord.free(hint, order), held, me);
    }

    /** Claims a run of this order from the free run seen as {@code word}, of this order or larger. 0 if it was lost. */
    public long claimSeen(int pfn, long word, int order, long flags, Thread me) {
        if (PageWord.order(word) != order) {
            return claimAndSplit(pfn, word, order, flags | tenant, me);
        }
        long handle = PageWord.handle(word, pfn);
        return PageWord.fits(pfn, word, ordinary, frames) && claim(pfn, word, flags | tenant, me) ? handle : 0;
    }

    /** Claims the run whose head was seen as {@code word}, which is FREE. Wait-free. False if the word has changed. */
    private boolean claim(int pfn, long word, long held, Thread me) {
        long owner = PageWord.owner(me, word);
        long claimed = PageWord.claimed(word, held);
        long at = wordAt(pfn);
        if (!cas(at, word, claimed)) {
            return false;
        }
        try {
            own(pfn, at, claimed, owner, me);
        } catch (Throwable outOfStack) {
            orphans.marks[pfn] = (char) (Orphans.ORPHAN | claimed >>> Orphans.GENERATION_AT & Orphans.GENERATION);
            orphans.any = true;
            throw outOfStack;
        }
        return true;
    }

    /** Signs. A virtual thread is noted only for an EXCLUSIVE run: a sweep asks for it there, and leave removes it. */
    private void own(int pfn, long at, long head, long owner, Thread me) {
        if (me.isVirtual() && PageWord.isExclusive(head)) {
            virtualOwners[pfn] = me;
        }
        soOwnerAt(at, owner);
    }

    /**
     * Claims a run of this order at the start of the larger free run seen as {@code word}, and frees the rest of it.
     * Wait-free: one CAS, 4 stores for each halving.
     */
    private long claimAndSplit(int pfn, long word, int order, long held, Thread me) {
        long handle = PageWord.handle(word, pfn);
        long owner = PageWord.owner(me, word);
        long head = PageWord.claimed(word, held);
        if (!PageWord.fits(pfn, word, ordinary, frames) || !casWord(pfn, word, head)) {
            return 0;
        }
        long split = 0;
        int splitOff = pfn;    // the upper half instead, while it is a HEAD of its own
        try {
            while (PageWord.order(head) > order) {
                int half = PageWord.order(head) - 1;
                int upper = pfn + (1 << half);
                split = PageWord.splitOff(lvWord(upper), half, tenant);
                soWord(upper, split);
                head = PageWord.resized(head, half);
                soWord(pfn, head);
                splitOff = upper;
                soWord(upper, PageWord.unclaimed(split));
                splitOff = pfn;
                advise(upper);
            }
            own(pfn, wordAt(pfn), head, owner, me);
        } catch (Throwable outOfStack) {
            if (splitOff != pfn) {
                orphans.marks[splitOff] =
                        (char) (Orphans.ORPHAN | split >>> Orphans.GENERATION_AT & Orphans.GENERATION);
            }
            orphans.marks[pfn] = (char) (Orphans.ORPHAN | head >>> Orphans.GENERATION_AT & Orphans.GENERATION);
            orphans.any = true;
            throw outOfStack;
        }
        return handle;
    }

    /**
     * Claims the run of this order at {@code pfn} from smaller free runs: each of their heads by CAS, in ascending
     * order; all or none. Lock-free, at most 2^order CAS.
     *
     * @return the handle; 0 if one of its frames is not free or was lost to another thread: then all is as it was
     */
    public long claimAndJoin(int pfn, int order, long flags, Thread me) {
        int end = pfn + (1 << order);
        int from = pfn;
        int to = pfn;    // [from, to) is claimed: by heads of their own, each noted, or by the first head alone
        try {
            while (to < end) {
                long word = lvWord(to);
                int next = to + PageWord.frames(word);
                char note = Orphans.note(word);
                if (!PageWord.isFree(word) || next > end
                        || !casWord(to, word, PageWord.claimed(word, flags | tenant))) {
                    break;
                }
                orphans.marks[to] = note;
                to = next;
            }
            if (to < end) {    // rollback:
                while (from < to) {
                    int head = from;
                    long word = PageWord.unclaimed(lvWord(head));
                    int next = head + PageWord.frames(word);
                    soWord(head, word);
                    from = next;
                    advise(head);
                }
                return 0;
            }
            // From here the first head covers all; the others become TAILs in any order.
            long first = lvWord(pfn);
            soWord(pfn, PageWord.resized(first, order));
            to = pfn + 1;    // one mark is enough: the mender hides the heads
            hideHeads(pfn, end);
            long handle = PageWord.handle(first, pfn);
            own(pfn, wordAt(pfn), first, PageWord.owner(me, first), me);
            return handle;
        } catch (Throwable outOfStack) {
            while (from < to) {
                int note = orphans.marks[from];
                orphans.marks[from] = (char) (Orphans.ORPHAN | note);
                from += 1 << (note >> Orphans.ORDER_SHIFT);
            }
            orphans.any = true;
            throw outOfStack;
        }
    }

    /** HEADs after the first become its TAILs. Only for the owner of all frames from {@code pfn} to {@code end}. */
    void hideHeads(int pfn, int end) {
        for (int inner = pfn + 1; inner < end; inner++) {
            long word = lvWord(inner);
            if (PageWord.state(word) == HEAD) {
                soWord(inner, PageWord.joined(word));
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ give up

    /**
     * Frees the run: wait-free for an EXCLUSIVE run, one CAS otherwise.
     *
     * @param flags the flags that an EXCLUSIVE run must have been claimed with
     * @return whether the run is outside the reserve; so the caller need not compare again
     * @throws LabyrinthException if the handle does not name a live run, or if the run is EXCLUSIVE to another thread
     */
    public boolean release(long handle, Thread me, long flags) {
        boolean isOrdinary = PageWord.pfn(handle) < ordinary;
        int pfn = isOrdinary ? PageWord.pfn(handle) : inBounds(handle, "free");
        long at = wordAt(pfn);
        long word = lv(at);
        long held = flags | PageWord.TENANT;    // no shared tenant has this number; a constant is faster than the field
        if (PageWord.isLiveExclusive(word, handle, held)) {
            leave(pfn, at, handle, me, "free", PageWord.releasedExclusive(word, held));
        } else {
            releaseOther(pfn, at, word, handle, me, flags | tenant);
        }
        try {
            advise(pfn);
        } catch (Throwable outOfStack) {
            orphans.adviceLost = true;
            throw outOfStack;
        }
        return isOrdinary;
    }

    /** Out of line, because C2 must inline each close(): see lost-designs, "slabs". */
    private void releaseOther(int pfn, long at, long word, long handle, Thread me, long held) {
        if (PageWord.isLiveExclusive(word, handle, held)) {
            leave(pfn, at, handle, me, "free", PageWord.releasedExclusive(word, held));
        } else if (!PageWord.isLive(word, handle)) {
            throw Refusals.stale("free", handle, word);
        } else if (PageWord.isExclusive(word)) {
            throw Refusals.heldOtherwise("free", handle, word, tenant);
        } else {
            requireWithin(handle, word, "free");
            leaveShared(at, word, handle, "free", PageWord.released(word));
        }
    }

    /**
     * Ends this life of the run and puts the run in transit: wait-free for an EXCLUSIVE run, one CAS otherwise.
     *
     * @return the ticket: a handle of the next life
     */
    public long handOff(long handle, Thread me, long flags) {
        int pfn = inBounds(handle, "hand-over");
        long word = lvWord(pfn);
        if (!PageWord.isLive(word, handle)) {
            throw Refusals.stale("hand-over", handle, word);
        }
        if (PageWord.isLastGeneration(word)) {
            throw Refusals.stale("hand-over in the last generation: free it instead", handle, word);
        }
        long transit = PageWord.inTransit(word);
        long ticket = PageWord.handle(transit, pfn);
        if (PageWord.isLiveExclusive(word, handle, flags | tenant)) {
            leave(pfn, wordAt(pfn), handle, me, "hand-over", transit);
        } else if (PageWord.isExclusive(word)) {
            throw Refusals.heldOtherwise("hand-over", handle, word, tenant);
        } else {
            requireWithin(handle, word, "hand-over");
            leaveShared(wordAt(pfn), word, handle, "hand-over", transit);
        }
        return ticket;
    }

    /**
     * For any thread that knows the handle, once. A ticket is known before its accepter has signed. Until then it is no
     * handle: the late signature would overwrite that of the run's next owner, and that owner could not leave.
     */
    private void leaveShared(long at, long word, long handle, String verb, long target) {
        if (!PageWord.isSigned(word, lvOwnerAt(at))) {
            throw Refusals.notAccepted(verb, handle);
        }
        if (!cas(at, word, target)) {
            throw Refusals.stale(verb, handle, lv(at));
        }
    }

    /** The owner's last step. Nobody else may change the word, so a store is enough. */
    private void leave(int pfn, long at, long handle, Thread me, String verb, long target) {
        long owner = PageWord.owner(me, handle);
        long signed = lvOwnerAt(at);
        if (signed != owner) {
            throw Refusals.notOwner(verb, handle, signed, me);
        }
        if (me.isVirtual()) {
            leaveVirtually(pfn, me, target);
        } else {
            so(at, target);
        }
    }

    private void leaveVirtually(int pfn, Thread me, long target) {
        virtualOwners[pfn] = null;
        try {
            soWord(pfn, target);
        } catch (Throwable outOfStack) {
            virtualOwners[pfn] = me;
            throw outOfStack;
        }
    }

    /** The word of the run that the ticket is for. It keeps order and flags until the ticket is accepted. */
    public long inTransit(long ticket) {
        long word = lvWord(inBounds(ticket, "accept"));
        if (PageWord.state(word) != IN_TRANSIT || !PageWord.sameGeneration(word, ticket)) {
            throw Refusals.stale("accept", ticket, word);
        }
        requireWithin(ticket, word, "accept");
        return word;
    }

    /** Makes the thread the owner of a run in transit. Succeeds once; one CAS. */
    public long accept(long ticket, Thread me, long flags) {
        long word = inTransit(ticket);
        int pfn = PageWord.pfn(ticket);
        long owner = PageWord.owner(me, ticket);
        long head = PageWord.accepted(word, flags | tenant);
        if (!casWord(pfn, word, head)) {
            throw Refusals.stale("accept", ticket, lvWord(pfn));
        }
        try {
            own(pfn, wordAt(pfn), head, owner, me);
        } catch (Throwable outOfStack) {
            boolean good = false;
            try {
                good = casWord(pfn, head, word);    // the ticket is good again
            } finally {
                if (!good) {
                    orphans.marks[pfn] = (char) (Orphans.ORPHAN | word >>> Orphans.GENERATION_AT & Orphans.GENERATION);
                    orphans.any = true;
                }
            }
            throw outOfStack;
        }
        return ticket;
    }

    /** Frees the run of an owner that is known to be gone. False if the word has changed, or if the mender frees it. */
    public boolean reclaim(int pfn, long word) {
        // virtualOwners keeps the dead thread until the next virtual owner: to clear it here could race with that one.
        if (orphans.isMarked(pfn, word) || !takeBack(pfn, word)) {
            return false;
        }
        try {
            advise(pfn);
        } catch (Throwable outOfStack) {
            orphans.adviceLost = true;
            throw outOfStack;
        }
        return true;
    }

    /**
     * Frees the run of a tenant that has died, perhaps half-way through a split or a join: its HEADs inside the run
     * become TAILs before the run is FREE. Each by CAS, because others may sweep or free a run that is not EXCLUSIVE.
     */
    boolean evict(int pfn, long word) {
        for (int inner = pfn + 1; inner < endOf(pfn, word); inner++) {
            long head = lvWord(inner);
            if (PageWord.state(head) == HEAD && PageWord.tenantOf(head) == PageWord.tenantOf(word)) {
                casWord(inner, head, PageWord.joined(head));
            }
        }
        return takeBack(pfn, word);
    }

    /** Without advice. An orphan, too, needs a CAS: if its owner signed and has ended, a sweep may be at work on it. */
    boolean takeBack(int pfn, long word) {
        return casWord(pfn, word, PageWord.released(word));
    }

    /** FREE to QUARANTINED, so that nobody claims it any more: a labyrinth that closes takes all its free runs. */
    public boolean quarantine(int pfn, long word) {
        return casWord(pfn, word, PageWord.quarantined(word));
    }

    /** Undoes {@link #quarantine}. A frame whose generations are used up stays QUARANTINED. */
    public void reopen(int pfn, long word) {
        if (PageWord.state(word) == QUARANTINED && PageWord.generation(word) != PageWord.LAST_GENERATION) {
            casWord(pfn, word, PageWord.first(PageWord.generation(word), PageWord.FREE, PageWord.order(word)));
            advise(pfn);
        }
    }

    // ------------------------------------------------------------------------------------------------ advice

    /** After a word became FREE: first the group, then the span. A thread that clears looks at the span first. */
    void advise(int pfn) {
        int group = pfn >> GROUP_ORDER;
        so(adviceAt(group), 1L);
        if (spanShift >= 0) {
            so(adviceAt(groups + (group >> spanShift)), 1L);
        }
    }

    public boolean groupMayBeFree(int group) {
        return lvAdvice(group) != 0;
    }

    public boolean spanMayBeFree(int span) {
        return lvAdvice(groups + span) != 0;
    }

    // ------------------------------------------------------------------------------------------------ looking

    private int inBounds(long handle, String verb) {
        int pfn = PageWord.pfn(handle);
        if (pfn >= frames) {
            throw Refusals.foreign(verb, handle, frames);
        }
        return pfn;
    }

    /** Other processes write to a shared map. No word of theirs may lead this process out of the mapping. */
    public void requireWithin(long handle, long word, String verb) {
        if (!PageWord.fits(PageWord.pfn(handle), word, ordinary, frames)) {
            throw Refusals.noRun(verb, handle, word, frames);
        }
    }

    /** End of the run that the word heads, or end of the labyrinth if that is earlier. */
    int endOf(int pfn, long word) {
        return Math.min(frames, pfn + PageWord.frames(word));
    }

    /**
     * The word of the live run that the handle names. Refuses a run that is EXCLUSIVE to another thread.
     *
     * <p>Plain loads, because the compiler loads all fields again after an acquire: see lost-designs, "access". They
     * are enough: no 64-bit JVM tears an aligned long, and a life ends by a step of this thread or by one that happens
     * before this call. If it ends during this call, the access may come before the end or after it anyway.
     */
    public long checked(long handle, String verb, Thread me) {
        int pfn = inBounds(handle, verb);
        long at = wordAt(pfn);
        long word = (long) WORD.get(MEMORY, at);
        if (!PageWord.isLive(word, handle) || PageWord.isExclusive(word) && (PageWord.tenantOf(word) != tenant
                || !PageWord.isOwner((long) OWNER.get(MEMORY, at), handle, me))) {
            Refusals.requireUsable(verb, handle, word, tenant, lvOwner(pfn), me);
        }
        return word;
    }

    /** The owner word of the live run that the handle names. Any thread may ask. */
    public long ownerOf(long handle) {
        int pfn = inBounds(handle, "owner");
        long owner = lvOwner(pfn);
        long word = lvWord(pfn);
        if (!PageWord.isLive(word, handle)) {
            throw Refusals.stale("owner", handle, word);
        }
        return owner;
    }

    /** The virtual thread that owns the run, if it still does. Means something only after {@link #lvOwner}. */
    public @Nullable Thread virtualOwner(int pfn) {
        return virtualOwners[pfn];
    }

    /** The 16 bytes of {@code struct labyrinth_page}, read-only. */
    public MemorySegment descriptor(int pfn) {
        return table.asSlice(pfn * PAGE_BYTES, PAGE_BYTES, Long.BYTES).asReadOnly();
    }
}
