package io.labyrinth;

import static io.labyrinth.PageWord.HEAD;
import static io.labyrinth.PageWord.IN_TRANSIT;
import static io.labyrinth.PageWord.QUARANTINED;
import static io.labyrinth.PageWord.TAIL;

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
 * <p>Access modes are in the names, as in JCTools: {@code lv} acquire load, {@code so} release store, {@code cas}
 * compare-and-set, {@code xchg} exchange.
 */
final class PageMap {

    /*
     * Why one CAS is enough, for any order. The words tile the labyrinth with runs (native/labyrinth.h), a run's state
     * is that of its head's word, and a TAIL is never looked at for itself. Whoever moves a head from FREE to HEAD has
     * the whole run: nobody else can write to any of its words until it writes FREE again. So a run of 2 MiB costs what
     * a frame costs, and what is split or joined is split or joined by its owner, with release stores.
     *
     * At every instant of a split or a join, the run of the first head covers all that its owner holds, or the halves
     * are HEADs of their own: a sweep that finds the owner gone can give back what it sees (rule: the first head
     * covers; a HEAD inside of it is a TAIL that was not written yet).
     *
     * Why nothing is lost on the way. Between a won CAS and the return, any call can throw StackOverflowError (in the
     * interpreter; compiled code has all of it inlined). The short stretches are try blocks whose handler takes the
     * step back by the very call, at the very depth, that had just succeeded: casWord. Where a word is FREE
     * already and only its advice is missing, the handler sets a field, which needs no stack: adviceLost, which the
     * next walk that finds nothing mends. The long ones, split and join, first make sure that there is stack: room().
     *
     * Why releases need no fence: see `labyrinth_advice` in the header. Why a release of an EXCLUSIVE run is a store:
     * only its owner may change the word, and the owner is one thread.
     *
     * Why the owner word has bits of the generation: a sweep may see HEAD of a new claim before the new owner's id, and
     * the old id there could be that of a dead thread. (Clearing the owner word with each release did the same, for one
     * store more; and a free by CAS needed two steps.) A virtual owner leaves virtualOwners before it releases: a sweep
     * that sees its id and no thread knows that it is just leaving.
     */

    /**
     * Not withInvokeExactBehavior: all its calls are in the seven methods below, in the exact types, and the check of that
     * alone made a frame pair too large for C2 to inline as a whole (NodeCountInliningCutoff; 16.2 ns instead of 13.6).
     */
    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();

    /**
     * All memory, as one constant: an access is one instruction and no check of bounds or liveness that is not ours.
     * Through a segment of each labyrinth's own a pair took 28 ns instead of 17, and grew too large to be inlined.
     */
    private static final MemorySegment MEMORY = everything();

    /**
     * All that an address can be: positive and a multiple of 8. With this mask the compiler knows as much, and leaves
     * out the VarHandle's own checks; without it a handle pair was 15.6 ns, and its code too large to be inlined.
     */
    private static final long ADDRESS = (1L << 62) - Long.BYTES;

    private static final long PAGE_BYTES = labyrinth_page.sizeof();
    private static final long WORD_AT = labyrinth_page.word$offset();
    private static final long OWNER_AT = labyrinth_page.owner$offset();
    private static final long ADVICE_BYTES = labyrinth_advice.sizeof();
    private static final int MAX_SPANS = Native.LABYRINTH_MAX_SPANS();

    /** Calls, each of some 100 bytes in the interpreter: more than a VarHandle's way to its instruction takes there. */
    private static final int ROOM = 16;

    static final int GROUP_ORDER = Native.LABYRINTH_GROUP_ORDER();

    final int frames;
    final int groups;
    /** log2 of the groups in a span, or -1 where there are so few groups that spans would not pay. */
    final int spanShift;
    final int spans;

    /** Keeps the table mapped as long as this object is reachable, the labyrinth closed or not. */
    private final MemorySegment table;
    private final long pages;
    private final long advice;

