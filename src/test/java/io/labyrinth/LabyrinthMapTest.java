package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.labyrinth.LabyrinthMap.Run;
import io.labyrinth.LabyrinthMap.State;
import io.labyrinth.LabyrinthMap.Tenant;
import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_tenant;
import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.pagemap.Orphans;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import io.labyrinth.kit.ChildJvm;
import io.labyrinth.map.ColorBy;
import io.labyrinth.map.MapPicture;
import io.labyrinth.map.MapWatch;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A map shows what is there, and a look from another process leaves no trace. */
class LabyrinthMapTest {

    private static final Gfp EXCLUSIVE = Gfp.NOWAIT.with(Gfp.EXCLUSIVE);

    @TempDir
    private Path folder;

    private final Path path = Path.of("/dev/shm/labyrinth-map-" + ProcessHandle.current().pid() + "-"
            + Integer.toHexString(System.identityHashCode(this)));

    @AfterEach
    void remove() throws Exception {
        Files.deleteIfExists(path);
    }

    private Labyrinth create(int frames) {
        return Labyrinth.builder("mapped").frames(frames).reserve(8).locking(Locking.PREFERRED).shared(path).open();
    }

    private static Run runAt(LabyrinthMap map, int pfn) {
        return map.runs().stream().filter(run -> run.pfn() == pfn).findFirst().orElseThrow();
    }

    @Test
    void eachRunIsAsItIs() {
        try (Labyrinth labyrinth = Labyrinth.builder("each").frames(64).reserve(8).open()) {
            labyrinth.allocPage(EXCLUSIVE).close();
            Frame mine = labyrinth.allocPage(EXCLUSIVE);
            Frame shared = labyrinth.allocPages(Gfp.NOWAIT, 2);
            Ticket ticket = labyrinth.allocPages(EXCLUSIVE, 1).handOff();
            long me = Thread.currentThread().threadId();

            LabyrinthMap map = labyrinth.map();

            assertThat(runAt(map, mine.pfn())).isEqualTo(new Run(mine.pfn(), 0, State.CLAIMED, true, 1, me, false,
                    mine.generation(), 1));
            assertThat(runAt(map, shared.pfn())).isEqualTo(new Run(shared.pfn(), 2, State.CLAIMED, false, 1, me, false,
                    shared.generation(), 0));
            assertThat(runAt(map, ticket.pfn())).isEqualTo(new Run(ticket.pfn(), 1, State.IN_TRANSIT, true, 1, 0, false,
                    labyrinth.handles().generation(ticket.handle()), 1));
            assertThat(runAt(map, 56)).satisfies(reserve -> assertThat(List.of(reserve.state(), reserve.frames(),
                    reserve.tenant(), reserve.owner(), reserve.isOut())).isEqualTo(List.of(State.FREE, 8, 0, 0L,
                    false)));
            assertThat(List.of(map.name(), map.frames(), map.reserve(), map.frameSize(), map.tenants(), map.free()))
                    .isEqualTo(List.of("each", 64, 8, labyrinth.frameSize(), List.of(), 64 - 8 - 1 - 4 - 2));
            ticket.accept().close();
            mine.close();
            shared.close();
            assertThat(map.free()).as("a map does not change").isEqualTo(49);
            labyrinth.validate();
        }
    }

    @Test
    void aVirtualOwnerIsToldFromOthers() throws InterruptedException {
        try (Labyrinth labyrinth = Labyrinth.builder("virtual").frames(64).open()) {
            List<Run> seen = new ArrayList<>();
            Thread virtual = Thread.ofVirtual().start(() -> {
                try (Frame frame = labyrinth.allocPage(EXCLUSIVE)) {
                    seen.add(runAt(labyrinth.map(), frame.pfn()));
                }
            });
            virtual.join();
            assertThat(seen).singleElement().satisfies(run -> {
                assertThat(run.virtual()).isTrue();
                assertThat(run.owner()).isEqualTo(virtual.threadId());
            });
            labyrinth.validate();
        }
    }

