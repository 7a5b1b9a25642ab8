package io.labyrinth.internal.pagemap;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.LabyrinthException;
import io.labyrinth.kit.Race;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Two steps of the page map at the same time, on the same frame. One of them wins, and it is complete. */
class PageMapRaceTest {

    private static final Thread ME = Thread.currentThread();
    private static final int ROUNDS = 10_000;

    private static PageMap tiled(int frames) {
        PageMap map = new PageMap(Arena.ofAuto().allocate(Geometry.bytesFor(frames), 64), frames, 0);
        map.tile(40);
        return map;
    }

    private static void assertSound(PageMap map) {
        assertThat(new PageMapScan(map).violation()).isNull();
    }

    /** One thread's claim of what all see free. */
    private static final class Claim {
        private long handle;
        private Thread by;

        void make(PageMap map, int pfn, int order) {
            by = Thread.currentThread();
            long word = map.lvWord(pfn);
            handle = PageWord.isFree(word) ? map.claimSeen(pfn, word, order, PageWord.EXCLUSIVE, by) : 0;
        }
    }

    /** The winner's handle; each round has one winner, who has signed. */
    private static long onlyWinner(PageMap map, Claim... claims) {
        Claim[] won = Arrays.stream(claims).filter(claim -> claim.handle != 0).toArray(Claim[]::new);
        assertThat(won).as("claims that won").hasSize(1);
        long owner = map.lvOwner(PageWord.pfn(won[0].handle));
        assertThat(owner).isEqualTo(PageWord.owner(won[0].by, won[0].handle));
        return won[0].handle;
    }

    @Test
    void oneOfManyClaimsWins() {
        PageMap map = tiled(1);
        Claim one = new Claim();
        Claim two = new Claim();
        Race.run(3 * ROUNDS, round -> {
            onlyWinner(map, one, two);
            assertThat(map.reclaim(0, map.lvWord(0))).isTrue();
            assertSound(map);
        }, round -> one.make(map, 0, 0), round -> two.make(map, 0, 0));
        assertSound(map);
    }

    @Test
    void oneOfManySplitsOfARunWins() {
        PageMap map = tiled(16);
        Claim one = new Claim();
        Claim two = new Claim();
        Race.run(3 * ROUNDS, round -> {
            long handle = onlyWinner(map, one, two);
            assertSound(map);
            assertThat(map.reclaim(0, map.lvWord(0))).isTrue();
            long whole = map.claimAndJoin(0, 4, 0, ME);
            assertThat(whole).as("all of it, as the winner has given back %s", handle).isNotZero();
            map.release(whole, ME, PageWord.EXCLUSIVE);
        }, round -> one.make(map, 0, round % 4), round -> two.make(map, 0, (round + 1) % 4));
        assertSound(map);
    }

    @Test
    void aSharedRunIsFreedOrHandedOver() {
        PageMap map = tiled(1);
        long[] handle = {map.claimSeen(0, map.lvWord(0), 0, 0, ME)};
        AtomicInteger won = new AtomicInteger();
        Race.run(3 * ROUNDS, round -> {
            assertThat(won.getAndSet(0)).isEqualTo(1);
            assertThat(PageWord.generation(map.lvWord(0))).isEqualTo(PageWord.generation(handle[0]) + 1);
            handle[0] = PageWord.isFree(map.lvWord(0)) ? map.claimSeen(0, map.lvWord(0), 0, 0, ME)
                    : map.accept(PageWord.nextGeneration(handle[0]), ME, PageWord.EXCLUSIVE);
        }, round -> count(won, () -> map.release(handle[0], ME, PageWord.EXCLUSIVE)),
                round -> count(won, () -> map.handOff(handle[0], ME, PageWord.EXCLUSIVE)));
        map.release(handle[0], ME, PageWord.EXCLUSIVE);
        assertSound(map);
    }

    private static void count(AtomicInteger won, Runnable end) {
        try {
            end.run();
            won.incrementAndGet();
        } catch (LabyrinthException.Stale expected) {
            // The other's.
        }
    }