    /** Who, where the owner is a virtual thread: nothing else can tell whether one is alive. 4 bytes a frame. */
    private final @Nullable Thread[] virtualOwners;

    /** A release had no stack left to say that its frame is free. Plain: set for a later look, by whoever comes. */
    private boolean adviceLost;

    /**
     * @param memory {@link #bytesFor} zeroed bytes, 64-byte aligned
     */
    PageMap(MemorySegment memory, int frames) {
        this.frames = frames;
        this.groups = groupsFor(frames);
        this.spanShift = spanShiftFor(groups);
        this.spans = spanShift < 0 ? 0 : (groups - 1 >> spanShift) + 1;
        this.table = memory.asSlice(0, bytesFor(frames));
        this.pages = table.address();
        this.advice = pages + adviceOffset(frames);
        this.virtualOwners = new Thread[frames];
    }

    static long bytesFor(int frames) {
        int groups = groupsFor(frames);
        int shift = spanShiftFor(groups);
        return adviceOffset(frames) + (groups + (shift < 0 ? 0 : (groups - 1 >> shift) + 1)) * ADVICE_BYTES;
    }

    private static long adviceOffset(int frames) {
        return (frames * PAGE_BYTES + ADVICE_BYTES - 1) / ADVICE_BYTES * ADVICE_BYTES;
    }

    private static int groupsFor(int frames) {
        return (frames - 1 >> GROUP_ORDER) + 1;
    }

    private static int spanShiftFor(int groups) {
        return groups <= MAX_SPANS ? -1 : 32 - Integer.numberOfLeadingZeros((groups - 1) / MAX_SPANS);
    }

    /** Tiles [from, to) with the largest free runs that fit. Before publication: nobody else looks yet. */
    void tile(int from, int to, long generation) {
        int pfn = from;
        while (pfn < to) {
            int order = Math.min(PageWord.MAX_ORDER, 31 - Integer.numberOfLeadingZeros(to - pfn));
            if (pfn != 0) {
                order = Math.min(order, Integer.numberOfTrailingZeros(pfn));
            }
            for (int tail = pfn + 1; tail < pfn + (1 << order); tail++) {
                soWord(tail, PageWord.first(generation, TAIL, 0));
            }
            free(pfn, PageWord.first(generation, PageWord.FREE, order));
            pfn += 1 << order;
        }
    }

    // ------------------------------------------------------------------------------------------------ single steps

    @SuppressWarnings("restricted")
    private static MemorySegment everything() {
        return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    }

    private long wordAt(int pfn) {
        return pages + pfn * PAGE_BYTES + WORD_AT & ADDRESS;
    }

    private long ownerAt(int pfn) {
        return pages + pfn * PAGE_BYTES + OWNER_AT & ADDRESS;
    }

    private long adviceAt(int index) {
        return advice + index * ADVICE_BYTES & ADDRESS;
    }

    long lvWord(int pfn) {
        return (long) WORD.getAcquire(MEMORY, wordAt(pfn));
    }

    private void soWord(int pfn, long word) {
        WORD.setRelease(MEMORY, wordAt(pfn), word);
    }

    private boolean casWord(int pfn, long from, long to) {
        return WORD.compareAndSet(MEMORY, wordAt(pfn), from, to);
    }

    long lvOwner(int pfn) {
        return (long) WORD.getAcquire(MEMORY, ownerAt(pfn));
    }

    private void soOwner(int pfn, long owner) {
        WORD.setRelease(MEMORY, ownerAt(pfn), owner);
    }

    private long lvAdvice(int index) {
        return (long) WORD.getAcquire(MEMORY, adviceAt(index));
    }

    private void soAdvice(int index) {
        WORD.setRelease(MEMORY, adviceAt(index), 1L);
    }

    private boolean casAdvice(int index, long from, long to) {
        return WORD.compareAndSet(MEMORY, adviceAt(index), from, to);
    }

    // ------------------------------------------------------------------------------------------------ claim

