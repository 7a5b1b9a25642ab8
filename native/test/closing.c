/* SPDX-License-Identifier: Apache-2.0
 *
 * closing: attach and detach while the system refuses calls: the first of the calls below, then the second, and so on,
 * alone and together with all calls after it. Nothing stays mapped, locked or open, and no dead tenant looks alive.
 */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The functions below are found before libc's and before those of the sanitizers. */
static int counted, first_refused, last_refused, error_given, was_refused;
static bool unlock_refused;

static bool is_refused(void)
{
    counted++;
    if (first_refused == 0 || counted < first_refused || counted > last_refused) {
        return false;
    }
    was_refused++;
    errno = error_given;
    return true;
}

static void refuse_calls(int first, int last, int error)
{
    counted = 0;
    was_refused = 0;
    unlock_refused = false;
    first_refused = first;
    last_refused = last;
    error_given = error;
}

static bool end_refusing(void)
{
    first_refused = 0;
    return was_refused > 0;
}

int munmap(void *address, size_t bytes)
{
    return is_refused() ? -1 : (int) syscall(SYS_munmap, address, bytes);
}

int munlock(const void *address, size_t bytes)
{
    return is_refused() ? -1 : (int) syscall(SYS_munlock, address, bytes);
}

int madvise(void *address, size_t bytes, int advice)
{
    return is_refused() ? -1 : (int) syscall(SYS_madvise, address, bytes, advice);
}

int mlock(const void *address, size_t bytes)
{
    return is_refused() ? -1 : (int) syscall(SYS_mlock, address, bytes);
}

int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    long argument = va_arg(more, long);
    va_end(more);
    if (is_refused()) {
        unlock_refused = command == F_OFD_SETLK;
        return -1;
    }
    return (int) syscall(SYS_fcntl, fd, command, argument);
}

/* What must be as it was. */
struct state {
    uint64_t locked;
    uint64_t mappings;
    uint64_t descriptors;
};

static struct state state_now(void)
{
    struct state now = {0};
    char line[512];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status) != NULL) {
        unsigned long long kilobytes;
        if (sscanf(line, "VmLck: %llu", &kilobytes) == 1) {
            now.locked = kilobytes;
        }
    }
    fclose(status);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps) != NULL) {
        now.mappings += strstr(line, "memfd:closing") != NULL;
    }
    fclose(maps);
    DIR *descriptors = opendir("/proc/self/fd");
    while (readdir(descriptors) != NULL) {
        now.descriptors++;
    }
    closedir(descriptors);
    return now;
}

static void check_as_it_was(struct state before)
{
    struct state now = state_now();
    CHECK(now.locked == before.locked);
    CHECK(now.mappings == before.mappings);
    CHECK(now.descriptors == before.descriptors);
}

enum { FRAMES = 16, ALL = 9999 };
static const int errors[] = {ENOMEM, EINVAL, EAGAIN};

/* Returns whether there was a call with the number `first` to refuse. */
static bool a_detach_comes_to_its_end(struct labyrinth *host, int fd, int first, int last, int error, bool now)
{
    struct state before = state_now();
    struct labyrinth l;
    CHECK_OK(labyrinth_attach_fd(&l, fd, LABYRINTH_LOCK_PREFERRED));
    CHECK(!now || labyrinth_alloc_pages(&l, EXCLUSIVE, 2) != 0);
    refuse_calls(first, last, error);
    enum labyrinth_error said = now ? labyrinth_detach_now(&l) : labyrinth_detach(&l);
    bool refused = end_refusing();
    if (said != LABYRINTH_OK) {
        char text[512];
        CHECK(said == LABYRINTH_CLOSE_REFUSED && labyrinth_last_error() == said && refused);
        labyrinth_explain(text, sizeof text);
        CHECK(strstr(text, "labyrinth=closing cannot give ") != NULL && strstr(text, "errno=") != NULL
              && strstr(text, "detach again") != NULL);
        CHECK(strstr(text, unlock_refused ? "up its slot: fcntl(F_OFD_SETLK) " : "its memory back: munmap ") != NULL);
        CHECK(strstr(text, unlock_refused ? " slot=" : " bytes=") != NULL);
    }
    CHECK_NOTHING(LABYRINTH_CLOSED, labyrinth_alloc_page(&l, NOWAIT));
    struct state half = state_now();
    /* Whatever else was refused, the slot is given up if its unlock was not refused. */
    bool left = half.descriptors == before.descriptors;
    CHECK(left || unlock_refused);
    CHECK(labyrinth_sweep(host) == (now && left ? 4 : 0));
    if (said != LABYRINTH_OK) {
        refuse_calls(1, ALL, error);
        CHECK_REFUSED(LABYRINTH_CLOSE_REFUSED, labyrinth_detach(&l));
        end_refusing();
        CHECK_OK(labyrinth_detach(&l));
    }
    CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_detach(&l));
    CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_detach_now(&l));
    labyrinth_sweep(host);
    CHECK(stats_of(host).tenants == 1 && stats_of(host).free == FRAMES);
    check_as_it_was(before);
    return refused;
}

