package io.labyrinth.tenants;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Inside;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.Ticket;
import io.labyrinth.internal.os.Header;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** One labyrinth with several tenants. Each attachment is a tenant, in this JVM or in another one. */
class SharedTest {

    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);
    private static final int FRAMES = 300;

    private final Path path = Path.of("/dev/shm/labyrinth-test-" + ProcessHandle.current().pid() + "-"
            + Integer.toHexString(System.identityHashCode(this)));

    private Labyrinth create() {
        return Labyrinth.builder("shared").frames(FRAMES).reserve(20).locking(Locking.PREFERRED).shared(path).open();
    }

    private static Labyrinth attach(Path path) {
        return Labyrinth.attach(path, Locking.PREFERRED);
    }

    private static List<Frame> allThereIs(Labyrinth labyrinth) {
        List<Frame> all = new ArrayList<>();
        for (Frame frame = labyrinth.allocPage(EXCLUSIVE); frame != null; frame = labyrinth.allocPage(EXCLUSIVE)) {
            all.add(frame);
        }
        return all;
    }

    @AfterEach
    void remove() throws Exception {
        Files.deleteIfExists(path);
    }

    @Test
    void tenantsTakeFromOneLabyrinthAndSeeTheSameMemory() {
        try (Labyrinth one = create(); Labyrinth two = attach(path)) {
            assertThat(two.name()).isEqualTo("shared");
            assertThat(two.stats().frames()).isEqualTo(FRAMES);
            assertThat(two.stats().reserve()).isEqualTo(20);
            List<Frame> ours = allThereIs(one);
            assertThat(ours).hasSize(FRAMES - 20);
            assertThat(two.allocPage(EXCLUSIVE)).isNull();
            ours.getFirst().close();
            Frame theirs = two.allocPage(EXCLUSIVE);
            assertThat(theirs).isNotNull();
            assertThat(theirs.pfn()).isEqualTo(ours.getFirst().pfn());
            assertThatThrownBy(ours.getFirst()::close).isInstanceOf(LabyrinthException.Stale.class);
            theirs.close();
            ours.subList(1, ours.size()).forEach(Frame::close);
            one.validate();
            two.validate();
        }
    }

    /** The kernel tells each of them its share of the pages alone. */
    @Test
    void eachTenantsPagesAreLockedAndShownSo() {
        try (Labyrinth one = Labyrinth.builder("shared").frames(FRAMES).shared(path).open();
                Labyrinth two = Labyrinth.attach(path); Labyrinth three = Labyrinth.attach(path)) {
            for (Labyrinth each : List.of(one, two, three)) {
                assertThat(each.stats().lockedBytes()).isEqualTo(Inside.region(each).file.header.fileBytes())
                        .as("with its header and its tenants").isEqualTo(each.stats().mappedBytes());
                assertThat(each.stats().metadataBytes()).isEqualTo(Inside.region(each).file.header.framesOffset());
            }
            one.validate();
        }
    }

    @Test
    void aFramePassesByTicketWithWhatIsInIt() {
        try (Labyrinth one = create(); Labyrinth two = attach(path)) {
            Frame frame = one.allocPages(EXCLUSIVE, 3);
            frame.segment().set(ValueLayout.JAVA_LONG, 4096, 42);
            long ticket = frame.handOff().handle();
            long raw = two.handles().accept(ticket);
            assertThat(two.handles().getLong(raw, 4096)).isEqualTo(42);
            assertThat(two.handles().order(raw)).isEqualTo(3);
            assertThatThrownBy(() -> one.handles().free(raw)).isInstanceOf(LabyrinthException.NotOwner.class)
                    .hasMessageContaining("another process").hasMessageContaining("tenant=3");
            assertThatThrownBy(() -> one.handles().getLong(raw, 0)).isInstanceOf(LabyrinthException.NotOwner.class);
            long first = one.handles().alloc(EXCLUSIVE, 0);
            assertThatThrownBy(() -> two.handles().free(first)).as("the same thread, and the first tenant's run")
                    .isInstanceOf(LabyrinthException.NotOwner.class);
            one.handles().free(first);
            assertThatThrownBy(() -> one.handles().accept(ticket)).isInstanceOf(LabyrinthException.Stale.class);
            Frame back = one.accept(two.handles().handOff(raw));
            assertThat(back.segment().get(ValueLayout.JAVA_LONG, 4096)).isEqualTo(42);
            back.close();
            one.validate();
        }
    }

    @Test
    void aMemfdIsSharedByDescriptor() {
        try (Labyrinth one = Labyrinth.builder("memfd").frames(64).locking(Locking.PREFERRED).memfd().open();
                Labyrinth two = attach(one.sharedPath())) {
            Frame frame = two.allocPage(EXCLUSIVE);
            assertThat(one.picture()).contains("E");
            frame.close();
            assertThat(one.picture()).doesNotContain("E");
            one.validate();
        }
    }

    @Test
    void whoLeavesWithFramesOutReturnsThem() {
        try (Labyrinth one = create()) {
            Labyrinth two = attach(path);
            Frame exclusive = two.allocPages(EXCLUSIVE, 2);
            Frame shared = two.allocPage(Gfp.NOWAIT);
            Ticket ticket = two.allocPage(EXCLUSIVE).handOff();
            Frame mine = one.allocPage(EXCLUSIVE);
            assertThatThrownBy(two::close).isInstanceOf(LabyrinthException.FramesOut.class);
            assertThat(two.closeNow()).isEqualTo(3);
            assertThat(one.stats().claimed()).isEqualTo(1);
            assertThat(one.stats().inTransit()).isZero();
            assertThatThrownBy(exclusive::close).isInstanceOf(LabyrinthException.Closed.class);
            assertThatThrownBy(shared::close).isInstanceOf(LabyrinthException.Closed.class);
            assertThatThrownBy(ticket::accept).isInstanceOf(LabyrinthException.Closed.class);
            assertThat(one.sweepDeadOwners()).isZero();
            mine.close();
            one.validate();
        }
    }

    @Test
    void aTenantThatLivesIsNeverSwept() {
        try (Labyrinth one = create(); Labyrinth two = attach(path)) {
            Frame frame = two.allocPage(EXCLUSIVE);
            assertThat(one.sweepDeadOwners()).isZero();
            frame.close();
            one.validate();
        }
    }

    /** What its threads hold is known to their own process alone. */
    @Test
    void aSweepOfDeadThreadsKeepsToItsOwnTenant() throws Exception {
        try (Labyrinth one = create(); Labyrinth two = attach(path)) {
            AtomicReference<Frame> frame = new AtomicReference<>();
            Thread thread = Thread.ofPlatform().start(() -> frame.set(two.allocPage(EXCLUSIVE)));
            thread.join();
            assertThat(one.sweepDeadOwners()).isZero();
            assertThat(two.sweepDeadOwners()).isEqualTo(1);
            one.validate();
        }
    }

    @Test
    void aFileIsCreatedOnceAndRefusedWhereItIsNoMemory() throws Exception {
        create().close();
        assertThatThrownBy(this::create).isInstanceOf(LabyrinthException.MapRefused.class)
                .hasMessageContaining("attach to it");
        assertThat(path).exists();
        Path disk = Files.createTempDirectory(Path.of("target"), "shared").resolve("labyrinth");
        assertThatThrownBy(() -> Labyrinth.builder("disk").frames(16).shared(disk).open())
                .isInstanceOf(LabyrinthException.InvalidRequest.class).hasMessageContaining("/dev/shm");
        assertThat(disk).doesNotExist();
        assertThatThrownBy(() -> attach(Path.of("/dev/shm/no-such-labyrinth")))
                .isInstanceOf(LabyrinthException.MapRefused.class).hasMessageContaining("No such file");
    }

    @Test
    void everyHeaderByteThatIsFlippedIsFound() throws Exception {
        try (Labyrinth one = create(); RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            for (int at = 0; at < Header.BYTES; at++) {
                file.seek(at);
                int good = file.read();
                file.seek(at);
                file.write(good ^ 1 << at % 8);
                assertThatThrownBy(() -> attach(path)).as("byte %d", at)
                        .isInstanceOf(LabyrinthException.NotALabyrinth.class);
                file.seek(at);
                file.write(good);
            }
            attach(path).close();
            one.validate();
        }
    }

    @Test
    void aTornOrShortFileIsRefused() throws Exception {
        for (int length : new int[] {0, 1, 255, 256, 4096, 8192}) {
            try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
                file.setLength(length);
            }
            assertThatThrownBy(() -> attach(path)).as("%d bytes", length)
                    .isInstanceOf(LabyrinthException.NotALabyrinth.class);
        }
    }

    @Test
    void noMoreTenantsThanSlots() {
        List<Labyrinth> tenants = new ArrayList<>();
        tenants.add(Labyrinth.builder("full").frames(4).locking(Locking.NONE).shared(path).open());
        for (int i = 1; i < 254; i++) {
            tenants.add(Labyrinth.attach(path, Locking.NONE));
        }
        assertThatThrownBy(() -> Labyrinth.attach(path, Locking.NONE)).isInstanceOf(LabyrinthException.NoVacancy.class)
                .hasMessageContaining("254");
        tenants.removeFirst().close();
        tenants.add(Labyrinth.attach(path, Locking.NONE));
        tenants.getLast().validate();
        tenants.forEach(Labyrinth::close);
    }
}