    /**
     * Claims the run if it is free, of this order, and in the life that the hint names: one CAS. Wait-free.
     *
     * @param hint the handle that the claim makes; within the labyrinth, but otherwise as wrong as can be
     */
    boolean claimHinted(long hint, int order, long flags, Thread me) {
        return claim(PageWord.pfn(hint), PageWord.free(hint, order), flags, me) != 0;
    }

    /** Claims this order out of the free run seen as {@code word}, of this order or larger. 0 if it was lost. */
    long claimSeen(int pfn, long word, int order, long flags, Thread me) {
        return PageWord.order(word) == order ? claim(pfn, word, flags, me) : claimAndSplit(pfn, word, order, flags, me);
    }

    /** Claims the run whose head was seen as {@code word}, FREE. Wait-free. 0 if that is no longer so. */
    private long claim(int pfn, long word, long flags, Thread me) {
        long owner = PageWord.owner(me, word);
        long claimed = PageWord.claimed(word, flags);
        if (!casWord(pfn, word, claimed)) {
            return 0;
        }
        try {
            own(pfn, owner, me);
        } catch (Throwable outOfStack) {
            casWord(pfn, claimed, word);
            adviceLost = true;
            throw outOfStack;
        }
        return PageWord.handle(word, pfn);
    }

    private void own(int pfn, long owner, Thread me) {
        if (PageWord.isVirtual(owner)) {
            virtualOwners[pfn] = me;
        }
        soOwner(pfn, owner);
    }

    /**
     * Claims a run of this order at the start of the larger free run seen as {@code word}, and frees the rest of it.
     * Wait-free: one CAS, 4 stores for each halving.
     */
    private long claimAndSplit(int pfn, long word, int order, long flags, Thread me) {
        room(ROOM);
        long owner = PageWord.owner(me, word);
        long head = PageWord.claimed(word, flags);
        if (!casWord(pfn, word, head)) {
            return 0;
        }
        while (PageWord.order(head) > order) {
            int half = PageWord.order(head) - 1;
            int upper = pfn + (1 << half);
            long split = PageWord.splitOff(lvWord(upper), half);
            soWord(upper, split);
            head = PageWord.resized(head, half);
            soWord(pfn, head);
            free(upper, PageWord.unclaimed(split));
        }
        own(pfn, owner, me);
        return PageWord.handle(word, pfn);
    }

    /** Whether the run of this order at {@code pfn} is all free now, in however many pieces. At most 2^order words. */
    private boolean isAllFree(int pfn, int order) {
        int end = pfn + (1 << order);
        int next = pfn;
        while (next < end) {
            long word = lvWord(next);
            if (!PageWord.isFree(word)) {
                return false;
            }
            next += PageWord.frames(word);
        }
        return next == end;
    }

    /**
     * Claims the run of this order at {@code pfn} out of smaller free runs: each of their heads, ascending, by CAS; all
     * or none. Lock-free, at most 2^order CAS.
     *
     * @return the handle, or 0 if a frame of it is not free or was lost on the way: then all is as it was
     */
    long claimAndJoin(int pfn, int order, long flags, Thread me) {
        if (!isAllFree(pfn, order)) {
            return 0;
        }
        room(ROOM);
        int end = pfn + (1 << order);
        int next = pfn;
        while (next < end) {
            long word = lvWord(next);
            if (!PageWord.isFree(word) || next + PageWord.frames(word) > end
                    || !casWord(next, word, PageWord.claimed(word, flags))) {
                unjoin(pfn, next);
                return 0;
            }
            next += PageWord.frames(word);
        }
        // From here the first head covers all; the others become TAILs in any order.
        long first = lvWord(pfn);
        int inner = pfn + PageWord.frames(first);
        soWord(pfn, PageWord.resized(first, order));
        while (inner < end) {
            long head = lvWord(inner);
            soWord(inner, PageWord.joined(head));
            inner += PageWord.frames(head);
        }
        own(pfn, PageWord.owner(me, first), me);
        return PageWord.handle(first, pfn);
    }

