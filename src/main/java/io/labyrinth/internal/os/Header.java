package io.labyrinth.internal.os;

import io.labyrinth.LabyrinthException;
import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_header;
import io.labyrinth.bindings.labyrinth_tenant;
import io.labyrinth.internal.pagemap.Geometry;
import io.labyrinth.internal.pagemap.PageMap;
import io.labyrinth.internal.pagemap.PageWord;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.zip.CRC32;

/**
 * The header of a shared labyrinth's file, as {@code native/labyrinth.h} defines it. One process writes it, all others
 * check it, and nobody changes it.
 */
public record Header(String name, int frames, int reserve, long pageSize, long fileBytes, long tenantsOffset,
        long pageMapOffset, long framesOffset, long firstGeneration) {

    public static final long BYTES = labyrinth_header.sizeof();

    private static final int MAX_FRAMES = Native.LABYRINTH_MAX_FRAMES();
    private static final long MAGIC = Native.LABYRINTH_MAGIC();
    private static final long CRC_FROM = labyrinth_header.version$offset();
    private static final long TENANT_BYTES = Native.LABYRINTH_TENANTS() * labyrinth_tenant.sizeof();

    /** The parts follow one another: header, tenants, page map, frames. Each one begins at a page. */
    public static Header plan(String name, int frames, int reserve, long pageSize, long firstGeneration) {
        if (name.getBytes(StandardCharsets.UTF_8).length >= Native.LABYRINTH_NAME_BYTES()) {
            throw new LabyrinthException.InvalidRequest("name=" + name + " limit="
                    + (Native.LABYRINTH_NAME_BYTES() - 1) + " bytes of UTF-8: a shared labyrinth's name is in its file;"
                    + " give it a shorter one");
        }
        long tenants = pageSize;
        long pageMap = tenants + pages(TENANT_BYTES, pageSize);
        long framesAt = pageMap + pages(Geometry.bytesFor(frames), pageSize);
        return new Header(name, frames, reserve, pageSize, framesAt + frames * pageSize, tenants, pageMap, framesAt,
                firstGeneration);
    }

    private static long pages(long bytes, long pageSize) {
        return (bytes + pageSize - 1) / pageSize * pageSize;
    }

    /** Writes the header without the magic. The magic says that everything is written: {@link #publish}. */
    public void write(MemorySegment memory) {
        memory.asSlice(0, BYTES).fill((byte) 0);
        labyrinth_header.version(memory, Native.LABYRINTH_VERSION());
        labyrinth_header.byte_order(memory, Native.LABYRINTH_BYTE_ORDER());
        labyrinth_header.page_size(memory, (int) pageSize);
        labyrinth_header.frames(memory, frames);
        labyrinth_header.reserve(memory, reserve);
        labyrinth_header.file_bytes(memory, fileBytes);
        labyrinth_header.tenants_offset(memory, tenantsOffset);
        labyrinth_header.page_map_offset(memory, pageMapOffset);
        labyrinth_header.frames_offset(memory, framesOffset);
        labyrinth_header.first_generation(memory, firstGeneration);
        labyrinth_header.name(memory).setString(0, name);
        labyrinth_header.crc(memory, crc(memory));
    }

    /** Release: a process that sees the magic sees everything that was written before it. */
    public static void publish(MemorySegment memory) {
        PageMap.so(memory.address() + labyrinth_header.magic$offset(), MAGIC);
    }

    /**
     * Reads the header into memory that nobody else can change, and checks all of it before any of it is used. It is
     * read by system calls, so a file that is cut meanwhile is refused and causes no fault. The caller checks the
     * length last.
     *
     * @throws LabyrinthException.NotALabyrinth if a field is wrong. The message names the first one
     * @throws LabyrinthException.MapRefused    if the file cannot be read
     */
    public static Header read(String path, int fd) {
        MemorySegment copy = Arena.ofAuto().allocate(labyrinth_header.layout());
        // If the magic is there, everything else was stored before it, and the second read sees it.
        readInto(path, fd, copy);
        long magic = labyrinth_header.magic(copy);
        if (magic == MAGIC) {
            readInto(path, fd, copy);
        }
        check(path, magic == MAGIC, "magic", magic, MAGIC);
        int version = labyrinth_header.version(copy);
        check(path, version == Native.LABYRINTH_VERSION(), "version", version, Native.LABYRINTH_VERSION());
        int order = labyrinth_header.byte_order(copy);
        check(path, order == Native.LABYRINTH_BYTE_ORDER(), "byte_order", order, Native.LABYRINTH_BYTE_ORDER());
        check(path, labyrinth_header.crc(copy) == crc(copy), "crc", labyrinth_header.crc(copy), crc(copy));
        long pageSize = Libc.pageSize();
        check(path, labyrinth_header.page_size(copy) == pageSize, "page_size", labyrinth_header.page_size(copy),
                pageSize);
        int frames = labyrinth_header.frames(copy);
        check(path, frames >= 1 && frames <= MAX_FRAMES, "frames", frames, MAX_FRAMES);
        int reserve = labyrinth_header.reserve(copy);
        check(path, reserve >= 0 && reserve < frames, "reserve", reserve, frames - 1);
        long generation = labyrinth_header.first_generation(copy);
        check(path, generation >= 1 && generation < PageWord.LAST_GENERATION, "first_generation", generation,
                PageWord.LAST_GENERATION);
        MemorySegment unused = labyrinth_header.unused(copy);
        for (long at = 0; at < unused.byteSize(); at++) {
            byte found = unused.get(ValueLayout.JAVA_BYTE, at);
            check(path, found == 0, "unused[" + at + "]", found, 0);
        }
        Header header = new Header(name(path, copy), frames, reserve, pageSize, labyrinth_header.file_bytes(copy),
                labyrinth_header.tenants_offset(copy), labyrinth_header.page_map_offset(copy),
                labyrinth_header.frames_offset(copy), generation);
        header.checkLayout(path);
        return header;
    }

    private static String name(String path, MemorySegment copy) {
        MemorySegment name = labyrinth_header.name(copy);
        byte last = name.get(ValueLayout.JAVA_BYTE, name.byteSize() - 1);
        check(path, last == 0, "name's last byte", last, 0);
        return name.getString(0);
    }

    private static void readInto(String path, int fd, MemorySegment memory) {
        Libc.Result read = Libc.read(fd, memory);
        if (read.failed()) {
            throw new LabyrinthException.MapRefused("file=" + path + " cannot be read: errno=" + read.error()
                    + ": give the file of a shared labyrinth (sharedPath() names it)");
        }
        if (read.value() != memory.byteSize()) {
            throw tooShort(path, read.value());
        }
    }

    static LabyrinthException.NotALabyrinth tooShort(String path, long bytes) {
        return new LabyrinthException.NotALabyrinth("file=" + path + " bytes=" + bytes + " limit=" + BYTES
                + ": too short for a header: perhaps its creator has not finished");
    }

    /**
     * The tenants of all slots that are taken, as each tenant describes itself there.
     *
     * @param file   the beginning of the file, at least up to the page map
     * @param locked whether any process has the lock of the slot's byte
     */
    public static List<Tenancy.Tenant> tenants(MemorySegment file, Header header, IntPredicate locked) {
        List<Tenancy.Tenant> tenants = new ArrayList<>();
        for (int number = Native.LABYRINTH_FIRST_TENANT(); number < Native.LABYRINTH_TENANTS(); number++) {
            MemorySegment slot = file.asSlice(header.tenantsOffset + number * labyrinth_tenant.sizeof(),
                    labyrinth_tenant.sizeof());
            if (PageMap.lv(slot.address() + labyrinth_tenant.state$offset()) != Native.LABYRINTH_VACANT()) {
                tenants.add(new Tenancy.Tenant(number, labyrinth_tenant.pid(slot), labyrinth_tenant.since(slot),
                        locked.test(number) && !Tenancy.hasEnded(slot)));
            }
        }
        return List.copyOf(tenants);
    }

    /** There is only one layout. Nothing lies between the parts, so exactly what is mapped will be unmapped. */
    private void checkLayout(String path) {
        Header planned = plan("", frames, reserve, pageSize, firstGeneration);
        check(path, tenantsOffset == planned.tenantsOffset, "tenants_offset", tenantsOffset, planned.tenantsOffset);
        check(path, pageMapOffset == planned.pageMapOffset, "page_map_offset", pageMapOffset, planned.pageMapOffset);
        check(path, framesOffset == planned.framesOffset, "frames_offset", framesOffset, planned.framesOffset);
        check(path, fileBytes == planned.fileBytes, "file_bytes", fileBytes, planned.fileBytes);
    }

    /** Called after all other checks, because others may change the length until then. */
    public void checkLength(String path, long length) {
        check(path, length == fileBytes, "length", length, fileBytes);
    }

    /** Acquire, through the mapping: reads after this see the words that were written before the magic. */
    public void checkMapped(String path, long base) {
        long magic = PageMap.lv(base + labyrinth_header.magic$offset());
        check(path, magic == MAGIC, "magic", magic, MAGIC);
    }

    private static void check(String path, boolean good, String field, long found, long wanted) {
        if (!good) {
            // A file without the magic may be any file. The message must not tell anybody to remove it.
            boolean known = !field.equals("magic");
            throw new LabyrinthException.NotALabyrinth("file=" + path + " " + field + "=" + found + " wanted=" + wanted
                    + (known ? ": damaged, or of another version or machine; attach to one that this version made here,"
                            + " or, if nobody uses this one, remove it and create a new one"
                    : ": no shared labyrinth, or one that was never finished; give the file of one (sharedPath() names"
                            + " it)"));
        }
    }

    public static int crc(MemorySegment memory) {
        CRC32 crc = new CRC32();
        crc.update(memory.asSlice(CRC_FROM, BYTES - CRC_FROM).toArray(ValueLayout.JAVA_BYTE));
        return (int) crc.getValue();
    }
}
