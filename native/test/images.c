/* SPDX-License-Identifier: Apache-2.0
 *
 * images: does with files of any content what a tenant does, and answers each with one line, until the input ends.
 * TwinImagesTest makes the files, asks this program and Java the same, and compares the answers. A line "bad" names the
 * checks that failed. If this program hangs or dies, the test that waits for the line sees it.
 *
 *   attach PATH     OK, or the error's name
 *   use PATH        the same; then counts, validates, sweeps, allocates, uses every handle that the words give, leaves
 *   left            how many mappings and descriptors of files of a memory file system this process still has
 */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <unistd.h>

static char bad[4096];

static void expect(bool holds, const char *what)
{
    if (!holds && strstr(bad, what) == NULL && strlen(bad) + strlen(what) + 4 < sizeof bad) {
        strcat(strcat(bad, bad[0] == '\0' ? "" : " | "), what);
    }
}
#define EXPECT(condition) expect(condition, #condition)

static bool is_within(const struct labyrinth *l, uint64_t handle, unsigned order)
{
    return handle_pfn(handle) + (1ULL << order) <= l->frames;
}

static void use_handle(struct labyrinth *l, uint64_t handle)
{
    int order = labyrinth_order(l, handle);
    if (order >= 0) {
        EXPECT(order <= LABYRINTH_MAX_ORDER);
        EXPECT(is_within(l, handle, (unsigned) order));
        EXPECT(labyrinth_byte_size(l, handle) == (size_t) l->page_size << order);
        EXPECT((char *) labyrinth_address(l, handle) == l->memory + (uint64_t) handle_pfn(handle) * l->page_size);
    }
}

static void use_all_handles(struct labyrinth *l, unsigned step)
{
    for (uint32_t pfn = 0; pfn < l->frames; pfn++) {
        uint64_t handle = word_handle(lv(&l->pages[pfn].word), pfn);
        use_handle(l, handle);
        uint64_t taken = (pfn + step) % 3 == 0 ? labyrinth_hand_off(l, handle)
            : (pfn + step) % 3 == 1 ? labyrinth_accept(l, handle) : 0;
        if (taken != 0) {
            use_handle(l, taken);
        }
        if ((pfn + step) % 3 == 2) {
            labyrinth_free(l, handle);
        }
    }
}

static void allocate(struct labyrinth *l, uint32_t gfp)
{
    for (uint32_t order = 0; order <= LABYRINTH_MAX_ORDER; order++) {
        for (int i = 0; i < 6; i++) {
            uint64_t handle = labyrinth_alloc_pages(l, gfp, order);
            if (handle == 0) {
                EXPECT(labyrinth_last_error() == LABYRINTH_OK);
                break;
            }
            EXPECT(is_within(l, handle, order));
            use_handle(l, handle);
            if (i % 2 == 0) {
                labyrinth_free(l, handle);
            }
        }
    }
}

static void count(struct labyrinth *l)
{
    struct labyrinth_stats stats;
    EXPECT(labyrinth_count(l, &stats) == LABYRINTH_OK);
    EXPECT(stats.frames == l->frames && stats.reserve < l->frames);
    EXPECT(stats.free <= stats.frames && stats.reserve_free <= stats.frames);
    EXPECT(stats.claimed <= stats.frames && stats.in_transit <= stats.frames && stats.quarantined <= stats.frames);
    EXPECT(stats.free + stats.reserve_free + stats.claimed + stats.in_transit + stats.quarantined <= stats.frames);
    EXPECT(stats.mine <= stats.claimed + stats.in_transit);
    EXPECT(stats.tenants <= LABYRINTH_TENANTS - LABYRINTH_FIRST_TENANT);
    for (unsigned order = 0; order <= LABYRINTH_MAX_ORDER; order++) {
        EXPECT(stats.free_runs[order] <= stats.frames >> order);
    }
}

static const char *use(const char *path)
{
    static const uint32_t gfps[] = {NOWAIT, EXCLUSIVE, LABYRINTH_GFP_ATOMIC, LABYRINTH_GFP_ATOMIC_EXCLUSIVE};
    struct labyrinth l;
    bad[0] = '\0';
    enum labyrinth_error error = labyrinth_attach(&l, path, LABYRINTH_LOCK_NONE);
    if (error != LABYRINTH_OK) {
        return labyrinth_error_name(error);
    }
    count(&l);
    error = labyrinth_validate(&l);
    EXPECT(error == LABYRINTH_OK || error == LABYRINTH_VIOLATION);
    EXPECT(labyrinth_sweep(&l) <= l.frames);
    count(&l);
    for (unsigned i = 0; i < sizeof gfps / sizeof *gfps; i++) {
        allocate(&l, gfps[i]);
        use_all_handles(&l, i);
    }
    count(&l);
    error = labyrinth_validate(&l);
    EXPECT(error == LABYRINTH_OK || error == LABYRINTH_VIOLATION);
    EXPECT(labyrinth_sweep(&l) <= l.frames);
    error = labyrinth_detach(&l);
    EXPECT(error == LABYRINTH_OK || error == LABYRINTH_FRAMES_OUT);
    if (error != LABYRINTH_OK) {
        EXPECT(labyrinth_detach_now(&l) == LABYRINTH_OK);
    }
    return bad[0] == '\0' ? "OK" : bad;
}

static const char *attach(const char *path)
{
    struct labyrinth l;
    bad[0] = '\0';
    enum labyrinth_error error = labyrinth_attach(&l, path, LABYRINTH_LOCK_NONE);
    if (error == LABYRINTH_OK) {
        EXPECT(labyrinth_detach(&l) == LABYRINTH_OK);
    }
    return bad[0] == '\0' ? labyrinth_error_name(error) : bad;
}

static void print_what_is_left(void)
{
    char line[512];
    int mapped = 0;
    int open = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        mapped += strstr(line, "/dev/shm/") != NULL || strstr(line, "/memfd:") != NULL;
    }
    fclose(maps);
    DIR *fds = opendir("/proc/self/fd");
    for (struct dirent *fd = readdir(fds); fd != NULL; fd = readdir(fds)) {
        char link[300];
        char target[300] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%s", fd->d_name);
        ssize_t length = readlink(link, target, sizeof target - 1);
        open += length > 0 && (strstr(target, "/dev/shm/") != NULL || strstr(target, "/memfd:") != NULL);
    }
    closedir(fds);
    printf("mapped=%d open=%d\n", mapped, open);
}

int main(void)
{
    char verb[16];
    char path[256];
    while (scanf("%15s", verb) == 1) {
        if (strcmp(verb, "left") == 0) {
            print_what_is_left();
        } else if (scanf("%255s", path) == 1) {
            const char *said = strcmp(verb, "use") == 0 ? use(path) : attach(path);
            printf("%s%s\n", bad[0] == '\0' ? "" : "bad ", said);
        }
        fflush(stdout);
    }
    return 0;
}
