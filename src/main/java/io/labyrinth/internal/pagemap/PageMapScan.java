package io.labyrinth.internal.pagemap;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The passes over all page words: who has which runs, what is free, whose owner has ended. Other threads may allocate
 * during a pass. It then may see one frame before a change and another frame after it. It is exact for a labyrinth at
 * rest.
 */
public final class PageMapScan {

    private final PageMap map;

    public PageMapScan(PageMap map) {
        this.map = map;
    }

    /** A run, and the word and the owner word of its head, as the pass saw them. */
    public record Seen(int pfn, long word, long owner) {
        int order() {
            return PageWord.order(word);
        }

        public int frames() {
            return PageWord.frames(word);
        }
    }

    /** All runs that this tenant has claimed or handed off. */
    public List<Seen> out() {
        List<Seen> out = new ArrayList<>();
        int pfn = 0;
        while (pfn < map.frames) {
            long word = map.lvWord(pfn);
            if (PageWord.isOut(word) && PageWord.tenantOf(word) == map.tenant) {
                out.add(new Seen(pfn, word, map.lvOwner(pfn)));
            }
            pfn = PageWord.next(pfn, word);
        }
        return out;
    }

    /** Who has what, for a message: {@code thread=31 runs=2 frames=5; ticket not accepted runs=1 frames=1}. */
    public String describeOut(List<Seen> out) {
        Map<String, int[]> byOwner = new TreeMap<>();
        for (Seen run : out) {
            int[] sums = byOwner.computeIfAbsent(holder(run), holder -> new int[2]);
            sums[0]++;
            sums[1] += run.frames();
        }
        StringBuilder text = new StringBuilder();
        byOwner.forEach((holder, sums) -> text.append(text.isEmpty() ? "" : "; ").append(holder)
                .append(" runs=").append(sums[0]).append(" frames=").append(sums[1]));
        return text.toString();
    }

    private String holder(Seen run) {
        if (PageWord.state(run.word) == PageWord.IN_TRANSIT) {
            return "ticket not accepted";
        }
        return (PageWord.isExclusive(run.word) ? "" : "not EXCLUSIVE, claimed by ") + "thread="
                + PageWord.threadId(run.owner) + (PageWord.isVirtual(run.owner) ? " (virtual)" : "");
    }

    /**
     * Takes back the EXCLUSIVE runs whose owner thread has ended. Lock-free; any number of sweeps may run at once.
     *
     * @param endedOf gets the ids of platform threads, and returns those that have ended
     * @return the number of frames freed
     */
    public int sweep(UnaryOperator<Set<Long>> endedOf) {
        // First it reads the runs, then it asks which owners have ended. A thread that owned a run before the question
        // and is not alive then has ended, and no id is used twice. The other way round, a thread that starts between
        // the two would look dead.
        List<Seen> candidates = new ArrayList<>();
        for (Seen run : out()) {
            if (PageWord.state(run.word) == PageWord.HEAD && PageWord.isExclusive(run.word)
                    && PageWord.tenantOf(run.word) == map.tenant && PageWord.isSigned(run.word, run.owner)) {
                candidates.add(run);
            }
        }
        if (candidates.isEmpty()) {
            return 0;
        }
        Set<Long> ended = endedOf.apply(candidates.stream().filter(run -> !PageWord.isVirtual(run.owner))
                .map(run -> PageWord.threadId(run.owner)).collect(Collectors.toSet()));
        int freed = 0;
        for (Seen run : candidates) {
            if (hasEnded(run, ended) && map.reclaim(run.pfn, run.word)) {
                freed += run.frames();
            }
        }
        return freed;
    }

    /**
     * Takes back all that a dead tenant had: runs, tickets and half-made runs. Then it advises every group, because the
     * tenant may have died between a free and its advice. Lock-free. The caller holds the lock on the tenant's slot.
     *
     * @param tenant the tenant's number, shifted to its place in the word
     * @return the number of frames freed
     */
    public int evict(long tenant) {
        int freed = 0;
        int pfn = 0;
        while (pfn < map.frames) {
            long word = map.lvWord(pfn);
            if (!PageWord.isOut(word) || PageWord.tenantOf(word) != tenant) {
                pfn = PageWord.next(pfn, word);
            } else if (map.evict(pfn, word)) {
                freed += map.endOf(pfn, word) - pfn;
            }    // otherwise another tenant freed it, or accepted its ticket: look again
        }
        Advice.giveAll(map);
        return freed;
    }

    private boolean hasEnded(Seen run, Set<Long> ended) {
        if (!PageWord.isVirtual(run.owner)) {
            return ended.contains(PageWord.threadId(run.owner));
        }
        Thread virtual = map.virtualOwner(run.pfn);
        // Null, or another thread: the owner is freeing the run, or has freed it.
        return virtual != null && virtual.threadId() == PageWord.threadId(run.owner) && !virtual.isAlive();
    }

    /**
     * Quarantines all free runs, so that nobody can claim them any more. The part that the pass has been through is at
     * rest: whole runs, each quarantined or seen to be out. After an error the caller calls {@link #undrain} for the
     * whole map.
     *
     * @param anyway whether to go on if a run is out. If not, and a run is out, all is as it was before the call
     * @return the runs that are out
     */
    public List<Seen> drain(boolean anyway) {
        int pfn = 0;
        List<Seen> out = out();
        while (pfn < map.frames && (out.isEmpty() || anyway)) {
            long word = map.lvWord(pfn);
            boolean done = PageWord.isFree(word) ? map.quarantine(pfn, word)
                    : !PageWord.isOut(word) || !out.isEmpty();
            if (done) {
                pfn = PageWord.next(pfn, word);
            } else {
                // Another thread claimed it, or it is out: look again. If nothing is out any more, go on from here.
                out = out();
            }
        }
        if (!out.isEmpty() && !anyway) {
            undrain(pfn);
        }
        return out;
    }

