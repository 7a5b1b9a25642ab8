/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.c: the file of a labyrinth: create, check, map, lock and leave it. The twin of SharedFile.java. The header is
 * read by system calls, which a truncated file cannot make fatal. Nothing is read through the mapping before the header
 * was checked.
 */
#define _GNU_SOURCE
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1U
#define MFD_ALLOW_SEALING 2U
#endif

/* Runs are aligned in memory to their size, up to this at least; see Region.java. */
#define ALIGNED (2ULL << 20)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static enum labyrinth_error map_refused(const char *call, const char *name, uint64_t bytes)
{
    return refuse_system(LABYRINTH_MAP_REFUSED, call, name, bytes, errno);
}

/* Faults all of it in now, so that a full file system is an error here and not a SIGBUS later. */
static int populate(void *memory, size_t bytes)
{
    if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0) {
        return 0;
    }
    /* EINVAL is the answer of a kernel that does not know the advice (before 5.14). The others are answers of a filter.
     */
    if (errno != EINVAL && errno != ENOSYS && errno != EPERM) {
        return -1;
    }
    for (size_t at = 0; at < bytes; at += 4096) {
        (void) *(volatile char *) ((char *) memory + at);
    }
    return 0;
}

/* Whether this is a regular file of a memory file system. Only memory file systems know seals. On any other file system
 * the kernel would write the pages to a disk, locked or not.
 */
static enum labyrinth_error check_kind(int fd, const char *name)
{
    struct stat file;
    if (fstat(fd, &file) != 0) {
        return map_refused("fstat", name, 0);
    }
    if (!S_ISREG(file.st_mode)) {
        return refuse_file(LABYRINTH_NOT_A_LABYRINTH, "it is no regular file", file.st_mode & S_IFMT, S_IFREG);
    }
    if (fcntl(fd, F_GET_SEALS) < 0) {
        return errno != EINVAL ? map_refused("fcntl(F_GET_SEALS)", name, 0)
            : refuse_request("seals of the file", 0, SEALS, "it is on no memory file system; choose one below /dev/shm,"
                             " or a memfd");
    }
    return LABYRINTH_OK;
}

/* Sets the addresses of the parts, as the header says. */
static void lay_out(struct labyrinth *l, const struct labyrinth_header *header, char *memory)
{
    struct geometry geometry = geometry_of(header->frames);
    l->frames = header->frames;
    l->ordinary = header->frames - header->reserve;
    l->page_size = header->page_size;
    l->groups = geometry.groups;
    l->spans = geometry.spans;
    l->span_shift = geometry.span_shift;
    l->tenants = (struct labyrinth_tenant *) (memory + header->tenants_offset);
    l->pages = (struct labyrinth_page *) (memory + header->page_map_offset);
    l->advice = (struct labyrinth_advice *) (memory + header->page_map_offset + geometry.advice_offset);
    l->memory = memory + header->frames_offset;
    l->first_generation = header->first_generation;
    l->metadata_bytes = header->frames_offset;
    memcpy(l->name, header->name, sizeof l->name);
}

/* ------------------------------------------------------------------------------------------------ create */

static enum labyrinth_error check_create_request(const char *name, uint64_t frames, uint64_t reserve,
                                       enum labyrinth_locking locking)
{
    if (name == NULL || strlen(name) >= LABYRINTH_NAME_BYTES) {
        return refuse_request("name length", name == NULL ? 0 : strlen(name), LABYRINTH_NAME_BYTES - 1,
                              "give a shorter name");
    }
    if (frames < 1 || frames > LABYRINTH_MAX_FRAMES) {
        return refuse_request("frames", frames, LABYRINTH_MAX_FRAMES, "ask for 1 to 2^24, or create several");
    }
    if (reserve >= frames) {
        return refuse_request("reserve", reserve, frames - 1, "the reserve is a part of the frames; leave at least 1");
    }
    if (locking > LABYRINTH_LOCK_NONE) {
        return refuse_request("locking", locking, LABYRINTH_LOCK_NONE, "use the constants");
    }
    return LABYRINTH_OK;
}

/* Writes an empty labyrinth into an empty file. The magic comes last: until then the file is no labyrinth. path: for
 * messages.
 */
