/* SPDX-License-Identifier: Apache-2.0
 *
 * populate BYTES: maps, faults in and locks this many bytes as a C program does, with MAP_POPULATE and mlock. Prints
 * how many nanoseconds that took. The time to open a labyrinth is measured against it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long long bytes = argc == 2 ? strtoull(argv[1], &end, 10) : 0;
    if (bytes == 0 || *end != '\0') {
        fprintf(stderr, "usage: populate BYTES\n");
        return 2;
    }
    long long start = now();
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "populate: requested=%llu mmap: %s\n", bytes, strerror(errno));
        return 1;
    }
    if (mlock(memory, bytes) != 0) {
        fprintf(stderr, "populate: requested=%llu mlock: %s: raise the limit (ulimit -l)\n", bytes, strerror(errno));
        return 1;
    }
    printf("%lld\n", now() - start);
    return 0;
}
