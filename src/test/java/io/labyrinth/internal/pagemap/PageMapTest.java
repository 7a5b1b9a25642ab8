package io.labyrinth.internal.pagemap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.LabyrinthException;
import io.labyrinth.kit.Race;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Each step of the page map by itself, without the policy that chooses frames. */
class PageMapTest {

    private static final Thread ME = Thread.currentThread();
    private static final long GENERATION = 40;
    private static final int ROUNDS = 10_000;

    private static PageMap tiled(int frames, long generation) {
        PageMap map = new PageMap(Arena.ofAuto().allocate(Geometry.bytesFor(frames), 64), frames, 0);
        map.tile(generation);
        return map;
    }

    /** All frames as free runs of order 0, with their generations gone up. */
    private static PageMap inSingleFrames(int frames) {
        PageMap map = tiled(frames, GENERATION);
        for (int pfn = 0; pfn < frames; pfn++) {
            map.release(map.claimSeen(pfn, map.lvWord(pfn), 0, 0, ME), ME, PageWord.EXCLUSIVE);
        }
        return map;
    }

    private static long claim(PageMap map, int pfn, int order, long flags) {
        long word = map.lvWord(pfn);
        return PageWord.isFree(word) ? map.claimSeen(pfn, word, order, flags, Thread.currentThread()) : 0;
    }

    private static void assertSound(PageMap map) {
        assertThat(new PageMapScan(map).violation()).isNull();
    }

    @Test
    void tilesWithTheLargestRunsThatFit() {
        PageMap map = tiled(1024 + 512 + 3, GENERATION);
        assertThat(map.lvWord(0)).isEqualTo(PageWord.first(GENERATION, PageWord.FREE, 10));
        assertThat(map.lvWord(1024)).isEqualTo(PageWord.first(GENERATION, PageWord.FREE, 9));
        assertThat(map.lvWord(1536)).isEqualTo(PageWord.first(GENERATION, PageWord.FREE, 1));
        assertThat(map.lvWord(1538)).isEqualTo(PageWord.first(GENERATION, PageWord.FREE, 0));
        assertSound(map);
    }

    @Test
    void hintClaimsOnlyTheRunThatItNames() {
        PageMap map = inSingleFrames(8);
        long hint = PageWord.handle(map.lvWord(3), 3);
        assertThat(map.claimHinted(PageWord.nextGeneration(hint), 0, 0, ME)).isFalse();
        assertThat(map.claimHinted(hint, 1, 0, ME)).isFalse();
        assertThat(map.claimHinted(hint, 0, PageWord.EXCLUSIVE, ME)).isTrue();
        assertThat(map.claimHinted(hint, 0, PageWord.EXCLUSIVE, ME)).isFalse();
        assertThat(map.checked(hint, "test", ME)).isEqualTo(map.lvWord(3));
        map.release(hint, ME, PageWord.EXCLUSIVE);
        assertThat(map.claimHinted(hint, 0, 0, ME)).as("a hint of an earlier life").isFalse();
        assertSound(map);
    }

    @Test
    void claimOfAWordSeenEarlierIsLost() {
        PageMap map = inSingleFrames(8);
        long seen = map.lvWord(5);
        long handle = map.claimSeen(5, seen, 0, 0, ME);
        assertThat(map.claimSeen(5, seen, 0, 0, ME)).isZero();
        map.release(handle, ME, PageWord.EXCLUSIVE);
        assertThat(map.claimSeen(5, seen, 0, 0, ME)).isZero();
        PageMap whole = tiled(8, GENERATION);
        long wholeSeen = whole.lvWord(0);
        assertThat(whole.claimSeen(0, wholeSeen, 1, 0, ME)).isNotZero();
        assertThat(whole.claimSeen(0, wholeSeen, 1, 0, ME)).isZero();
        assertSound(map);
        assertSound(whole);
    }