    /** The rollback: gives back the heads of [pfn, end), all claimed by this thread. */
    private void unjoin(int pfn, int end) {
        int next = pfn;
        while (next < end) {
            long head = lvWord(next);
            free(next, PageWord.unclaimed(head));
            next += PageWord.frames(head);
        }
    }

    /** Throws StackOverflowError now, while nothing is claimed, rather than later: this many calls deep. */
    private static int room(int calls) {
        return calls == 0 ? 0 : 1 + room(calls - 1);
    }

    // ------------------------------------------------------------------------------------------------ give up

    /**
     * Frees the run: wait-free for an EXCLUSIVE one, one CAS otherwise.
     *
     * @throws LabyrinthException if the handle is not that of a live run, or the run is another thread's
     */
    void release(long handle, Thread me) {
        int pfn = inBounds(handle, "free");
        long word = lvWord(pfn);
        if (!PageWord.isLive(word, handle)) {
            throw LabyrinthException.stale("free", handle, word);
        }
        if (PageWord.isExclusive(word)) {
            leave(pfn, handle, me, "free", PageWord.released(word));
        } else if (!casWord(pfn, word, PageWord.released(word))) {
            throw LabyrinthException.stale("free", handle, lvWord(pfn));
        }
        nowFree(pfn);
    }

    /**
     * Ends this life of the run and puts it in transit: wait-free for an EXCLUSIVE one, one CAS otherwise.
     *
     * @return the ticket: a handle of the next life
     */
    long handOff(long handle, Thread me) {
        int pfn = inBounds(handle, "hand-over");
        long word = lvWord(pfn);
        if (!PageWord.isLive(word, handle)) {
            throw LabyrinthException.stale("hand-over", handle, word);
        }
        if (PageWord.isLastLife(word)) {
            throw LabyrinthException.stale("hand-over in the frame's last generation: free it instead", handle, word);
        }
        long transit = PageWord.inTransit(word);
        if (PageWord.isExclusive(word)) {
            leave(pfn, handle, me, "hand-over", transit);
        } else if (!casWord(pfn, word, transit)) {
            throw LabyrinthException.stale("hand-over", handle, lvWord(pfn));
        }
        return PageWord.handle(transit, pfn);
    }

