/* SPDX-License-Identifier: Apache-2.0
 *
 * shared: several tenants of one file: which processes may attach, which tenants are alive, and what a sweep takes
 * back.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static void a_file_with_a_name_is_shared_by_its_name(void)
{
    struct labyrinth a, b;
    CHECK_OK(labyrinth_create(&a, path, "named", 100, 10, LABYRINTH_LOCK_PREFERRED));
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_create(&b, path, "named", 100, 10, LABYRINTH_LOCK_NONE));
    CHECK_OK(labyrinth_attach(&b, path, LABYRINTH_LOCK_NONE));
    CHECK(strcmp(b.name, "named") == 0 && b.frames == 100 && b.ordinary == 90 && b.slot != a.slot);
    uint64_t run = labyrinth_alloc_pages(&a, NOWAIT, 2);
    stamp(&a, run, 2, 3);
    CHECK(is_stamped(&b, run, 2, 3) && memory_of(&a, run) != memory_of(&b, run));
    CHECK_OK(labyrinth_free(&b, run));
    CHECK_OK(labyrinth_validate(&a));
    CHECK_OK(labyrinth_detach(&a));
    CHECK_OK(labyrinth_attach(&a, path, LABYRINTH_LOCK_NONE)); /* the file outlives its creator */
    CHECK_OK(labyrinth_validate(&a));
    CHECK_OK(labyrinth_detach(&a));
    CHECK_OK(labyrinth_detach(&b));
    unlink(path);
}