    /** Against a count by hand, and against what a request really gets. */
    @Test
    void whatCouldBeHadCanBeHad() {
        SplittableRandom random = new SplittableRandom(7);
        for (int round = 0; round < 60; round++) {
            int frames = 100 + random.nextInt(1100);
            int reserve = random.nextInt(80);
            try (Labyrinth labyrinth = Labyrinth.builder("had").frames(frames).reserve(reserve).locking(Locking.NONE)
                    .open()) {
                List<Frame> held = new ArrayList<>();
                int keep = random.nextInt(101);
                for (Frame frame = labyrinth.allocPage(EXCLUSIVE); frame != null;
                        frame = labyrinth.allocPage(EXCLUSIVE)) {
                    held.add(frame);
                }
                held.removeIf(frame -> {
                    boolean go = random.nextInt(100) >= keep;
                    if (go) {
                        frame.close();
                    }
                    return go;
                });

                LabyrinthMap map = labyrinth.map();

                String free = labyrinth.picture();
                int all = (int) free.chars().filter(state -> state == '.').count();
                assertThat(map.free()).isEqualTo(all).isEqualTo(labyrinth.stats().free());
                int largest = -1;
                for (int order = 0; order <= Labyrinth.MAX_ORDER; order++) {
                    int runs = 0;
                    for (int at = 0; at + (1 << order) <= frames; at += 1 << order) {
                        runs += free.startsWith(".".repeat(1 << order), at) ? 1 : 0;
                    }
                    largest = runs > 0 ? order : largest;
                    assertThat(map.available(order)).as("order %s of %s", order, free).isEqualTo(runs);
                    assertThat(map.unusable(order)).isEqualTo(all == 0 ? 1 : 1 - (double) (runs << order) / all,
                            Offset.offset(1e-9));
                }
                assertThat(map.largestOrder()).isEqualTo(largest);
                for (int order = Math.max(0, largest); order <= Math.min(largest + 1, Labyrinth.MAX_ORDER); order++) {
                    Frame frame = labyrinth.allocPages(EXCLUSIVE, order);
                    assertThat(frame != null).as("order %s of %s", order, free).isEqualTo(order == largest);
                    if (frame != null) {
                        frame.close();
                    }
                }
                assertThatThrownBy(() -> map.available(11)).isInstanceOf(LabyrinthException.InvalidRequest.class);
                assertThatThrownBy(() -> map.unusable(-1)).isInstanceOf(LabyrinthException.InvalidRequest.class);
                held.forEach(Frame::close);
                labyrinth.validate();
            }
        }
    }