    /** The owner's last step: the word is its own, so a store will do. */
    private void leave(int pfn, long handle, Thread me, String verb, long target) {
        long owner = PageWord.owner(me, handle);
        if (lvOwner(pfn) != owner) {
            throw LabyrinthException.notOwner(verb, handle, lvOwner(pfn), me);
        }
        if (PageWord.isVirtual(owner)) {
            leaveVirtually(pfn, me, target);
        } else {
            soWord(pfn, target);
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

    /** The new owner of a run in transit, once: one CAS. */
    long accept(long ticket, Thread me) {
        int pfn = inBounds(ticket, "accept");
        long owner = PageWord.owner(me, ticket);
        long word = lvWord(pfn);
        if (PageWord.state(word) != IN_TRANSIT || !PageWord.sameLife(word, ticket)) {
            throw LabyrinthException.stale("accept", ticket, word);
        }
        long head = PageWord.accepted(word);
        if (!casWord(pfn, word, head)) {
            throw LabyrinthException.stale("accept", ticket, lvWord(pfn));
        }
        try {
            own(pfn, owner, me);
        } catch (Throwable outOfStack) {
            casWord(pfn, head, word);
            throw outOfStack;
        }
        return PageWord.handle(word, pfn);
    }

    /** Takes the run from an owner that is known to be gone. False if the run moved on. */
    boolean reclaim(int pfn, long word) {
        // virtualOwners keeps the dead thread until the next virtual one comes: to clear it here could race with that.
        boolean taken = casWord(pfn, word, PageWord.released(word));
        if (taken) {
            nowFree(pfn);
        }
        return taken;
    }

    /** Undoes a claim whose handle never reached the caller. */
    void abandon(long handle) {
        int pfn = PageWord.pfn(handle);
        reclaim(pfn, lvWord(pfn));
    }

    /** FREE to QUARANTINED, so that nobody claims it any more: a labyrinth closes by claiming all there is. */
    boolean quarantine(int pfn, long word) {
        return casWord(pfn, word, PageWord.quarantined(word));
    }

    /** Undoes {@link #quarantine}; a frame whose generations are used up stays. */
    void reopen(int pfn, long word) {
        if (PageWord.state(word) == QUARANTINED && PageWord.generation(word) != PageWord.LAST_GENERATION) {
            casWord(pfn, word, PageWord.first(PageWord.generation(word), PageWord.FREE, PageWord.order(word)));
            nowFree(pfn);
        }
    }

    // ------------------------------------------------------------------------------------------------ advice

    private void free(int pfn, long word) {
        soWord(pfn, word);
        nowFree(pfn);
    }

    private void nowFree(int pfn) {
        try {
            advise(pfn);
        } catch (Throwable outOfStack) {
            adviceLost = true;
            throw outOfStack;
        }
    }

    /** Whether a free run may be missing from the advice; if so, all advice is set again. Looks at every group. */
    boolean mendAdvice() {
        if (!adviceLost) {
            return false;
        }
        adviceLost = false;
        for (int group = 0; group < groups; group++) {
            advise(group << GROUP_ORDER);
        }
        return true;
    }

    /** After a word became FREE: group first, then span, as the one who clears looks at them the other way round. */
    private void advise(int pfn) {
        int group = pfn >> GROUP_ORDER;
        soAdvice(group);
        if (spanShift >= 0) {
            soAdvice(groups + (group >> spanShift));
        }
    }

    boolean groupMayBeFree(int group) {
        return lvAdvice(group) != 0;
    }

    boolean isSpanStart(int group) {
        return spanShift >= 0 && (group & (1 << spanShift) - 1) == 0;
    }

    int spanOf(int group) {
        return group >> spanShift;
    }

    int endOfSpan(int span) {
        return Math.min(frames, span + 1 << spanShift + GROUP_ORDER);
    }

    boolean spanMayBeFree(int span) {
        return lvAdvice(groups + span) != 0;
    }

    /** The first span after this one, up to {@code last}, that may have something free; {@code last + 1} if none. */
    int nextSpan(int span, int last) {
        int next = span + 1;
        while (next <= last && !spanMayBeFree(next)) {
            next++;
        }
        return next;
    }

    /**
     * Clears the group's advice if none of its words is FREE. Wait-free: 64 words, 2 CAS.
     *
     * <p>While it looks, its stamp stands in the advice, which still reads as "maybe": whoever freezes here hides
     * nothing. The stamp is this thread's alone, so the second CAS succeeds only if no free came between.
     *
     * @return the words it may have looked at
     */
    int settleGroup(int group, long stamp) {
        long seen = lvAdvice(group);
        if (seen != 0 && casAdvice(group, seen, stamp) && !hasFreeHead(group)) {
            casAdvice(group, stamp, 0);
        }
        return 1 << GROUP_ORDER;
    }

    private boolean hasFreeHead(int group) {
        int end = Math.min(frames, group + 1 << GROUP_ORDER);
        for (int pfn = group << GROUP_ORDER; pfn < end; pfn++) {
            if (PageWord.isFree(lvWord(pfn))) {
                return true;
            }
        }
        return false;
    }

    /** As {@link #settleGroup}, for a span: its words are its groups' advice. Wait-free: 2^spanShift words, 2 CAS. */
    int settleSpan(int span, long stamp) {
        long seen = lvAdvice(groups + span);
        if (seen != 0 && casAdvice(groups + span, seen, stamp) && !hasAdvisedGroup(span)) {
            casAdvice(groups + span, stamp, 0);
        }
        return 1 << spanShift;
    }

    private boolean hasAdvisedGroup(int span) {
        int end = Math.min(groups, span + 1 << spanShift);
        for (int group = span << spanShift; group < end; group++) {
            if (groupMayBeFree(group)) {
                return true;
            }
        }
        return false;
    }

    // ------------------------------------------------------------------------------------------------ looking

    private int inBounds(long handle, String verb) {
        int pfn = PageWord.pfn(handle);
        if (pfn >= frames) {
            throw LabyrinthException.foreign(verb, handle, frames);
        }
        return pfn;
    }

    /** The word of the run that the handle names, alive and, if EXCLUSIVE, this thread's. */
    long checked(long handle, String verb, Thread me) {
        int pfn = inBounds(handle, verb);
        long word = lvWord(pfn);
        if (!PageWord.isLive(word, handle)) {
            throw LabyrinthException.stale(verb, handle, word);
        }
        if (PageWord.isExclusive(word) && lvOwner(pfn) != PageWord.owner(me, handle)) {
            throw LabyrinthException.notOwner(verb, handle, lvOwner(pfn), me);
        }
        return word;
    }

    /** The owner word of the live run that the handle names; for any thread. */
    long ownerOf(long handle) {
        int pfn = inBounds(handle, "owner");
        long owner = lvOwner(pfn);
        long word = lvWord(pfn);
        if (!PageWord.isLive(word, handle)) {
            throw LabyrinthException.stale("owner", handle, word);
        }
        return owner;
    }

    /** The virtual thread that owns the run, if it still does; meaningful only after {@link #lvOwner} of the claim. */
    @Nullable Thread virtualOwner(int pfn) {
        return virtualOwners[pfn];
    }

    /** The 16 bytes of {@code struct labyrinth_page}, not to be written. */
    MemorySegment descriptor(int pfn) {
        return table.asSlice(pfn * PAGE_BYTES, PAGE_BYTES, Long.BYTES).asReadOnly();
    }

    /** Where to go on after the word at {@code pfn} in a pass over all runs: past the run, or, in a TAIL, to the next. */
    static int next(int pfn, long word) {
        return pfn + (PageWord.state(word) == TAIL ? 1 : PageWord.frames(word));
    }

    /** Every invariant of the header, from the words alone; for a labyrinth at rest. Null if all hold. */
    @Nullable String violation(int ordinary) {
        int pfn = 0;
        while (pfn < frames) {
            long word = lvWord(pfn);
            String at = "pfn=" + pfn + " " + PageWord.describe(word) + " owner=" + lvOwner(pfn) + ": ";
            int state = PageWord.state(word);
            int end = pfn + PageWord.frames(word);
            if (state == TAIL || state < PageWord.FREE || state > QUARANTINED) {
                return at + "a run must begin here";
            }
            if (PageWord.order(word) > PageWord.MAX_ORDER || end > frames || (pfn & PageWord.frames(word) - 1) != 0) {
                return at + "a run must be aligned, within the labyrinth, of order 0 to " + PageWord.MAX_ORDER;
            }
            if (pfn < ordinary && end > ordinary) {
                return at + "a run must not reach into the reserve, which begins at pfn=" + ordinary;
            }
            if (state == HEAD && !PageWord.isSigned(word, lvOwner(pfn))) {
                return at + "a HEAD has an owner of the same generation";
            }
            if (state == PageWord.FREE && !advised(pfn)) {
                return at + "free, and its group's or span's advice says it is not";
            }
            for (int tail = pfn + 1; tail < end; tail++) {
                if (PageWord.state(lvWord(tail)) != TAIL) {
                    return at + "covers pfn=" + tail + " " + PageWord.describe(lvWord(tail)) + ", which is no TAIL";
                }
            }
            pfn = end;
        }
        return null;
    }

    private boolean advised(int pfn) {
        int group = pfn >> GROUP_ORDER;
        return groupMayBeFree(group) && (spanShift < 0 || spanMayBeFree(group >> spanShift));
    }
}
