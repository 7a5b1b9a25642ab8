package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Owner.Claim;
import io.labyrinth.Owner.Holding;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.ChildJvm;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Which thread holds which frames. For sampled claims also since when, and from which line of code. */
class OwnersTest {

    private static final Gfp MINE = Gfp.ATOMIC_EXCLUSIVE;

    private static Labyrinth.Builder builder() {
        return Labyrinth.builder("owners").frames(512).reserve(16).locking(Locking.PREFERRED);
    }

    @Test
    void tellsEachOwnerWithWhatItHoldsTheLargestFirst() {
        try (Labyrinth labyrinth = builder().open()) {
            assertThat(labyrinth.owners()).isEmpty();
            Thread me = Thread.currentThread();
            Frame mine = labyrinth.allocPages(MINE, 3);
            Frame mineToo = labyrinth.allocPage(MINE);
            Frame shared = labyrinth.allocPages(Gfp.NOWAIT, 2);
            Ticket ticket = labyrinth.allocPages(MINE, 1).handOff();
            Frame small = labyrinth.allocPage(Gfp.ATOMIC);

            assertThat(labyrinth.owners()).containsExactly(
                    new Owner(Holding.EXCLUSIVE, me.threadId(), false, me.getName(), 2, 9, List.of()),
                    new Owner(Holding.SHARED, me.threadId(), false, me.getName(), 2, 5, List.of()),
                    new Owner(Holding.TICKET, me.threadId(), false, me.getName(), 1, 2, List.of()));
            assertThat(labyrinth.owners()).allSatisfy(owner -> assertThat(owner.oldestSampled()).isNull());
            assertThat(labyrinth.owners().getFirst()).hasToString("EXCLUSIVE thread=" + me.threadId() + " \""
                    + me.getName() + "\" runs=2 frames=9");

            List.of(mine, mineToo, shared, small, ticket.accept()).forEach(Frame::close);
            assertThat(labyrinth.owners()).isEmpty();
            labyrinth.validate();
        }
    }

    @Test
    void tellsTheNameOfAThreadThatLivesAndNoneOfOneThatHasEnded() throws InterruptedException {
        try (Labyrinth labyrinth = builder().open()) {
            for (Thread.Builder kind : List.of(Thread.ofPlatform().name("hand"), Thread.ofVirtual().name("hand"))) {
                CountDownLatch claimed = new CountDownLatch(1);
                CountDownLatch end = new CountDownLatch(1);
                Thread thread = kind.start(() -> {
                    labyrinth.handles().alloc(MINE, 0);
                    claimed.countDown();
                    try {
                        end.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError("nobody interrupts it", e);
                    }
                });
                claimed.await();
                assertThat(labyrinth.owners()).containsExactly(new Owner(Holding.EXCLUSIVE, thread.threadId(),
                        thread.isVirtual(), "hand", 1, 1, List.of()));
                end.countDown();
                thread.join();
                assertThat(labyrinth.owners()).containsExactly(new Owner(Holding.EXCLUSIVE, thread.threadId(),
                        thread.isVirtual(), null, 1, 1, List.of()));
                assertThat(labyrinth.sweepDeadOwners()).isEqualTo(1);
            }
            labyrinth.validate();
        }
    }

    /** The line is that of the call, and the one that is told is that of the frame which is still out. */
    @Test
    void aLeakIsToldWithItsLine() {
        Labyrinth labyrinth = builder().sampleClaims(1).open();
        Instant before = Instant.now().minusMillis(1);
        List<Integer> lines = new ArrayList<>();
        long handle = leak(labyrinth, lines);
        labyrinth.allocPage(MINE).close();
        labyrinth.allocPage(Gfp.NOWAIT.with(Gfp.ZERO)).close();
        labyrinth.handles().alloc(Gfp.HIGH.with(Gfp.NOWARN), 10);

        Owner owner = labyrinth.owners().getFirst();
        assertThat(labyrinth.owners()).hasSize(1);
        assertThat(owner.runs()).isEqualTo(1);
        Claim claim = owner.sampled().getFirst();
        assertThat(claim.pfn()).isEqualTo(labyrinth.handles().pfn(handle));
        assertThat(claim.order()).isEqualTo(2);
        assertThat(claim.since()).isBetween(before, Instant.now()).isEqualTo(owner.oldestSampled());
        assertThat(claim.where().getFirst().getMethodName()).isEqualTo("leak");
        assertThat(claim.where().getFirst().getLineNumber()).isEqualTo(lines.getFirst() + 1);
        assertThat(claim.where().get(1).getMethodName()).isEqualTo("aLeakIsToldWithItsLine");

        assertThatThrownBy(labyrinth::close).isExactlyInstanceOf(LabyrinthException.FramesOut.class)
                .hasMessageContainingAll("runs=1 frames=4", "closeNow()", "sampled=1 oldest=" + claim.since(),
                        "OwnersTest.leak(OwnersTest.java:" + (lines.getFirst() + 1) + ")",
                        "OwnersTest.aLeakIsToldWithItsLine(");
        labyrinth.handles().free(handle);
        labyrinth.validate();
        labyrinth.close();
    }

