/* SPDX-License-Identifier: Apache-2.0
 *
 * room.c: room for a labyrinth's file. A memory file system has a size (in many containers /dev/shm has 64 MiB). If a
 * process touches a page for which there is no room, SIGBUS kills it. So all of the file is reserved before any page is
 * touched. The twin of MemoryFile.java.
 */
#define _GNU_SOURCE
#include "internal.h"
#include "libc.h" /* for its assertions about struct stat, on each processor */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Cuts path down to the place where its file system is mounted. path has room for PATH_MAX bytes. */
static const char *mount_of(char *path)
{
    struct stat here, above;
    if (stat(path, &here) != 0) {
        return "?";
    }
    while (path[1] != '\0') {
        char *slash = strrchr(path, '/');
        char cut = *(slash == path ? slash + 1 : slash);
        *(slash == path ? slash + 1 : slash) = '\0';
        if (stat(path, &above) != 0 || above.st_dev != here.st_dev) {
            *(slash == path ? slash + 1 : slash) = cut;
            break;
        }
    }
    return path;
}

static enum labyrinth_error no_room(int fd, const char *path, uint64_t bytes, int errnum)
{
    struct refusal refusal = {.error = LABYRINTH_MAP_REFUSED, .verb = "posix_fallocate", .name = path, .value = bytes,
                              .errnum = errnum};
    struct statvfs room;
    char mount[PATH_MAX];
    if (fstatvfs(fd, &room) == 0 && room.f_blocks != 0) {
        refusal.mount_bytes = room.f_blocks * room.f_frsize;
        refusal.limit = room.f_bavail * room.f_frsize;
        refusal.mount = realpath(path, mount) == NULL ? "?" : mount_of(mount);
    }
    return refuse(refusal);
}

enum labyrinth_error room_require(int fd, const char *path, uint64_t bytes)
{
    struct statvfs room; /* a memfd, and a mount without a limit, have 0 blocks */
    if (fstatvfs(fd, &room) == 0 && room.f_blocks != 0 && bytes > room.f_bavail * room.f_frsize) {
        return no_room(fd, path, bytes, ENOSPC);
    }
    return LABYRINTH_OK;
}

enum labyrinth_error room_set_length(int fd, const char *path, uint64_t bytes)
{
    struct rlimit limit;
    /* Checked first, because the kernel sends SIGXFSZ together with its error. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur) {
        return refuse_system(LABYRINTH_MAP_REFUSED, "ftruncate", path, bytes, EFBIG);
    }
    if (ftruncate(fd, (off_t) bytes) != 0) {
        return refuse_system(LABYRINTH_MAP_REFUSED, "ftruncate", path, bytes, errno);
    }
    return LABYRINTH_OK;
}

/* Not by SEEK_HOLE: for it, a page that was reserved and not touched is a hole as well. */
uint64_t room_missing(int fd, uint64_t bytes)
{
    struct stat file;
    uint64_t there = fstat(fd, &file) == 0 ? (uint64_t) file.st_blocks * 512 : 0;
    return there < bytes ? bytes - there : 0;
}

/* All of it or nothing. If the call is not available (a filter, or an older kernel), the pages are reserved when they
 * are touched. A call that a signal interrupts reserves nothing, so the next calls ask for less. If one of those finds
 * no room, a part may stay reserved, until the file goes.
 */
enum labyrinth_error room_reserve(int fd, const char *path, uint64_t bytes)
{
    uint64_t most = bytes;
    uint64_t page_size = (uint64_t) sysconf(_SC_PAGESIZE);
    for (uint64_t from = 0; from < bytes;) {
        uint64_t length = bytes - from < most ? bytes - from : most;
        int errnum = posix_fallocate(fd, (off_t) from, (off_t) length);
        if (errnum == 0) {
            from += length;
            most = 2 * most;
        } else if (errnum == EINTR) {
            most = length / 2 < page_size ? page_size : length / 2 / page_size * page_size;
        } else if (errnum == ENOSYS || errnum == EOPNOTSUPP || errnum == EINVAL || errnum == EPERM) {
            break;
        } else {
            return no_room(fd, path, bytes, errnum);
        }
    }
    return LABYRINTH_OK;
}