    @Test
    void signsEachClaim() {
        PageMap map = inSingleFrames(8);
        long handle = claim(map, 2, 0, PageWord.EXCLUSIVE);
        assertThat(map.lvOwner(2)).isEqualTo(PageWord.owner(ME, handle));
        assertThat(map.ownerOf(handle)).isEqualTo(map.lvOwner(2));
        map.release(handle, ME, PageWord.EXCLUSIVE);
        assertThatThrownBy(() -> map.ownerOf(handle)).isInstanceOf(LabyrinthException.Stale.class);
        assertSound(map);
    }

    @Test
    void splitLeavesAlignedFreeHalves() {
        PageMap map = tiled(1024, GENERATION);
        long handle = claim(map, 0, 0, PageWord.EXCLUSIVE);
        assertThat(handle).isEqualTo(GENERATION << 24);
        assertThat(map.lvWord(0))
                .isEqualTo(PageWord.first(GENERATION, PageWord.HEAD, 0) | PageWord.TENANT | PageWord.EXCLUSIVE);
        for (int order = 0; order < 10; order++) {
            assertThat(map.lvWord(1 << order)).isEqualTo(PageWord.first(GENERATION, PageWord.FREE, order));
        }
        assertSound(map);
    }

    @Test
    void joinMakesOneRunAndEndsNoLife() {
        PageMap map = inSingleFrames(64);
        long handle = map.claimAndJoin(16, 4, PageWord.EXCLUSIVE, ME);
        assertThat(handle).isEqualTo(PageWord.handle(map.lvWord(16), 16));
        assertThat(PageWord.order(map.lvWord(16))).isEqualTo(4);
        for (int tail = 17; tail < 32; tail++) {
            assertThat(map.lvWord(tail)).isEqualTo(PageWord.first(GENERATION + 1, PageWord.TAIL, 0));
        }
        assertSound(map);
        map.release(handle, ME, PageWord.EXCLUSIVE);
        assertThat(map.lvWord(16)).isEqualTo(PageWord.first(GENERATION + 2, PageWord.FREE, 4));
        assertSound(map);
    }

    @Test
    void joinIsRefusedWithoutATraceWhereAFrameIsTaken() {
        for (int taken = 16; taken < 32; taken++) {
            PageMap map = inSingleFrames(64);
            long handle = claim(map, taken, 0, 0);
            long[] before = words(map);
            assertThat(map.claimAndJoin(16, 4, 0, ME)).isZero();
            assertThat(words(map)).isEqualTo(before);
            map.release(handle, ME, PageWord.EXCLUSIVE);
            assertSound(map);
        }
    }

    @Test
    void joinThatLosesAFrameOnTheWayIsTakenBackWithoutATrace() {
        PageMap map = inSingleFrames(64);
        long[] before = words(map);
        long[] run = new long[1];
        long[] frame = new long[1];
        AtomicInteger joins = new AtomicInteger();
        Race.run(ROUNDS, round -> {
            Thread me = Thread.currentThread();
            if (run[0] != 0) {
                assertThat(frame[0]).isZero();
                joins.incrementAndGet();
                map.release(run[0], me, PageWord.EXCLUSIVE);
                for (int pfn = 16; pfn < 32; pfn++) {
                    map.release(claim(map, pfn, 0, 0), me, PageWord.EXCLUSIVE);
                }
            } else {
                assertThat(PageWord.pfn(frame[0])).as("whoever made the join fail").isEqualTo(30);
                assertThat(map.reclaim(30, map.lvWord(30))).isTrue();
                long free = PageWord.released(before[30]);
                assertThat(words(map)).as("but for its one life").isEqualTo(with(before, 30, free));
            }
            System.arraycopy(words(map), 0, before, 0, 64);
            assertSound(map);
        }, round -> run[0] = map.claimAndJoin(16, 4, 0, Thread.currentThread()), round -> {
            for (int wait = 0; wait < round % 32; wait++) {
                Thread.onSpinWait();
            }
            frame[0] = round % 4 == 0 ? 0 : claim(map, 30, 0, 0);
        });
        assertThat(joins.get()).as("joins, alone in each fourth round").isGreaterThanOrEqualTo(ROUNDS / 4);
        assertSound(map);
    }

