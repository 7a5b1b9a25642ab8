/* SPDX-License-Identifier: Apache-2.0
 *
 * geometry.c: how large the parts of a labyrinth are, and whether a header is valid. The twin of Geometry.java and
 * Header.java. It reads no shared memory: it checks a copy, so that nothing can change between the check and the use.
 */
#include "internal.h"
#include <string.h>

static uint32_t span_shift_of(uint32_t groups)
{
    uint32_t per_span = (groups - 1) / LABYRINTH_MAX_SPANS;
    return per_span == 0 ? 0 : 32 - (uint32_t) __builtin_clz(per_span);
}

struct geometry geometry_of(uint32_t frames)
{
    struct geometry geometry;
    geometry.groups = ((frames - 1) >> LABYRINTH_GROUP_ORDER) + 1;
    geometry.span_shift = geometry.groups <= LABYRINTH_MAX_SPANS ? -1 : (int32_t) span_shift_of(geometry.groups);
    geometry.spans = geometry.span_shift < 0 ? 0 : ((geometry.groups - 1) >> geometry.span_shift) + 1;
    uint64_t line = sizeof(struct labyrinth_advice);
    geometry.advice_offset = (frames * sizeof(struct labyrinth_page) + line - 1) / line * line;
    geometry.bytes = geometry.advice_offset + (geometry.groups + geometry.spans) * line;
    return geometry;
}

uint32_t header_crc(const struct labyrinth_header *header)
{
    const unsigned char *byte = (const unsigned char *) &header->version;
    const unsigned char *end = (const unsigned char *) (header + 1);
    uint32_t crc = ~0U;
    for (; byte < end; byte++) {
        crc ^= *byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
        }
    }
    return ~crc;
}

static enum labyrinth_error not_a_labyrinth(const char *rule, uint64_t value, uint64_t limit)
{
    return refuse_file(LABYRINTH_NOT_A_LABYRINTH, rule, value, limit);
}

static uint64_t up_to_page(uint64_t bytes, uint64_t page_size)
{
    return (bytes + page_size - 1) / page_size * page_size;
}

void lay_out_header(struct labyrinth_header *header)
{
    uint64_t page_size = header->page_size;
    header->tenants_offset = page_size;
    header->page_map_offset = page_size
        + up_to_page(LABYRINTH_TENANTS * sizeof(struct labyrinth_tenant), page_size);
    header->frames_offset = header->page_map_offset + up_to_page(geometry_of(header->frames).bytes, page_size);
    header->file_bytes = header->frames_offset + header->frames * page_size;
}

enum labyrinth_error header_check(const struct labyrinth_header *header, uint64_t page_size)
{
    static const uint8_t zeros[sizeof header->unused];
    if (header->magic != LABYRINTH_MAGIC) {
        return not_a_labyrinth("the magic is missing, so it is no labyrinth or was never finished", header->magic,
                               LABYRINTH_MAGIC);
    }
    if (header->version != LABYRINTH_VERSION) {
        return not_a_labyrinth("the version is another", header->version, LABYRINTH_VERSION);
    }
    if (header->byte_order != LABYRINTH_BYTE_ORDER) {
        return not_a_labyrinth("the byte order is another", header->byte_order, LABYRINTH_BYTE_ORDER);
    }
    if (header->crc != header_crc(header)) {
        return not_a_labyrinth("the header's crc is wrong", header->crc, header_crc(header));
    }
    if (header->page_size != page_size) {
        return not_a_labyrinth("the page size is not this machine's", header->page_size, page_size);
    }
    if (header->frames < 1 || header->frames > LABYRINTH_MAX_FRAMES) {
        return not_a_labyrinth("frames out of bounds", header->frames, LABYRINTH_MAX_FRAMES);
    }
    if (header->reserve >= header->frames) {
        return not_a_labyrinth("the reserve is not less than the frames", header->reserve, header->frames - 1);
    }
    struct labyrinth_header planned = {.page_size = header->page_size, .frames = header->frames};
    lay_out_header(&planned);
    if (header->tenants_offset != planned.tenants_offset) {
        return not_a_labyrinth("the tenants are not where they must be", header->tenants_offset,
                               planned.tenants_offset);
    }
    if (header->page_map_offset != planned.page_map_offset) {
        return not_a_labyrinth("the page map is not where it must be", header->page_map_offset,
                               planned.page_map_offset);
    }
    if (header->frames_offset != planned.frames_offset) {
        return not_a_labyrinth("the frames are not where they must be", header->frames_offset, planned.frames_offset);
    }
    if (header->file_bytes != planned.file_bytes) {
        return not_a_labyrinth("the end is not where it must be", header->file_bytes, planned.file_bytes);
    }
    if (header->first_generation == 0 || header->first_generation >= LAST_GENERATION) {
        return not_a_labyrinth("the first generation is out of bounds", header->first_generation, LAST_GENERATION - 1);
    }
    if (header->name[sizeof header->name - 1] != '\0') {
        return not_a_labyrinth("the name does not end", sizeof header->name, sizeof header->name - 1);
    }
    if (memcmp(header->unused, zeros, sizeof zeros) != 0) {
        return not_a_labyrinth("an unused byte is not zero", 1, 0);
    }
    return LABYRINTH_OK;
}