    private static long leak(Labyrinth labyrinth, List<Integer> line) {
        line.add(new Throwable().getStackTrace()[0].getLineNumber());
        return labyrinth.handles().alloc(MINE, 2);
    }

    @Test
    void aLeakedObjectIsToldWithItsLine() {
        Labyrinth labyrinth = Labyrinth.builder("slabs").frames(64).sampleClaims(1).open();
        Slab slab = labyrinth.slab(64);
        long leak = slab.alloc(Gfp.NOWAIT);
        long ticket = slab.handOff(slab.alloc(Gfp.ATOMIC_EXCLUSIVE));
        slab.free(slab.alloc(Gfp.NOWAIT));

        List<Owner> owners = slab.owners();
        assertThat(owners).extracting(Owner::holding).containsExactlyInAnyOrder(Owner.Holding.SHARED,
                Owner.Holding.TICKET);
        for (Owner owner : owners) {
            assertThat(owner.sampled().getFirst().where().getFirst().getMethodName())
                    .isEqualTo("aLeakedObjectIsToldWithItsLine");
        }
        long accepted = slab.accept(ticket);
        assertThat(slab.owners()).hasSize(2).allSatisfy(owner -> assertThat(owner.sampled()).hasSize(1));
        slab.free(accepted);
        for (AutoCloseable closing : List.of(slab, labyrinth)) {
            assertThatThrownBy(closing::close).isInstanceOf(LabyrinthException.FramesOut.class)
                    .hasMessageContaining("OwnersTest.aLeakedObjectIsToldWithItsLine(OwnersTest.java:");
        }
        slab.free(leak);
        labyrinth.validate();
        labyrinth.close();
    }

    @Test
    void aTicketIsToldWithTheClaimBeforeItAndAnAcceptedOneWithItsAccept() {
        try (Labyrinth labyrinth = builder().sampleClaims(1).open()) {
            Ticket ticket = labyrinth.allocPage(MINE).handOff();
            Claim given = labyrinth.owners().getFirst().sampled().getFirst();
            assertThat(given.where().getFirst().getMethodName()).startsWith("aTicketIsTold");
            Frame frame = accept(ticket);
            Claim accepted = labyrinth.owners().getFirst().sampled().getFirst();
            assertThat(accepted.where().getFirst().getMethodName()).isEqualTo("accept");
            frame.close();
            assertThat(labyrinth.owners()).isEmpty();
            labyrinth.validate();
        }
    }

    private static Frame accept(Ticket ticket) {
        return ticket.accept();
    }

    /** By chance, so within 8 standard deviations. */
    @Test
    void oneClaimInNIsSampled() {
        try (Labyrinth labyrinth = builder().sampleClaims(4).open()) {
            int sampled = 0;
            for (int round = 0; round < 20; round++) {
                List<Frame> frames = new ArrayList<>();
                for (int i = 0; i < 200; i++) {
                    frames.add(labyrinth.allocPage(MINE));
                }
                sampled += labyrinth.owners().getFirst().sampled().size();
                frames.forEach(Frame::close);
            }
            assertThat(sampled).isBetween(780, 1220);
            labyrinth.validate();
        }
    }

