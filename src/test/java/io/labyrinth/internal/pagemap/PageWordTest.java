package io.labyrinth.internal.pagemap;

import static org.assertj.core.api.Assertions.assertThat;

import io.labyrinth.Labyrinth;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Each transition against its definition in bits, which is written here once more. The words are random. */
class PageWordTest {

    private static final long LAST = (1L << 40) - 1;

    /** A word in parts, with each part in the place that the header's diagram gives it. */
    private record Parts(long generation, int tenant, int flags, int order, int state) {

        static Parts random(SplittableRandom random) {
            return new Parts(random.nextLong(LAST), 1 + random.nextInt(255), random.nextInt(2), random.nextInt(11), 2);
        }

        Parts in(int newState) {
            return new Parts(generation, tenant, flags, order, newState);
        }

        Parts free() {
            return new Parts(generation, 0, 0, order, 1);
        }

        Parts nextGeneration() {
            return new Parts(generation + 1, tenant, flags, order, state);
        }

        Parts last() {
            return new Parts(LAST, tenant, flags, order, state);
        }

        long held() {
            return PageWord.tenant(tenant) | (flags == 1 ? PageWord.EXCLUSIVE : 0);
        }

        long word() {
            return generation << 24 | (long) tenant << 16 | (long) flags << 8 | (long) order << 4 | state;
        }
    }

