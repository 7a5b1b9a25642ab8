package io.labyrinth.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.arrow.memory.AllocationManager;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.memory.unsafe.UnsafeAllocationManager;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.ArrowFileWriter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Arrow's vectors in frames: the same files, and its accounts in order, whatever is refused. */
class ArrowTest {

    private static final int PAGE = 4096;
    private static final int ROWS = 20_000;

    private final Labyrinth labyrinth = Labyrinth.builder("arrow").frames(1024).reserve(8)
            .locking(Locking.PREFERRED).open();

    @TempDir
    private Path folder;

    @AfterEach
    void nothingIsOut() {
        assertThat(claimed()).isZero();
        labyrinth.validate();
        labyrinth.close();
    }

    private int claimed() {
        return labyrinth.stats().claimed();
    }

    private static RootAllocator root(AllocationManager.Factory factory) {
        return new RootAllocator(RootAllocator.configBuilder().allocationManagerFactory(factory).build());
    }

    private RootAllocator inFrames() {
        return root(new LabyrinthAllocation(labyrinth, Gfp.NOWAIT));
    }

    private List<Frame> drain() {
        List<Frame> taken = new ArrayList<>();
        for (Frame frame = labyrinth.allocPage(Gfp.NOWAIT); frame != null; frame = labyrinth.allocPage(Gfp.NOWAIT)) {
            taken.add(frame);
        }
        return taken;
    }

    /** A file of two batches: numbers, some null, and words. */
    private static byte[] write(BufferAllocator allocator, Path file) throws IOException {
        Random random = new Random(42);
        try (BigIntVector numbers = new BigIntVector("numbers", allocator);
                VarCharVector words = new VarCharVector("words", allocator);
                FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            VectorSchemaRoot rows = VectorSchemaRoot.of(numbers, words);
            try (ArrowFileWriter writer = new ArrowFileWriter(rows, null, channel)) {
                for (int batch = 0; batch < 2; batch++) {
                    for (int row = 0; row < ROWS; row++) {
                        if (random.nextInt(10) == 0) {
                            numbers.setNull(row);
                        } else {
                            numbers.setSafe(row, random.nextLong());
                        }
                        words.setSafe(row, ("word " + random.nextInt(1000)).getBytes(StandardCharsets.UTF_8));
                    }
                    rows.setRowCount(ROWS);
                    writer.writeBatch();
                }
            }
        }
        return Files.readAllBytes(file);
    }

    private List<List<Object>> read(BufferAllocator allocator, Path file) throws IOException {
        List<List<Object>> columns = new ArrayList<>();
        try (FileChannel channel = FileChannel.open(file);
                ArrowFileReader reader = new ArrowFileReader(channel, allocator)) {
            while (reader.loadNextBatch()) {
                for (FieldVector vector : reader.getVectorSchemaRoot().getFieldVectors()) {
                    List<Object> values = new ArrayList<>();
                    for (int row = 0; row < vector.getValueCount(); row++) {
                        values.add(String.valueOf(vector.getObject(row)));
                    }
                    columns.add(values);
                }
            }
        }
        return columns;
    }

    @Test
    void aFileIsWrittenAndReadAsWithArrowsOwnMemory() throws IOException {
        Path mine = folder.resolve("mine.arrow");
        Path theirs = folder.resolve("theirs.arrow");
        try (RootAllocator frames = inFrames(); RootAllocator own = root(UnsafeAllocationManager.FACTORY)) {
            long ended = labyrinth.stats().livesEnded();
            assertThat(write(frames, mine)).isEqualTo(write(own, theirs)).hasSizeGreaterThan(2 * ROWS * 8);
            assertThat(labyrinth.stats().livesEnded()).as("runs that were in use").isGreaterThan(ended + 10);

            assertThat(read(frames, theirs)).isEqualTo(read(own, mine)).hasSize(4)
                    .allSatisfy(column -> assertThat(column).hasSize(ROWS));
            assertThat(frames.getAllocatedMemory()).isZero();
        }
    }

    @Test
    void aBufferIsARunOfFrames() {
        try (RootAllocator allocator = inFrames()) {
            int[][] framesOf = {{1, 1}, {PAGE, 1}, {PAGE + 1, 2}, {3 * PAGE, 4}, {512 * PAGE, 512}};
            for (int[] pair : framesOf) {
                try (ArrowBuf buffer = allocator.buffer(pair[0])) {
                    assertThat(claimed()).as("bytes=%s", pair[0]).isEqualTo(pair[1]);
                    assertThat(buffer.memoryAddress() % PAGE).isZero();
                    buffer.setByte(pair[0] - 1, 42);
                    assertThat(buffer.getByte(pair[0] - 1)).isEqualTo((byte) 42);
                }
                assertThat(claimed()).isZero();
                assertThat(allocator.getAllocatedMemory()).isZero();
            }
            assertThat(allocator.buffer(0).capacity()).isZero();
        }
    }