    @Test
    void whoeverAcceptsASampledRunIsSampledToo() {
        try (Labyrinth labyrinth = builder().sampleClaims(2).open()) {
            List<Frame> frames = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                frames.add(labyrinth.allocPage(MINE));
            }
            for (int turn = 0; turn < 4; turn++) {
                Set<Integer> before = sampled(labyrinth);
                frames.replaceAll(frame -> frame.handOff().accept());
                assertThat(sampled(labyrinth)).isNotEmpty().containsAll(before);
            }
            frames.forEach(Frame::close);
            labyrinth.validate();
        }
    }

    private static Set<Integer> sampled(Labyrinth labyrinth) {
        return labyrinth.owners().getFirst().sampled().stream().map(Claim::pfn).collect(Collectors.toSet());
    }

    /** No free takes a sample away, so the life that it is of has to. */
    @Test
    void aSampleOfAnotherLifeIsNotTold() {
        Samples samples = new Samples(4, 1, Set.of());
        long head = PageWord.claimed(PageWord.first(7, PageWord.FREE, 1), PageWord.TENANT | PageWord.EXCLUSIVE);
        samples.claimed(PageWord.handle(head, 2));

        assertThat(samples.of(2, head)).isNotNull();
        assertThat(samples.of(2, PageWord.inTransit(head))).isNotNull();
        long next = PageWord.released(head);
        assertThat(samples.of(2, PageWord.claimed(next, PageWord.TENANT))).isNull();
        assertThat(samples.of(2, PageWord.accepted(PageWord.inTransit(head), PageWord.TENANT))).isNull();
        assertThat(samples.of(2, PageWord.inTransit(PageWord.claimed(next, PageWord.TENANT)))).isNull();
        assertThat(samples.of(0, head)).isNull();
    }

    @Test
    void placesAreToldOnceWithHowManyClaimsWereMadeThere() {
        try (Labyrinth labyrinth = builder().sampleClaims(1).open()) {
            List<Frame> frames = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                frames.add(labyrinth.allocPage(MINE));
            }
            assertThat(labyrinth.owners().getFirst().toString()).contains(" runs=5 frames=5\n  sampled=5 oldest=")
                    .containsOnlyOnce("placesAreToldOnce");
            frames.forEach(Frame::close);
            labyrinth.validate();
        }
    }

    @Test
    void closingNowLogsWhatWasOut() {
        ChildJvm.Result child = ChildJvm.of(ClosesNow.class).run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isZero();
        assertThat(child.err()).containsSubsequence("WARN", "labyrinth=now closes now although frames are out",
                "SHARED thread=", "sampled=1", "OwnersTest$ClosesNow.main(OwnersTest.java:");
    }

    /** Leaves a frame. */
    static final class ClosesNow {
        public static void main(String[] args) {
            Labyrinth labyrinth = Labyrinth.builder("now").frames(64).sampleClaims(1).open();
            labyrinth.allocPage(Gfp.NOWAIT);
            labyrinth.validate();
            labyrinth.closeNow();
        }
    }

    @Test
    void onAFullHeapItIsTheSampleThatIsLost() {
        ChildJvm.Result child = ChildJvm.of(FullHeap.class).jvm("-Xmx8m", "-Xms8m").run();

        assertThat(child.exit()).as("%s%n%s", child.out(), child.err()).isEqualTo(FullHeap.ALL_CLAIMED);
    }

    /** Claims and frees by handles, which need no heap, where there is none for a sample. */
    static final class FullHeap {
        static final int ALL_CLAIMED = 42;

        public static void main(String[] args) throws ClassNotFoundException {
            Class.forName("java.lang.Shutdown");
            Runtime runtime = Runtime.getRuntime();
            Labyrinth labyrinth = Labyrinth.builder("full").frames(64).sampleClaims(1).open();
            Handles handles = labyrinth.handles();
            boolean claimed = pairs(handles);
            Object[] hog = null;
            for (int size = 1 << 16; size > 0; size /= 16) {
                try {
                    while (true) {
                        hog = new Object[] {hog, new long[size]};
                    }
                } catch (OutOfMemoryError e) {
                    // On with the smaller ones.
                }
            }
            claimed &= pairs(handles);
            runtime.halt(claimed && hog != null ? ALL_CLAIMED : 1);
        }

        private static boolean pairs(Handles handles) {
            for (int i = 0; i < 100; i++) {
                long handle = handles.alloc(Gfp.NOWAIT, 0);
                if (handle == 0) {
                    return false;
                }
                handles.free(handle);
            }
            return true;
        }
    }

    @Test
    void withoutSamplesARequestLooksAtNothingMore() {
        try (Labyrinth labyrinth = builder().open()) {
            assertThat(labyrinth.samples).isNull();
            assertThat(labyrinth.zone.slowPath).isFalse();
            labyrinth.validate();
        }
        for (int every : new int[] {0, -1, Integer.MIN_VALUE}) {
            assertThatThrownBy(() -> builder().sampleClaims(every))
                    .isExactlyInstanceOf(LabyrinthException.InvalidRequest.class)
                    .hasMessageContainingAll("sampleClaims=" + every, "limit=1", "leave it out");
        }
    }
}
