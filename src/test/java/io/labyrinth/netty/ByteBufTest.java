package io.labyrinth.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A buffer in frames does what Netty's own heap buffer does. After its release it does nothing. */
class ByteBufTest {

    private static final int FRAMES = 256;
    private static final int BUFFERS = 12;
    private static final int DEEDS = 1500;

    private final Labyrinth labyrinth = Labyrinth.builder("bytes").frames(FRAMES).locking(Locking.PREFERRED).open();
    private final LabyrinthByteBufAllocator allocator = new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT);

    @TempDir
    private Path folder;

    @AfterEach
    void nothingIsOut() {
        allocator.trim();
        assertThat(labyrinth.stats().claimed()).isZero();
        assertThat(allocator.metric().usedDirectMemory()).isZero();
        labyrinth.validate();
        labyrinth.close();
    }

    private static Object outcome(Deeds.Deed deed, ByteBuf buffer, long seed) {
        try {
            Object result = deed.to(buffer, new Random(seed));
            return result == buffer ? "itself" : result;
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            return IndexOutOfBoundsException.class;    // Netty's own buffers throw now this, now that
        } catch (Exception e) {
            return e.getClass();
        }
    }

    /** Both as large as the one that grew more: how far a buffer grows is its allocator's choice. */
    private static void level(ByteBuf mine, ByteBuf theirs, int capacity) {
        int level = Math.max(mine.capacity(), theirs.capacity());
        for (ByteBuf buffer : List.of(mine, theirs)) {
            buffer.capacity(level);
            int grown = Math.max(capacity, buffer.writerIndex());
            if (level > grown) {
                buffer.setZero(grown, level - grown);
            }
        }
    }

    @Test
    void doesWhatNettysOwnHeapBufferDoes() {
        Map<String, Deeds.Deed> deeds = Deeds.all(folder.resolve("channel"));
        List<String> names = List.copyOf(deeds.keySet());
        for (int round = 0; round < BUFFERS; round++) {
            Random random = new Random(round);
            ByteBuf neighbour = allocator.directBuffer(4096).writeZero(4096);
            ByteBuf mine = allocator.directBuffer(1 + random.nextInt(10_000), 30_000);
            ByteBuf theirs = Unpooled.buffer(mine.capacity(), 30_000);
            mine.setZero(0, mine.capacity());
            List<String> history = new ArrayList<>();
            for (int i = 0; i < DEEDS; i++) {
                String name = names.get(random.nextInt(names.size()));
                long seed = random.nextLong();
                int capacity = mine.capacity();
                Object expected = outcome(deeds.get(name), theirs, seed);
                history.add(name);
                assertThat(outcome(deeds.get(name), mine, seed)).as("%s behind %s", name, history).isEqualTo(expected);
                level(mine, theirs, capacity);
                assertThat(mine.readerIndex()).as(name).isEqualTo(theirs.readerIndex());
                assertThat(mine.writerIndex()).as(name).isEqualTo(theirs.writerIndex());
                assertThat(mine.nioBuffer(0, mine.capacity())).as(name)
                        .isEqualTo(theirs.nioBuffer(0, theirs.capacity()));
            }
            assertThat(neighbour.forEachByte(value -> value == 0)).as("a byte of the neighbour's").isEqualTo(-1);
            neighbour.release();
            mine.release();
            theirs.release();
        }
    }

    @Test
    void refusesEverythingOnceReleased() {
        Map<String, Deeds.Deed> deeds = Deeds.all(folder.resolve("channel"));
        ByteBuf buffer = allocator.directBuffer(1000).writeZero(900);
        assertThat(buffer.release()).isTrue();

        deeds.forEach((name, deed) -> {
            Object outcome = outcome(deed, buffer, 1);
            // Netty itself asks none of these whether it is released: they look at indexes, or nowhere.
            if (!List.of("hashCode", "skipBytes", "toString", "asReadOnly").contains(name)) {
                assertThat(outcome).as(name).isEqualTo(IllegalReferenceCountException.class);
            }
        });
        assertThatThrownBy(buffer::memoryAddress).isInstanceOf(IllegalReferenceCountException.class);
        assertThatThrownBy(buffer::release).isInstanceOf(IllegalReferenceCountException.class);
        assertThatThrownBy(buffer::retain).isInstanceOf(IllegalReferenceCountException.class);
    }

    @Test
    void isDirectAndOfItsAllocator() {
        ByteBuf buffer = allocator.buffer(10, 100);

        assertThat(buffer.isDirect()).isTrue();
        assertThat(buffer.isContiguous()).isTrue();
        assertThat(buffer.hasArray()).isFalse();
        assertThatThrownBy(buffer::array).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(buffer::arrayOffset).isInstanceOf(UnsupportedOperationException.class);
        assertThat(buffer.alloc()).isSameAs(allocator);
        assertThat(buffer.capacity()).isEqualTo(10);
        assertThat(buffer.maxCapacity()).isEqualTo(100);
        assertThat(buffer.maxFastWritableBytes()).isEqualTo(100);
        assertThatThrownBy(() -> buffer.capacity(101)).isInstanceOf(IllegalArgumentException.class);
        buffer.release();
    }

    @Test
    void itsAddressIsThatOfItsViewsAndOfItsFrame() {
        ByteBuf one = allocator.directBuffer(4096);
        ByteBuf two = allocator.directBuffer(4096);

        for (ByteBuf buffer : List.of(one, two)) {
            assertThat(buffer.hasMemoryAddress()).isTrue();
            assertThat(buffer.memoryAddress() % 4096).isZero();
            assertThat(address(buffer.nioBuffer(8, 100))).isEqualTo(buffer.memoryAddress() + 8);
            assertThat(address(buffer.internalNioBuffer(16, 100))).isEqualTo(buffer.memoryAddress() + 16);
        }
        assertThat(Math.abs(one.memoryAddress() - two.memoryAddress())).isGreaterThanOrEqualTo(4096);
        one.release();
        two.release();
    }

    private static long address(ByteBuffer view) {
        return MemorySegment.ofBuffer(view).address();
    }

    @Test
    void aViewShowsItsBufferAlone() {
        ByteBuf buffer = allocator.directBuffer(100);

        ByteBuffer view = buffer.nioBuffer(10, 20);

        assertThat(view.capacity()).isEqualTo(20);
        assertThatThrownBy(() -> view.limit(21)).isInstanceOf(IllegalArgumentException.class);
        buffer.release();
    }

    /** The objects are recycled, at least those of an event loop's threads; it may not show in a new buffer. */
    @Test
    void aNewBufferStartsAtZero() throws InterruptedException {
        List<List<Integer>> starts = new ArrayList<>();
        Thread loop = new FastThreadLocalThread(() -> {
            for (int i = 0; i < 100; i++) {
                ByteBuf buffer = allocator.directBuffer(64, 64 + i).writeLong(1).markWriterIndex().skipBytes(3)
                        .markReaderIndex();
                buffer.release();
                ByteBuf next = allocator.directBuffer(32, 200);
                starts.add(List.of(next.readerIndex(), next.writerIndex(), next.capacity(), next.maxCapacity(),
                        next.refCnt(), next.resetReaderIndex().readerIndex(), next.resetWriterIndex().writerIndex()));
                next.release();
            }
        });
        loop.start();
        loop.join();

        assertThat(starts).hasSize(100).containsOnly(List.of(0, 0, 32, 200, 1, 0, 0));
    }

    /** Its views die with the labyrinth, as all its segments do, instead of reading what is mapped there next. */
    @Test
    void whatIsKeptBeyondTheLabyrinthIsDead() {
        Labyrinth brief = Labyrinth.builder("brief").frames(16).locking(Locking.PREFERRED).open();
        ByteBufAllocator from = new LabyrinthByteBufAllocator(brief, Gfp.NOWAIT);
        ByteBuf buffer = from.directBuffer(100);
        ByteBuffer view = buffer.nioBuffer(0, 100);
        brief.validate();
        brief.closeNow();

        assertThatThrownBy(() -> buffer.getLong(0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> view.get(0)).isInstanceOf(IllegalStateException.class);
    }
}
