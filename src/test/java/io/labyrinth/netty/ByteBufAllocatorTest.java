package io.labyrinth.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Frame;
import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Which frames a buffer has, from its allocation to its release, and what happens if no frames are free. */
class ByteBufAllocatorTest {

    private static final int FRAMES = 1024;
    private static final int PAGE = 4096;

    private final Labyrinth labyrinth = Labyrinth.builder("netty").frames(FRAMES).reserve(8)
            .locking(Locking.PREFERRED).open();
    private final LabyrinthByteBufAllocator allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT);
    private final UnpooledByteBufAllocator unpooled = new UnpooledByteBufAllocator(true);
    private final LabyrinthByteBufAllocator lenient = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, unpooled);

    @AfterEach
    void nothingIsOut() {
        allocator.trim();
        lenient.trim();
        assertThat(claimed()).isZero();
        for (LabyrinthByteBufAllocator each : List.of(allocator, lenient)) {
            assertThat(each.metric().usedDirectMemory()).as("direct").isZero();
            assertThat(each.metric().usedHeapMemory()).as("heap").isZero();
        }
        assertThat(unpooled.metric().usedDirectMemory()).isZero();
        labyrinth.validate();
        labyrinth.close();
    }

    private int claimed() {
        return labyrinth.stats().claimed();
    }

    /** Takes what is left, frame by frame, the reserve not. */
    private List<Frame> drain() {
        List<Frame> taken = new ArrayList<>();
        for (Frame frame = labyrinth.allocPage(Gfp.NOWAIT); frame != null; frame = labyrinth.allocPage(Gfp.NOWAIT)) {
            taken.add(frame);
        }
        return taken;
    }

    @Test
    void aBufferTakesTheSmallestRunThatHasItsBytes() {
        int[][] framesOf = {{2049, 1}, {PAGE, 1}, {PAGE + 1, 2}, {2 * PAGE, 2}, {2 * PAGE + 1, 4},
                {100 * PAGE, 128}, {512 * PAGE, 512}};
        for (int[] pair : framesOf) {
            ByteBuf buffer = allocator.directBuffer(pair[0], Integer.MAX_VALUE);
            assertThat(claimed()).as("bytes=%s", pair[0]).isEqualTo(pair[1]);
            assertThat(allocator.metric().usedFrameMemory()).isEqualTo((long) pair[1] * PAGE);
            assertThat(buffer.capacity()).isEqualTo(pair[0]);
            buffer.release();
            assertThat(claimed()).isZero();
        }
    }

    @Test
    void smallBuffersShareFrames() {
        int[][] bytesOf = {{0, 256}, {1, 256}, {256, 256}, {257, 512}, {512, 512}, {513, 1024}, {1025, 2048},
                {2048, 2048}};
        for (int[] pair : bytesOf) {
            ByteBuf buffer = allocator.directBuffer(pair[0], Integer.MAX_VALUE);
            assertThat(buffer.capacity()).isEqualTo(pair[0]);
            assertThat(allocator.metric().usedFrameMemory()).as("bytes=%s", pair[0]).isEqualTo(pair[1]);
            buffer.release();
        }
        assertThat(allocator.trim()).as("a frame of each size").isEqualTo(4);

        List<ByteBuf> buffers = new ArrayList<>();
        for (int i = 0; i < 17; i++) {
            buffers.add(allocator.directBuffer(200).writeZero(200).setInt(0, i).setInt(196, i));
        }
        assertThat(claimed()).as("16 to a frame").isEqualTo(2);
        for (int i = 0; i < 17; i++) {
            assertThat(buffers.get(i).getInt(0)).isEqualTo(i);
            assertThat(buffers.get(i).getInt(196)).isEqualTo(i);
            assertThat(buffers.get(i).memoryAddress() % 256).isZero();
        }
        assertThat(allocator.trim()).as("none is without a buffer").isZero();
        buffers.removeLast().release();
        assertThat(allocator.trim()).isEqualTo(1);
        buffers.forEach(ByteBuf::release);
        assertThat(claimed()).as("kept for the next ones").isEqualTo(1);
    }

    @Test
    void aSmallBufferGrowsIntoARunAndShrinksBack() {
        ByteBuf buffer = allocator.directBuffer(10).writeLong(42);
        long first = buffer.memoryAddress();
        buffer.capacity(200);
        assertThat(buffer.memoryAddress()).as("within its object").isEqualTo(first);

        buffer.capacity(3000);
        allocator.trim();

        assertThat(claimed()).isEqualTo(1);
        assertThat(allocator.metric().usedFrameMemory()).isEqualTo(PAGE);
        assertThat(buffer.setLong(2992, 43).getLong(0)).isEqualTo(42);
        buffer.capacity(100);
        assertThat(allocator.metric().usedFrameMemory()).isEqualTo(256);
        assertThat(buffer.getLong(0)).isEqualTo(42);
        buffer.release();
    }

    /** What small buffers have left is not lost to large ones. */
    @Test
    void emptyFramesOfSmallBuffersAreGivenBackBeforeItIsDry() {
        List<ByteBuf> buffers = new ArrayList<>();
        while (claimed() < 200) {
            buffers.add(allocator.directBuffer(2048));
        }
        buffers.forEach(ByteBuf::release);
        assertThat(claimed()).isEqualTo(200);
        List<Frame> taken = drain();

        ByteBuf buffer = allocator.directBuffer(64 * PAGE);

        assertThat(allocator.metric().requestsExhausted()).isZero();
        buffer.release();
        taken.forEach(Frame::close);
    }

    /** A slab has its limit; it is not the labyrinth's. */
    @Test
    void smallBuffersBeyondTheSlabsLimitTakeFrames() {
        Labyrinth large = Labyrinth.builder("large").frames(1100).locking(Locking.NONE).open();
        LabyrinthByteBufAllocator its = new LabyrinthByteBufAllocator(large, Gfp.NOWAIT);
        List<ByteBuf> buffers = new ArrayList<>();
        for (int i = 0; i < 1 << 14; i++) {
            buffers.add(its.directBuffer(256));
        }
        assertThat(its.metric().sharedFrameMemory()).isEqualTo(its.metric().usedFrameMemory()).isEqualTo(1024 * PAGE);

        buffers.add(its.directBuffer(256));

        assertThat(its.metric().sharedFrameMemory()).isEqualTo(1024 * PAGE);
        assertThat(its.metric().usedFrameMemory()).isEqualTo(1025 * PAGE);
        buffers.forEach(ByteBuf::release);
        assertThat(large.stats().claimed()).isEqualTo(1024);
        assertThat(its.metric().usedFrameMemory()).isZero();
        large.close();
    }

    /** To open a slab calls the system, and the first buffer of a size is an event loop's. */
    @Test
    void theSlabsAreOpenedWithTheAllocatorAndNotByABuffer() {
        long before = labyrinth.stats().mappedBytes();
        LabyrinthByteBufAllocator its = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT);
        long opened = labyrinth.stats().mappedBytes();
        assertThat(opened - before).as("words of 4 slabs").isBetween(4L << 10, 4L * (272 << 10));
        assertThat(its.metric().sharedFrameMemory()).as("no frame yet").isZero();

        for (int bytes : new int[] {1, 300, 600, 2000}) {
            its.directBuffer(bytes).release();
        }

        assertThat(labyrinth.stats().mappedBytes()).isEqualTo(opened);
        its.trim();
    }

    @Test
    void anAllocatorOfAClosedLabyrinthIsRefused() {
        Labyrinth other = Labyrinth.builder("other").frames(8).locking(Locking.NONE).open();
        other.close();
        assertThatThrownBy(() -> new LabyrinthByteBufAllocator(other, Gfp.NOWAIT))
                .isInstanceOf(LabyrinthException.Closed.class);
    }

    @Test
    void aRefusedRequestIsCountedOnce() {
        List<Frame> taken = drain();
        long before = labyrinth.stats().refusedApprox();

        assertThatThrownBy(() -> allocator.directBuffer(100)).isInstanceOf(OutOfFramesError.class);

        assertThat(labyrinth.stats().refusedApprox()).isEqualTo(before + 1);
        assertThat(allocator.metric().requestsExhausted()).isEqualTo(1);
        taken.forEach(Frame::close);
    }

    /** One byte less is no reason to copy, nor is a place that would not be smaller. */
    @Test
    void shrinksOnlyIntoWhatIsSmaller() {
        ByteBuf buffer = allocator.directBuffer(2000).setLong(0, 42);
        long address = buffer.memoryAddress();
        assertThat(buffer.capacity(1025).memoryAddress()).isEqualTo(address);
        List<Frame> taken = drain();
        buffer.capacity(100);
        assertThat(buffer.memoryAddress()).as("nothing to move into").isEqualTo(address);
        taken.forEach(Frame::close);
        buffer.capacity(99);
        assertThat(buffer.memoryAddress()).isNotEqualTo(address);
        assertThat(buffer.getLong(0)).isEqualTo(42);
        assertThat(allocator.metric().usedFrameMemory()).isEqualTo(256);
        buffer.release();
    }

    @Test
    void whoLeaksASmallBufferIsToldWithItsLine() {
        Labyrinth other = Labyrinth.builder("other").frames(64).sampleClaims(1).locking(Locking.NONE).open();
        ByteBuf leak = new LabyrinthByteBufAllocator(other, Gfp.NOWAIT).directBuffer(100);

        assertThatThrownBy(other::close).isInstanceOf(LabyrinthException.FramesOut.class).hasMessageContainingAll(
                "slab size=256 labyrinth=other frames=1", "objects=1",
                "ByteBufAllocatorTest.whoLeaksASmallBufferIsToldWithItsLine(ByteBufAllocatorTest.java:");
        leak.release();
        other.close();
    }

    @Test
    void theLabyrinthClosesOverTheFramesThatSmallBuffersHaveLeft() {
        Labyrinth other = Labyrinth.builder("other").frames(64).locking(Locking.NONE).open();
        LabyrinthByteBufAllocator its = new LabyrinthByteBufAllocator(other, Gfp.NOWAIT);
        ByteBuf first = its.directBuffer(100);
        ByteBuf second = its.directBuffer(1000);
        first.release();
        assertThatThrownBy(other::close).isInstanceOf(LabyrinthException.FramesOut.class);
        second.release();

        other.close();

        assertThatThrownBy(() -> its.directBuffer(100)).isInstanceOf(LabyrinthException.Closed.class);
    }

    @Test
    void theLastReleaseFreesItsRunOnce() {
        ByteBuf buffer = allocator.directBuffer(3 * PAGE);
        ByteBuf slice = buffer.retainedSlice(0, 100);
        long ended = labyrinth.stats().livesEnded();

        assertThat(buffer.release()).isFalse();
        assertThat(claimed()).isEqualTo(4);
        assertThat(slice.release()).isTrue();
        assertThat(claimed()).isZero();
        assertThat(labyrinth.stats().livesEnded()).isEqualTo(ended + 1);
    }

    @Test
    void growsWithinItsRunInPlace() {
        ByteBuf buffer = allocator.directBuffer(3000).writeLong(42);
        long address = buffer.memoryAddress();

        buffer.writeZero(PAGE - 8);

        assertThat(buffer.memoryAddress()).isEqualTo(address);
        assertThat(claimed()).isEqualTo(1);
        buffer.release();
    }

    @Test
    void growsBeyondItsRunByALargerOneAndACopy() {
        ByteBuf buffer = allocator.directBuffer(10);
        ByteBuf slice = buffer.slice(0, 8);
        for (int i = 0; i < 100_000; i++) {
            buffer.writeInt(i);
        }

        assertThat(allocator.trim()).as("it was in one object of each size").isEqualTo(4);
        assertThat(claimed()).isEqualTo(128);
        assertThat(slice.getInt(4)).isEqualTo(1);
        for (int i = 0; i < 100_000; i++) {
            assertThat(buffer.readInt()).isEqualTo(i);
        }
        buffer.capacity(PAGE + 1);
        assertThat(claimed()).isEqualTo(2);
        assertThat(buffer.getInt(PAGE - 4)).isEqualTo(PAGE / 4 - 1);
        assertThat(List.of(buffer.readerIndex(), buffer.writerIndex())).containsExactly(PAGE + 1, PAGE + 1);
        buffer.release();
    }

    @Test
    void refusesWithFactLimitAndRemedyWhenDry() {
        List<Frame> taken = drain();

        assertThatThrownBy(() -> allocator.directBuffer(PAGE + 1)).isInstanceOf(OutOfFramesError.class)
                .hasMessage("bytes=4097 order=1 limit=10: no free run in labyrinth=netty frames=1024 frameSize=4096"
                        + " reserve=8 for gfp=NOWAIT: open it with more frames, or name an allocator to ask when it is"
                        + " exhausted");
        assertThat(allocator.metric().requestsExhausted()).isEqualTo(1);
        taken.forEach(Frame::close);
    }

    /** A run of the largest order, and one byte more than any run has. */
    @Test
    void refusesWhatIsLargerThanAnyRun() {
        assertThatThrownBy(() -> allocator.directBuffer((PAGE << Labyrinth.MAX_ORDER) + 1))
                .isInstanceOf(OutOfFramesError.class).hasMessageContaining("order=11 limit=10");
        assertThatThrownBy(() -> allocator.directBuffer(Integer.MAX_VALUE)).isInstanceOf(OutOfFramesError.class);
    }

    @Test
    void aBufferThatCannotGrowIsAsItWas() {
        ByteBuf buffer = allocator.directBuffer(PAGE).writeZero(PAGE - 8).writeLong(42);
        List<Frame> taken = drain();

        assertThatThrownBy(() -> buffer.writeByte(1)).isInstanceOf(OutOfFramesError.class);

        assertThat(buffer.capacity()).isEqualTo(PAGE);
        assertThat(buffer.writerIndex()).isEqualTo(PAGE);
        assertThat(buffer.getLong(PAGE - 8)).isEqualTo(42);
        taken.forEach(Frame::close);
        assertThat(buffer.writeByte(1).getByte(PAGE)).isEqualTo((byte) 1);
        buffer.release();
    }

    /** To shrink is no reason to fail, though there be nothing smaller to have. */
    @Test
    void aBufferThatCannotMoveToShrinkStays() {
        ByteBuf buffer = allocator.directBuffer(8 * PAGE).writeLong(42);
        List<Frame> taken = drain();

        buffer.capacity(100);

        assertThat(buffer.capacity()).isEqualTo(100);
        assertThat(buffer.getLong(0)).isEqualTo(42);
        assertThat(claimed() - taken.size()).isEqualTo(8);
        taken.forEach(Frame::close);
        buffer.release();
    }

    @Test
    void asksTheOtherWhenDryAndComesBackToFrames() {
        List<Frame> taken = drain();
        ByteBuf buffer = lenient.directBuffer(PAGE).writeLong(42);

        assertThat(buffer.alloc()).isSameAs(lenient);
        assertThat(lenient.metric().usedFrameMemory()).isZero();
        assertThat(lenient.metric().usedOtherMemory()).isEqualTo(PAGE);
        assertThat(lenient.metric().requestsExhausted()).isEqualTo(1);
        assertThat(unpooled.metric().usedDirectMemory()).isEqualTo(PAGE);
        assertThat(buffer.hasMemoryAddress()).isTrue();
        taken.forEach(Frame::close);

        buffer.writeZero(PAGE);
        assertThat(buffer.getLong(0)).isEqualTo(42);
        assertThat(unpooled.metric().usedDirectMemory()).isZero();
        assertThat(lenient.metric().usedOtherMemory()).isZero();
        assertThat(claimed()).isEqualTo(2);
        buffer.release();
    }

    @Test
    void growsOutOfTheFramesIntoTheOther() {
        ByteBuf buffer = lenient.directBuffer(PAGE).writeLong(42);
        assertThat(buffer.internalNioBuffer(0, 8).getLong()).isEqualTo(42);

        buffer.capacity((PAGE << Labyrinth.MAX_ORDER) + 1);

        assertThat(claimed()).isZero();
        assertThat(buffer.getLong(0)).isEqualTo(42);
        assertThat(buffer.setLong(0, 43).internalNioBuffer(0, 8).getLong()).isEqualTo(43);
        buffer.setByte(PAGE << Labyrinth.MAX_ORDER, 1);
        buffer.release();
    }

    /** What the other refuses is refused, and takes nothing with it. */
    @Test
    void theOthersRefusalIsPassedOn() {
        OutOfMemoryError theirs = new OutOfMemoryError("the other");
        ByteBufAllocator other = new AbstractByteBufAllocator(true) {
            @Override
            protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
                throw theirs;
            }

            @Override
            protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
                throw theirs;
            }

            @Override
            public boolean isDirectBufferPooled() {
                return false;
            }
        };
        LabyrinthByteBufAllocator both = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, other);

        assertThatThrownBy(() -> both.directBuffer(PAGE << 11)).isSameAs(theirs);

        ByteBuf buffer = both.directBuffer(8);
        assertThatThrownBy(() -> buffer.capacity(PAGE << 11)).isSameAs(theirs);
        assertThat(buffer.writeLong(42).readLong()).isEqualTo(42);
        buffer.release();
        both.trim();
        assertThat(both.metric().usedDirectMemory()).isZero();
    }

    @Test
    void theReserveIsForHigh() {
        List<Frame> taken = drain();
        LabyrinthByteBufAllocator high = new LabyrinthByteBufAllocator(labyrinth, Gfp.HIGH);

        ByteBuf buffer = high.directBuffer(8 * PAGE);

        assertThatThrownBy(() -> high.directBuffer(1)).isInstanceOf(OutOfFramesError.class);
        buffer.release();
        taken.forEach(Frame::close);
    }

    @Test
    void refusesExclusive() {
        assertThatThrownBy(() -> new LabyrinthByteBufAllocator(labyrinth, Gfp.ATOMIC_EXCLUSIVE))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("leave out EXCLUSIVE");
    }

    @Test
    void compositesAreMadeOfFramesAndFreeThem() {
        CompositeByteBuf composite = allocator.compositeDirectBuffer(8);
        for (int i = 0; i < 5; i++) {
            composite.addComponent(true, allocator.directBuffer(PAGE).writeLong(i));
        }
        assertThat(claimed()).isEqualTo(5);
        assertThat(composite.alloc()).isSameAs(allocator);

        composite.consolidate();

        assertThat(claimed()).isEqualTo(1);
        for (int i = 0; i < 5; i++) {
            assertThat(composite.readLong()).isEqualTo(i);
        }
        composite.release();
    }

    @Test
    void heapBuffersAreOnTheHeapAndCounted() {
        ByteBuf buffer = allocator.heapBuffer(100);
        assertThat(buffer.hasArray()).isTrue();
        assertThat(buffer.alloc()).isSameAs(allocator);
        assertThat(allocator.metric().usedHeapMemory()).isEqualTo(100);
        buffer.capacity(300);
        assertThat(allocator.metric().usedHeapMemory()).isEqualTo(300);
        assertThat(claimed()).isZero();
        buffer.release();
    }

    @Test
    void buffersAreDirectByDefaultAndForChannels() {
        for (ByteBuf buffer : List.of(allocator.buffer(), allocator.ioBuffer(), allocator.directBuffer())) {
            assertThat(buffer.isDirect()).isTrue();
            assertThat(buffer.maxCapacity()).isEqualTo(Integer.MAX_VALUE);
            buffer.release();
        }
        assertThat(allocator.isDirectBufferPooled()).isTrue();
        assertThat(allocator.directBuffer(0, 0).isReadable()).isFalse();
        assertThatThrownBy(() -> allocator.directBuffer(2, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> allocator.directBuffer(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theLabyrinthDoesNotCloseUnderABuffer() {
        ByteBuf buffer = allocator.directBuffer(100);

        assertThatThrownBy(labyrinth::close).isInstanceOf(LabyrinthException.FramesOut.class);
        assertThat(buffer.writeLong(42).readLong()).isEqualTo(42);
        buffer.release();
    }

    /** Whichever run came first: frames below it are reached as well as those above. */
    @Test
    void everyFrameCanBeABuffer() {
        List<Frame> taken = drain();
        List<ByteBuf> buffers = new ArrayList<>();
        for (Frame frame : taken.reversed()) {
            frame.segment().fill((byte) 1);
            long address = frame.segment().address();
            frame.close();
            ByteBuf buffer = allocator.directBuffer(PAGE).writeZero(PAGE);
            assertThat(buffer.memoryAddress()).isEqualTo(address);
            buffers.add(buffer.setInt(0, buffers.size()).setInt(PAGE - 4, buffers.size()));
        }
        for (int i = 0; i < buffers.size(); i++) {
            assertThat(buffers.get(i).getInt(0)).isEqualTo(i);
            assertThat(buffers.get(i).getInt(PAGE - 4)).isEqualTo(i);
            buffers.get(i).release();
        }
    }
}
