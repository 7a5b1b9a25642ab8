package io.labyrinth;

import io.labyrinth.internal.os.Living;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.PageWord;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What one owner holds: {@link Labyrinth#owners}.
 *
 * @param holding   how the thread holds the frames
 * @param thread    id of the thread that claimed, accepted or handed off the frames; 0 if it has not signed yet
 * @param virtual   whether it is a virtual thread
 * @param name      name of a thread that is alive; null if the thread has ended or is not known to this labyrinth
 * @param runs      number of runs
 * @param frames    number of frames in all the runs
 * @param sampled   those of the claims that were sampled, oldest first; empty unless the labyrinth was opened with
 *                  {@link Labyrinth.Builder#sampleClaims}
 */
public record Owner(Holding holding, long thread, boolean virtual, @Nullable String name, int runs, int frames,
        List<Claim> sampled) {

    private static final int PLACES_TOLD = 10;
    private static final int LINES_TOLD = 10;

    /** How a thread holds its frames. */
    public enum Holding {
        /** The thread owns the frames: no other thread may touch, free or hand them off. */
        EXCLUSIVE,
        /** The thread has claimed the frames, and any thread may use and free them. */
        SHARED,
        /** The thread has handed off the frames, and nobody has accepted their tickets yet. */
        TICKET
    }

    /**
     * One claim that was sampled.
     *
     * @param pfn   number of the run's first frame
     * @param order the run has 2^order frames
     * @param since when the run was claimed or accepted
     * @param where the stack, from the line that called the labyrinth; for a ticket, that of the claim before it
     */
    public record Claim(int pfn, int order, Instant since, List<StackTraceElement> where) {
    }

    /** Time of the oldest sampled claim; null if no claim was sampled. */
    public @Nullable Instant oldestSampled() {
        return sampled.isEmpty() ? null : sampled.getFirst().since;
    }

    /** {@code name=value}, and a line for each place where sampled claims were made. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(holding.name()).append(" thread=").append(thread)
                .append(virtual ? " (virtual)" : "").append(name == null ? "" : " \"" + name + "\"")
                .append(" runs=").append(runs).append(" frames=").append(frames);
        Map<List<StackTraceElement>, List<Claim>> byPlace = new LinkedHashMap<>();
        sampled.forEach(claim -> byPlace.computeIfAbsent(claim.where, place -> new ArrayList<>()).add(claim));
        byPlace.entrySet().stream().limit(PLACES_TOLD).forEach(place -> tell(place.getValue(), text));
        if (byPlace.size() > PLACES_TOLD) {
            text.append("\n  other places: ").append(byPlace.size() - PLACES_TOLD);
        }
        return text.toString();
    }

    private static void tell(List<Claim> claims, StringBuilder text) {
        Claim oldest = claims.getFirst();
        text.append("\n  sampled=").append(claims.size()).append(" oldest=").append(oldest.since)
                .append(" pfn=").append(oldest.pfn).append(" claimed at");
        oldest.where.stream().limit(LINES_TOLD).forEach(line -> text.append("\n    ").append(line));
    }

    /** If claims are sampled, a line for each owner and each place; otherwise an empty text. */
    static String places(List<PageMapScan.Seen> out, PageMap map, @Nullable Samples samples) {
        StringBuilder text = new StringBuilder();
        if (samples != null) {
            of(out, map, samples).forEach(owner -> text.append("\n").append(owner));
        }
        return text.toString();
    }

    /** By owner and holding, most frames first. */
    static List<Owner> of(List<PageMapScan.Seen> out, PageMap map, @Nullable Samples samples) {
        record Key(Holding holding, long thread, boolean virtual) {
        }
        Map<Key, List<PageMapScan.Seen>> byOwner = new LinkedHashMap<>();
        for (PageMapScan.Seen run : out) {
            boolean signed = PageWord.state(run.word()) == PageWord.IN_TRANSIT
                    || PageWord.isSigned(run.word(), run.owner());
            Key key = new Key(holding(run.word()), signed ? PageWord.threadId(run.owner()) : 0,
                    signed && PageWord.isVirtual(run.owner()));
            byOwner.computeIfAbsent(key, owner -> new ArrayList<>()).add(run);
        }
        Map<Long, Thread> living = Living.listed();
        List<Owner> owners = new ArrayList<>();
        byOwner.forEach((key, runs) -> {
            List<Claim> sampled = new ArrayList<>();
            Thread thread = living.get(key.thread);
            int frames = 0;
            for (PageMapScan.Seen run : runs) {
                frames += run.frames();
                Claim claim = samples == null ? null : samples.of(run.pfn(), run.word());
                if (claim != null) {
                    sampled.add(claim);
                }
                Thread virtual = key.virtual ? map.virtualOwner(run.pfn()) : null;
                if (virtual != null && virtual.threadId() == key.thread && virtual.isAlive()) {
                    thread = virtual;
                }
            }
            sampled.sort(Comparator.comparing(Claim::since));
            owners.add(new Owner(key.holding, key.thread, key.virtual, thread == null ? null : thread.getName(),
                    runs.size(), frames, List.copyOf(sampled)));
        });
        owners.sort(Comparator.comparingInt(Owner::frames).reversed());
        return List.copyOf(owners);
    }

    private static Holding holding(long word) {
        if (PageWord.state(word) == PageWord.IN_TRANSIT) {
            return Holding.TICKET;
        }
        return PageWord.isExclusive(word) ? Holding.EXCLUSIVE : Holding.SHARED;
    }
}
