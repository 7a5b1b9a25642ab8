package io.labyrinth.fuzz;

import io.labyrinth.Labyrinth;
import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_header;
import io.labyrinth.internal.os.Header;
import io.labyrinth.internal.os.Libc;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.LongConsumer;

/**
 * Headers and lengths of files that may or may not be labyrinths. The same seed always gives the same files. Each field
 * takes the limits of its range and of its type, mostly with the right crc. Some layouts have gaps where there must be
 * none. Some files are noise.
 */
final class HeaderImages {

    /** What the file is. */
    enum Kind { NAMED, MEMFD, UNSEALED, ON_DISK }

    /** One file, the rest of which is zeros. */
    record Image(Kind kind, byte[] header, long length, String what) {
    }

    private static final long PAGE = Libc.pageSize();
    private static final long MOST_BYTES = 8 << 20;

    private final SplittableRandom random;
    private final MemorySegment header = Arena.ofAuto().allocate(labyrinth_header.layout());
    private long length;
    private String what = "";

    HeaderImages(long seed) {
        random = new SplittableRandom(seed);
    }

    Image next() {
        good();
        what = "";
        int kind = random.nextInt(20);
        if (kind < 5) {
            what += " good";
        } else if (kind < 14) {
            spoil();
        } else if (kind < 16) {
            spoil();
            spoil();
        } else if (kind < 18) {
            makeRoom();
        } else {
            noise();
        }
        boolean signed = random.nextInt(16) != 0;
        if (signed) {
            labyrinth_header.crc(header, Header.crc(header));
        }
        spoilLength();
        Kind[] kinds = Kind.values();
        return new Image(random.nextInt(4) == 0 ? kinds[random.nextInt(kinds.length)] : Kind.NAMED,
                header.toArray(ValueLayout.JAVA_BYTE), length, what + (signed ? "" : " unsigned"));
    }

    private void good() {
        int[] sizes = {1, 2, 63, 64, 65, 70, 127, 128, 129, 300, 1023};
        int frames = sizes[random.nextInt(sizes.length)];
        int reserve = random.nextBoolean() ? 0 : random.nextInt(frames);
        Header good = Header.plan("image", frames, reserve, PAGE, 1 + random.nextLong(1L << 32));
        header.fill((byte) 0);
        good.write(header);
        labyrinth_header.magic(header, Native.LABYRINTH_MAGIC());
        length = good.fileBytes();
    }

    private long value(long good) {
        long[] few = {0, 1, 2, good - 1, good, good + 1, good - PAGE, good + PAGE, 2 * good, PAGE - 1, PAGE, PAGE + 1,
                Integer.MAX_VALUE, 1L << 31, (1L << 32) - 1, 1L << 32, good + (1L << 32), Long.MAX_VALUE, Long.MIN_VALUE,
                -1, -PAGE, Labyrinth.MAX_FRAMES, Labyrinth.MAX_FRAMES + 1L, PageWord.LAST_GENERATION - 1,
                PageWord.LAST_GENERATION, PageWord.LAST_GENERATION + 1, length, random.nextLong()};
        return few[random.nextInt(few.length)];
    }

    private void put(String field, long good, LongConsumer setter) {
        long value = value(good);
        setter.accept(value);
        what += " " + field + "=" + value;
    }

    private void spoil() {
        switch (random.nextInt(14)) {
            case 0 -> put("magic", labyrinth_header.magic(header), value -> labyrinth_header.magic(header, value));
            case 1 -> put("version", labyrinth_header.version(header),
                    value -> labyrinth_header.version(header, (int) value));
            case 2 -> put("byte_order", labyrinth_header.byte_order(header),
                    value -> labyrinth_header.byte_order(header, (int) value));
            case 3 -> put("page_size", labyrinth_header.page_size(header),
                    value -> labyrinth_header.page_size(header, (int) value));
            case 4 -> put("frames", labyrinth_header.frames(header),
                    value -> labyrinth_header.frames(header, (int) value));
            case 5 -> put("reserve", labyrinth_header.frames(header),
                    value -> labyrinth_header.reserve(header, (int) value));
            case 6 -> put("file_bytes", labyrinth_header.file_bytes(header),
                    value -> labyrinth_header.file_bytes(header, value));
            case 7 -> put("tenants_offset", labyrinth_header.tenants_offset(header),
                    value -> labyrinth_header.tenants_offset(header, value));
            case 8 -> put("page_map_offset", labyrinth_header.page_map_offset(header),
                    value -> labyrinth_header.page_map_offset(header, value));
            case 9 -> put("frames_offset", labyrinth_header.frames_offset(header),
                    value -> labyrinth_header.frames_offset(header, value));
            case 10, 11 -> put("first_generation", labyrinth_header.first_generation(header),
                    value -> labyrinth_header.first_generation(header, value));
            case 12 -> {
                MemorySegment name = labyrinth_header.name(header);
                for (long at = random.nextInt(64); at < name.byteSize() - random.nextInt(2); at++) {
                    name.set(ValueLayout.JAVA_BYTE, at, (byte) random.nextInt(random.nextBoolean() ? 256 : 2));
                }
                what += " name";
            }
            default -> {
                MemorySegment unused = labyrinth_header.unused(header);
                unused.set(ValueLayout.JAVA_BYTE, random.nextLong(unused.byteSize()), (byte) random.nextInt(256));
                what += " unused";
            }
        }
    }

    /** Moves all from one part on by some pages, the file's end with it: consistent, but not the layout. */
    private void makeRoom() {
        int from = random.nextInt(4);
        long by = PAGE * (random.nextInt(5) - 1);
        what += " room=" + by + " from part " + from;
        if (from == 0) {
            labyrinth_header.tenants_offset(header, labyrinth_header.tenants_offset(header) + by);
        }
        if (from <= 1) {
            labyrinth_header.page_map_offset(header, labyrinth_header.page_map_offset(header) + by);
        }
        if (from <= 2) {
            labyrinth_header.frames_offset(header, labyrinth_header.frames_offset(header) + by);
        }
        labyrinth_header.file_bytes(header, labyrinth_header.file_bytes(header) + by);
        length += by;
    }

    private void noise() {
        what += " noise";
        int bits = random.nextInt(3) == 0 ? 1 + random.nextInt(3) : 2000;
        for (int i = 0; i < bits; i++) {
            long at = random.nextLong(header.byteSize());
            header.set(ValueLayout.JAVA_BYTE, at,
                    (byte) (header.get(ValueLayout.JAVA_BYTE, at) ^ 1 << random.nextInt(8)));
        }
    }

    private void spoilLength() {
        if (random.nextInt(8) == 0) {
            List<Long> few = List.of(0L, 8L, Header.BYTES - 1, Header.BYTES, PAGE, length - 1, length + 1,
                    length - PAGE, length + PAGE, labyrinth_header.file_bytes(header), 2 * length);
            long other = few.get(random.nextInt(few.size()));
            if (other >= 0 && other <= MOST_BYTES) {
                length = other;
                what += " length=" + length;
            }
        }
    }
}
