package io.labyrinth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.kit.Race;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.AnnotatedElementContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.io.TempDirFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Buffers over frames, with real files and sockets: what they can do, and what is refused. */
class BuffersTest {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final int BYTES = 16 << 10;

    @TempDir(factory = OnADisk.class)
    private Path folder;

    private Labyrinth labyrinth;

    /** In the build's folder: where /tmp is in memory, O_DIRECT may be refused. */
    static final class OnADisk implements TempDirFactory {
        @Override
        public Path createTempDirectory(AnnotatedElementContext element,
                ExtensionContext context) throws IOException {
            return Files.createTempDirectory(Files.createDirectories(Path.of("target")), "buffers");
        }
    }

    /** Where a segment can come from. */
    enum Source {
        EXCLUSIVE_FRAME, FRAME, EXCLUSIVE_ARENA, ARENA;

        boolean isConfined() {
            return this == EXCLUSIVE_FRAME || this == EXCLUSIVE_ARENA;
        }

        /** Two segments of {@link #BYTES}, and their end. */
        void with(Labyrinth labyrinth, BiConsumer<MemorySegment, MemorySegment> action) {
            Gfp gfp = isConfined() ? Gfp.ATOMIC_EXCLUSIVE : Gfp.NOWAIT;
            if (this == EXCLUSIVE_FRAME || this == FRAME) {
                try (Frame one = labyrinth.allocPages(gfp, 2); Frame two = labyrinth.allocPages(gfp, 2)) {
                    action.accept(one.segment(), two.segment());
                }
            } else {
                try (FrameArena arena = labyrinth.arena(gfp)) {
                    action.accept(arena.allocate(BYTES, 4096), arena.unzeroed().allocate(BYTES, 4096));
                }
            }
        }
    }

    @BeforeEach
    void open() {
        labyrinth = Labyrinth.builder("buffers").frames(64).open();
    }

    @AfterEach
    void everythingIsBack() {
        labyrinth.validate();
        assertThat(labyrinth.stats().free()).isEqualTo(64);
        labyrinth.close();
    }

    private static void stamp(MemorySegment segment) {
        for (long at = 0; at < segment.byteSize(); at += 8) {
            segment.setAtIndex(LONG, at / 8, at * 0x9e3779b97f4a7c15L);
        }
    }

    /** Each channel call that fails here fails the test as what it is. */
    private interface Io {
        void run() throws IOException, InterruptedException, ExecutionException;
    }

