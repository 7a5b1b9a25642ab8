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

/** Which frames a buffer has, from its allocation to its release, and what happens where there are none. */
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
        int[][] framesOf = {{0, 1}, {1, 1}, {PAGE, 1}, {PAGE + 1, 2}, {2 * PAGE, 2}, {2 * PAGE + 1, 4},
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
        ByteBuf buffer = allocator.directBuffer(10).writeLong(42);
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
                        + " reserve=8 for gfp=NOWAIT; open it with more frames, or name an allocator for when it is"
                        + " dry");
        assertThat(allocator.metric().requestsDry()).isEqualTo(1);
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
        assertThat(lenient.metric().requestsDry()).isEqualTo(1);
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
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("leave it out");
    }

    @Test
    void compositesAreMadeOfFramesAndFreeThem() {
        CompositeByteBuf composite = allocator.compositeDirectBuffer(8);
        for (int i = 0; i < 5; i++) {
            composite.addComponent(true, allocator.directBuffer(16).writeLong(i));
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
