/* SPDX-License-Identifier: Apache-2.0
 *
 * machines: shared labyrinths on unusual machines: no byte locks, a forked child that has its parent's lock, a memory
 * file system without room, a limit on file sizes, files of another kind.
 */
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define SMALL_MOUNT (8ULL << 20)

static char path[64];

/* ------------------------------------------------------------------------------------------------ other systems */

static int lock_error;     /* if not 0, the answer to each call for a byte's lock */
static bool old_kernel;    /* as before 5.14: pages are faulted in by touching them */
static int allocate_error; /* if not 0, the answer of a filter that does not know posix_fallocate's call */
static int find_error;     /* the same for kill(pid, 0) */

int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    long argument = va_arg(more, long);
    va_end(more);
    if (lock_error != 0 && (command == F_OFD_SETLK || command == F_OFD_GETLK)) {
        errno = lock_error;
        return -1;
    }
    return (int) syscall(SYS_fcntl, fd, command, argument);
}

int madvise(void *address, size_t bytes, int advice)
{
    if (old_kernel && advice == MADV_POPULATE_WRITE) {
        errno = EINVAL;
        return -1;
    }
    return (int) syscall(SYS_madvise, address, bytes, advice);
}

int posix_fallocate(int fd, off_t from, off_t bytes)
{
    int before = errno;
    int error = allocate_error != 0 ? allocate_error
        : syscall(SYS_fallocate, fd, 0, from, bytes) != 0 ? errno : 0;
    errno = before;
    return error;
}

int kill(pid_t pid, int number)
{
    if (find_error != 0 && number == 0) {
        errno = find_error;
        return -1;
    }
    return (int) syscall(SYS_kill, pid, number);
}

static bool explained(const char *words)
{
    char text[1024];
    return strstr(labyrinth_explain(text, sizeof text), words) != NULL;
}

/* Runs the test in a child, which changes its machine for the test. Returns the exit code: 0 the test held, 77 this
 * user may not change the machine.
 */