static enum labyrinth_error format(int fd, const char *path, const char *name, uint32_t frames, uint32_t reserved,
                                   bool seal)
{
    uint32_t page_size = (uint32_t) sysconf(_SC_PAGESIZE);
    struct labyrinth_header header = {
        .version = LABYRINTH_VERSION,
        .byte_order = LABYRINTH_BYTE_ORDER,
        .page_size = page_size,
        .frames = frames,
        .reserve = reserved,
    };
    lay_out_header(&header);
    memcpy(header.name, name, strlen(name));
    uint32_t random;
    /* By number, because a libc before 2.25 has no function for it. Before 2.27 it has none for memfd_create. */
    if (syscall(SYS_getrandom, &random, sizeof random, 0) != sizeof random) {
        return map_refused("getrandom", name, sizeof random);
    }
    header.first_generation = 1 + (uint64_t) random;
    header.crc = header_crc(&header);

    enum labyrinth_error error = room_require(fd, path, header.file_bytes);
    if (error == LABYRINTH_OK) {
        error = require_memory(name, header.file_bytes);
    }
    if (error == LABYRINTH_OK) {
        error = room_set_length(fd, path, header.file_bytes);
    }
    if (error == LABYRINTH_OK) {
        error = room_reserve(fd, path, header.file_bytes);
    }
    if (error != LABYRINTH_OK) {
        return error;
    }
    char *memory = mmap(NULL, header.frames_offset, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return map_refused("mmap", name, header.frames_offset);
    }
    if (populate(memory, header.frames_offset) != 0) {
        error = map_refused("madvise(MADV_POPULATE_WRITE)", name, header.frames_offset);
    } else {
        struct labyrinth unborn = {.fd = -1};
        lay_out(&unborn, &header, memory);
        map_tile(&unborn, header.first_generation);
        memcpy(memory, &header, sizeof header);
        LABYRINTH_STEP("create.written");
        if (seal && fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
            error = map_refused("fcntl(F_ADD_SEALS)", name, header.file_bytes);
        } else {
            LABYRINTH_STEP("create.sealed");
            so(&((struct labyrinth_header *) memory)->magic, LABYRINTH_MAGIC);
            LABYRINTH_STEP("create.published");
        }
    }
    if (munmap(memory, header.frames_offset) != 0 && error == LABYRINTH_OK) {
        error = map_refused("munmap", name, header.frames_offset);
    }
    return error;
}

enum labyrinth_error labyrinth_create(struct labyrinth *l, const char *path, const char *name, uint64_t frames,
                                      uint64_t reserve, enum labyrinth_locking locking)
{
    memset(l, 0, sizeof *l);
    enum labyrinth_error error = check_create_request(name, frames, reserve, locking);
    if (error != LABYRINTH_OK) {
        return error;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return map_refused("open(O_CREAT|O_EXCL)", path, 0);
    }
    error = check_kind(fd, path);
    if (error == LABYRINTH_OK) {
        error = format(fd, path, name, (uint32_t) frames, (uint32_t) reserve, false);
    }
    if (error == LABYRINTH_OK) {
        error = labyrinth_attach_fd(l, fd, locking);
    }
    if (error != LABYRINTH_OK) {
        unlink(path);
    }
    close(fd);
    return error;
}

enum labyrinth_error labyrinth_create_memfd(struct labyrinth *l, const char *name, uint64_t frames, uint64_t reserve,
                                            enum labyrinth_locking locking, int *fd)
{
    memset(l, 0, sizeof *l);
    *fd = -1;
    enum labyrinth_error error = check_create_request(name, frames, reserve, locking);
    if (error != LABYRINTH_OK) {
        return error;
    }
    *fd = (int) syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0) {
        return map_refused("memfd_create", name, 0);
    }
    error = format(*fd, "the memfd", name, (uint32_t) frames, (uint32_t) reserve, true);
    if (error == LABYRINTH_OK) {
        error = labyrinth_attach_fd(l, *fd, locking);
    }
    if (error != LABYRINTH_OK) {
        close(*fd);
        *fd = -1;
    }
    return error;
}

/* ------------------------------------------------------------------------------------------------ attach */