    private static void forRandomHeads(Consumer<Parts> check) {
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < 10_000; i++) {
            check.accept(Parts.random(random));
        }
    }

    @Test
    void readsEachPartFromItsPlace() {
        forRandomHeads(head -> {
            assertThat(PageWord.generation(head.word())).isEqualTo(head.generation);
            assertThat(PageWord.order(head.word())).isEqualTo(head.order);
            assertThat(PageWord.frames(head.word())).isEqualTo(1 << head.order);
            assertThat(PageWord.state(head.word())).isEqualTo(2);
            assertThat(PageWord.isExclusive(head.word())).isEqualTo(head.flags == 1);
        });
    }

    @Test
    void claimsWithTenantAndFlags() {
        forRandomHeads(head -> assertThat(PageWord.claimed(head.free().word(), head.held()))
                .isEqualTo(head.word()));
    }

    @Test
    void releasesIntoTheNextLifeAndKeepsTheOrder() {
        forRandomHeads(head ->
                assertThat(PageWord.released(head.word())).isEqualTo(head.free().nextGeneration().word()));
    }

    @Test
    void quarantinesInsteadOfWrappingTheGeneration() {
        forRandomHeads(head -> {
            long released = PageWord.released(head.last().word());
            assertThat(released).isEqualTo(new Parts(LAST, 0, 0, head.order, 5).word());
            assertThat(PageWord.isLastGeneration(head.last().word())).isTrue();
            assertThat(PageWord.isLastGeneration(head.word())).isFalse();
        });
    }

    @Test
    void takesAClaimBackInTheSameLife() {
        forRandomHeads(head -> assertThat(PageWord.unclaimed(head.word())).isEqualTo(head.free().word()));
    }

    @Test
    void resizesNothingButTheOrder() {
        forRandomHeads(head -> {
            for (int order = 0; order <= PageWord.MAX_ORDER; order++) {
                Parts resized = new Parts(head.generation, head.tenant, head.flags, order, 2);
                assertThat(PageWord.resized(head.word(), order)).isEqualTo(resized.word());
            }
        });
    }

    @Test
    void splitsAndJoinsInTheLifeThatTheFrameIsIn() {
        forRandomHeads(head -> {
            long tail = new Parts(head.generation, 0, 0, 0, 3).word();
            assertThat(PageWord.joined(head.word())).isEqualTo(tail);
            assertThat(PageWord.splitOff(tail, head.order, PageWord.tenant(head.tenant)))
                    .isEqualTo(new Parts(head.generation, head.tenant, 0, head.order, 2).word());
        });
    }

    @Test
    void handsOverIntoTheNextLifeAndAcceptsInThatLife() {
        forRandomHeads(head -> {
            long transit = head.nextGeneration().in(4).word();
            assertThat(PageWord.inTransit(head.word())).isEqualTo(transit);
            assertThat(PageWord.accepted(transit, head.held())).isEqualTo(head.nextGeneration().word());
        });
    }

    @Test
    void tellsTheStatesApart() {
        for (int state = 0; state < 16; state++) {
            long word = new Parts(7, 0, 0, 3, state).word();
            assertThat(PageWord.isFree(word)).isEqualTo(state == 1);
            assertThat(PageWord.isOut(word)).isEqualTo(state == 2 || state == 4);
            for (int order = 0; order <= PageWord.MAX_ORDER; order++) {
                assertThat(PageWord.isFree(word, order)).isEqualTo(state == 1 && order == 3);
            }
        }
    }

    @Test
    void handlesNameOneLifeOfOneFrame() {
        SplittableRandom random = new SplittableRandom(2);
        forRandomHeads(head -> {
            int pfn = random.nextInt(Labyrinth.MAX_FRAMES);
            long handle = PageWord.handle(head.word(), pfn);
            assertThat(PageWord.pfn(handle)).isEqualTo(pfn);
            assertThat(PageWord.generation(handle)).isEqualTo(head.generation);
            assertThat(PageWord.isLive(head.word(), handle)).isTrue();
            assertThat(PageWord.isLive(head.nextGeneration().word(), handle)).isFalse();
            assertThat(PageWord.isLive(head.free().word(), handle)).isFalse();
            assertThat(PageWord.isLive(head.in(3).word(), handle)).isFalse();
            assertThat(PageWord.isLive(head.in(4).word(), handle)).isFalse();
            assertThat(PageWord.sameGeneration(head.free().word(), handle)).isTrue();
            assertThat(PageWord.sameGeneration(head.nextGeneration().word(), handle)).isFalse();
            assertThat(PageWord.nextGeneration(handle)).isEqualTo(PageWord.handle(head.nextGeneration().word(), pfn));
            assertThat(PageWord.free(handle, head.order)).isEqualTo(head.free().word());
        });
    }

    @Test
    void signsWithThreadIdKindAndLife() {
        Thread platform = Thread.currentThread();
        Thread virtual = Thread.ofVirtual().unstarted(() -> { });
        forRandomHeads(head -> {
            long life = (head.generation & 2047) << 52;
            assertThat(PageWord.owner(platform, head.word())).isEqualTo(platform.threadId() | life);
            assertThat(PageWord.owner(virtual, head.word())).isEqualTo(virtual.threadId() | life | 1L << 63);
            assertThat(PageWord.threadId(PageWord.owner(virtual, head.word()))).isEqualTo(virtual.threadId());
            assertThat(PageWord.isVirtual(PageWord.owner(virtual, head.word()))).isTrue();
            assertThat(PageWord.isVirtual(PageWord.owner(platform, head.word()))).isFalse();
        });
    }

    @Test
    void signatureOfAnotherLifeIsNone() {
        Thread me = Thread.currentThread();
        forRandomHeads(head -> {
            long owner = PageWord.owner(me, head.word());
            assertThat(PageWord.isSigned(head.word(), owner)).isTrue();
            assertThat(PageWord.isSigned(head.nextGeneration().word(), owner)).isFalse();
        });
    }

    @Test
    void frameThatNobodyEverSignedIsUnsignedInEveryLife() {
        for (long generation = 1; generation < 3 * 2048; generation++) {
            assertThat(PageWord.isSigned(new Parts(generation, 1, 1, 0, 2).word(), 0)).isFalse();
        }
    }

    @Test
    void describesItselfAsNameAndValue() {
        assertThat(PageWord.describe(new Parts(9, 1, 1, 2, 2).word()))
                .isEqualTo("state=HEAD order=2 generation=9 EXCLUSIVE");
        assertThat(PageWord.describe(0)).isEqualTo("state=none(0) order=0 generation=0");
        assertThat(PageWord.describeHandle(5L << 24 | 77)).isEqualTo("pfn=77 generation=5");
    }
}