static int in_a_child(void (*test)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        test();
        exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ------------------------------------------------------------------------------------------------ locks */

static void only_a_lock_that_another_has_is_a_sign_of_life(void)
{
    struct labyrinth l, dead, other;
    int fd, new_fd;
    new_labyrinth(&l, 16, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&dead, fd, LABYRINTH_LOCK_NONE));
    CHECK(labyrinth_alloc_page(&dead, EXCLUSIVE) != 0);
    CHECK_OK(labyrinth_detach_now(&dead));
    static const int none[] = {EINVAL, ENOSYS, EPERM, ENOLCK};
    for (int i = 0; i < 4; i++) {
        char number[32];
        snprintf(number, sizeof number, "errno=%d(", none[i]);
        lock_error = none[i];
        CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
        CHECK(explained(number) && explained("F_OFD_SETLK"));
        CHECK_REFUSED(LABYRINTH_MAP_REFUSED,
                      labyrinth_create_memfd(&other, "new", 4, 0, LABYRINTH_LOCK_NONE, &new_fd));
        CHECK(new_fd == -1);
        CHECK_NOTHING(LABYRINTH_MAP_REFUSED, labyrinth_sweep(&l));
        CHECK(explained(number));
    }
    static const int held[] = {EAGAIN, EACCES};
    for (int i = 0; i < 2; i++) {
        lock_error = held[i];
        CHECK_REFUSED(LABYRINTH_NO_VACANCY, labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
        CHECK(labyrinth_sweep(&l) == 0);
    }
    lock_error = 0;
    CHECK(labyrinth_sweep(&l) == 1);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

/* ------------------------------------------------------------------------------------------------ forked children */

/* Starts a process that attaches and forks a child, which does nothing. If `leaves`, the process detaches; otherwise it
 * has a run of 4 frames. Then it is killed and waited for. Returns the child.
 */
static pid_t orphan_of(int fd, bool leaves)
{
    int pids[2];
    pid_t orphan;
    CHECK(pipe(pids) == 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct labyrinth mine;
        CHECK_OK(labyrinth_attach_fd(&mine, fd, LABYRINTH_LOCK_NONE));
        CHECK(leaves || labyrinth_alloc_pages(&mine, EXCLUSIVE, 2) != 0);
        orphan = fork();
        if (orphan == 0) {
            alarm(30); /* if a check fails, the child ends by itself, and nobody waits for its output */
            while (true) {
                pause();
            }
        }
        CHECK(!leaves || labyrinth_detach(&mine) == LABYRINTH_OK);
        CHECK(write(pids[1], &orphan, sizeof orphan) == sizeof orphan);
        pause();
    }
    CHECK(read(pids[0], &orphan, sizeof orphan) == sizeof orphan);
    close(pids[0]);
    close(pids[1]);
    kill(parent, SIGKILL);
    int status;
    CHECK(waitpid(parent, &status, 0) == parent && WIFSIGNALED(status));
    CHECK(kill(orphan, 0) == 0);
    return orphan;
}

static void a_killed_process_is_swept_though_its_forked_child_lives_on(void)
{
    struct labyrinth l, next;
    int fd;
    new_labyrinth(&l, 64, 0, &fd);
    pid_t orphan = orphan_of(fd, false);
    CHECK(stats_of(&l).claimed == 4);
    CHECK(labyrinth_sweep(&l) == 4);
    CHECK(stats_of(&l).tenants == 1 && stats_of(&l).claimed == 0);
    CHECK_OK(labyrinth_attach_fd(&next, fd, LABYRINTH_LOCK_NONE));
    CHECK(next.slot == l.slot + 2); /* the child has the lock of the slot between */
    CHECK_OK(labyrinth_detach(&next));
    kill(orphan, SIGKILL);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static void a_detach_gives_its_slot_up_whatever_a_forked_child_has(void)
{
    struct labyrinth l, next;
    int fd;
    new_labyrinth(&l, 64, 0, &fd);
    pid_t orphan = orphan_of(fd, true);
    CHECK_OK(labyrinth_attach_fd(&next, fd, LABYRINTH_LOCK_NONE));
    CHECK(next.slot == l.slot + 1);
    kill(orphan, SIGKILL);
    CHECK_OK(labyrinth_detach(&next));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

/* A pid of this process's namespace that no process has. */
static pid_t ended_pid(void)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    return child;
}

static void only_a_pid_of_this_namespace_that_is_not_found_is_a_sign_of_death(void)
{
    struct labyrinth l, other;
    int fd;
    struct stat here;
    CHECK(stat("/proc/self/ns/pid", &here) == 0);
    new_labyrinth(&l, 64, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&other, fd, LABYRINTH_LOCK_NONE));
    CHECK(labyrinth_alloc_pages(&other, EXCLUSIVE, 1) != 0);
    struct labyrinth_tenant *slot = &l.tenants[other.slot];
    CHECK(slot->pid == (uint64_t) getpid() && slot->pid_namespace == here.st_ino);
    uint64_t ended = (uint64_t) ended_pid();
    uint64_t doubtful[][2] = {{ended, here.st_ino + 1}, {ended, 0}, {1, here.st_ino}, {0, here.st_ino},
                              {-ended, here.st_ino}, {~0ULL, here.st_ino}, {ended | 1ULL << 32, here.st_ino},
                              {1ULL << 31, here.st_ino}, {(uint64_t) getpid(), here.st_ino}};
    for (unsigned i = 0; i < sizeof doubtful / sizeof *doubtful; i++) {
        slot->pid = doubtful[i][0];
        slot->pid_namespace = doubtful[i][1];
        CHECK(labyrinth_sweep(&l) == 0);
    }
    slot->pid = ended; /* as if a forked child held the lock */
    slot->pid_namespace = here.st_ino;
    static const int answers[] = {EPERM, ENOSYS, EINVAL};
    for (int i = 0; i < 3; i++) {
        find_error = answers[i];
        CHECK(labyrinth_sweep(&l) == 0);
    }
    find_error = 0;
    CHECK(labyrinth_sweep(&l) == 2);
    CHECK_OK(labyrinth_detach_now(&other));
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

static bool set_byte(int file, int64_t byte, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(file, F_OFD_SETLK, &lock) == 0;
}

/* A sweeper is at work on a slot whose tenant is dead while a forked child has the lock. Meanwhile the child ends. */
static void a_sweeper_has_its_slot_alone(void)
{
    struct labyrinth l, dead, newcomer;
    int fd;
    char link[32];
    new_labyrinth(&l, 64, 0, &fd);
    CHECK_OK(labyrinth_attach_fd(&dead, fd, LABYRINTH_LOCK_NONE));
    CHECK(labyrinth_alloc_pages(&dead, EXCLUSIVE, 2) != 0);
    uint32_t slot = dead.slot;
    l.tenants[slot].pid = (uint64_t) ended_pid();
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int sweeper = open(link, O_RDWR);
    CHECK(set_byte(sweeper, LABYRINTH_SWEEP_OFFSET + slot, F_WRLCK));
    CHECK(labyrinth_sweep(&l) == 0);
    CHECK_OK(labyrinth_detach_now(&dead));
    CHECK(labyrinth_sweep(&l) == 0);
    CHECK_OK(labyrinth_attach_fd(&newcomer, fd, LABYRINTH_LOCK_NONE));
    CHECK(newcomer.slot == slot + 1 && stats_of(&l).claimed == 4);
    CHECK_OK(labyrinth_detach(&newcomer));
    CHECK(set_byte(sweeper, LABYRINTH_SWEEP_OFFSET + slot, F_UNLCK));
    CHECK(labyrinth_sweep(&l) == 4);
    CHECK(set_byte(sweeper, LABYRINTH_SWEEP_OFFSET + slot, F_WRLCK)); /* nobody has kept these locks */
    CHECK(set_byte(sweeper, LABYRINTH_LOCK_OFFSET + slot, F_WRLCK));
    close(sweeper);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    close(fd);
}

/* ------------------------------------------------------------------------------------------------ room */

static uint64_t free_bytes(const char *mount)
{
    struct statvfs room;
    CHECK(statvfs(mount, &room) == 0);
    return room.f_bavail * room.f_frsize;
}

static bool write_text(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text);
    close(fd);
    return done;
}

/* As root, or as a user who may make a user namespace in which it is root. */
static bool has_own_mounts(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %d 1", (int) getuid());
    snprintf(groups, sizeof groups, "0 %d 1", (int) getgid());
    return unshare(CLONE_NEWNS) == 0
        || (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/uid_map", users)
            && write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/gid_map", groups));
}

static void use_a_small_mount(void)
{
    char mount_point[] = "/tmp/labyrinth-mount-XXXXXX";
    char file[64], file_with_holes[64], named[64];
    struct labyrinth l, other;
    CHECK(mkdtemp(mount_point) != NULL);
    if (!has_own_mounts() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", mount_point, "tmpfs", 0, "size=8m") != 0) {
        rmdir(mount_point);
        exit(77);
    }
    snprintf(file, sizeof file, "%s/labyrinth", mount_point);
    snprintf(named, sizeof named, "mount=%s size=%llu", mount_point, SMALL_MOUNT);
    uint64_t page = (uint64_t) sysconf(_SC_PAGESIZE);
    uint64_t before = free_bytes(mount_point);
    for (int i = 0; i < 8; i++) {
        old_kernel = i % 2 == 1;
        allocate_error = i / 4 == 1 ? ENOSYS : 0;
        uint64_t frames = (i / 2 % 2 == 0 ? 8 * SMALL_MOUNT : SMALL_MOUNT) / page;
        frames = i == 0 ? LABYRINTH_MAX_FRAMES : frames; /* the machine may have no memory for these either */
        CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_create(&l, file, "large", frames, 0, LABYRINTH_LOCK_NONE));
        CHECK(explained(named) && explained("--shm-size") && explained("emptyDir.sizeLimit"));
        CHECK(access(file, F_OK) != 0 && free_bytes(mount_point) == before);
    }
    allocate_error = 0;
    CHECK_OK(labyrinth_create(&l, file, "small", SMALL_MOUNT / 2 / page, 0, LABYRINTH_LOCK_NONE));
    uint64_t left = free_bytes(mount_point);
    CHECK(left < before - SMALL_MOUNT / 2);

    /* A file with holes, which there is no room to fill. */
    snprintf(file_with_holes, sizeof file_with_holes, "%s/holes", mount_point);
    int holes = open(file_with_holes, O_RDWR | O_CREAT, 0600);
    struct labyrinth_header header;
    CHECK(pread(l.fd, &header, sizeof header, 0) == sizeof header);
    CHECK(pwrite(holes, &header, sizeof header, 0) == sizeof header);
    CHECK(ftruncate(holes, (off_t) header.file_bytes) == 0);
    left = free_bytes(mount_point);
    for (int i = 0; i < 2; i++) {
        old_kernel = i == 1;
        CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_attach(&other, file_with_holes, LABYRINTH_LOCK_NONE));
        CHECK(explained(named) && free_bytes(mount_point) == left);
    }
    close(holes);
    unlink(file_with_holes);
    CHECK_OK(labyrinth_validate(&l));
    CHECK_OK(labyrinth_detach(&l));
    unlink(file);
    CHECK(free_bytes(mount_point) == before);
    umount(mount_point);
    rmdir(mount_point);
}

static void a_file_system_without_room_is_not_touched(void)
{
    int ended = in_a_child(use_a_small_mount);
    if (ended == 77) {
        printf("machines: skipped a_file_system_without_room_is_not_touched: this user may not mount\n");
    }
    CHECK(ended == 0 || ended == 77);
}

/* The kernel's signal for this error would kill the process. */
static void be_limited_in_file_size(void)
{
    struct labyrinth l;
    int fd;
    struct rlimit little = {1 << 20, 1 << 20};
    CHECK(setrlimit(RLIMIT_FSIZE, &little) == 0);
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_create_memfd(&l, "large", 1024, 0, LABYRINTH_LOCK_NONE, &fd));
    CHECK(explained("ulimit -f"));
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_create(&l, path, "large", 1024, 0, LABYRINTH_LOCK_NONE));
    CHECK(explained("ulimit -f") && access(path, F_OK) != 0);
}

