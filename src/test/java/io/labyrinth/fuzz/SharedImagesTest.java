package io.labyrinth.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.labyrinth.Labyrinth;
import io.labyrinth.LabyrinthException;
import io.labyrinth.Locking;
import io.labyrinth.bindings.labyrinth_header;
import io.labyrinth.internal.os.Header;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Arbitrary bytes in place of a header. Attaching is refused with a typed error, or it succeeds. The twin in C is
 * fuzz.c.
 */
class SharedImagesTest {

    private static final int IMAGES = 10_000;

    private final Path path = Path.of("/dev/shm/labyrinth-images-" + ProcessHandle.current().pid());
    private final MemorySegment good = Arena.ofAuto().allocate(labyrinth_header.layout());
    private final MemorySegment image = Arena.ofAuto().allocate(labyrinth_header.layout());
    private final Random random = new Random(0x1AB);
    private Labyrinth labyrinth;
    private FileChannel file;
    private long descriptors;

    @BeforeEach
    void open() throws Exception {
        labyrinth = Labyrinth.builder("imaged").frames(70).reserve(6).locking(Locking.NONE).shared(path).open();
        file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        file.read(good.asByteBuffer(), 0);
        attaches();
        descriptors = descriptors();
    }

    @AfterEach
    void close() throws Exception {
        write(good);
        attaches();
        labyrinth.validate();
        file.close();
        labyrinth.close();
        Files.deleteIfExists(path);
    }

    private static long descriptors() throws Exception {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }

    private void write(MemorySegment header) throws Exception {
        ByteBuffer bytes = header.asByteBuffer();
        while (bytes.hasRemaining()) {
            file.write(bytes, bytes.position());
        }
    }

    private void attaches() {
        Labyrinth.attach(path, Locking.NONE).close();
    }

    private boolean isRefused() throws Exception {
        write(image);
        try {
            attaches();
            return false;
        } catch (LabyrinthException.NotALabyrinth e) {
            return true;
        }
    }

    private void sign() {
        labyrinth_header.crc(image, Header.crc(image));
    }

    @Test
    void noiseIsRefused() throws Exception {
        for (int i = 0; i < IMAGES; i++) {
            for (long at = 0; at < Header.BYTES; at += Long.BYTES) {
                image.set(ValueLayout.JAVA_LONG, at, random.nextLong());
            }
            if (i % 2 == 0) {
                labyrinth_header.magic(image, labyrinth_header.magic(good));
            }
            if (i % 4 == 0) {
                labyrinth_header.version(image, labyrinth_header.version(good));
                labyrinth_header.byte_order(image, labyrinth_header.byte_order(good));
                sign();
            }
            assertThat(isRefused()).as("image %d", i).isTrue();
        }
        assertThat(descriptors()).isEqualTo(descriptors);
    }

    /** Near to what is right, and with the right crc: only the bounds stand in the way. */
    @Test
    void aFalseHeaderWithATrueCrcIsRefused() throws Exception {
        int refused = 0;
        for (int i = 0; i < IMAGES; i++) {
            image.copyFrom(good);
            spoil();
            sign();
            refused += isRefused() ? 1 : 0;
        }
        assertThat(refused).as("some are still right").isBetween(IMAGES * 9 / 10, IMAGES);
        assertThat(descriptors()).isEqualTo(descriptors);
    }

    private void spoil() {
        long page = Integer.toUnsignedLong(labyrinth_header.page_size(good));
        long bytes = labyrinth_header.file_bytes(good);
        int frames = labyrinth_header.frames(good);
        long[] few = {0, 1, page, page - 1, 3 * page, -1, Long.MIN_VALUE, bytes, -page, Long.MAX_VALUE};
        long value = few[random.nextInt(few.length)];
        switch (random.nextInt(10)) {
            case 0 -> labyrinth_header.page_size(image, (int) (page + (value | 1)));
            case 1 -> labyrinth_header.frames(image, (int) value == frames ? 0 : (int) value);
            case 2 -> labyrinth_header.reserve(image, frames + random.nextInt(1000));
            case 3 -> labyrinth_header.file_bytes(image, bytes + (value | 1));
            case 4 -> labyrinth_header.tenants_offset(image, labyrinth_header.page_map_offset(good) - value);
            case 5 -> labyrinth_header.page_map_offset(image, labyrinth_header.frames_offset(good) + value);
            case 6 -> labyrinth_header.frames_offset(image, bytes - value);
            case 7 -> labyrinth_header.first_generation(image, random.nextBoolean() ? 0 : 1L << 40 | value);
            case 8 -> labyrinth_header.unused(image).set(ValueLayout.JAVA_BYTE, random.nextInt((int)
                    labyrinth_header.unused(image).byteSize()), (byte) 1);
            default -> labyrinth_header.name(image).fill((byte) 'x');
        }
    }

    @Test
    void whatIsUnusedIsZero() throws Exception {
        for (long at = 0; at < labyrinth_header.unused(image).byteSize(); at++) {
            image.copyFrom(good);
            labyrinth_header.unused(image).set(ValueLayout.JAVA_BYTE, at, (byte) 1);
            sign();
            write(image);
            assertThatThrownBy(this::attaches).isInstanceOf(LabyrinthException.NotALabyrinth.class)
                    .hasMessageContaining("unused");
        }
    }
}