    @Test
    void runsTileTheLabyrinthWhateverGoesOn() throws InterruptedException {
        try (Labyrinth labyrinth = Labyrinth.builder("busy").frames(300).reserve(20).open()) {
            AtomicBoolean over = new AtomicBoolean();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                int seed = i;
                threads.add(Thread.ofPlatform().start(() -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    while (!over.get()) {
                        Frame frame = labyrinth.allocPages(Gfp.NOWAIT.with(Gfp.NOWARN), random.nextInt(7));
                        if (frame != null) {
                            frame.close();
                        }
                    }
                }));
            }
            try {
                for (int look = 0; look < 20_000; look++) {
                    int next = 0;
                    for (Run run : labyrinth.map().runs()) {
                        assertThat(run.pfn()).isEqualTo(next);
                        next += run.frames();
                    }
                    assertThat(next).isEqualTo(300);
                }
            } finally {
                over.set(true);
                for (Thread thread : threads) {
                    thread.join();
                }
            }
            labyrinth.validate();
        }
    }

    @Test
    void aLookFromOutsideSeesTheSameAndLeavesNoTrace() throws Exception {
        try (Labyrinth labyrinth = create(300)) {
            Frame frame = labyrinth.allocPages(EXCLUSIVE, 3);
            byte[] before = Files.readAllBytes(path);

            LabyrinthMap map = LabyrinthMap.of(path);

            assertThat(Files.readAllBytes(path)).isEqualTo(before);
            assertThat(map.runs()).isEqualTo(labyrinth.map().runs()).contains(runAt(map, frame.pfn()));
            assertThat(map.toString()).isEqualTo(labyrinth.map().toString());
            assertThat(map.tenants()).isEqualTo(labyrinth.map().tenants()).singleElement().satisfies(tenant -> {
                assertThat(tenant.number()).isEqualTo(2);
                assertThat(tenant.pid()).isEqualTo(ProcessHandle.current().pid());
                assertThat(tenant.since()).isPositive();
            });
            assertThat(Files.readString(Path.of("/proc/self/maps"))).as("mapped by its tenant alone")
                    .satisfies(maps -> assertThat(maps.lines().filter(line -> line.endsWith(path.toString())
                            && line.contains("r--s"))).isEmpty());
            // A copy on a disk can be neither locked nor joined, and is as good to look at.
            assertThat(LabyrinthMap.of(Files.copy(path, folder.resolve("copy"))).runs()).isEqualTo(map.runs());
            frame.close();
            labyrinth.validate();
        }
    }

    /** Has a frame until it is killed. */
    static final class Other {

        public static void main(String[] args) throws IOException {
            try (Labyrinth labyrinth = Labyrinth.attach(Path.of(args[0]), Locking.NONE);
                    Frame frame = labyrinth.allocPage(EXCLUSIVE)) {
                System.out.println("ready");
                if (System.in.read() < 0) {
                    throw new AssertionError("nobody kills " + frame);
                }
            }
        }
    }

    @Test
    void aTenantThatHasDiedIsToldFromThoseThatLive() throws Exception {
        try (Labyrinth labyrinth = create(300)) {
            Process other = ChildJvm.of(Other.class).with(path.toString()).start();
            try {
                assertThat(other.inputReader().readLine()).isEqualTo("ready");
                assertThat(labyrinth.map().tenants()).hasSize(2).allMatch(Tenant::alive);
                assertThat(LabyrinthMap.of(path).tenants()).isEqualTo(labyrinth.map().tenants());
            } finally {
                other.destroyForcibly().waitFor();
            }

            assertThat(labyrinth.map().tenants()).extracting(Tenant::number, Tenant::pid, Tenant::alive)
                    .containsExactly(tuple(2, ProcessHandle.current().pid(), true), tuple(3, other.pid(), false));
            assertThat(LabyrinthMap.of(path).tenants()).isEqualTo(labyrinth.map().tenants());
            assertThat(new MapWatch(labyrinth::map).look().text(ColorBy.OWNER, false))
                    .contains(" of pid " + other.pid() + " (dead tenant 3)");
            assertThat(labyrinth.sweepDeadOwners()).isEqualTo(1);
            assertThat(labyrinth.map().tenants()).singleElement().matches(Tenant::alive);
            labyrinth.validate();
        }
    }

    /** 4 GiB, of which the file has the page map alone: a look needs no more. */
    @Test
    void aMillionFramesAreShownInAFewCells() throws Exception {
        int frames = 1 << 20;
        Header header = Header.plan("million", frames, 0, Libc.pageSize(), 1000);
        Path file = folder.resolve("million");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ,
                StandardOpenOption.WRITE); Arena arena = Arena.ofConfined()) {
            channel.write(ByteBuffer.allocate(1), header.fileBytes() - 1);
            MemorySegment memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, header.framesOffset(), arena);
            PageMap words = new PageMap(memory.asSlice(header.pageMapOffset()), frames, 0,
                    PageWord.tenant(3), new Thread[frames], new Orphans(frames));
            words.tile(header.firstGeneration());
            header.write(memory);
            MemorySegment slot = memory.asSlice(header.tenantsOffset() + 3 * labyrinth_tenant.sizeof());
            labyrinth_tenant.pid(slot, 4711);
            labyrinth_tenant.state(slot, Native.LABYRINTH_TENANT());
            Header.publish(memory);
            for (int pfn = 0; pfn <= frames / 2; pfn++) {
                words.claimSeen(pfn, words.lvWord(pfn), 0, PageWord.EXCLUSIVE, Thread.currentThread());
            }
        }

        MapPicture picture = new MapWatch(() -> LabyrinthMap.of(file)).look();

        assertThat(picture.map().runs().stream().filter(Run::isOut)).hasSize(frames / 2 + 1).allMatch(run ->
                run.tenant() == 3);
        assertThat(picture.text(ColorBy.OWNER, false)).contains("a line has 32,768 frames, a cell 512",
                "  .    524,287  free", "  A    524,289  thread " + Thread.currentThread().threadId()
                        + " of pid 4711 (dead tenant 3)")
                .as("one frame of a cell of 512").containsPattern("\\d a\\.+\n");
        assertThat(picture.png(ColorBy.ORDER)).hasSizeLessThan(1 << 20);
    }

    @Test
    void whatIsNoLabyrinthIsRefused() throws Exception {
        Path file = folder.resolve("file");
        assertThatThrownBy(() -> LabyrinthMap.of(file)).isInstanceOf(LabyrinthException.MapRefused.class)
                .hasMessageContainingAll("no such file", "sharedPath()");
        Files.write(file, new byte[100]);
        assertThatThrownBy(() -> LabyrinthMap.of(file)).isInstanceOf(LabyrinthException.NotALabyrinth.class)
                .hasMessageContaining("too short");
        Files.write(file, new byte[100_000]);
        assertThatThrownBy(() -> LabyrinthMap.of(file)).isInstanceOf(LabyrinthException.NotALabyrinth.class)
                .hasMessageContaining("magic");
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
        for (Path other : List.of(folder, pipe, Path.of("/dev/zero"))) {
            assertThatThrownBy(() -> LabyrinthMap.of(other)).isInstanceOf(LabyrinthException.NotALabyrinth.class)
                    .hasMessageContaining("no regular file");
        }
        try (Labyrinth labyrinth = create(64)) {
            byte[] torn = Files.readAllBytes(path);
            torn[(int) Header.BYTES / 2]++;
            Files.write(file, torn, StandardOpenOption.TRUNCATE_EXISTING);
            assertThatThrownBy(() -> LabyrinthMap.of(file)).isInstanceOf(LabyrinthException.NotALabyrinth.class)
                    .hasMessageContaining("crc");
            labyrinth.validate();
        }
    }
}