static void a_limit_of_file_sizes_is_named(void)
{
    CHECK(in_a_child(be_limited_in_file_size) == 0);
}

/* ------------------------------------------------------------------------------------------------ files */

static void what_is_no_file_of_a_labyrinth_is_told_so(void)
{
    struct labyrinth l;
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_attach(&l, path, LABYRINTH_LOCK_NONE));
    CHECK(explained("there is no such file") && explained("creates it"));
    CHECK_REFUSED(LABYRINTH_NOT_A_LABYRINTH, labyrinth_attach(&l, "/dev/null", LABYRINTH_LOCK_NONE));
    CHECK(explained("no regular file"));
    int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK_REFUSED(LABYRINTH_NOT_A_LABYRINTH, labyrinth_attach(&l, path, LABYRINTH_LOCK_NONE));
    CHECK(explained("too short"));
    CHECK(ftruncate(file, 10000) == 0);
    CHECK_REFUSED(LABYRINTH_NOT_A_LABYRINTH, labyrinth_attach(&l, path, LABYRINTH_LOCK_NONE));
    CHECK(explained("magic") && !explained("remove"));
    CHECK_REFUSED(LABYRINTH_MAP_REFUSED, labyrinth_create(&l, path, "new", 4, 0, LABYRINTH_LOCK_NONE));
    CHECK(explained("already") && !explained("remove"));
    close(file);
    unlink(path);
}