    /** Undoes {@link #drain} below {@code end}. */
    public void undrain(int end) {
        try {
            int pfn = 0;
            while (pfn < end) {
                long word = map.lvWord(pfn);
                map.reopen(pfn, word);
                pfn = PageWord.next(pfn, word);
            }
        } catch (Throwable outOfStack) {
            map.orphans.adviceLost = true;
            throw outOfStack;
        }
    }

    /** The first invariant of native/labyrinth.h that the words break; null if all hold. For a labyrinth at rest. */
    public @Nullable String violation() {
        int pfn = 0;
        while (pfn < map.frames) {
            long word = map.lvWord(pfn);
            int state = PageWord.state(word);
            int end = pfn + PageWord.frames(word);
            String rule = null;
            if (state == PageWord.TAIL || state < PageWord.FREE || state > PageWord.QUARANTINED) {
                rule = "a run must begin here";
            } else if (PageWord.order(word) > PageWord.MAX_ORDER || end > map.frames
                    || (pfn & PageWord.frames(word) - 1) != 0) {
                rule = "a run must be aligned, within the labyrinth, of order 0 to " + PageWord.MAX_ORDER;
            } else if (pfn < map.ordinary && end > map.ordinary) {
                rule = "a run must not reach into the reserve, which begins at pfn=" + map.ordinary;
            } else if (state == PageWord.FREE && !PageWord.isFree(word, PageWord.order(word))) {
                rule = "a free run must have no tenant and no flags";
            } else if (state == PageWord.HEAD && !PageWord.isSigned(word, map.lvOwner(pfn))) {
                rule = "a HEAD must have an owner of the same generation";
            } else if (state == PageWord.FREE && !Advice.given(map, pfn)) {
                rule = "a free run must not be hidden by its group's or its span's advice";
            } else {
                for (int tail = pfn + 1; tail < end && rule == null; tail++) {
                    if (PageWord.state(map.lvWord(tail)) != PageWord.TAIL) {
                        rule = "it covers pfn=" + tail + " " + PageWord.describe(map.lvWord(tail))
                                + ", which is no TAIL";
                    }
                }
            }
            if (rule != null) {
                return "pfn=" + pfn + " " + PageWord.describe(word) + " thread=" + PageWord.threadId(map.lvOwner(pfn))
                        + ": " + rule;
            }
            pfn = end;
        }
        return null;
    }

    /** One character for each frame: {@code Labyrinth.picture}. */
    public String picture() {
        StringBuilder picture = new StringBuilder(map.frames);
        while (picture.length() < map.frames) {
            int pfn = picture.length();
            long word = map.lvWord(pfn);
            char state = '?';
            if (PageWord.isFree(word)) {
                state = pfn < map.ordinary ? '.' : 'r';
            } else if (PageWord.state(word) == PageWord.HEAD) {
                state = PageWord.isExclusive(word) ? 'E' : 'S';
            } else if (PageWord.state(word) == PageWord.IN_TRANSIT) {
                state = 'T';
            } else if (PageWord.state(word) == PageWord.QUARANTINED) {
                state = 'Q';
            }
            picture.repeat(state, Math.min(PageWord.next(pfn, word), map.frames) - pfn);
        }
        return picture.toString();
    }

    /** Free frames outside of the reserve. */
    public int free() {
        int free = 0;
        int pfn = 0;
        while (pfn < map.ordinary) {
            long word = map.lvWord(pfn);
            free += PageWord.isFree(word) ? map.endOf(pfn, word) - pfn : 0;
            pfn = PageWord.next(pfn, word);
        }
        return free;
    }

    /** Frames by state, free runs by order, and the number of lives that have ended. */
    public record Counts(int free, int reserveFree, int claimed, int inTransit, int quarantined, List<Integer> freeRuns,
            long livesEnded) {
    }

    /** Looks at every word twice. */
    public Counts count(long firstGeneration) {
        int[] byState = new int[PageWord.STATES];
        Integer[] freeRuns = new Integer[PageWord.MAX_ORDER + 1];
        Arrays.fill(freeRuns, 0);
        int reserveFree = 0;
        int pfn = 0;
        while (pfn < map.frames) {
            long word = map.lvWord(pfn);
            int state = PageWord.state(word);
            int frames = state == PageWord.TAIL ? 0 : map.endOf(pfn, word) - pfn;
            byState[state] += frames;
            if (state == PageWord.FREE) {
                reserveFree += pfn >= map.ordinary ? frames : 0;
                if (PageWord.fits(pfn, word, map.ordinary, map.frames)) {
                    freeRuns[PageWord.order(word)]++;
                }    // otherwise a process has written where it may not
            }
            pfn = PageWord.next(pfn, word);
        }
        long ended = 0;
        for (int frame = 0; frame < map.frames; frame++) {
            ended += Math.max(0, PageWord.generation(map.lvWord(frame)) - firstGeneration);
        }
        return new Counts(byState[PageWord.FREE] - reserveFree, reserveFree, byState[PageWord.HEAD],
                byState[PageWord.IN_TRANSIT], byState[PageWord.QUARANTINED], List.of(freeRuns),
                ended < 0 ? Long.MAX_VALUE : ended);    // too many are a lie of the words
    }
}