static void what_cannot_be_opened_is_refused(void)
{
    struct labyrinth l;
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_attach(&l, "/nowhere/at/all", LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_attach(&l, "/dev/shm", LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_NOT_A_LABYRINTH, labyrinth_attach(&l, "/dev/null", LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_attach_fd(&l, -1, LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_detach(&l));
}

static void impossible_requests_are_refused_and_leave_no_file(void)
{
    static const char long_name[LABYRINTH_NAME_BYTES + 1] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    struct labyrinth l;
    int fd = 0;
    CHECK_REFUSED(LABYRINTH_INVALID_REQUEST, labyrinth_create(&l, path, "x", 0, 0, LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_INVALID_REQUEST,
                  labyrinth_create(&l, path, "x", LABYRINTH_MAX_FRAMES + 1, 0, LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_INVALID_REQUEST, labyrinth_create(&l, path, "x", 8, 8, LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_INVALID_REQUEST, labyrinth_create(&l, path, NULL, 8, 0, LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_INVALID_REQUEST, labyrinth_create(&l, path, long_name, 8, 0, LABYRINTH_LOCK_NONE));
    CHECK_REFUSED(LABYRINTH_INVALID_REQUEST,
                  labyrinth_create_memfd(&l, "x", 8, 0, (enum labyrinth_locking) 7, &fd));
    CHECK(fd == -1);
    CHECK(access(path, F_OK) != 0);
}

/* Copies a labyrinth's file into a memfd with these seals. */
static int copy_of(int fd, unsigned flags, int seals)
{
    struct stat file;
    CHECK(fstat(fd, &file) == 0);
    int copy = memfd_create("copy", flags);
    CHECK(copy >= 0 && ftruncate(copy, file.st_size) == 0);
    void *bytes = mmap(NULL, (size_t) file.st_size, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(bytes != MAP_FAILED && pwrite(copy, bytes, (size_t) file.st_size, 0) == file.st_size);
    munmap(bytes, (size_t) file.st_size);
    CHECK(seals == 0 || fcntl(copy, F_ADD_SEALS, seals) == 0);
    return copy;
}

static void a_memfd_is_attached_to_only_if_its_length_is_sealed(void)
{
    struct labyrinth l, b;
    int fd, copy;
    new_labyrinth(&l, 16, 0, &fd);
    CHECK(ftruncate(fd, 4096) != 0 && ftruncate(fd, 1 << 30) != 0);
    CHECK((fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW));
    int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW};
    for (int i = 0; i < 3; i++) {
        copy = copy_of(fd, MFD_ALLOW_SEALING, seals[i]);
        CHECK_REFUSED(LABYRINTH_UNSEALED, labyrinth_attach_fd(&b, copy, LABYRINTH_LOCK_NONE));
        close(copy);
    }
    copy = copy_of(fd, 0, 0);
    CHECK_REFUSED(LABYRINTH_UNSEALED, labyrinth_attach_fd(&b, copy, LABYRINTH_LOCK_NONE));
    close(copy);
    copy = copy_of(fd, MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_GROW);
    CHECK_OK(labyrinth_attach_fd(&b, copy, LABYRINTH_LOCK_NONE));
    CHECK(b.slot == LABYRINTH_FIRST_TENANT); /* the copy has locks of its own, and nobody holds one */
    CHECK_OK(labyrinth_detach(&b));
    close(copy);
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void a_file_whose_name_has_gone_is_as_unsealed_as_a_memfd(void)
{
    struct labyrinth a, b;
    CHECK_OK(labyrinth_create(&a, path, "named", 8, 0, LABYRINTH_LOCK_NONE));
    int fd = open(path, O_RDWR);
    unlink(path);
    CHECK_REFUSED(LABYRINTH_UNSEALED, labyrinth_attach_fd(&b, fd, LABYRINTH_LOCK_NONE));
    close(fd);
    CHECK_OK(labyrinth_detach(&a));
}

static void every_slot_is_given_once(void)
{
    static struct labyrinth all[LABYRINTH_TENANTS];
    struct labyrinth one_more;
    int fd;
    new_labyrinth(&all[LABYRINTH_FIRST_TENANT], 2, 0, &fd);
    for (unsigned i = LABYRINTH_FIRST_TENANT + 1; i < LABYRINTH_TENANTS; i++) {
        CHECK_OK(labyrinth_attach_fd(&all[i], fd, LABYRINTH_LOCK_NONE));
        CHECK(all[i].slot == i && all[i].tenant == (uint64_t) i << LABYRINTH_TENANT_SHIFT);
    }
    CHECK_REFUSED(LABYRINTH_NO_VACANCY, labyrinth_attach_fd(&one_more, fd, LABYRINTH_LOCK_NONE));
    uint64_t run = labyrinth_alloc_page(&all[255], EXCLUSIVE);
    CHECK_OK(labyrinth_free(&all[255], run));
    CHECK_OK(labyrinth_detach(&all[77]));
    CHECK_OK(labyrinth_attach_fd(&one_more, fd, LABYRINTH_LOCK_NONE));
    CHECK(one_more.slot == 77);
    CHECK(stats_of(&one_more).tenants == 254);
    CHECK_OK(labyrinth_validate(&one_more));
    CHECK_OK(labyrinth_detach(&one_more));
    for (unsigned i = LABYRINTH_FIRST_TENANT; i < LABYRINTH_TENANTS; i++) {
        CHECK(i == 77 || labyrinth_detach(&all[i]) == LABYRINTH_OK);
    }
    close(fd);
}

/* In one group they would share the cache lines of their words and of the group's advice. */
static void the_same_thread_of_two_tenants_begins_in_different_groups(void)
{
    struct labyrinth tenants[4];
    uint64_t runs[4];
    int fd;
    new_labyrinth(&tenants[0], 4096, 0, &fd);
    for (int i = 0; i < 4; i++) {
        CHECK(i == 0 || labyrinth_attach_fd(&tenants[i], fd, LABYRINTH_LOCK_NONE) == LABYRINTH_OK);
        runs[i] = labyrinth_alloc_page(&tenants[i], EXCLUSIVE);
        for (int j = 0; j < i; j++) {
            CHECK(handle_pfn(runs[i]) / GROUP_FRAMES != handle_pfn(runs[j]) / GROUP_FRAMES);
        }
    }
    for (int i = 3; i >= 0; i--) {
        CHECK_OK(labyrinth_free(&tenants[i], runs[i]));
        CHECK_OK(labyrinth_validate(&tenants[i]));
        CHECK_OK(labyrinth_detach(&tenants[i]));
    }
    close(fd);
}

static void a_sweep_takes_all_that_the_dead_left_and_nothing_else(void)
{
    struct labyrinth l, dead, alive;
    int fd;
    new_labyrinth(&l, 256, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&dead, fd, LABYRINTH_LOCK_NONE));
    CHECK_OK(labyrinth_attach_fd(&alive, fd, LABYRINTH_LOCK_NONE));
    uint64_t mine = labyrinth_alloc_pages(&l, EXCLUSIVE, 1);
    uint64_t others = labyrinth_alloc_pages(&alive, NOWAIT, 2);
    uint64_t others_ticket = labyrinth_hand_off(&alive, labyrinth_alloc_page(&alive, NOWAIT));
    uint64_t lost[] = {labyrinth_alloc_pages(&dead, EXCLUSIVE, 3), labyrinth_alloc_pages(&dead, NOWAIT, 4)};
    uint64_t lost_ticket = labyrinth_hand_off(&dead, labyrinth_alloc_pages(&dead, EXCLUSIVE, 5));
    uint64_t passed_on = labyrinth_hand_off(&dead, labyrinth_alloc_page(&dead, EXCLUSIVE));
    CHECK(labyrinth_accept(&l, passed_on) == passed_on);
    CHECK(labyrinth_sweep(&l) == 0 && labyrinth_sweep(&alive) == 0);
    CHECK_OK(labyrinth_detach_now(&dead));
    for (uint32_t group = 0; group < l.groups; group++) {
        so(&l.advice[group].maybe_free, 0); /* as if it had freed a run and died before it advised */
    }
    CHECK(labyrinth_sweep(&alive) == 8 + 16 + 32);
    CHECK(labyrinth_sweep(&l) == 0);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_REFUSED(LABYRINTH_STALE, labyrinth_free(&l, lost[0]));
    CHECK_REFUSED(LABYRINTH_STALE, labyrinth_free(&l, lost[1]));
    CHECK_NOTHING(LABYRINTH_STALE, labyrinth_accept(&l, lost_ticket));
    CHECK_OK(labyrinth_free(&l, passed_on));
    CHECK_OK(labyrinth_free(&l, mine));
    CHECK_OK(labyrinth_free(&l, others));
    CHECK(labyrinth_accept(&l, others_ticket) == others_ticket);
    CHECK_OK(labyrinth_free(&l, others_ticket));
    CHECK(stats_of(&l).free == 256 && stats_of(&l).tenants == 2);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&alive));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void an_attach_to_the_slot_of_a_dead_tenant_sweeps_it_first(void)
{
    struct labyrinth l, dead, heir;
    int fd;
    new_labyrinth(&l, 64, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&dead, fd, LABYRINTH_LOCK_NONE));
    uint32_t slot = dead.slot;
    uint64_t lost = labyrinth_alloc_pages(&dead, EXCLUSIVE, 3);
    CHECK_OK(labyrinth_detach_now(&dead));
    CHECK_OK(labyrinth_attach_fd(&heir, fd, LABYRINTH_LOCK_NONE));
    CHECK(heir.slot == slot && stats_of(&l).claimed == 0);
    CHECK_REFUSED(LABYRINTH_STALE, labyrinth_free(&heir, lost));
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&heir));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static bool is_mapped_here(const char *name)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        found |= strstr(line, name) != NULL;
    }
    fclose(maps);
    return found;
}

/* The kernel releases a lock with its process, and at no other time: not after a fork, and not when another descriptor
 * is closed.
 */
static void a_forked_child_maps_nothing_and_releases_no_lock(void)
{
    struct labyrinth l, other;
    int fd;
    new_labyrinth(&l, 64, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
    uint64_t run = labyrinth_alloc_page(&l, NOWAIT);
    CHECK(is_mapped_here("memfd:test"));
    pid_t child = fork();
    if (child == 0) {
        close(l.fd);
        close(fd);
        _exit(is_mapped_here("memfd:test") ? 1 : 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(fd);
    CHECK(labyrinth_sweep(&other) == 0 && labyrinth_order(&l, run) == 0);
    CHECK_OK(labyrinth_free(&l, run));
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&other));
    CHECK_OK(labyrinth_detach(&l));
}

/* A program that the dead process had started goes on, and must not be taken for the dead process. */
static void a_program_that_a_dead_process_started_does_not_keep_it_alive(void)
{
    struct labyrinth l;
    int fd, pids[2];
    pid_t started;
    new_labyrinth(&l, 64, 0, &fd);
    CHECK(pipe(pids) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct labyrinth mine;
        CHECK_OK(labyrinth_attach_fd(&mine, fd, LABYRINTH_LOCK_NONE));
        CHECK(labyrinth_alloc_pages(&mine, EXCLUSIVE, 3) != 0);
        started = fork();
        if (started == 0) {
            execlp("sleep", "sleep", "60", (char *) NULL);
            _exit(127);
        }
        usleep(100000); /* until the program has called exec */
        _exit(write(pids[1], &started, sizeof started) == sizeof started ? 0 : 1);
    }
    int status;
    CHECK(read(pids[0], &started, sizeof started) == sizeof started);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    uint64_t freed = labyrinth_sweep(&l);
    bool lives_on = kill(started, SIGKILL) == 0;
    CHECK(lives_on && freed == 8);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(pids[0]);
    close(pids[1]);
    close(fd);
}

/* The sanitizers' own mlock does nothing and reports success. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LOCKS

/* From <linux/capability.h>: not every libc has the kernel headers in its include path. */
#define CAPABILITY_VERSION_3 0x20080522U
#define CAP_IPC_LOCK 14

static void drop_the_right_to_lock_anything(void)
{
    struct {
        uint32_t version;
        int pid;
    } header = {CAPABILITY_VERSION_3, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } data[2];
    CHECK(syscall(SYS_capget, &header, data) == 0);
    data[0].effective &= ~(1U << CAP_IPC_LOCK);
    CHECK(syscall(SYS_capset, &header, data) == 0);
}

static void locking_is_required_or_preferred_or_left(void)
{
    struct labyrinth l, b;
    int fd;
    CHECK_OK(labyrinth_create_memfd(&l, "locked", 16, 0, LABYRINTH_LOCK_REQUIRED, &fd));
    CHECK(stats_of(&l).locked == 1);
    CHECK_OK(labyrinth_attach_fd(&b, fd, LABYRINTH_LOCK_NONE));
    CHECK(stats_of(&b).locked == 0);
    CHECK_OK(labyrinth_detach(&b));
    pid_t child = fork();
    if (child == 0) {
        struct rlimit little = {8192, 8192};
        drop_the_right_to_lock_anything();
        CHECK(setrlimit(RLIMIT_MEMLOCK, &little) == 0);
        CHECK_REFUSED(LABYRINTH_LOCK_REFUSED, labyrinth_attach_fd(&b, fd, LABYRINTH_LOCK_REQUIRED));
        CHECK_REFUSED(LABYRINTH_CLOSED, labyrinth_validate(&b));
        CHECK_OK(labyrinth_attach_fd(&b, fd, LABYRINTH_LOCK_PREFERRED));
        CHECK(stats_of(&b).locked == 0 && stats_of(&b).tenants == 2);
        CHECK_OK(labyrinth_detach(&b));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}
#endif

int main(void)
{
    static const struct test tests[] = {
        TEST(a_file_with_a_name_is_shared_by_its_name),
        TEST(what_cannot_be_opened_is_refused),
        TEST(impossible_requests_are_refused_and_leave_no_file),
        TEST(a_memfd_is_attached_to_only_if_its_length_is_sealed),
        TEST(a_file_whose_name_has_gone_is_as_unsealed_as_a_memfd),
        TEST(every_slot_is_given_once),
        TEST(the_same_thread_of_two_tenants_begins_in_different_groups),
        TEST(a_sweep_takes_all_that_the_dead_left_and_nothing_else),
        TEST(an_attach_to_the_slot_of_a_dead_tenant_sweeps_it_first),
        TEST(a_forked_child_maps_nothing_and_releases_no_lock),
        TEST(a_program_that_a_dead_process_started_does_not_keep_it_alive),
#ifdef LOCKS
        TEST(locking_is_required_or_preferred_or_left),
#endif
    };
    snprintf(path, sizeof path, "/dev/shm/labyrinth-test-%d", (int) getpid());
    unlink(path);
    return RUN_TESTS("shared", tests);
}