static enum labyrinth_error read_header(int fd, struct labyrinth_header *header)
{
    ssize_t bytes = pread(fd, header, sizeof *header, 0);
    if (bytes < 0) {
        return map_refused("pread", "the file", sizeof *header);
    }
    return bytes == sizeof *header ? LABYRINTH_OK
        : refuse_file(LABYRINTH_NOT_A_LABYRINTH, "too short for a header: perhaps its creator has not finished",
                      (uint64_t) bytes, sizeof *header);
}

/* Reads and checks the header. A name, or the seals, must keep the length as it is. So the length is read last. */
static enum labyrinth_error check_file(int fd, struct labyrinth_header *header)
{
    enum labyrinth_error error = check_kind(fd, "the file");
    if (error == LABYRINTH_OK) {
        error = read_header(fd, header);
    }
    /* If the magic was there, everything else is there too: a later system call sees what was stored before it. */
    if (error == LABYRINTH_OK && header->magic == LABYRINTH_MAGIC) {
        error = read_header(fd, header);
    }
    if (error == LABYRINTH_OK) {
        error = header_check(header, (uint64_t) sysconf(_SC_PAGESIZE));
    }
    if (error != LABYRINTH_OK) {
        return error;
    }
    struct stat file;
    if (fstat(fd, &file) != 0) {
        return map_refused("fstat", "the file", 0);
    }
    int seals = file.st_nlink == 0 ? fcntl(fd, F_GET_SEALS) : SEALS;
    if (seals < 0) {
        return map_refused("fcntl(F_GET_SEALS)", "the file", 0);
    }
    if ((seals & SEALS) != SEALS) {
        return refuse_file(LABYRINTH_UNSEALED, "a process that has it could truncate it; seal it, or give it a name",
                           (uint64_t) seals, SEALS);
    }
    if (fstat(fd, &file) != 0) {
        return map_refused("fstat", "the file", 0);
    }
    if ((uint64_t) file.st_size != header->file_bytes) {
        return refuse_file(LABYRINTH_NOT_A_LABYRINTH, "the file's length is not the header's file_bytes",
                           (uint64_t) file.st_size, header->file_bytes);
    }
    return LABYRINTH_OK;
}

/* The alignment with which huge pages fit: their size. For a smaller file, the largest power of two that is not larger
 * than the file.
 */
static uint64_t alignment_of(uint64_t bytes)
{
    uint64_t alignment = huge_page_size();
    while (alignment > bytes) {
        alignment /= 2;
    }
    return alignment > ALIGNED ? alignment : ALIGNED;
}