    /** Slices and other allocators of the same root hold the run; it is freed with the last, once. */
    @Test
    void theLastReleaseFreesTheRunOnce() {
        try (RootAllocator root = inFrames(); BufferAllocator other = root.newChildAllocator("other", 0, 1 << 20)) {
            ArrowBuf buffer = root.buffer(PAGE);
            buffer.setLong(0, 42);
            ArrowBuf moved = buffer.getReferenceManager().transferOwnership(buffer, other).getTransferredBuffer();
            long ended = labyrinth.stats().livesEnded();

            buffer.close();
            assertThat(claimed()).isEqualTo(1);
            assertThat(moved.getLong(0)).isEqualTo(42);
            moved.close();

            assertThat(claimed()).isZero();
            assertThat(labyrinth.stats().livesEnded()).isEqualTo(ended + 1);
            assertThatThrownBy(moved::close).isInstanceOf(IllegalStateException.class);
        }
    }

    /** Arrow's accounts are checked as its allocator closes: what was refused may not stand in them. */
    @Test
    void refusesWithFactLimitAndRemedyWhenDry() {
        List<Frame> taken = drain();
        try (RootAllocator allocator = inFrames()) {
            assertThatThrownBy(() -> allocator.buffer(PAGE + 1)).isInstanceOf(OutOfMemoryException.class)
                    .hasMessage("bytes=8192 order=1 limit=10: no free run in labyrinth=arrow frames=1024 frameSize=4096"
                            + " reserve=8 for gfp=NOWAIT: open it with more frames, or name a factory to ask when it is"
                            + " exhausted");
            assertThat(allocator.getAllocatedMemory()).isZero();
            taken.forEach(Frame::close);
            allocator.buffer(PAGE + 1).close();
        }
    }

    @Test
    void refusesWhatIsLargerThanAnyRun() {
        try (RootAllocator allocator = inFrames()) {
            assertThatThrownBy(() -> allocator.buffer((PAGE << Labyrinth.MAX_ORDER) + 1L))
                    .isInstanceOf(OutOfMemoryException.class).hasMessageContaining("order=11 limit=10");
            // Its frames are 2^32: no more than 0 to whoever counts them in an int.
            assertThatThrownBy(() -> new LabyrinthAllocation(labyrinth, Gfp.NOWAIT).create(allocator, (1L << 44) + 1))
                    .isInstanceOf(OutOfMemoryException.class);
        }
    }

    @Test
    void asksTheOtherWhenDryOrTooLarge() {
        List<Frame> taken = drain();
        AllocationManager.Factory both =
                new LabyrinthAllocation(labyrinth, Gfp.NOWAIT, UnsafeAllocationManager.FACTORY);
        try (RootAllocator allocator = root(both)) {
            ArrowBuf buffer = allocator.buffer(PAGE);
            buffer.setLong(0, 42);
            assertThat(claimed()).isEqualTo(taken.size());
            taken.forEach(Frame::close);

            ArrowBuf large = allocator.buffer((PAGE << Labyrinth.MAX_ORDER) + 1L);
            assertThat(claimed()).isZero();
            assertThat(buffer.getLong(0)).isEqualTo(42);
            buffer.close();
            large.close();
        }
    }

    @Test
    void theReserveIsForHigh() {
        List<Frame> taken = drain();
        try (RootAllocator high = root(new LabyrinthAllocation(labyrinth, Gfp.HIGH))) {
            ArrowBuf buffer = high.buffer(8 * PAGE);
            assertThatThrownBy(() -> high.buffer(1)).isInstanceOf(OutOfMemoryException.class);
            buffer.close();
        }
        taken.forEach(Frame::close);
    }

    /** What fails between the claim and the return gives the run back. */
    @Test
    void noRunIsLostWhereArrowRefuses() {
        LabyrinthAllocation factory = new LabyrinthAllocation(labyrinth, Gfp.NOWAIT);

        assertThatThrownBy(() -> factory.create(null, 100)).isInstanceOf(NullPointerException.class);

        assertThat(claimed()).isZero();
    }

    @Test
    void refusesExclusive() {
        assertThatThrownBy(() -> new LabyrinthAllocation(labyrinth, Gfp.ATOMIC_EXCLUSIVE))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("leave out EXCLUSIVE");
    }
}