static void where_memfds_are_forbidden_a_file_is_advised(void)
{
    static const int answers[] = {EPERM, ENOSYS};
    for (int i = 0; i < 2; i++) {
        refuse_system(LABYRINTH_MAP_REFUSED, "memfd_create", "new", 0, answers[i]);
        CHECK(explained("there is no memfd_create here") && explained("by a file below /dev/shm"));
    }
}

static void a_file_of_another_file_system_is_refused(void)
{
    char disk[] = "labyrinth-disk-XXXXXX";
    struct labyrinth l;
    int fd, file = mkstemp(disk);
    CHECK(file >= 0);
    new_labyrinth(&l, 4, 0, &fd);
    struct labyrinth_header header;
    CHECK(pread(fd, &header, sizeof header, 0) == sizeof header);
    CHECK(pwrite(file, &header, sizeof header, 0) == sizeof header && ftruncate(file, (off_t) header.file_bytes) == 0);
    CHECK_OK(labyrinth_detach(&l));
    if (fcntl(file, F_GET_SEALS) < 0) {
        CHECK_REFUSED(LABYRINTH_INVALID_REQUEST, labyrinth_attach(&l, disk, LABYRINTH_LOCK_NONE));
        CHECK(explained("memory file system"));
        unlink(disk);
        CHECK_REFUSED(LABYRINTH_INVALID_REQUEST, labyrinth_create(&l, disk, "new", 4, 0, LABYRINTH_LOCK_NONE));
        CHECK(access(disk, F_OK) != 0);
    } else {
        printf("machines: skipped a_file_of_another_file_system_is_refused: this folder is in memory\n");
    }
    unlink(disk);
    close(file);
    close(fd);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(only_a_lock_that_another_has_is_a_sign_of_life),
        TEST(a_killed_process_is_swept_though_its_forked_child_lives_on),
        TEST(a_detach_gives_its_slot_up_whatever_a_forked_child_has),
        TEST(only_a_pid_of_this_namespace_that_is_not_found_is_a_sign_of_death),
        TEST(a_sweeper_has_its_slot_alone),
        TEST(a_file_system_without_room_is_not_touched),
        TEST(a_limit_of_file_sizes_is_named),
        TEST(what_is_no_file_of_a_labyrinth_is_told_so),
        TEST(where_memfds_are_forbidden_a_file_is_advised),
        TEST(a_file_of_another_file_system_is_refused),
    };
    snprintf(path, sizeof path, "/dev/shm/labyrinth-machines-%d", (int) getpid());
    unlink(path);
    return RUN_TESTS("machines", tests);
}