static void *reserve_hole(uint64_t bytes)
{
    return mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Maps the whole file so that its frames begin on a huge page's boundary. It maps into a reserved hole that is larger
 * than the file by the alignment.
 */
static void *map_aligned(struct labyrinth *l, const struct labyrinth_header *header)
{
    uint64_t bytes = header->file_bytes;
    uint64_t alignment = alignment_of(bytes);
    char *hole = reserve_hole(bytes + alignment);
    if (hole == MAP_FAILED && alignment > ALIGNED) {
        alignment = ALIGNED; /* the limit of address space may have room for this */
        hole = reserve_hole(bytes + alignment);
    }
    if (hole == MAP_FAILED) {
        return MAP_FAILED;
    }
    uint64_t frames_at = (uint64_t) hole + header->frames_offset;
    uint64_t before = (frames_at + alignment - 1) / alignment * alignment - frames_at;
    char *memory = mmap(hole + before, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, l->fd, 0);
    if (memory == MAP_FAILED) {
        int reason = errno;
        munmap(hole, bytes + alignment);
        errno = reason;
        return MAP_FAILED;
    }
    /* This can fail: the kernel may have merged the hole with its neighbour, and may not be allowed to split it again.
     * Then the rest, which is addresses without memory, stays with the mapping and is unmapped with it.
     */
    l->mapped = hole;
    l->mapped_bytes = bytes + alignment;
    if (before == 0 || munmap(hole, before) == 0) {
        l->mapped = memory;
        l->mapped_bytes -= before;
    }
    if (before == alignment || munmap(memory + bytes, alignment - before) == 0) {
        l->mapped_bytes -= alignment - before;
    }
    return memory;
}

static enum labyrinth_error map_and_lock(struct labyrinth *l, const struct labyrinth_header *header,
                                         enum labyrinth_locking locking)
{
    void *memory = map_aligned(l, header);
    if (memory == MAP_FAILED) {
        return map_refused("mmap", header->name, header->file_bytes);
    }
    l->forks = madvise(memory, header->file_bytes, MADV_DONTFORK) != 0;
    madvise(memory, header->file_bytes, MADV_DONTDUMP);
    if (populate(memory, header->file_bytes) != 0) {
        return map_refused("madvise(MADV_POPULATE_WRITE)", header->name, header->file_bytes);
    }
    if (locking != LABYRINTH_LOCK_NONE) {
        l->locked = mlock(memory, header->file_bytes) == 0;
        if (!l->locked && locking == LABYRINTH_LOCK_REQUIRED) {
            return refuse_system(LABYRINTH_LOCK_REFUSED, "mlock", header->name, header->file_bytes, errno);
        }
    }
    uint64_t longs = zone_stripe_longs(header->frames, (uint64_t) sysconf(_SC_NPROCESSORS_ONLN));
    uint64_t *stripes = mmap(NULL, longs * sizeof *stripes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stripes == MAP_FAILED) {
        return map_refused("mmap", header->name, longs * sizeof *stripes);
    }
    l->stripes = stripes;
    l->stripe_mask = longs - 1;
    /* The acquire load is through the mapping: every word that was written before the magic is seen from here on. */
    if (lv(&((struct labyrinth_header *) memory)->magic) != LABYRINTH_MAGIC) {
        return refuse_file(LABYRINTH_NOT_A_LABYRINTH, "the magic is gone", 0, LABYRINTH_MAGIC);
    }
    lay_out(l, header, memory);
    return LABYRINTH_OK;
}

/* Unmaps what is still mapped. Returns whether nothing is left. If something is left, errno says why, and it stays
 * noted. Its memory and lock are given back anyway, if the system allows that.
 */
static bool unmap(struct labyrinth *l)
{
    int reason = 0;
    if (l->stripes != NULL) {
        if (munmap(l->stripes, (l->stripe_mask + 1) * sizeof *l->stripes) == 0) {
            l->stripes = NULL;
        } else {
            reason = errno;
            madvise(l->stripes, (l->stripe_mask + 1) * sizeof *l->stripes, MADV_DONTNEED);
        }
    }
    if (l->mapped != NULL) {
        if (munmap(l->mapped, l->mapped_bytes) == 0) {
            l->mapped = NULL;
        } else {
            reason = errno;
            if (munlock(l->mapped, l->mapped_bytes) == 0) {
                madvise(l->mapped, l->mapped_bytes, MADV_DONTNEED);
            }
        }
    }
    errno = reason;
    return reason == 0;
}

/* Gives up the slot and the file. The lock is released by a call of its own, because it may outlive the descriptor: a
 * mapping that is left, and each forked child that has not gone yet, has the same open file description. Returns
 * whether the slot is given up; otherwise errno says why.
 */
static bool leave_file(struct labyrinth *l)
{
    if (l->slot != 0 && (errno = tenant_unlock(l)) != 0) {
        return false;
    }
    l->slot = 0;
    close(l->fd); /* Linux closes it, whatever it answers */
    return true;
}

/* Resets the struct to one that never attached, so that every call on it is refused. What is left stays noted for the
 * next detach. A slot that is not 0 says that the lock is left.
 */
static void reset(struct labyrinth *l)
{
    struct labyrinth rest = {0};
    if (l->stripes != NULL || l->mapped != NULL || l->slot != 0) {
        rest.stripes = l->stripes;
        rest.stripe_mask = l->stripe_mask;
        rest.mapped = l->mapped;
        rest.mapped_bytes = l->mapped_bytes;
        rest.slot = l->slot;
        rest.fd = l->slot != 0 ? l->fd : 0;
        memcpy(rest.name, l->name, sizeof rest.name);
    }
    *l = rest;
}

/* Gives back everything; the words are not touched. The slot is given up even if memory stays mapped: no other thread
 * is in a call with this struct, so nobody can write to the words any more. Returns NULL, or the name of the call that
 * was refused, with errno; then it can be called again.
 *
 * file: whether the slot and the file are still to be given up
 */
static const char *release_all(struct labyrinth *l, bool file)
{
    const char *refused = NULL;
    int reason = 0;
    l->frames = 0;
    l->ordinary = 0;
    if (!unmap(l)) {
        refused = "munmap";
        reason = errno;
    }
    LABYRINTH_STEP("detach.unmapped");
    if (file && !leave_file(l)) {
        refused = "fcntl(F_OFD_SETLK)";
        reason = errno;
    }
    reset(l);
    errno = reason;
    return refused;
}

static bool is_same(int fd, int original)
{
    struct stat one, other;
    return original < 0 || (fstat(fd, &one) == 0 && fstat(original, &other) == 0 && one.st_dev == other.st_dev
                            && one.st_ino == other.st_ino);
}

/* original: a descriptor of the file that the path must lead to, or -1. */
static enum labyrinth_error attach_to(struct labyrinth *l, const char *path, const char *name, int original,
                                      enum labyrinth_locking locking)
{
    memset(l, 0, sizeof *l);
    if (locking > LABYRINTH_LOCK_NONE) {
        return refuse_request("locking", locking, LABYRINTH_LOCK_NONE, "use the constants");
    }
    l->fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (l->fd < 0) {
        l->fd = 0;
        return map_refused("open", name, 0);
    }
    LABYRINTH_STEP("attach.opened");
    struct labyrinth_header header;
    enum labyrinth_error error = is_same(l->fd, original) ? check_file(l->fd, &header)
        : refuse((struct refusal){.error = LABYRINTH_MAP_REFUSED, .verb = "open", .name = name, .errnum = ENOENT,
                                  .rule = "/proc/self/fd leads to another file: mount the /proc of this process"});
    if (error == LABYRINTH_OK) {
        error = require_memory(header.name, room_missing(l->fd, header.file_bytes));
    }
    if (error == LABYRINTH_OK) {
        error = room_reserve(l->fd, name, header.file_bytes);
    }
    if (error == LABYRINTH_OK) {
        error = map_and_lock(l, &header, locking);
    }
    LABYRINTH_STEP("attach.mapped");
    if (error == LABYRINTH_OK) {
        error = tenant_enter(l);
    }
    if (error != LABYRINTH_OK) {
        release_all(l, true);
        return error;
    }
    zone_start_stripes(l);
    return LABYRINTH_OK;
}

enum labyrinth_error labyrinth_attach(struct labyrinth *l, const char *path, enum labyrinth_locking locking)
{
    return attach_to(l, path, path, -1, locking);
}

/* Opened anew: a copy of the caller's descriptor would have the same open file description, and the lock would not be
 * this attachment's alone.
 */
enum labyrinth_error labyrinth_attach_fd(struct labyrinth *l, int fd, enum labyrinth_locking locking)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return attach_to(l, path, "the file descriptor", fd, locking);
}