static void any_call_of_a_detach_may_fail_and_the_next_goes_on(void)
{
    struct labyrinth host;
    int fd;
    CHECK_OK(labyrinth_create_memfd(&host, "closing", FRAMES, 0, LABYRINTH_LOCK_NONE, &fd));
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        for (int now = 0; now < 2; now++) {
            int call = 1;
            while (a_detach_comes_to_its_end(&host, fd, call, call, errors[i], now != 0)) {
                call++;
            }
            CHECK(call > 3);
            call = 1;
            while (a_detach_comes_to_its_end(&host, fd, call, ALL, errors[i], now != 0)) {
                call++;
            }
        }
    }
    CHECK_OK(labyrinth_validate(&host));
    CHECK_OK(labyrinth_detach(&host));
    close(fd);
}

/* Returns whether there was a call with the number `first` to refuse. */
static bool an_attach_leaves_nothing(struct labyrinth *host, int fd, int first, int last, int error)
{
    struct state before = state_now();
    struct labyrinth l;
    refuse_calls(first, last, error);
    enum labyrinth_error said = labyrinth_attach_fd(&l, fd, LABYRINTH_LOCK_REQUIRED);
    bool refused = end_refusing();
    if (said == LABYRINTH_OK) {
        CHECK_OK(labyrinth_detach(&l));
    } else {
        CHECK(said == LABYRINTH_MAP_REFUSED || said == LABYRINTH_LOCK_REFUSED || said == LABYRINTH_UNSEALED
              || said == LABYRINTH_NO_VACANCY || (said == LABYRINTH_INVALID_REQUEST && error == EINVAL));
        CHECK(labyrinth_last_error() == said);
        CHECK_NOTHING(LABYRINTH_CLOSED, labyrinth_alloc_page(&l, NOWAIT));
        enum labyrinth_error rest = labyrinth_detach(&l);
        CHECK(rest == LABYRINTH_CLOSED || (rest == LABYRINTH_OK && last == ALL));
    }
    CHECK(labyrinth_sweep(host) == 0);
    CHECK(stats_of(host).tenants == 1);
    check_as_it_was(before);
    return refused;
}

/* A tenant leaves as if it had died, and is swept. One lock of the sweep cannot be taken, or released, at first. */
static void no_lock_of_a_sweep_is_kept(void)
{
    struct labyrinth host, dead, next;
    int fd;
    CHECK_OK(labyrinth_create_memfd(&host, "closing", FRAMES, 0, LABYRINTH_LOCK_NONE, &fd));
    bool refused = true;
    for (int call = 1; refused; call++) {
        CHECK_OK(labyrinth_attach_fd(&dead, fd, LABYRINTH_LOCK_NONE));
        uint32_t slot = dead.slot;
        CHECK(labyrinth_alloc_pages(&dead, EXCLUSIVE, 2) != 0);
        CHECK_OK(labyrinth_detach_now(&dead));
        refuse_calls(call, call, ENOLCK);
        labyrinth_sweep(&host);
        refused = end_refusing();
        labyrinth_sweep(&host);
        CHECK(stats_of(&host).tenants == 1 && stats_of(&host).free == FRAMES);
        CHECK_OK(labyrinth_attach_fd(&next, fd, LABYRINTH_LOCK_NONE));
        CHECK(next.slot == slot);
        CHECK_OK(labyrinth_detach(&next));
    }
    CHECK_OK(labyrinth_detach(&host));
    close(fd);
}

static void any_call_of_an_attach_may_fail_and_leaves_nothing_behind(void)
{
    struct labyrinth host;
    int fd;
    CHECK_OK(labyrinth_create_memfd(&host, "closing", FRAMES, 0, LABYRINTH_LOCK_NONE, &fd));
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int call = 1;
        while (an_attach_leaves_nothing(&host, fd, call, call, errors[i])) {
            call++;
        }
        CHECK(call > 4);
        call = 1;
        while (an_attach_leaves_nothing(&host, fd, call, ALL, errors[i])) {
            call++;
        }
    }
    CHECK_OK(labyrinth_validate(&host));
    CHECK_OK(labyrinth_detach(&host));
    close(fd);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(any_call_of_a_detach_may_fail_and_the_next_goes_on),
        TEST(any_call_of_an_attach_may_fail_and_leaves_nothing_behind),
        TEST(no_lock_of_a_sweep_is_kept),
    };
    return RUN_TESTS("closing", tests);
}