    /** A walk may clear the advice of the group while a join holds its last free frame, which it then gives back. */
    @Test
    void framesThatAFailedJoinGivesBackAreAdvised() {
        PageMap map = tiled(64);
        for (int pfn = 0; pfn < 64; pfn++) {
            map.claimSeen(pfn, map.lvWord(pfn), 0, 0, ME);
        }
        assertThat(map.reclaim(30, map.lvWord(30))).isTrue();
        Race.run(ROUNDS, round -> assertSound(map), round -> {
            for (int i = 0; i < 20; i++) {
                assertThat(map.claimAndJoin(30, 1, 0, Thread.currentThread())).isZero();
            }
        }, round -> {
            for (int i = 0; i < 20; i++) {
                Advice.clearGroup(map, 0, 4);
            }
        });
        assertSound(map);
    }

    /** A close that meets a claim gives everything back; a claim that meets a close has its frame, or nothing. */
    @Test
    void aDrainTakesAllOrNothing() {
        PageMap map = tiled(8);
        for (int pfn = 0; pfn < 8; pfn++) {
            map.claimSeen(pfn, map.lvWord(pfn), 0, 0, ME);
            map.reclaim(pfn, map.lvWord(pfn));
        }
        PageMapScan scan = new PageMapScan(map);
        List<List<PageMapScan.Seen>> out = new ArrayList<>();
        Claim claim = new Claim();
        Race.run(3 * ROUNDS, round -> {
            boolean claimed = claim.handle != 0;
            assertThat(out.removeFirst()).hasSize(claimed ? 1 : 0);
            if (claimed) {
                int pfn = PageWord.pfn(claim.handle);
                assertThat(map.checked(claim.handle, "test", claim.by)).isEqualTo(map.lvWord(pfn));
                map.reclaim(pfn, map.lvWord(pfn));
            } else {
                assertThat(scan.picture()).isEqualTo("QQQQQQQQ");
                scan.undrain(8);
            }
            assertThat(scan.picture()).isEqualTo("........");
            assertSound(map);
        }, round -> out.add(scan.drain(false)), round -> claim.make(map, round % 8, 0));
        assertSound(map);
    }

    /** What a virtual owner clears when it leaves is its own; the next one's would never be swept. */
    @Test
    void virtualOwnerLeavesItsSuccessorAlone() {
        PageMap map = tiled(1);
        Thread[] owners = {Thread.ofVirtual().unstarted(() -> { }), Thread.ofVirtual().unstarted(() -> { })};
        long[] handle = {map.claimSeen(0, map.lvWord(0), 0, PageWord.EXCLUSIVE, owners[0])};
        long[] next = new long[1];
        Race.run(3 * ROUNDS, round -> {
            Thread successor = owners[(round + 1) % 2];
            assertThat(next[0]).isEqualTo(PageWord.nextGeneration(handle[0]));
            assertThat(map.virtualOwner(0)).isSameAs(successor);
            handle[0] = next[0];
            next[0] = 0;
        }, round -> pass(round, map, owners, handle, next, 0), round -> pass(round, map, owners, handle, next, 1));
        map.release(handle[0], owners[3 * ROUNDS % 2], PageWord.EXCLUSIVE);
        assertThat(map.virtualOwner(0)).isNull();
        assertSound(map);
    }

    /** In even rounds the first actor leaves and the second one takes, in odd rounds it is the other way round. */
    private static void pass(int round, PageMap map, Thread[] owners, long[] handle, long[] next, int actor) {
        if ((round + actor) % 2 == 0) {
            map.release(handle[0], owners[actor], PageWord.EXCLUSIVE);
        } else {
            while (!map.claimHinted(PageWord.nextGeneration(handle[0]), 0, PageWord.EXCLUSIVE, owners[actor])) {
                Thread.onSpinWait();
            }
            next[0] = PageWord.nextGeneration(handle[0]);
        }
    }
}