    private static long[] with(long[] words, int pfn, long word) {
        long[] changed = words.clone();
        changed[pfn] = word;
        return changed;
    }

    @Test
    void secondReleaseIsRefusedAndChangesNothing() {
        for (long flags : new long[] {0, PageWord.EXCLUSIVE}) {
            PageMap map = inSingleFrames(8);
            long handle = claim(map, 4, 0, flags);
            map.release(handle, ME, PageWord.EXCLUSIVE);
            long[] before = words(map);
            assertThatThrownBy(() -> map.release(handle, ME, PageWord.EXCLUSIVE))
                    .isInstanceOf(LabyrinthException.Stale.class);
            assertThatThrownBy(() -> map.handOff(handle, ME, PageWord.EXCLUSIVE))
                    .isInstanceOf(LabyrinthException.Stale.class);
            assertThat(words(map)).isEqualTo(before);
            long again = claim(map, 4, 0, flags);
            assertThatThrownBy(() -> map.release(handle, ME, PageWord.EXCLUSIVE))
                    .isInstanceOf(LabyrinthException.Stale.class);
            map.release(again, ME, PageWord.EXCLUSIVE);
            assertSound(map);
        }
    }

    @Test
    void oneOfManyReleasesOfASharedRunWins() {
        PageMap map = inSingleFrames(8);
        long[] handle = {claim(map, 4, 0, 0)};
        AtomicInteger won = new AtomicInteger();
        Race.Actor freer = round -> {
            try {
                map.release(handle[0], Thread.currentThread(), PageWord.EXCLUSIVE);
                won.incrementAndGet();
            } catch (LabyrinthException.Stale expected) {
                // The other's.
            }
        };
        Race.run(3 * ROUNDS, round -> {
            assertThat(won.getAndSet(0)).isEqualTo(1);
            assertThat(PageWord.generation(map.lvWord(4))).isEqualTo(PageWord.generation(handle[0]) + 1);
            handle[0] = claim(map, 4, 0, 0);
        }, freer, freer);
        map.release(handle[0], ME, PageWord.EXCLUSIVE);
        assertSound(map);
    }

