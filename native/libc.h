/* SPDX-License-Identifier: Apache-2.0
 *
 * libc.h: names the libc and kernel headers whose functions and constants Labyrinth calls; input to jextract only.
 */
#ifndef LABYRINTH_LIBC_H
#define LABYRINTH_LIBC_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* From <linux/mman.h> (Linux 5.14). Older libc headers lack it. The kernel says whether it knows it. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
/* The same, from Linux 5.4. */
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
/* The same, from Linux 5.18. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* The part of what fstat fills in that is the same on all processors. struct stat itself differs between them. */
struct stat_blocks {
    uint64_t others[8];
    uint64_t blocks; /* of the file, each of 512 bytes */
    uint64_t more[16];
};
_Static_assert(offsetof(struct stat, st_blocks) == offsetof(struct stat_blocks, blocks), "fstat would be misread");
_Static_assert(sizeof(struct stat) <= sizeof(struct stat_blocks), "fstat would write beyond the struct");

#endif
