package io.labyrinth.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.LabyrinthException;
import io.labyrinth.LabyrinthStats;
import io.labyrinth.Locking;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.os.Living;
import io.labyrinth.internal.os.Region;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageMapScan;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.internal.pagemap.Zone;
import io.labyrinth.kit.Orphan;
import io.labyrinth.kit.Verify;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Arbitrary bytes in page words, owner words and advice, as another process that shares the map could write them. Each
 * call returns a typed answer or a plausible count, ends, and touches nothing outside of the map.
 */
class CorruptWordsTest {

    private static final int FRAMES = 200;
    private static final int RESERVE = 24;
    /** More than the largest order that the word can say reaches, on either side of the map. */
    private static final long AROUND = 2L << 20;
    private static final byte CANARY = 0x5A;

    private final SplittableRandom random = new SplittableRandom(20261128);
    private final MemorySegment memory = Arena.ofAuto().allocate(AROUND + Geometry.bytesFor(FRAMES) + AROUND, 64);
    private final MemorySegment inside = memory.asSlice(AROUND, Geometry.bytesFor(FRAMES));

    @Test
    void noWordLeadsOutOfTheMap() {
        Region region = Region.open("corrupt", 1, Libc.pageSize(), Locking.NONE);
        int answers = 0;
        int refusals = 0;
        for (int image = 0; image < Verify.scale(2_000, 100_000); image++) {
            memory.fill(CANARY);
            PageMap map = map();
            map.tile(5);
            Zone zone = new Zone(map, 1);
            corrupt();
            answers += look(map, zone, region);
            for (int step = 0; step < 40; step++) {
                try {
                    use(map, zone);
                    answers++;
                } catch (LabyrinthException typed) {
                    refusals++;
                }
            }
            answers += look(map, zone, region);
            assertThat(isUntouched(0)).as("in front of the map, image %d", image).isTrue();
            assertThat(isUntouched(AROUND + inside.byteSize())).as("after the map, image %d", image).isTrue();
        }
        region.discard();
        assertThat(refusals).isPositive();
        Verify.held("no page word leads out of the map", "CorruptWordsTest",
                answers + " answers and " + refusals + " refusals over corrupt words");
    }

    @Test
    void aTicketOfARunThatCannotBeIsRefused() {
        PageMap map = map();
        map.tile(5);
        int last = FRAMES - 1;
        inside.set(ValueLayout.JAVA_LONG, last * 16L, PageWord.first(5, PageWord.IN_TRANSIT, 3));

        assertThatThrownBy(() -> map.accept(PageWord.handle(map.lvWord(last), last), Thread.currentThread(), 0))
                .isInstanceOf(LabyrinthException.Foreign.class)
                .hasMessageContaining("pfn=199 generation=5").hasMessageContaining("no such run fits there");
    }

    /** A tenant's, all zeros. */
    private PageMap map() {
        return new PageMap(inside.fill((byte) 0), FRAMES, RESERVE, PageWord.tenant(2), new Thread[FRAMES],
                new Orphans(FRAMES));
    }

    private boolean isUntouched(long from) {
        for (long at = from; at < from + AROUND; at += Long.BYTES) {
            if (memory.get(ValueLayout.JAVA_LONG, at) != 0x5A5A5A5A5A5A5A5AL) {
                return false;
            }
        }
        return true;
    }

    /** Some words are anything, some are nearly right. */
    private void corrupt() {
        for (int i = 0; i < 12; i++) {
            long at = random.nextInt(3) == 0 ? random.nextLong(inside.byteSize() / 8) * 8
                    : (random.nextBoolean() ? random.nextInt(FRAMES) : FRAMES - 1 - random.nextInt(4)) * 16L;
            long word = random.nextInt(3) == 0 ? random.nextLong()
                    : PageWord.first(5 + random.nextInt(2), random.nextInt(6), random.nextInt(16))
                            | PageWord.tenant(random.nextInt(4)) | random.nextInt(4) << 8;
            inside.set(ValueLayout.JAVA_LONG, at, word);
        }
    }

    private static int look(PageMap map, Zone zone, Region region) {
        PageMapScan scan = new PageMapScan(map);
        LabyrinthStats stats = Inside.stats(scan.count(5), zone, region);
        assertThat(stats.free() + stats.reserveFree() + stats.claimed() + stats.inTransit()
                + stats.quarantined()).isBetween(0, FRAMES);
        assertThat(stats.free()).isNotNegative();
        assertThat(stats.livesEnded()).isNotNegative();
        assertThat(scan.free()).isBetween(0, FRAMES);
        assertThat(scan.picture()).hasSize(FRAMES);
        assertThat(scan.describeOut(scan.out())).isNotNull();
        assertThat(Inside.owners(scan.out(), map)).isNotNull();
        scan.violation();
        return 6;
    }

    private void use(PageMap map, Zone zone) {
        Thread me = Thread.currentThread();
        int pfn = random.nextInt(FRAMES);
        long handle = PageWord.handle(map.lvWord(pfn), pfn);
        switch (random.nextInt(8)) {
            case 0 -> freeHinted(map, zone, handle, me);
            case 1 -> map.accept(handle, me, PageWord.EXCLUSIVE);
            case 2 -> map.handOff(handle, me, PageWord.EXCLUSIVE);
            case 3 -> assertThat(new PageMapScan(map).evict(PageWord.tenant(random.nextInt(5)))).isBetween(0, FRAMES);
            case 4 -> assertThat(new PageMapScan(map).sweep(Living::endedOf)).isBetween(0, FRAMES);
            case 5 -> {
                Orphan.mark(map, handle);
                map.orphans.mend(map);
            }
            default -> {
                Gfp gfp = random.nextBoolean() ? Gfp.NOWAIT : Gfp.ATOMIC_EXCLUSIVE;
                int order = random.nextInt(PageWord.MAX_ORDER + 1);
                long claimed = zone.claim(gfp.bits(), order, me);
                assertThat(claimed == 0 || PageWord.pfn(claimed) + (1 << order) <= FRAMES).isTrue();
                if (claimed != 0 && random.nextBoolean()) {
                    freeHinted(map, zone, claimed, me);
                }
            }
        }
    }

    private static void freeHinted(PageMap map, Zone zone, long handle, Thread me) {
        if (map.release(handle, me, PageWord.EXCLUSIVE)) {
            zone.freed(handle, me);
        }
    }
}