    @Test
    void handleBeyondTheFramesIsForeign() {
        PageMap map = inSingleFrames(7);
        long foreign = GENERATION << 24 | 7;
        assertThatThrownBy(() -> map.release(foreign, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Foreign.class);
        assertThatThrownBy(() -> map.handOff(foreign, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Foreign.class);
        assertThatThrownBy(() -> map.accept(foreign, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Foreign.class);
        assertThatThrownBy(() -> map.checked(foreign, "test", ME)).isInstanceOf(LabyrinthException.Foreign.class);
        assertSound(map);
    }

    @Test
    void ticketIsAcceptedOnceAndOnlyAsATicket() {
        PageMap map = inSingleFrames(8);
        long given = claim(map, 1, 0, PageWord.EXCLUSIVE);
        assertThatThrownBy(() -> map.accept(given, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        long ticket = map.handOff(given, ME, PageWord.EXCLUSIVE);
        assertThat(ticket).isEqualTo(PageWord.nextGeneration(given));
        assertThat(PageWord.state(map.lvWord(1))).isEqualTo(PageWord.IN_TRANSIT);
        assertThatThrownBy(() -> map.release(ticket, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        assertThatThrownBy(() -> map.checked(ticket, "test", ME)).isInstanceOf(LabyrinthException.Stale.class);
        assertThat(map.accept(ticket, ME, PageWord.EXCLUSIVE)).isEqualTo(ticket);
        assertThat(map.lvOwner(1)).isEqualTo(PageWord.owner(ME, ticket));
        assertThatThrownBy(() -> map.accept(ticket, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        map.release(ticket, ME, PageWord.EXCLUSIVE);
        assertSound(map);
    }

    /** Its number is known before; but the signature is still to come, and must not be one over the next owner's. */
    @Test
    void sharedTicketIsNoHandleBeforeItsAccepterHasSigned() {
        MemorySegment memory = Arena.ofAuto().allocate(Geometry.bytesFor(8), 64);
        PageMap map = new PageMap(memory, 8, 0);
        map.tile(GENERATION);
        long given = claim(map, 0, 0, 0);
        long giver = map.lvOwner(0);
        long ticket = map.handOff(given, ME, PageWord.EXCLUSIVE);
        map.accept(ticket, ME, PageWord.EXCLUSIVE);
        memory.set(ValueLayout.JAVA_LONG, 8, giver);
        long[] before = words(map);
        assertThatThrownBy(() -> map.release(ticket, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class).hasMessageContaining("accepting just now");
        assertThatThrownBy(() -> map.handOff(ticket, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        assertThat(words(map)).isEqualTo(before);
        memory.set(ValueLayout.JAVA_LONG, 8, PageWord.owner(ME, ticket));
        map.release(ticket, ME, PageWord.EXCLUSIVE);
        assertSound(map);
    }

    @Test
    void reclaimTakesTheLifeThatWasSeenOnly() {
        PageMap map = inSingleFrames(8);
        long handle = claim(map, 6, 0, PageWord.EXCLUSIVE);
        long seen = map.lvWord(6);
        assertThat(map.reclaim(6, seen)).isTrue();
        assertThat(map.reclaim(6, seen)).isFalse();
        assertThatThrownBy(() -> map.release(handle, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        assertSound(map);
    }

    @Test
    void quarantinedRunIsNobodysUntilItIsReopened() {
        PageMap map = inSingleFrames(8);
        long free = map.lvWord(2);
        assertThat(map.quarantine(2, free)).isTrue();
        assertThat(map.quarantine(2, free)).isFalse();
        assertThat(map.claimHinted(PageWord.handle(free, 2), 0, 0, ME)).isFalse();
        assertThat(map.claimAndJoin(0, 3, 0, ME)).isZero();
        map.reopen(2, map.lvWord(2));
        assertThat(map.lvWord(2)).isEqualTo(free);
        assertSound(map);
    }

    @Test
    void lastGenerationEndsInQuarantineAndCannotBePassedOn() {
        PageMap map = tiled(1, PageWord.LAST_GENERATION);
        long handle = claim(map, 0, 0, PageWord.EXCLUSIVE);
        assertThatThrownBy(() -> map.handOff(handle, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class).hasMessageContaining("last generation");
        map.release(handle, ME, PageWord.EXCLUSIVE);
        assertThat(PageWord.state(map.lvWord(0))).isEqualTo(PageWord.QUARANTINED);
        assertThatThrownBy(() -> map.release(handle, ME, PageWord.EXCLUSIVE))
                .isInstanceOf(LabyrinthException.Stale.class);
        map.reopen(0, map.lvWord(0));
        assertThat(PageWord.state(map.lvWord(0))).isEqualTo(PageWord.QUARANTINED);
        assertSound(map);
    }

    @Test
    void clearsAGroupOnlyIfNothingInItIsFree() {
        PageMap map = tiled(64 * 3, GENERATION);
        Advice.clearGroup(map, 2, 2);
        assertThat(map.groupMayBeFree(2)).isTrue();
        long handle = claim(map, 128, 6, 0);
        Advice.clearGroup(map, 2, 2);
        assertThat(map.groupMayBeFree(2)).isFalse();
        assertThat(map.groupMayBeFree(0)).isTrue();
        map.release(handle, ME, PageWord.EXCLUSIVE);
        assertThat(map.groupMayBeFree(2)).isTrue();
        assertSound(map);
    }

    @Test
    void looksAtEachWordOfAGroupBeforeItClearsIt() {
        PageMap map = inSingleFrames(64 * 2 + 7);
        for (int pfn = 64; pfn < map.frames; pfn++) {
            claim(map, pfn, 0, 0);
        }
        for (int pfn = 64; pfn < map.frames; pfn++) {
            int group = pfn >> PageMap.GROUP_ORDER;
            assertThat(map.reclaim(pfn, map.lvWord(pfn))).isTrue();
            Advice.clearGroup(map, group, 2);
            assertThat(map.groupMayBeFree(group)).as("pfn=%s", pfn).isTrue();
            assertSound(map);
            claim(map, pfn, 0, 0);
        }
        Advice.clearGroup(map, 1, 2);
        assertThat(map.groupMayBeFree(1)).isFalse();
        assertSound(map);
    }

    @Test
    void clearsASpanOnlyIfNoneOfItsGroupsIsAdvised() {
        PageMap map = tiled(64 * 300, GENERATION);
        for (int pfn = 0; pfn < map.frames; pfn += PageWord.frames(map.lvWord(pfn))) {
            claim(map, pfn, PageWord.order(map.lvWord(pfn)), 0);
        }
        for (int group = 0; group < map.groups; group++) {
            Advice.clearGroup(map, group, 2);
        }
        int perSpan = 1 << map.spanShift;
        for (int group = 0; group < 2 * perSpan; group++) {
            Advice.clearSpan(map, 0, 2);
            assertThat(map.spanMayBeFree(0)).isFalse();
            // A quarantined word is reopened: the one way to a free head in the middle of a run, for its advice alone.
            map.reopen(group << PageMap.GROUP_ORDER, PageWord.quarantined(map.lvWord(group << PageMap.GROUP_ORDER)));
            Advice.clearSpan(map, 0, 2);
            assertThat(map.spanMayBeFree(0)).as("group=%s", group).isEqualTo(group < perSpan);
            Advice.clearGroup(map, group, 2);
        }
        assertSound(map);
    }

    /** The one race that advice has: whoever clears it must not miss the free that came meanwhile. */
    @Test
    void freeFrameIsNeverLeftUnadvised() {
        PageMap map = tiled(64 * 300, GENERATION);
        assertThat(map.spanShift).as("this many frames have spans").isPositive();
        for (int pfn = 0; pfn < map.frames; pfn += PageWord.frames(map.lvWord(pfn))) {
            claim(map, pfn, PageWord.order(map.lvWord(pfn)), 0);
        }
        long[] handle = {PageWord.handle(map.lvWord(0), 0)};
        Race.run(ROUNDS, round -> {
            assertThat(map.groupMayBeFree(0)).as("group, round=%s", round).isTrue();
            assertThat(map.spanMayBeFree(0)).as("span, round=%s", round).isTrue();
            handle[0] = claim(map, 0, 10, 0);
        }, round -> map.release(handle[0], Thread.currentThread(), PageWord.EXCLUSIVE), round -> {
            Advice.clearGroup(map, 0, 4);
            Advice.clearSpan(map, 0, 4);
        }, round -> Advice.clearGroup(map, 0, 6));
        map.release(handle[0], ME, PageWord.EXCLUSIVE);
        assertSound(map);
    }

    @Test
    void descriptorIsTheStructItself() {
        PageMap map = inSingleFrames(8);
        long handle = claim(map, 3, 0, PageWord.EXCLUSIVE);
        MemorySegment page = map.descriptor(3);
        assertThat(page.byteSize()).isEqualTo(16);
        assertThat(page.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(map.lvWord(3));
        assertThat(page.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(map.lvOwner(3));
        map.release(handle, ME, PageWord.EXCLUSIVE);
        assertThat(page.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(map.lvWord(3));
        assertSound(map);
    }

    private static long[] words(PageMap map) {
        long[] words = new long[map.frames];
        for (int pfn = 0; pfn < map.frames; pfn++) {
            words[pfn] = map.lvWord(pfn);
        }
        return words;
    }
}