    private static void io(Io io) {
        try {
            io.run();
        } catch (IOException | InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @EnumSource
    void areDirectAndAlignedToAPage(Source source) {
        source.with(labyrinth, (one, two) -> {
            for (MemorySegment segment : List.of(one, two)) {
                ByteBuffer buffer = segment.asByteBuffer();
                assertThat(buffer.isDirect()).isTrue();
                assertThat(buffer.capacity()).isEqualTo(BYTES);
                assertThat(buffer.alignmentOffset(0, 4096)).isZero();
                assertThat(MemorySegment.ofBuffer(buffer).address()).isEqualTo(segment.address());
            }
        });
    }

    /** With O_DIRECT, the disk's controller reads and writes the frames themselves. */
    @ParameterizedTest
    @EnumSource
    void filesAreWrittenAndReadWithoutTheKernelsCache(Source source) {
        source.with(labyrinth, (one, two) -> io(() -> {
            stamp(one);
            two.fill((byte) 0);
            Path file = folder.resolve("direct");
            OpenOption direct = direct();
            try (FileChannel channel = FileChannel.open(file, Set.of(StandardOpenOption.CREATE,
                    StandardOpenOption.READ, StandardOpenOption.WRITE, direct))) {
                assertThat(channel.write(one.asByteBuffer(), 0)).isEqualTo(BYTES);
                assertThat(channel.read(two.asByteBuffer(), 0)).isEqualTo(BYTES);
                assertThatThrownBy(() -> channel.read(two.asSlice(8).asByteBuffer(), 0))
                        .as("what is not aligned is refused by the channel").isInstanceOf(IOException.class);
            }
            assertThat(two.mismatch(one)).isEqualTo(-1);
            assertThat(Files.readAllBytes(file)).isEqualTo(one.toArray(ValueLayout.JAVA_BYTE));
        }));
    }

    /** By name, as the library's module has no need of the module that has it. */
    private static OpenOption direct() {
        try {
            Class<?> options = Class.forName("com.sun.nio.file.ExtendedOpenOption");
            return (OpenOption) options.getField("DIRECT").get(null);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @EnumSource
    void filesAreScatteredAndGathered(Source source) {
        source.with(labyrinth, (one, two) -> io(() -> {
            stamp(one);
            Path file = folder.resolve("gathered");
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ,
                    StandardOpenOption.WRITE)) {
                ByteBuffer[] halves = {one.asSlice(0, BYTES / 2).asByteBuffer(),
                        one.asSlice(BYTES / 2).asByteBuffer()};
                assertThat(channel.write(halves)).isEqualTo(BYTES);
                channel.position(0);
                ByteBuffer[] swapped = {two.asSlice(BYTES / 2).asByteBuffer(),
                        two.asSlice(0, BYTES / 2).asByteBuffer()};
                assertThat(channel.read(swapped)).isEqualTo(BYTES);
            }
            assertThat(two.asSlice(0, BYTES / 2).mismatch(one.asSlice(BYTES / 2))).isEqualTo(-1);
            assertThat(two.asSlice(BYTES / 2).mismatch(one.asSlice(0, BYTES / 2))).isEqualTo(-1);
        }));
    }

    @ParameterizedTest
    @EnumSource
    void socketsSendAndReceive(Source source) {
        source.with(labyrinth, (one, two) -> io(() -> {
            stamp(one);
            try (ServerSocketChannel server = ServerSocketChannel.open()
                    .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                    SocketChannel client = SocketChannel.open(server.getLocalAddress());
                    SocketChannel accepted = server.accept()) {
                ByteBuffer out = one.asByteBuffer();
                ByteBuffer in = two.asByteBuffer();
                while (in.hasRemaining()) {
                    if (out.position() < BYTES) {
                        client.write(out.limit(Math.min(out.position() + 4096, BYTES)));
                    }
                    accepted.read(in);
                }
            }
            assertThat(two.mismatch(one)).isEqualTo(-1);
        }));
    }

    /** An asynchronous channel works on a thread of its own, where a confined segment may not be touched. */
    @ParameterizedTest
    @EnumSource(names = {"FRAME", "ARENA"})
    void asynchronousChannelsTakeThoseThatAreNotExclusive(Source source) {
        source.with(labyrinth, (one, two) -> io(() -> {
            stamp(one);
            two.fill((byte) 0);
            try (AsynchronousFileChannel channel = AsynchronousFileChannel.open(folder.resolve("async"),
                    StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                assertThat(channel.write(one.asByteBuffer(), 0).get()).isEqualTo(BYTES);
                assertThat(channel.read(two.asByteBuffer(), 0).get()).isEqualTo(BYTES);
                assertThat(two.mismatch(one)).isEqualTo(-1);
            }
        }));
    }

    @ParameterizedTest
    @EnumSource
    void anotherThreadMayUseThoseThatAreNotExclusive(Source source) {
        source.with(labyrinth, (one, two) -> {
            ByteBuffer buffer = one.asByteBuffer();
            Throwable[] thrown = new Throwable[1];
            Race.join(Thread.ofPlatform().start(() -> {
                try {
                    buffer.put(3, (byte) 9);
                } catch (WrongThreadException e) {
                    thrown[0] = e;
                }
            }));
            assertThat(thrown[0] != null).isEqualTo(source.isConfined());
            assertThat(buffer.get(3) == 9).isEqualTo(!source.isConfined());
            one.fill((byte) 0);
        });
    }

    /** What {@link Frame#segment} warns of, and why caches and asynchronous I/O are no use for such a frame. */
    @Test
    void aLateReadIntoAFrameThatIsNotExclusiveLandsInItsNextOwners() throws IOException, InterruptedException {
        Frame freed = labyrinth.allocPage(Gfp.NOWAIT);
        ByteBuffer buffer = freed.segment().asByteBuffer();
        Pipe pipe = Pipe.open();
        Thread reader = Thread.ofPlatform().start(() -> {
            try {
                pipe.source().read(buffer);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        freed.close();
        try (Frame next = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE.with(Gfp.ZERO))) {
            assertThat(next.pfn()).isEqualTo(freed.pfn());
            pipe.sink().write(ByteBuffer.wrap(new byte[] {42}));
            Race.join(reader);

            assertThat(next.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
        }
        pipe.sink().close();
        pipe.source().close();
    }

    @Test
    void anExclusiveFramesBufferDiesWithIt() {
        Frame frame = labyrinth.allocPage(Gfp.ATOMIC_EXCLUSIVE);
        ByteBuffer buffer = frame.segment().asByteBuffer();
        ByteBuffer slice = buffer.slice(8, 8).asReadOnlyBuffer();
        frame.close();
        assertThatThrownBy(() -> buffer.get(0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> slice.get(0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> {
            try (FileChannel channel = FileChannel.open(folder.resolve("late"), StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE)) {
                channel.write(buffer);
            }
        }).isInstanceOf(IllegalStateException.class);
    }
}
