/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz [IMAGES]: whatever bytes are in the place of the header, an attach succeeds or is refused with a typed error. It
 * never crashes.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct labyrinth l;
static int fd;
static struct labyrinth_header good;

static enum labyrinth_error attach_with(const struct labyrinth_header *header)
{
    struct labyrinth other;
    CHECK(pwrite(fd, header, sizeof *header, 0) == sizeof *header);
    enum labyrinth_error error = labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE);
    if (error == LABYRINTH_OK) {
        CHECK_OK(labyrinth_detach(&other));
    } else {
        CHECK(labyrinth_last_error() == error);
        CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_detach(&other));
    }
    return error;
}

static void every_bit_flipped_is_refused(void)
{
    for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
        struct labyrinth_header header = good;
        ((unsigned char *) &header)[bit / 8] ^= (unsigned char) (1U << bit % 8);
        CHECK(attach_with(&header) == LABYRINTH_NOT_A_LABYRINTH);
    }
}

static void random_images_are_refused(long images, uint64_t *seed)
{
    for (long i = 0; i < images; i++) {
        struct labyrinth_header header;
        for (size_t at = 0; at < sizeof header / 8; at++) {
            ((uint64_t *) &header)[at] = next_random(seed);
        }
        if (i % 2 == 0) {
            header.magic = LABYRINTH_MAGIC;
        }
        if (i % 4 == 0) {
            header.version = LABYRINTH_VERSION;
            header.byte_order = LABYRINTH_BYTE_ORDER;
            header.crc = header_crc(&header);
        }
        CHECK(attach_with(&header) == LABYRINTH_NOT_A_LABYRINTH);
    }
}

/* Headers that are nearly right, with the right crc: only the checks of the bounds refuse them. */
static void false_headers_with_a_true_crc_are_refused(long images, uint64_t *seed)
{
    long refused = 0;
    for (long i = 0; i < images; i++) {
        struct labyrinth_header header = good;
        uint64_t page = header.page_size;
        uint64_t few[] = {0, 1, page, page - 1, 3 * page, ~0ULL, 1ULL << 63, header.file_bytes, ~0ULL - page + 1};
        uint64_t value = few[next_random(seed) % 9];
        switch (next_random(seed) % 8) {
        case 0: header.page_size += (uint32_t) value | 1; break;
        case 1: header.frames = (uint32_t) value == header.frames ? 0 : (uint32_t) value; break;
        case 2: header.reserve = header.frames + (uint32_t) (next_random(seed) % 1000); break;
        case 3: header.file_bytes += value | 1; break;
        case 4: header.tenants_offset = header.page_map_offset - value; break;
        case 5: header.page_map_offset = header.frames_offset + value; break;
        case 6: header.frames_offset = header.file_bytes - value; break;
        default: memset(header.name, 'x', sizeof header.name);
        }
        header.crc = header_crc(&header);
        refused += attach_with(&header) == LABYRINTH_NOT_A_LABYRINTH;
    }
    CHECK(refused > images * 9 / 10);
}

static void what_is_unused_or_of_no_generation_is_refused(void)
{
    struct labyrinth_header header = good;
    header.unused[sizeof header.unused - 1] = 1;
    header.crc = header_crc(&header);
    CHECK(attach_with(&header) == LABYRINTH_NOT_A_LABYRINTH);
    header = good;
    header.first_generation = 0;
    header.crc = header_crc(&header);
    CHECK(attach_with(&header) == LABYRINTH_NOT_A_LABYRINTH);
    header.first_generation = LAST_GENERATION;
    header.crc = header_crc(&header);
    CHECK(attach_with(&header) == LABYRINTH_NOT_A_LABYRINTH);
    header.first_generation = LAST_GENERATION + 1;
    header.crc = header_crc(&header);
    CHECK(attach_with(&header) == LABYRINTH_NOT_A_LABYRINTH);
}

/* Files with a name, of many lengths, none of them the right one. */
static void a_truncated_file_is_refused(void)
{
    char path[64];
    struct labyrinth other;
    snprintf(path, sizeof path, "/dev/shm/labyrinth-fuzz-%d", (int) getpid());
    int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(file >= 0);
    for (uint64_t bytes = 0; bytes < good.file_bytes; bytes += bytes < 512 ? 8 : good.page_size / 2) {
        CHECK(ftruncate(file, 0) == 0 && pwrite(file, &good, sizeof good, 0) == sizeof good);
        CHECK(ftruncate(file, (off_t) bytes) == 0);
        CHECK_REFUSED(LABYRINTH_NOT_A_LABYRINTH, labyrinth_attach(&other, path, LABYRINTH_LOCK_NONE));
    }
    CHECK(ftruncate(file, (off_t) good.file_bytes + 1) == 0);
    CHECK_REFUSED(LABYRINTH_NOT_A_LABYRINTH, labyrinth_attach(&other, path, LABYRINTH_LOCK_NONE));
    close(file);
    unlink(path);
}

/* zlib gives this for the same bytes. */
static void the_crc_is_that_of_ieee_802_3(void)
{
    struct labyrinth_header zeros;
    memset(&zeros, 0, sizeof zeros);
    CHECK(header_crc(&zeros) == 0xE29D6C10U);
}

int main(int argc, char **argv)
{
    long images = argc > 1 ? atol(argv[1]) : 10000;
    uint64_t seed = 0x1ABULL;
    new_labyrinth(&l, 70, 6, &fd);
    CHECK(pread(fd, &good, sizeof good, 0) == sizeof good);
    the_crc_is_that_of_ieee_802_3();
    CHECK(attach_with(&good) == LABYRINTH_OK);
    every_bit_flipped_is_refused();
    random_images_are_refused(images, &seed);
    false_headers_with_a_true_crc_are_refused(images, &seed);
    what_is_unused_or_of_no_generation_is_refused();
    a_truncated_file_is_refused();
    CHECK(attach_with(&good) == LABYRINTH_OK);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    printf("fuzz: %ld random images, %ld with a true crc and every bit flipped: refused\n", images, images);
    return 0;
}
