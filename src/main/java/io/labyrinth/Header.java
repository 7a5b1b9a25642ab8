package io.labyrinth;

import io.labyrinth.bindings.Native;
import io.labyrinth.bindings.labyrinth_header;
import io.labyrinth.bindings.labyrinth_tenant;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.zip.CRC32;

/**
 * The header of a shared labyrinth's file, as {@code native/labyrinth.h} has it: what one process writes, all others
 * check, and nobody changes.
 */
record Header(String name, int frames, int reserve, long pageSize, long fileBytes, long tenantsOffset,
        long pageMapOffset, long framesOffset, long firstGeneration) {

    static final long BYTES = labyrinth_header.sizeof();

    private static final long MAGIC = Native.LABYRINTH_MAGIC();
    private static final long CRC_FROM = labyrinth_header.version$offset();
    private static final long TENANT_BYTES = Native.LABYRINTH_TENANTS() * labyrinth_tenant.sizeof();

    /** The header, tenants, page map and frames behind one another, each from a page's beginning. */
    static Header plan(String name, int frames, int reserve, long pageSize, long firstGeneration) {
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

    /** All of it but the magic, which says that all else is done: {@link #publish}. */
    void write(MemorySegment memory) {
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

    /** Release: whoever sees the magic sees all that was written before. */
    static void publish(MemorySegment memory) {
        PageMap.so(memory.address() + labyrinth_header.magic$offset(), MAGIC);
    }

    /**
     * Checks everything before anything of it is used, on a copy that nobody can change meanwhile.
     *
     * @param memory the file's first {@link #BYTES}
     * @param length of the file
     * @throws LabyrinthException.NotALabyrinth that names the first field that is wrong
     */
    static Header read(String path, MemorySegment memory, long length) {
        long magic = PageMap.lv(memory.address() + labyrinth_header.magic$offset());
        MemorySegment copy = Arena.ofAuto().allocate(labyrinth_header.layout()).copyFrom(memory.asSlice(0, BYTES));
        check(path, magic == MAGIC, "magic", magic, MAGIC);
        int version = labyrinth_header.version(copy);
        check(path, version == Native.LABYRINTH_VERSION(), "version", version, Native.LABYRINTH_VERSION());
        int order = labyrinth_header.byte_order(copy);
        check(path, order == Native.LABYRINTH_BYTE_ORDER(), "byte_order", order, Native.LABYRINTH_BYTE_ORDER());
        check(path, labyrinth_header.crc(copy) == crc(copy), "crc", labyrinth_header.crc(copy), crc(copy));
        long fileBytes = labyrinth_header.file_bytes(copy);
        check(path, fileBytes == length, "file_bytes", fileBytes, length);
        long pageSize = Libc.pageSize();
        check(path, labyrinth_header.page_size(copy) == pageSize, "page_size", labyrinth_header.page_size(copy),
                pageSize);
        int frames = labyrinth_header.frames(copy);
        check(path, frames >= 1 && frames <= Labyrinth.MAX_FRAMES, "frames", frames, Labyrinth.MAX_FRAMES);
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
        Header header = new Header(name(path, copy), frames, reserve, pageSize, fileBytes,
                labyrinth_header.tenants_offset(copy), labyrinth_header.page_map_offset(copy),
                labyrinth_header.frames_offset(copy), generation);
        header.checkOffsets(path);
        return header;
    }

    private static String name(String path, MemorySegment copy) {
        MemorySegment name = labyrinth_header.name(copy);
        byte last = name.get(ValueLayout.JAVA_BYTE, name.byteSize() - 1);
        check(path, last == 0, "name's last byte", last, 0);
        return name.getString(0);
    }

    /**
     * Who has a slot, as they wrote of themselves.
     *
     * @param file  its beginning, up to the page map at least
     * @param alive whether somebody has the lock of the slot's byte
     */
    static List<LabyrinthMap.Tenant> tenants(MemorySegment file, Header header, IntPredicate alive) {
        List<LabyrinthMap.Tenant> tenants = new ArrayList<>();
        for (int number = Native.LABYRINTH_FIRST_TENANT(); number < Native.LABYRINTH_TENANTS(); number++) {
            MemorySegment slot = file.asSlice(header.tenantsOffset + number * labyrinth_tenant.sizeof(),
                    labyrinth_tenant.sizeof());
            if (PageMap.lv(slot.address() + labyrinth_tenant.state$offset()) != Native.LABYRINTH_VACANT()) {
                tenants.add(new LabyrinthMap.Tenant(number, labyrinth_tenant.pid(slot), labyrinth_tenant.since(slot),
                        alive.test(number)));
            }
        }
        return List.copyOf(tenants);
    }

    private void checkOffsets(String path) {
        Header planned = plan("", frames, reserve, pageSize, firstGeneration);
        long tenantsEnd = tenantsOffset + pages(TENANT_BYTES, pageSize);
        long pageMapBytes = planned.framesOffset - planned.pageMapOffset;
        check(path, tenantsOffset >= pageSize && tenantsOffset % pageSize == 0 && tenantsOffset < fileBytes,
                "tenants_offset", tenantsOffset, planned.tenantsOffset);
        check(path, pageMapOffset >= tenantsEnd && pageMapOffset % pageSize == 0 && pageMapOffset < fileBytes,
                "page_map_offset", pageMapOffset, planned.pageMapOffset);
        check(path, framesOffset >= pageMapOffset + pageMapBytes && framesOffset % pageSize == 0
                && framesOffset <= fileBytes - frames * pageSize, "frames_offset", framesOffset, planned.framesOffset);
    }

    private static void check(String path, boolean good, String field, long found, long wanted) {
        if (!good) {
            throw new LabyrinthException.NotALabyrinth("file=" + path + " " + field + "=" + found + " wanted=" + wanted
                    + ": no shared labyrinth, not complete, or damaged; attach to a file that a labyrinth of this"
                    + " version made and is still open in, or remove it and create a new one");
        }
    }

    static int crc(MemorySegment memory) {
        CRC32 crc = new CRC32();
        crc.update(memory.asSlice(CRC_FROM, BYTES - CRC_FROM).toArray(ValueLayout.JAVA_BYTE));
        return (int) crc.getValue();
    }
}