/* ------------------------------------------------------------------------------------------------ detach */

/* refused: the call that was refused, or NULL; errno says why. If the slot was not given up, the message is about it.
 */
static enum labyrinth_error detached(struct labyrinth *l, const char *refused)
{
    return refused == NULL ? LABYRINTH_OK
        : refuse((struct refusal){.error = LABYRINTH_CLOSE_REFUSED, .verb = refused, .name = l->name,
                                  .value = l->mapped_bytes, .limit = l->slot, .errnum = errno});
}

/* Gives back what an earlier detach, or an attach that failed, could not. CLOSED if nothing is left. */
static enum labyrinth_error resume_detach(struct labyrinth *l)
{
    if (l->stripes == NULL && l->mapped == NULL && l->slot == 0) {
        return refuse_bounds(l, "detach", 0);
    }
    return detached(l, release_all(l, l->slot != 0));
}

enum labyrinth_error labyrinth_detach(struct labyrinth *l)
{
    if (l->frames == 0) {
        return resume_detach(l);
    }
    uint64_t runs;
    uint64_t frames = frames_out(l, l->tenant, &runs);
    if (runs != 0) {
        return refuse((struct refusal){.error = LABYRINTH_FRAMES_OUT, .name = l->name, .value = frames, .limit = runs});
    }
    tenant_leave(l, true);
    return detached(l, release_all(l, true));
}

enum labyrinth_error labyrinth_detach_now(struct labyrinth *l)
{
    if (l->frames == 0) {
        return resume_detach(l);
    }
    uint64_t runs;
    tenant_leave(l, frames_out(l, l->tenant, &runs) == 0);
    return detached(l, release_all(l, true));
}
